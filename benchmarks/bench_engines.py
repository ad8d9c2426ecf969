"""Training steps beside other engines a user might pick: JAX (jit), MyGrad, tinygrad (its JIT on the CPU), PyTorch.

All do the same work in float32: forward, mean cross entropy, backward, SGD with momentum (learning rate 0.01, momentum
0.9) from the same weights on the same batch, and must agree on the loss of the second step. An engine that is not
installed (`pip install "minigrad[bench]"`), or cannot run here (tinygrad needs clang), gets a line that says so. Two
threads each: JAX takes all processors it may run on, MyGrad those of NumPy's BLAS.
"""

import os
import subprocess

import numpy as np

import minigrad

from .timing import interleave, machine

RATE, MOMENTUM = 0.01, 0.9
CONVOLUTIONS = ((6, 1, 5, 5), (16, 6, 5, 5), (120, 16, 5, 5))  # LeNet-5
LENET_LAYERS = ((84, 120), (10, 84))
MLP_LAYERS = ((512, 784), (256, 512), (10, 256))


def parameters(shapes):
    """Weights and zero biases, in turn, of the layers with these weight shapes."""
    random, arrays = np.random.default_rng(0), []
    for shape in shapes:
        bound = np.sqrt(1 / np.prod(shape[1:]))
        arrays.append(random.uniform(-bound, bound, shape).astype(np.float32))
        arrays.append(np.zeros(shape[0], np.float32))
    return arrays


def batch(*shape):
    """Images of noise and their classes."""
    random = np.random.default_rng(1)
    return random.standard_normal(shape, dtype=np.float32), random.integers(0, 10, shape[0])


def torch_like(m, network, arrays, images, labels):
    """A step in a library with PyTorch's interface."""
    x, y = m.from_numpy(images), m.from_numpy(labels)
    weights = [m.from_numpy(array.copy()).requires_grad_() for array in arrays]
    optimizer = m.optim.SGD(weights, lr=RATE, momentum=MOMENTUM)
    F = m.nn.functional

    def lenet(x, w1, b1, w2, b2, w3, b3, w4, b4, w5, b5):
        x = F.avg_pool2d(F.conv2d(x, w1, b1).tanh(), 2)
        x = F.avg_pool2d(F.conv2d(x, w2, b2).tanh(), 2)
        x = F.conv2d(x, w3, b3).tanh().flatten(1)
        return F.linear(F.linear(x, w4, b4).tanh(), w5, b5)

    def mlp(x, w1, b1, w2, b2, w3, b3):
        return F.linear(F.linear(F.linear(x, w1, b1).relu(), w2, b2).relu(), w3, b3)

    forward = {"lenet": lenet, "mlp": mlp}[network]

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(x, *weights), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def with_minigrad(*work):
    """minigrad's step."""
    return torch_like(minigrad, *work)


def with_torch(*work):
    """PyTorch's step, in its default memory layout."""
    import torch

    torch.set_num_threads(minigrad.get_num_threads())
    return torch_like(torch, *work)


def with_jax(network, arrays, images, labels):
    """JAX's step, the whole of it one compiled function."""
    import jax
    import jax.numpy as jnp

    def pool(x):
        return jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4

    def convolution(x, w, b):
        return jax.lax.conv_general_dilated(x, w, (1, 1), "VALID") + b[:, None, None]

    def lenet(x, w1, b1, w2, b2, w3, b3, w4, b4, w5, b5):
        x = pool(jnp.tanh(convolution(x, w1, b1)))
        x = pool(jnp.tanh(convolution(x, w2, b2)))
        x = jnp.tanh(convolution(x, w3, b3)).reshape(len(x), -1)
        return jnp.tanh(x @ w4.T + b4) @ w5.T + b5

    def mlp(x, w1, b1, w2, b2, w3, b3):
        return jax.nn.relu(jax.nn.relu(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3

    forward = {"lenet": lenet, "mlp": mlp}[network]

    def cross_entropy(weights, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(x, *weights)), y[:, None], 1).mean()

    @jax.jit
    def update(weights, velocities, x, y):
        loss, gradients = jax.value_and_grad(cross_entropy)(weights, x, y)
        velocities = [MOMENTUM * v + g for v, g in zip(velocities, gradients)]
        return loss, [w - RATE * v for w, v in zip(weights, velocities)], velocities

    x, y = jnp.asarray(images), jnp.asarray(labels)
    weights = [jnp.asarray(array) for array in arrays]
    velocities = [jnp.zeros_like(w) for w in weights]

    def step():
        nonlocal weights, velocities
        loss, weights, velocities = update(weights, velocities, x, y)
        jax.block_until_ready(weights)
        return float(loss)

    return step


def with_mygrad(network, arrays, images, labels):
    """MyGrad's step; it has no average pooling, which a reshape and a mean make."""
    import mygrad
    from mygrad.nnet.activations import relu
    from mygrad.nnet.layers import conv_nd
    from mygrad.nnet.losses import softmax_crossentropy

    weights = [mygrad.tensor(array.copy()) for array in arrays]
    velocities = [np.zeros_like(array) for array in arrays]

    def pool(x):
        n, c, height, width = x.shape
        return x.reshape(n, c, height // 2, 2, width // 2, 2).mean(axis=(3, 5))

    def convolution(x, w, b):
        return conv_nd(x, w, stride=1) + b.reshape(-1, 1, 1)

    def lenet(x, w1, b1, w2, b2, w3, b3, w4, b4, w5, b5):
        x = pool(mygrad.tanh(convolution(x, w1, b1)))
        x = pool(mygrad.tanh(convolution(x, w2, b2)))
        x = mygrad.tanh(convolution(x, w3, b3)).reshape(len(x), -1)
        return mygrad.matmul(mygrad.tanh(mygrad.matmul(x, w4.T) + b4), w5.T) + b5

    def mlp(x, w1, b1, w2, b2, w3, b3):
        x = relu(mygrad.matmul(relu(mygrad.matmul(x, w1.T) + b1), w2.T) + b2)
        return mygrad.matmul(x, w3.T) + b3

    forward = {"lenet": lenet, "mlp": mlp}[network]

    def step():
        loss = softmax_crossentropy(forward(images, *weights), labels)
        loss.backward()
        for w, v in zip(weights, velocities):
            v *= MOMENTUM
            v += w.grad
            w.data -= RATE * v
            w.null_grad()
        return float(loss)

    return step


def with_tinygrad(network, arrays, images, labels):
    """tinygrad's step under its JIT, on its CPU backend."""
    os.environ["DEV"] = "CPU"  # read when it is imported
    from tinygrad import Tensor, TinyJit
    from tinygrad.helpers import Context
    from tinygrad.nn.optim import SGD

    def lenet(x, w1, b1, w2, b2, w3, b3, w4, b4, w5, b5):
        x = x.conv2d(w1, b1).tanh().avg_pool2d((2, 2))
        x = x.conv2d(w2, b2).tanh().avg_pool2d((2, 2))
        x = x.conv2d(w3, b3).tanh().flatten(1)
        return x.linear(w4.T, b4).tanh().linear(w5.T, b5)

    def mlp(x, w1, b1, w2, b2, w3, b3):
        return x.linear(w1.T, b1).relu().linear(w2.T, b2).relu().linear(w3.T, b3)

    forward = {"lenet": lenet, "mlp": mlp}[network]
    weights = [Tensor(array.copy()) for array in arrays]
    optimizer = SGD(weights, lr=RATE, momentum=MOMENTUM)
    x, y = Tensor(images), Tensor(labels)

    @TinyJit
    @Context(TRAINING=1)
    def update():
        optimizer.zero_grad()
        loss = forward(x, *weights).sparse_categorical_crossentropy(y).backward()
        return loss.realize(*optimizer.schedule_step())  # together, or the loss would be that of the new weights

    return lambda: update().item()


ENGINES = {
    "minigrad": with_minigrad,
    "torch": with_torch,
    "JAX (jit)": with_jax,
    "MyGrad": with_mygrad,
    "tinygrad (JIT)": with_tinygrad,
}
WORK = {
    "LeNet-5, batch 64": ("lenet", parameters((*CONVOLUTIONS, *LENET_LAYERS)), *batch(64, 1, 32, 32)),
    "MLP 784-512-256-10, batch 64": ("mlp", parameters(MLP_LAYERS), *batch(64, 784)),
}


def candidates(work):
    """({engine: a step}, {engine: why there is none}); the steps have been run twice and agree."""
    steps, skipped, losses = {}, {}, {}
    for name, make in ENGINES.items():
        try:
            step = make(*work)
            losses[name] = [step(), step()]
            steps[name] = step
        except (ImportError, OSError, subprocess.CalledProcessError) as error:
            skipped[name] = f"{type(error).__name__}: {error}"
    for name, (_, second) in losses.items():
        assert abs(second - losses["minigrad"][1]) < 1e-4, (name, losses)
    return steps, skipped


def main():
    """Print the table."""
    minigrad.set_num_threads(2)
    print(f"## Other engines\n\n{machine()}; milliseconds a training step, median (best)\n")
    print("| engine | " + " | ".join(WORK) + " |\n|---|" + "---|" * len(WORK))
    cells, reasons = {name: [] for name in ENGINES}, {}
    for work in WORK.values():
        steps, skipped = candidates(work)
        reasons |= skipped
        times = interleave(steps, seconds=3)
        ours = times["minigrad"][0]
        for name, row in cells.items():
            if name in times:
                median, best = times[name]
                row.append(f"{1e3 * median:.2f} ({1e3 * best:.2f}), {median / ours:.2f}x")
            else:
                row.append("–")
    for name, row in cells.items():
        print(f"| {name} | {' | '.join(row)} |")
    for name, reason in reasons.items():
        print(f"\n{name} was left out: {reason}")


if __name__ == "__main__":
    main()

"""Small trainings that are recorded for the tests of the explorer's page, with what their tests need to know of them.

Weights and data come from NumPy's generator, so that other libraries can be given the same.
"""

from types import SimpleNamespace

import numpy as np

import minigrad as mg
from minigrad import nn, viz
from minigrad.vision import models

HOSTILE = "</script><img src=x onerror=alert(1)>"


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def with_known_weights(module, scale=0.2):
    """`module` with weights from NumPy, one array a parameter."""
    with mg.no_grad():
        for seed, parameter in enumerate(module.parameters()):
            parameter.copy_(mg.tensor(scale * numbers(seed, *parameter.shape)))
    return module


def recorded(program, title=""):
    """The recording of `program()`, and what it returned."""
    with viz.record(title) as recording:
        result = program()
    return recording, result


def small():
    """A layer with a skip connection and a bias that is broadcast: all of it can be computed by hand."""
    x, w, b = (mg.tensor(numbers(i, *shape), requires_grad=True) for i, shape in enumerate([(2, 3), (3, 3), (3,)]))

    def step():
        y = (x @ w + b).tanh() + x
        loss = (y * y).sum()
        loss.backward()
        return loss

    recording, loss = recorded(step, "small")
    return SimpleNamespace(
        recording=recording, loss=loss, x=x.detach().numpy(), w=w.detach().numpy(), b=b.detach().numpy()
    )


def lenet():
    """LeNet-5, four images."""
    net = with_known_weights(models.LeNet5())
    images, labels = mg.tensor(numbers(100, 4, 1, 32, 32)), mg.tensor([3, 1, 4, 1])

    def step():
        loss = nn.CrossEntropyLoss()(net(images), labels)
        loss.backward()
        return loss

    recording, loss = recorded(step, "LeNet-5")
    return SimpleNamespace(recording=recording, loss=loss, net=net, images=images.numpy(), labels=labels.numpy())


def resnet18():
    """ResNet-18 with ten classes, two images of 32x32."""
    net = with_known_weights(models.resnet18(num_classes=10), 0.05)
    images, labels = mg.tensor(numbers(100, 2, 3, 32, 32)), mg.tensor([3, 1])

    def step():
        loss = nn.CrossEntropyLoss()(net(images), labels)
        loss.backward()
        return loss

    recording, loss = recorded(step, "ResNet-18")
    return SimpleNamespace(recording=recording, loss=loss, net=net)


def lstm():
    """An LSTM cell over five moments, whose weights every moment shares."""
    cell = with_known_weights(nn.LSTMCell(3, 4))
    words = mg.tensor(numbers(100, 5, 2, 3))

    def step():
        state = None
        for word in words:
            state = cell(word, state)
        loss = state[0].square().mean()
        loss.backward()
        return loss

    recording, loss = recorded(step, "LSTM")
    return SimpleNamespace(recording=recording, loss=loss, net=cell, words=words.numpy())


def gan():
    """A step of a GAN: the discriminator's pass, with the generated images detached, and the generator's."""
    generator = with_known_weights(nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4)))
    discriminator = with_known_weights(nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)))
    noise, real = mg.tensor(numbers(100, 6, 2)), mg.tensor(numbers(101, 6, 4))
    loss_of = nn.BCEWithLogitsLoss()

    def step():
        fake = generator(noise)
        judged = loss_of(discriminator(real), mg.ones(6, 1)) + loss_of(discriminator(fake.detach()), mg.zeros(6, 1))
        judged.backward()
        fooled = loss_of(discriminator(fake), mg.ones(6, 1))
        fooled.backward()
        return fooled

    recording, loss = recorded(step, "GAN")
    return SimpleNamespace(recording=recording, loss=loss, generator=generator, discriminator=discriminator)


class Cube(mg.autograd.Function):
    """x³, a user's own operation."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 3 * x * x * dy


class WrongCube(Cube):
    """x³ with a wrong derivative."""

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 2 * x * x * dy


def function():
    """A user's own operation, twice: with the right derivative and with a wrong one."""
    x = mg.tensor(numbers(0, 2, 3), requires_grad=True)

    def step():
        loss = (Cube.apply(x) + WrongCube.apply(x)).sum()
        loss.backward()
        return loss

    recording, loss = recorded(step, "custom Function")
    return SimpleNamespace(recording=recording, loss=loss, x=x.detach().numpy())


def cuts():
    """Gradients that are None or zero, for different reasons."""
    used, cut, quiet, unused, dead = (mg.tensor(numbers(i, 3), requires_grad=True) for i in range(5))

    def step():
        hidden = cut * 2
        loss = (used * hidden.detach()).sum()
        with mg.no_grad():
            quietly = quiet * 3
        loss = loss + quietly.sum() + (dead.abs() * -1 - 1).relu().sum()
        unused.exp()
        loss.backward()
        return loss

    recording, loss = recorded(step, "cuts")
    return SimpleNamespace(recording=recording, loss=loss)


def failing():
    """LeNet-5 on images that are too small for it."""
    net = with_known_weights(models.LeNet5())
    recording = viz.record("failing")
    try:
        with recording:
            net(mg.tensor(numbers(100, 1, 1, 28, 28)))
    except RuntimeError as error:
        return SimpleNamespace(recording=recording, error=error)
    raise AssertionError("the program was meant to fail")


def nonfinite():
    """A logarithm of zero amid healthy numbers."""
    x = mg.tensor([1.0, 0.0, 2.0], requires_grad=True)

    def step():
        loss = ((x * 2).log() * x).sum()
        loss.backward()
        return loss

    recording, loss = recorded(step, "not finite")
    return SimpleNamespace(recording=recording, loss=loss)


def deep(activation=nn.Sigmoid, scale=0.2):
    """Twenty layers one behind the other, whose gradients shrink or grow by the factor `scale` makes of each."""
    layers = [layer for _ in range(20) for layer in (nn.Linear(4, 4), activation())]
    net = with_known_weights(nn.Sequential(*layers), scale)

    def step():
        net(mg.tensor(numbers(100, 2, 4))).sum().backward()

    recording, _ = recorded(step, "deep")
    return SimpleNamespace(recording=recording, net=net)


def exploding():
    """Twenty linear layers with large weights."""
    return deep(nn.Identity, 5.0)


def twice():
    """Three steps of training, in each of which one model is called twice."""
    net = with_known_weights(nn.Sequential(nn.Linear(3, 1)))
    optimizer = mg.optim.SGD(net.parameters(), lr=0.1)

    def steps():
        for seed in range(3):
            loss = (net(mg.tensor(numbers(seed, 2, 3))) - net(mg.tensor(numbers(seed + 3, 2, 3)))).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    recording, _ = recorded(steps, "twice")
    return SimpleNamespace(recording=recording, net=net)


def pooling():
    """Max pooling whose windows overlap, after a strided and padded convolution of two groups."""
    layer = with_known_weights(nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), groups=2))
    images = mg.tensor(numbers(100, 1, 4, 9, 7), requires_grad=True)

    def step():
        hidden = layer(images)
        loss = (nn.MaxPool2d(3, stride=2, padding=1)(hidden) * mg.tensor(numbers(101, 1, 6, 3, 3))).sum()
        loss.backward()
        return hidden

    recording, hidden = recorded(step, "pooling")
    return SimpleNamespace(
        recording=recording, hidden=hidden.detach().numpy(), layer=layer, images=images.detach().numpy()
    )


class Hostile(nn.Module):
    """A module, its parameter and its part bear names made to break out of a page."""

    def __init__(self):
        super().__init__()
        self._modules[HOSTILE] = nn.Linear(2, 2)
        self._parameters[HOSTILE + "&quot;'\"\\"] = nn.Parameter(mg.ones(2))

    def extra_repr(self):
        return HOSTILE

    def forward(self, x):
        return self._modules[HOSTILE](x) * next(iter(self._parameters.values()))


Hostile.__name__ = Hostile.__qualname__ = HOSTILE


def hostile():
    """Names that would run, were they markup."""
    net = nn.Sequential(Hostile(), nn.Tanh())

    def step():
        net(mg.ones(1, 2)).sum().backward()

    recording, _ = recorded(step, HOSTILE)
    return SimpleNamespace(recording=recording)


def resnet152():
    """ResNet-152 with all its layers, but narrow ones."""
    net = models.resnet152(width_per_group=4, num_classes=10).eval()

    def step():
        net(mg.tensor(numbers(100, 1, 3, 32, 32))).sum().backward()

    recording, _ = recorded(step, "ResNet-152")
    return SimpleNamespace(recording=recording)

"""One step of an optimizer, a launch for each parameter, in one pass over it and its states.

Numbers that are the same for all elements are worked out in float64 before the launch. `kernels/reference/optim.py` is
the definition.
"""

from itertools import repeat
from math import sqrt as root

from ._numba import SIMULATED, cuda, kernel, launch, on_device, quotient, sqrt
from .memory import dense, memory_order

__all__ = ["adagrad_update", "adam_update", "rmsprop_update", "sgd_update"]

THREADS = 8 if SIMULATED else 256
MOST_BLOCKS = 2 if SIMULATED else 132 * 16


@kernel("T*, T*, T*, T, T, T, T, i32")
def sgd_step(param, buffer, grad, lr, momentum, rest, weight_decay, count, *, T, BUFFER, NESTEROV, MAXIMIZE, THREADS):
    """One element after another of `sgd_update`; rest = 1 - dampening."""
    for i in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, count, cuda.gridDim.x * THREADS):
        value, step = param[i], grad[i]
        if MAXIMIZE:
            step = -step
        if weight_decay != 0:
            step += weight_decay * value
        if BUFFER:
            velocity = momentum * buffer[i] + rest * step
            buffer[i] = velocity
            if NESTEROV:
                step = step + momentum * velocity
            else:
                step = velocity
        param[i] = value - lr * step


@kernel("T*, T*, T*, T*, T*, T, T, T, T, T, T, T, T, T, i32")
def adam_step(
    param, exp_avg, exp_avg_sq, maximum, grad, step_size, correction, eps, shrink, weight_decay, beta1, rest1, beta2,
    rest2, count, *, T, AMSGRAD, MAXIMIZE, THREADS,
):  # fmt: skip
    """One element after another of `adam_update`; `shrink` is what decoupled weight decay leaves of a parameter."""
    for i in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, count, cuda.gridDim.x * THREADS):
        value, g = param[i], grad[i]
        if MAXIMIZE:
            g = -g
        if shrink != 1:
            value *= shrink
        if weight_decay != 0:
            g += weight_decay * value
        mean = beta1 * exp_avg[i] + rest1 * g
        square = beta2 * exp_avg_sq[i] + rest2 * g * g
        exp_avg[i] = mean
        exp_avg_sq[i] = square
        if AMSGRAD:
            previous = maximum[i]
            if previous >= square or previous != previous:
                square = previous
            maximum[i] = square
        param[i] = value - step_size * quotient(mean, quotient(sqrt(square), correction) + eps)


@kernel("T*, T*, T*, T*, T*, T, T, T, T, T, T, i32")
def rmsprop_step(
    param, square_avg, grad_avg, buffer, grad, lr, alpha, rest, eps, weight_decay, momentum, count, *,
    T, CENTERED, BUFFER, MAXIMIZE, THREADS,
):  # fmt: skip
    """One element after another of `rmsprop_update`; rest = 1 - alpha."""
    for i in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, count, cuda.gridDim.x * THREADS):
        value, g = param[i], grad[i]
        if MAXIMIZE:
            g = -g
        if weight_decay != 0:
            g += weight_decay * value
        variance = alpha * square_avg[i] + rest * g * g
        square_avg[i] = variance
        if CENTERED:
            mean = alpha * grad_avg[i] + rest * g
            grad_avg[i] = mean
            variance -= mean * mean
        step = quotient(g, sqrt(variance) + eps)
        if BUFFER:
            step += momentum * buffer[i]
            buffer[i] = step
        param[i] = value - lr * step


@kernel("T*, T*, T*, T, T, T, i32")
def adagrad_step(param, total, grad, rate, eps, weight_decay, count, *, T, MAXIMIZE, THREADS):
    """One element after another of `adagrad_update`."""
    for i in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, count, cuda.gridDim.x * THREADS):
        value, g = param[i], grad[i]
        if MAXIMIZE:
            g = -g
        if weight_decay != 0:
            g += weight_decay * value
        squares = total[i] + g * g
        total[i] = squares
        param[i] = value - rate * quotient(g, sqrt(squares) + eps)


def _step(kernel, changed, grad, *numbers, **constants):
    """Launch a step on arrays that it changes, None among them, in the memory order of the first, the parameter."""
    param = changed[0]
    axes = memory_order(param)
    views = [None if array is None else array.transpose(axes) for array in changed]
    arrays = [None if view is None else dense(view) for view in views]
    blocks = min(-(-param.size // THREADS), MOST_BLOCKS)
    launch(
        kernel, blocks, THREADS, *arrays, dense(grad.transpose(axes)), *numbers, param.size,
        T=param.dtype, THREADS=THREADS, **constants,
    )  # fmt: skip
    for view, array in zip(views, arrays):
        if view is not None and not view.flags.c_contiguous:
            view[...] = array


@on_device
def sgd_update(params, grads, momentum_buffers, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """One step of stochastic gradient descent, in place: `kernels.reference.sgd_update`."""
    for param, grad, buffer in zip(params, grads, momentum_buffers or repeat(None)):
        _step(
            sgd_step, [param, buffer], grad, lr, momentum, 1 - dampening, weight_decay,
            BUFFER=buffer is not None, NESTEROV=bool(nesterov), MAXIMIZE=bool(maximize),
        )  # fmt: skip


@on_device
def adam_update(
    params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr, beta1, beta2, eps, weight_decay, decoupled,
    maximize,
):  # fmt: skip
    """One step of Adam or, if decoupled, AdamW, in place: `kernels.reference.adam_update`."""
    for param, grad, mean, square, largest, step in zip(
        params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs or repeat(None), steps
    ):
        _step(
            adam_step, [param, mean, square, largest], grad, lr / (1 - beta1**step), root(1 - beta2**step), eps,
            1 - lr * weight_decay if decoupled else 1.0, 0.0 if decoupled else weight_decay, beta1, 1 - beta1, beta2,
            1 - beta2, AMSGRAD=largest is not None, MAXIMIZE=bool(maximize),
        )  # fmt: skip


@on_device
def rmsprop_update(
    params, grads, square_avgs, grad_avgs, momentum_buffers, lr, alpha, eps, weight_decay, momentum, maximize
):
    """One step of RMSprop, in place: `kernels.reference.rmsprop_update`."""
    for param, grad, square, mean, buffer in zip(
        params, grads, square_avgs, grad_avgs or repeat(None), momentum_buffers or repeat(None)
    ):
        _step(
            rmsprop_step, [param, square, mean, buffer], grad, lr, alpha, 1 - alpha, eps, weight_decay, momentum,
            CENTERED=mean is not None, BUFFER=buffer is not None, MAXIMIZE=bool(maximize),
        )  # fmt: skip


@on_device
def adagrad_update(params, grads, sums, steps, lr, lr_decay, eps, weight_decay, maximize):
    """One step of Adagrad, in place: `kernels.reference.adagrad_update`."""
    for param, grad, total, step in zip(params, grads, sums, steps):
        rate = lr / (1 + (step - 1) * lr_decay)
        _step(adagrad_step, [param, total], grad, rate, eps, weight_decay, MAXIMIZE=bool(maximize))

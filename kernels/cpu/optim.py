"""One step of an optimizer for one parameter: a single pass over the parameter, its gradient and its state.

Both functions write into the parameter and its state. Arrays that are dense in the parameter's memory order are updated
in place, others in a copy that is written back. `kernels/reference/optim.py` is the definition.
"""

from math import sqrt

from numba import prange

from ..jit import jit, parallel_jit
from .layout import SERIAL, dense, memory_order, parts


@jit
def _sgd(param, grad, buffer, has_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize):
    real = param.dtype.type
    rate, inertia, fresh, decay = real(lr), real(momentum), real(1 - dampening), real(weight_decay)
    sign = real(-1) if maximize else real(1)
    if has_buffer:
        for i in range(len(param)):
            step = sign * grad[i]
            if weight_decay != 0:
                step += decay * param[i]
            velocity = inertia * buffer[i] + fresh * step
            buffer[i] = velocity
            param[i] -= rate * (step + inertia * velocity if nesterov else velocity)
    else:
        for i in range(len(param)):
            step = sign * grad[i]
            if weight_decay != 0:
                step += decay * param[i]
            param[i] -= rate * step


@parallel_jit
def _sgd_parallel(param, grad, buffer, has_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize, count):
    size = len(param)
    for part in prange(count):
        low, high = size * part // count, size * (part + 1) // count
        _sgd(
            param[low:high], grad[low:high], buffer[low:high], has_buffer, lr, momentum, dampening, weight_decay,
            nesterov, maximize,
        )  # fmt: skip


@jit
def _adam(
    param, grad, mean, square, largest, has_largest, step_size, correction, beta1, beta2, eps, decay, shrink, maximize
):
    """Adam with step_size = lr / (1 - beta1^step) and correction = sqrt(1 - beta2^step).

    decay is the weight decay added to the gradient, shrink what the parameter is multiplied with beforehand.
    """
    real = param.dtype.type
    sign = real(-1) if maximize else real(1)
    size, scale, epsilon = real(step_size), real(correction), real(eps)
    keep, fresh, keep_square, fresh_square = real(beta1), real(1 - beta1), real(beta2), real(1 - beta2)
    for i in range(len(param)):
        value, g = param[i], sign * grad[i]
        if decay != 0:
            g += real(decay) * value
        first = keep * mean[i] + fresh * g
        second = keep_square * square[i] + fresh_square * g * g
        mean[i], square[i] = first, second
        if has_largest:
            second = second if second > largest[i] or second != second else largest[i]
            largest[i] = second
        param[i] = value * real(shrink) - size * first / (sqrt(second) / scale + epsilon)


@parallel_jit
def _adam_parallel(
    param, grad, mean, square, largest, has_largest, step_size, correction, beta1, beta2, eps, decay, shrink, maximize,
    count,
):  # fmt: skip
    size = len(param)
    for part in prange(count):
        low, high = size * part // count, size * (part + 1) // count
        _adam(
            param[low:high], grad[low:high], mean[low:high], square[low:high], largest[low:high], has_largest,
            step_size, correction, beta1, beta2, eps, decay, shrink, maximize,
        )  # fmt: skip


def _update(kernels, param, grad, states, settings):
    """Run the serial or the parallel kernel on the arrays, flat in param's memory order; a state may be None."""
    if param.flags.c_contiguous:
        targets, source = [param, *states], grad
    else:
        axes = memory_order(param)
        targets = [array if array is None else array.transpose(axes) for array in (param, *states)]
        source = grad.transpose(axes)
    arrays = [array if array is None else dense(array) for array in targets]
    flat = [array if array is None else array.reshape(-1) for array in arrays]
    grads = dense(source).reshape(-1)
    has_last = flat[-1] is not None
    if not has_last:
        flat[-1] = grads  # never touched
    serial, parallel = kernels
    if param.size < SERIAL:
        serial(flat[0], grads, *flat[1:], has_last, *settings)
    else:
        parallel(flat[0], grads, *flat[1:], has_last, *settings, parts(param.size, param.size))
    for target, array in zip(targets, arrays):
        if array is not target:
            target[...] = array


def sgd_update(param, grad, momentum_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """One step of stochastic gradient descent, in place on param and momentum_buffer.

    All arrays share param's shape and dtype (float32 or float64); momentum_buffer may be None, for no momentum. With
    g = ±grad + weight_decay * param (minus to maximize): buffer = momentum * buffer + (1 - dampening) * g, the
    direction d is buffer, or g + momentum * buffer if nesterov, or g without a buffer; param -= lr * d. Rules:
    PyTorch's `torch.optim.SGD`, from its second step on.

    >>> import numpy as np
    >>> param, buffer = np.array([1.0]), np.array([2.0])
    >>> sgd_update(param, np.array([4.0]), buffer, 0.1, 0.5, 0.0, 0.0, False, False)
    >>> param, buffer
    (array([0.5]), array([5.]))
    """
    settings = float(lr), float(momentum), float(dampening), float(weight_decay), bool(nesterov), bool(maximize)
    _update((_sgd, _sgd_parallel), param, grad, (momentum_buffer,), settings)


def adam_update(
    param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize
):
    """Step number `step` (from 1) of Adam or, if decoupled, AdamW, in place on param and its state.

    All arrays share param's shape and dtype (float32 or float64); max_exp_avg_sq may be None, for no AMSGrad. With
    g = ±grad (minus to maximize) plus weight_decay * param, or param *= 1 - lr * weight_decay if decoupled:
    m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g², and
    param -= lr / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + eps), where AMSGrad takes the largest v so far.
    Sources: Kingma and Ba, "Adam", 2015; Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019; Reddi
    et al., "On the Convergence of Adam and Beyond", 2018. Rules: PyTorch's `torch.optim.Adam` and `AdamW`.

    >>> import numpy as np
    >>> param, mean, square = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> adam_update(param, np.array([4.0]), mean, square, None, 1, 0.25, 0.5, 0.5, 0.0, 0.0, False, False)
    >>> param, mean, square
    (array([0.75]), array([2.]), array([8.]))
    """
    decay, shrink = (0.0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1.0)
    settings = (
        lr / (1 - beta1**step), sqrt(1 - beta2**step), float(beta1), float(beta2), float(eps), float(decay),
        float(shrink), bool(maximize),
    )  # fmt: skip
    _update((_adam, _adam_parallel), param, grad, (exp_avg, exp_avg_sq, max_exp_avg_sq), settings)

"""One step of an optimizer for one parameter: a single pass over the parameter, its gradient and its state.

Both functions write into the parameter and its state. Arrays that are dense in the parameter's memory order are updated
in place, others in a copy that is written back. `kernels/reference/optim.py` is the definition.
"""

from math import sqrt

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, memory_order, parts


@jit
def _sgd(part, count, params, grads, buffers, has_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize):
    first, last = len(params) * part // count, len(params) * (part + 1) // count
    param, grad, buffer = params[first:last], grads[first:last], buffers[first:last]
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


@pool_jit
def _sgd_all(count, params, grads, buffers, has_buffer, settings):
    parallel_for(count, count > 1, _sgd, (count, params, grads, buffers, has_buffer, *settings))


@jit
def _adam(
    part, count, params, grads, means, squares, maxima, has_maxima,
    step_size, correction, beta1, beta2, eps, decay, shrink, maximize,
):  # fmt: skip
    """Adam with step_size = lr / (1 - beta1^step) and correction = sqrt(1 - beta2^step).

    decay is the weight decay added to the gradient, shrink what the parameter is multiplied with beforehand.
    """
    first, last = len(params) * part // count, len(params) * (part + 1) // count
    param, grad, mean = params[first:last], grads[first:last], means[first:last]
    square, largest = squares[first:last], maxima[first:last]
    real = param.dtype.type
    sign = real(-1) if maximize else real(1)
    size, scale, epsilon = real(step_size), real(correction), real(eps)
    keep, fresh, keep_square, fresh_square = real(beta1), real(1 - beta1), real(beta2), real(1 - beta2)
    for i in range(len(param)):
        value, g = param[i], sign * grad[i]
        if decay != 0:
            g += real(decay) * value
        average = keep * mean[i] + fresh * g
        second = keep_square * square[i] + fresh_square * g * g
        mean[i], square[i] = average, second
        if has_maxima:
            second = second if second > largest[i] or second != second else largest[i]
            largest[i] = second
        param[i] = value * real(shrink) - size * average / (sqrt(second) / scale + epsilon)


@pool_jit
def _adam_all(count, params, grads, means, squares, maxima, has_maxima, settings):
    parallel_for(count, count > 1, _adam, (count, params, grads, means, squares, maxima, has_maxima, *settings))


def _update(kernel, param, grad, states, settings):
    """Run the kernel on the arrays, flat in param's memory order; a state may be None."""
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
    kernel(parts(param.size, param.size), flat[0], grads, *flat[1:], has_last, settings)
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
    _update(_sgd_all, param, grad, (momentum_buffer,), settings)


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
    _update(_adam_all, param, grad, (exp_avg, exp_avg_sq, max_exp_avg_sq), settings)

"""One step of an optimizer for many parameters, written as its definition: one loop over the elements of each.

Every function takes lists of arrays, one entry a parameter, and writes into the parameters and their states. The fast
versions live in `kernels/cpu/optim.py`.
"""

from itertools import repeat
from math import sqrt

import numpy as np


def sgd_update(params, grads, momentum_buffers, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """One step of stochastic gradient descent, in place on params and momentum_buffers.

    Lists of arrays, all of one dtype (float32 or float64), one entry a parameter; momentum_buffers may be None, for no
    momentum. With g = ±grad + weight_decay * param (minus to maximize): buffer = momentum * buffer + (1 - dampening) *
    g, the direction d is buffer, or g + momentum * buffer if nesterov, or g without a buffer; param -= lr * d. Rules:
    PyTorch's `torch.optim.SGD`, from its second step on.

    >>> param, buffer = np.array([1.0]), np.array([2.0])
    >>> sgd_update([param], [np.array([4.0])], [buffer], 0.1, 0.5, 0.0, 0.0, False, False)
    >>> param, buffer
    (array([0.5]), array([5.]))
    """
    for param, grad, buffer in zip(params, grads, momentum_buffers or repeat(None)):
        for at in np.ndindex(param.shape):
            value, step = float(param[at]), float(grad[at])
            if maximize:
                step = -step
            if weight_decay != 0:
                step += weight_decay * value
            if buffer is not None:
                velocity = momentum * float(buffer[at]) + (1 - dampening) * step
                buffer[at] = velocity
                step = step + momentum * velocity if nesterov else velocity
            param[at] = value - lr * step


def adam_update(
    params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr, beta1, beta2, eps, weight_decay, decoupled,
    maximize,
):  # fmt: skip
    """One step of Adam or, if decoupled, AdamW, in place on params and their states.

    Lists of arrays, all of one dtype (float32 or float64), one entry a parameter; `steps` are the numbers of the step,
    from 1; max_exp_avg_sqs may be None, for no AMSGrad. With g = ±grad (minus to maximize) plus weight_decay * param,
    or param *= 1 - lr * weight_decay if decoupled: m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g², and
    param -= lr / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + eps), where AMSGrad takes the largest v so far.
    Sources: Kingma and Ba, "Adam", 2015; Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019; Reddi
    et al., "On the Convergence of Adam and Beyond", 2018. Rules: PyTorch's `torch.optim.Adam` and `AdamW`.

    >>> param, mean, square = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> adam_update([param], [np.array([4.0])], [mean], [square], None, [1], 0.25, 0.5, 0.5, 0.0, 0.0, False, False)
    >>> param, mean, square
    (array([0.75]), array([2.]), array([8.]))
    """
    states = zip(exp_avgs, exp_avg_sqs, max_exp_avg_sqs or repeat(None), steps)
    for param, grad, (exp_avg, exp_avg_sq, maximum, number) in zip(params, grads, states):
        step_size, correction = lr / (1 - beta1**number), sqrt(1 - beta2**number)
        for at in np.ndindex(param.shape):
            value, g = float(param[at]), float(grad[at])
            if maximize:
                g = -g
            if weight_decay != 0 and decoupled:
                value *= 1 - lr * weight_decay
            elif weight_decay != 0:
                g += weight_decay * value
            mean = beta1 * float(exp_avg[at]) + (1 - beta1) * g
            square = beta2 * float(exp_avg_sq[at]) + (1 - beta2) * g * g
            exp_avg[at], exp_avg_sq[at] = mean, square
            if maximum is not None:
                previous = float(maximum[at])
                square = previous if previous >= square or previous != previous else square
                maximum[at] = square
            param[at] = value - step_size * mean / (sqrt(square) / correction + eps)


def rmsprop_update(
    params, grads, square_avgs, grad_avgs, momentum_buffers, lr, alpha, eps, weight_decay, momentum, maximize
):
    """One step of RMSprop, in place on params and their states.

    Lists of arrays, all of one dtype (float32 or float64), one entry a parameter; grad_avgs may be None, for the
    variant that is not centered, momentum_buffers for no momentum. With g = ±grad + weight_decay * param (minus to
    maximize): v = alpha v + (1 - alpha) g², and the direction d is g / (sqrt(v) + eps), or centered g / (sqrt(v - m²) +
    eps) with m = alpha m + (1 - alpha) g; with momentum the buffer is momentum * buffer + d, and the direction;
    param -= lr * d. Sources: Tieleman and Hinton, "Lecture 6.5: rmsprop", 2012; Graves, "Generating Sequences With
    Recurrent Neural Networks", 2013. Rules: PyTorch's `torch.optim.RMSprop`.

    >>> param, square = np.array([1.0]), np.array([0.0])
    >>> rmsprop_update([param], [np.array([2.0])], [square], None, None, 0.5, 0.75, 0.0, 0.0, 0.0, False)
    >>> param, square
    (array([0.]), array([1.]))
    """
    states = zip(square_avgs, grad_avgs or repeat(None), momentum_buffers or repeat(None))
    for param, grad, (square_avg, grad_avg, buffer) in zip(params, grads, states):
        for at in np.ndindex(param.shape):
            value, g = float(param[at]), float(grad[at])
            if maximize:
                g = -g
            if weight_decay != 0:
                g += weight_decay * value
            variance = square_avg[at] = alpha * float(square_avg[at]) + (1 - alpha) * g * g
            if grad_avg is not None:
                mean = grad_avg[at] = alpha * float(grad_avg[at]) + (1 - alpha) * g
                variance -= mean * mean
            step = g / (np.sqrt(variance) + eps)
            if buffer is not None:
                step = buffer[at] = momentum * float(buffer[at]) + step
            param[at] = value - lr * step


def adagrad_update(params, grads, sums, steps, lr, lr_decay, eps, weight_decay, maximize):
    """One step of Adagrad, in place on params and sums.

    Lists of arrays, all of one dtype (float32 or float64), one entry a parameter; `steps` are the numbers of the step,
    from 1. With g = ±grad + weight_decay * param (minus to maximize): sum += g², and
    param -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(sum) + eps). Source: Duchi et al., "Adaptive Subgradient
    Methods for Online Learning and Stochastic Optimization", 2011. Rules: PyTorch's `torch.optim.Adagrad`.

    >>> param, total = np.array([1.0]), np.array([12.0])
    >>> adagrad_update([param], [np.array([2.0])], [total], [1], 0.5, 0.0, 0.0, 0.0, False)
    >>> param, total
    (array([0.75]), array([16.]))
    """
    for param, grad, total, number in zip(params, grads, sums, steps):
        rate = lr / (1 + (number - 1) * lr_decay)
        for at in np.ndindex(param.shape):
            value, g = float(param[at]), float(grad[at])
            if maximize:
                g = -g
            if weight_decay != 0:
                g += weight_decay * value
            squares = total[at] = float(total[at]) + g * g
            param[at] = value - rate * g / (sqrt(squares) + eps)

"""One step of an optimizer for one parameter, written as its definition: one loop over the elements.

Both functions write into the parameter and its state. The fast versions live in `kernels/cpu/optim.py`.
"""

from math import sqrt

import numpy as np


def sgd_update(param, grad, momentum_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """One step of stochastic gradient descent, in place on param and momentum_buffer.

    All arrays share param's shape and dtype (float32 or float64); momentum_buffer may be None, for no momentum. With
    g = ±grad + weight_decay * param (minus to maximize): buffer = momentum * buffer + (1 - dampening) * g, the
    direction d is buffer, or g + momentum * buffer if nesterov, or g without a buffer; param -= lr * d. Rules:
    PyTorch's `torch.optim.SGD`, from its second step on.

    >>> param, buffer = np.array([1.0]), np.array([2.0])
    >>> sgd_update(param, np.array([4.0]), buffer, 0.1, 0.5, 0.0, 0.0, False, False)
    >>> param, buffer
    (array([0.5]), array([5.]))
    """
    for at in np.ndindex(param.shape):
        value, step = float(param[at]), float(grad[at])
        if maximize:
            step = -step
        if weight_decay != 0:
            step += weight_decay * value
        if momentum_buffer is not None:
            velocity = momentum * float(momentum_buffer[at]) + (1 - dampening) * step
            momentum_buffer[at] = velocity
            step = step + momentum * velocity if nesterov else velocity
        param[at] = value - lr * step


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

    >>> param, mean, square = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> adam_update(param, np.array([4.0]), mean, square, None, 1, 0.25, 0.5, 0.5, 0.0, 0.0, False, False)
    >>> param, mean, square
    (array([0.75]), array([2.]), array([8.]))
    """
    step_size, correction = lr / (1 - beta1**step), sqrt(1 - beta2**step)
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
        if max_exp_avg_sq is not None:
            previous = float(max_exp_avg_sq[at])
            square = previous if previous >= square or previous != previous else square
            max_exp_avg_sq[at] = square
        param[at] = value - step_size * mean / (sqrt(square) / correction + eps)

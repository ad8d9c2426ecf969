"""One step of an optimizer for many parameters at once: a single pass over each parameter, its gradient and its state.

Every function takes lists of arrays, one entry a parameter, and writes into the parameters and their states. All
elements together are cut into parts of one size for the threads, however many arrays they lie in, so that a network of
many small parameters costs one call and one parallel region. Arrays that are dense in the parameter's memory order are
updated in place, others in a copy that is written back. `kernels/reference/optim.py` is the definition.
"""

from itertools import accumulate
from math import sqrt
from operator import attrgetter

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from ..jit import inline_jit, jit, part_jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, memory_order, parts

_HEAD = object.__basicsize__  # bytes that every Python object begins with

_usable, _size, _dtype, _shape = map(attrgetter, ("flags.carray", "size", "dtype", "shape"))


@intrinsic
def _data(typingctx, array, index, zero):
    """A pointer to element `index`, of zero's type, of the ndarray that is the Python object at the address `array`.

    The address of the elements is the first thing behind the head of the object, by NumPy's binary interface
    (`PyArrayObject_fields`). To ask for it in Python takes longer than to update a small parameter.
    """

    def codegen(context, builder, signature, args):
        pointer = context.get_value_type(signature.return_type)
        field = builder.add(args[0], ir.Constant(args[0].type, _HEAD))
        elements = builder.load(builder.inttoptr(field, pointer.as_pointer()))
        return builder.gep(elements, [args[1]])

    return types.CPointer(zero)(types.int64, types.int64, zero), codegen


@part_jit
def _touched(starts, first, last):
    """The numbers of the arrays, which begin at `starts`, that have elements `first` to `last` of all."""
    low, end = 0, len(starts) - 1
    while low < end and starts[low + 1] <= first:
        low += 1
    while low < end and starts[end - 1] >= last:
        end -= 1
    return range(low, end)


@part_jit
def _piece(role, index, arrays, starts, first, last, zero):
    """What array number `index` of a role has of the elements `first` to `last` of all; a role that there is not is
    stood in for by the last one.
    """
    begin, end = max(first, starts[index]) - starts[index], min(last, starts[index + 1]) - starts[index]
    return carray(_data(arrays[min(role, len(arrays) - 1), index], begin, zero), (end - begin,))


@jit
def _sgd(
    part, count, arrays, starts, zero, has_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize
):  # fmt: skip
    real = type(zero)
    first, last = starts[-1] * part // count, starts[-1] * (part + 1) // count
    rate, inertia, fresh, decay = real(lr), real(momentum), real(1 - dampening), real(weight_decay)
    sign = real(-1) if maximize else real(1)
    for index in _touched(starts, first, last):
        param = _piece(0, index, arrays, starts, first, last, zero)
        grad = _piece(1, index, arrays, starts, first, last, zero)
        buffer = _piece(2, index, arrays, starts, first, last, zero)
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
def _sgd_all(count, arrays, starts, zero, settings):
    parallel_for(count, count > 1, _sgd, (count, arrays, starts, zero, *settings))


@jit
def _adam(
    part, count, arrays, starts, zero, steps, has_maxima, lr, beta1, beta2, eps, weight_decay, decoupled, maximize
):  # fmt: skip
    real = type(zero)
    first, last = starts[-1] * part // count, starts[-1] * (part + 1) // count
    keep, fresh, keep_square, fresh_square = real(beta1), real(1 - beta1), real(beta2), real(1 - beta2)
    epsilon, sign = real(eps), real(-1) if maximize else real(1)
    decay, shrink = real(0 if decoupled else weight_decay), real(1 - lr * weight_decay if decoupled else 1)
    for index in _touched(starts, first, last):
        param = _piece(0, index, arrays, starts, first, last, zero)
        grad = _piece(1, index, arrays, starts, first, last, zero)
        mean = _piece(2, index, arrays, starts, first, last, zero)
        square = _piece(3, index, arrays, starts, first, last, zero)
        largest = _piece(4, index, arrays, starts, first, last, zero)
        step_size, scale = real(lr / (1 - beta1 ** steps[index])), real(sqrt(1 - beta2 ** steps[index]))
        for i in range(len(param)):
            value, g = param[i], sign * grad[i]
            if decay != 0:
                g += decay * value
            average = keep * mean[i] + fresh * g
            second = keep_square * square[i] + fresh_square * g * g
            mean[i], square[i] = average, second
            if has_maxima:
                second = second if second > largest[i] or second != second else largest[i]
                largest[i] = second
            param[i] = value * shrink - step_size * average / (sqrt(second) / scale + epsilon)


@pool_jit
def _adam_all(count, arrays, starts, zero, steps, settings):
    parallel_for(count, count > 1, _adam, (count, arrays, starts, zero, steps, *settings))


@inline_jit
def _rmsprop_piece(
    param, grad, square, mean, buffer, centered, has_buffer, lr, alpha, eps, weight_decay, momentum, sign
):
    real = param.dtype.type
    rate, keep, fresh, inertia = real(lr), real(alpha), real(1 - alpha), real(momentum)
    epsilon, decay, sign = real(eps), real(weight_decay), real(sign)
    # Without decay an infinite value must not become NaN; a condition on weight_decay itself is one too many for the
    # compiler, which then does not vectorise.
    zero, decayed = real(0), real(np.inf if weight_decay != 0 else 0)
    for i in range(len(param)):
        value = param[i]
        g = sign * grad[i] + (decay * value if abs(value) <= decayed else zero)
        second = keep * square[i] + fresh * g * g
        square[i] = second
        if centered:
            average = keep * mean[i] + fresh * g
            mean[i] = average
            second -= average * average
        step = g / (sqrt(second) + epsilon)
        if has_buffer:
            step += inertia * buffer[i]
            buffer[i] = step
        param[i] = value - rate * step


@jit
def _rmsprop(part, count, arrays, starts, zero, centered, has_buffer, settings):
    first, last = starts[-1] * part // count, starts[-1] * (part + 1) // count
    for index in _touched(starts, first, last):
        param = _piece(0, index, arrays, starts, first, last, zero)
        grad = _piece(1, index, arrays, starts, first, last, zero)
        square = _piece(2, index, arrays, starts, first, last, zero)
        mean = _piece(3, index, arrays, starts, first, last, zero)
        buffer = _piece(4 if centered else 3, index, arrays, starts, first, last, zero)
        # Four loops: where a state stands in for one that there is not, the compiler takes them for dependent.
        if centered and has_buffer:
            _rmsprop_piece(param, grad, square, mean, buffer, True, True, *settings)
        elif centered:
            _rmsprop_piece(param, grad, square, mean, buffer, True, False, *settings)
        elif has_buffer:
            _rmsprop_piece(param, grad, square, mean, buffer, False, True, *settings)
        else:
            _rmsprop_piece(param, grad, square, mean, buffer, False, False, *settings)


@pool_jit
def _rmsprop_all(count, arrays, starts, zero, centered, has_buffer, settings):
    parallel_for(count, count > 1, _rmsprop, (count, arrays, starts, zero, centered, has_buffer, settings))


@jit
def _adagrad(part, count, arrays, starts, zero, steps, lr, lr_decay, eps, weight_decay, maximize):
    real = type(zero)
    first, last = starts[-1] * part // count, starts[-1] * (part + 1) // count
    epsilon, decay, sign = real(eps), real(weight_decay), real(-1) if maximize else real(1)
    for index in _touched(starts, first, last):
        param = _piece(0, index, arrays, starts, first, last, zero)
        grad = _piece(1, index, arrays, starts, first, last, zero)
        total = _piece(2, index, arrays, starts, first, last, zero)
        rate = real(lr / (1 + (steps[index] - 1) * lr_decay))
        for i in range(len(param)):
            value, g = param[i], sign * grad[i]
            if decay != 0:
                g += decay * value
            squares = total[i] + g * g
            total[i] = squares
            param[i] = value - rate * g / (sqrt(squares) + epsilon)


@pool_jit
def _adagrad_all(count, arrays, starts, zero, steps, settings):
    parallel_for(count, count > 1, _adagrad, (count, arrays, starts, zero, steps, *settings))


def _update(kernel, params, grads, states, *settings):
    """Run a kernel on all parameters; `states` are the lists that the optimizer has."""
    if not params:
        return
    rows, written = [params, grads, *states], ()
    shapes, dtype = list(map(_shape, params)), params[0].dtype
    if any(list(map(_shape, row)) != shapes for row in rows):
        raise ValueError("a gradient or state must have its parameter's shape")
    if not (dtype.isnative and all(set(map(_dtype, row)) == {dtype} and all(map(_usable, row)) for row in rows)):
        rows, written = _laid_out(rows)
    arrays = np.array([list(map(id, row)) for row in rows])
    starts = np.array(list(accumulate(map(_size, params), initial=0)))
    total = int(starts[-1])
    kernel(parts(total, total), arrays, starts, params[0].dtype.type(0), *settings)
    for array, copy in written:
        array[...] = copy


def _laid_out(rows):
    """(the arrays, dense in the memory order of their parameter, what is to be written back: pairs of an array and
    its copy).
    """
    orders = [memory_order(param) for param in rows[0]]
    turned = [[array.transpose(axes) for array, axes in zip(row, orders)] for row in rows]
    result = [[dense(array) for array in row] for row in turned]
    dtypes = {array.dtype for row in result for array in row}
    if len(dtypes) != 1:
        raise ValueError(f"the arrays of one call must have one dtype, but there are {sorted(map(str, dtypes))}")
    return result, [
        (array, copy)
        for number, (row, copies) in enumerate(zip(turned, result))
        for array, copy in zip(row, copies)
        if number != 1 and copy is not array
    ]


def sgd_update(params, grads, momentum_buffers, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """One step of stochastic gradient descent, in place on params and momentum_buffers.

    Lists of arrays, all of one dtype (float32 or float64), one entry a parameter; momentum_buffers may be None, for no
    momentum. With g = ±grad + weight_decay * param (minus to maximize): buffer = momentum * buffer + (1 - dampening) *
    g, the direction d is buffer, or g + momentum * buffer if nesterov, or g without a buffer; param -= lr * d. Rules:
    PyTorch's `torch.optim.SGD`, from its second step on.

    >>> import numpy as np
    >>> param, buffer = np.array([1.0]), np.array([2.0])
    >>> sgd_update([param], [np.array([4.0])], [buffer], 0.1, 0.5, 0.0, 0.0, False, False)
    >>> param, buffer
    (array([0.5]), array([5.]))
    """
    states = [] if momentum_buffers is None else [momentum_buffers]
    settings = (
        bool(states), float(lr), float(momentum), float(dampening), float(weight_decay), bool(nesterov), bool(maximize),
    )  # fmt: skip
    _update(_sgd_all, params, grads, states, settings)


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

    >>> import numpy as np
    >>> param, mean, square = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> adam_update([param], [np.array([4.0])], [mean], [square], None, [1], 0.25, 0.5, 0.5, 0.0, 0.0, False, False)
    >>> param, mean, square
    (array([0.75]), array([2.]), array([8.]))
    """
    states = [exp_avgs, exp_avg_sqs, *([] if max_exp_avg_sqs is None else [max_exp_avg_sqs])]
    settings = (
        len(states) == 3, float(lr), float(beta1), float(beta2), float(eps), float(weight_decay), bool(decoupled),
        bool(maximize),
    )  # fmt: skip
    _update(_adam_all, params, grads, states, np.array(steps, np.float64), settings)


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

    >>> import numpy as np
    >>> param, square = np.array([1.0]), np.array([0.0])
    >>> rmsprop_update([param], [np.array([2.0])], [square], None, None, 0.5, 0.75, 0.0, 0.0, 0.0, False)
    >>> param, square
    (array([0.]), array([1.]))
    """
    states = [square_avgs, *[state for state in (grad_avgs, momentum_buffers) if state is not None]]
    settings = float(lr), float(alpha), float(eps), float(weight_decay), float(momentum), -1.0 if maximize else 1.0
    _update(_rmsprop_all, params, grads, states, grad_avgs is not None, momentum_buffers is not None, settings)


def adagrad_update(params, grads, sums, steps, lr, lr_decay, eps, weight_decay, maximize):
    """One step of Adagrad, in place on params and sums.

    Lists of arrays, all of one dtype (float32 or float64), one entry a parameter; `steps` are the numbers of the step,
    from 1. With g = ±grad + weight_decay * param (minus to maximize): sum += g², and
    param -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(sum) + eps). Source: Duchi et al., "Adaptive Subgradient
    Methods for Online Learning and Stochastic Optimization", 2011. Rules: PyTorch's `torch.optim.Adagrad`.

    >>> import numpy as np
    >>> param, total = np.array([1.0]), np.array([12.0])
    >>> adagrad_update([param], [np.array([2.0])], [total], [1], 0.5, 0.0, 0.0, 0.0, False)
    >>> param, total
    (array([0.75]), array([16.]))
    """
    settings = float(lr), float(lr_decay), float(eps), float(weight_decay), bool(maximize)
    _update(_adagrad_all, params, grads, [sums], np.array(steps, np.float64), settings)

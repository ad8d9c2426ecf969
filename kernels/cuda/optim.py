"""One step of an optimizer: one launch for all parameters, in one pass over them and their states.

`update` is the frame: a block finds its parameter in a table, takes CHUNK of its elements, and brings them into
registers, four at a time; a rule (`sgd`, `adam`, ...) changes them there. Numbers that are the same for all elements
are worked out in float64 before: on the host, or, where the rate or the counts of steps are on the device so that a
captured step finds new ones at every replay, there. `kernels/reference/optim.py` is the definition.
"""

from functools import lru_cache
from itertools import accumulate
from math import sqrt as root
from operator import attrgetter

from ..device import library
from ._numba import SIMULATED, cuda, f64, i32, inlined, kernel, launch, on_device, quotient, sqrt, unrolled
from .memory import aligned, constant, dense, empty, memory_order
from .pointers import pointer, table
from .vector import give, take

__all__ = ["adagrad_update", "adam_update", "rmsprop_update", "sgd_update"]

THREADS = 4 if SIMULATED else 256
CHUNK = THREADS * (4 if SIMULATED else 16)  # elements of a block

_dtype, _shape = map(attrgetter, ("dtype", "shape"))

# What a rule gets: in `cells`, four elements of each array one after another, the parameter, its gradient, and the
# states; the number i of the element it is to change; in `numbers` what is the same for all elements.


@inlined
def sgd(cells, i, numbers, *, ARRAYS, NESTEROV, MAXIMIZE):
    """One element of `sgd_update`; a third array is the momentum's. rest = 1 - dampening."""
    lr, momentum, rest, weight_decay = numbers[0], numbers[1], numbers[2], numbers[3]
    value, step = cells[i], cells[4 + i]
    if MAXIMIZE:
        step = -step
    if weight_decay != 0:
        step += weight_decay * value
    if ARRAYS == 3:
        velocity = momentum * cells[8 + i] + rest * step
        cells[8 + i] = velocity
        if NESTEROV:
            step = step + momentum * velocity
        else:
            step = velocity
    cells[i] = value - lr * step


@inlined
def adam(cells, i, numbers, *, ARRAYS, MAXIMIZE):
    """One element of `adam_update`; a fifth array is AMSGrad's. `shrink` is what decoupled weight decay leaves."""
    step_size, correction, shrink, eps, weight_decay = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    beta1, rest1, beta2, rest2 = numbers[5], numbers[6], numbers[7], numbers[8]
    value, g = cells[i], cells[4 + i]
    if MAXIMIZE:
        g = -g
    if shrink != 1:
        value *= shrink
    if weight_decay != 0:
        g += weight_decay * value
    mean = beta1 * cells[8 + i] + rest1 * g
    square = beta2 * cells[12 + i] + rest2 * g * g
    cells[8 + i] = mean
    cells[12 + i] = square
    if ARRAYS == 5:
        previous = cells[16 + i]
        if previous >= square or previous != previous:
            square = previous
        cells[16 + i] = square
    cells[i] = value - step_size * quotient(mean, quotient(sqrt(square), correction) + eps)


@inlined
def rmsprop(cells, i, numbers, *, CENTERED, BUFFER, MAXIMIZE):
    """One element of `rmsprop_update`; the means' array comes before the momentum's. rest = 1 - alpha."""
    lr, alpha, rest = numbers[0], numbers[1], numbers[2]
    eps, weight_decay, momentum = numbers[3], numbers[4], numbers[5]
    value, g = cells[i], cells[4 + i]
    if MAXIMIZE:
        g = -g
    if weight_decay != 0:
        g += weight_decay * value
    variance = alpha * cells[8 + i] + rest * g * g
    cells[8 + i] = variance
    if CENTERED:
        mean = alpha * cells[12 + i] + rest * g
        cells[12 + i] = mean
        variance -= mean * mean
    step = quotient(g, sqrt(variance) + eps)
    if BUFFER:
        step += momentum * cells[4 * (3 + CENTERED) + i]
        cells[4 * (3 + CENTERED) + i] = step
    cells[i] = value - lr * step


@inlined
def adagrad(cells, i, numbers, *, MAXIMIZE):
    """One element of `adagrad_update`."""
    rate, eps, weight_decay = numbers[0], numbers[1], numbers[2]
    value, g = cells[i], cells[4 + i]
    if MAXIMIZE:
        g = -g
    if weight_decay != 0:
        g += weight_decay * value
    squares = cells[8 + i] + g * g
    cells[8 + i] = squares
    cells[i] = value - rate * quotient(g, sqrt(squares) + eps)


@inlined
def parameter_of(block, firsts, count):
    """The last of the parameters whose first block is this one or one before."""
    low, high = i32(0), i32(count - 1)
    while low < high:
        middle = i32((low + high + 1) >> 1)
        if firsts[middle] <= block:
            low = middle
        else:
            high = i32(middle - 1)
    return low


@kernel("i64*, i32*, T*, i32, T[GIVEN], i32")
def update(
    pointers, extents, found, stride, given, count, *, T, RULE, ARRAYS, FOUND, GIVEN, CHUNK, THREADS, VECTOR
):  # fmt: skip
    """A rule applied to the elements of `count` parameters.

    The table of pointers has a row for each of the ARRAYS; `extents` has each parameter's first block, then its size.
    The rule's numbers are FOUND on the device, `stride` apart from parameter to parameter, and GIVEN by the host.
    """
    numbers = cuda.local.array(FOUND + GIVEN, T)
    cells = cuda.local.array(4 * ARRAYS, T)
    index = parameter_of(cuda.blockIdx.x, extents, count)
    for k in unrolled(FOUND):
        numbers[k] = found[stride * index + k]
    for k in unrolled(GIVEN):
        numbers[FOUND + k] = given[k]
    first = i32((cuda.blockIdx.x - extents[index]) * CHUNK)
    stop = i32(min(first + CHUNK, extents[count + index]))
    for start in range(first + 4 * cuda.threadIdx.x, stop, 4 * THREADS):
        for role in unrolled(ARRAYS):
            take(cells, 4 * role, pointer(T, pointers, role * count + index), start, stop - start)
        for i in unrolled(4):
            RULE(cells, i, numbers)
        for role in unrolled(ARRAYS):
            if role != 1:
                give(pointer(T, pointers, role * count + index), start, stop - start, cells, 4 * role)


@kernel("i64*, R*, f64, T*, f64, f64, f64, i32")
def count_and_correct(steps, rates, rate, found, beta1, beta2, weight_decay, count, *, S, R, T, RATE, THREADS):
    """Add one to each count of steps; step size, correction and shrinking of Adam for that step."""
    for i in range(cuda.threadIdx.x, count, THREADS):
        place = pointer(S, steps, i)
        step = f64(place[0]) + 1.0
        place[0] = step
        lr = f64(rates[0]) if RATE else rate
        found[3 * i] = lr / (1.0 - beta1**step)
        found[3 * i + 1] = sqrt(1.0 - beta2**step)
        found[3 * i + 2] = 1.0 - lr * weight_decay


@lru_cache(4096)
def _is_dense(shape, strides, dtype):
    """Whether elements lie side by side, in any order of the axes."""
    reach = dtype.itemsize
    for size, stride in sorted(zip(shape, strides), key=lambda axis: axis[1]):
        if size > 1 and stride != reach:
            return False
        reach *= size
    return True


def _laid_out(arrays):
    """(arrays of one parameter, dense in the memory order of the first, what is to be written back: pairs of a view of
    an array and its copy).
    """
    param = arrays[0]
    if all(array.strides == param.strides for array in arrays) and _is_dense(param.shape, param.strides, param.dtype):
        return arrays, []
    axes = memory_order(param)
    views = [array.transpose(axes) for array in arrays]
    copies = [dense(view) for view in views]
    return copies, [
        (view, copy) for role, (view, copy) in enumerate(zip(views, copies)) if role != 1 and copy is not view
    ]


def _update(rule, rows, given, found=None, stride=0, width=0, **constants):
    """Apply a rule to rows of arrays: the parameters, their gradients, and each list of states.

    `given` are its numbers, but for the first `width`, which are `found` on the device.
    """
    pairs = [_laid_out(arrays) for arrays in zip(*rows)]
    if not pairs:
        return
    arrays = [array for row in zip(*(arrays for arrays, _ in pairs)) for array in row]
    dtype, sizes = arrays[0].dtype, [param.size for param in rows[0]]
    blocks = list(accumulate([-(-size // CHUNK) for size in sizes], initial=0))
    launch(
        update, blocks.pop(), THREADS, table(arrays), constant((*blocks, *sizes)), found, stride,
        tuple(map(float, given)), len(sizes), T=dtype, RULE=rule, ARRAYS=len(rows), FOUND=width, GIVEN=len(given),
        CHUNK=CHUNK, THREADS=THREADS, VECTOR=aligned(*arrays), **constants,
    )  # fmt: skip
    for _, written in pairs:
        for view, copy in written:
            view[...] = copy


def _rows(*lists):
    """The lists that there are, of parameters, gradients and states; a ValueError unless they match.

    The kernel takes the parameters' sizes and dtype for those of all, and would reach beyond what is smaller.
    """
    rows = [arrays for arrays in lists if arrays is not None]
    shapes = list(map(_shape, rows[0]))
    if any(list(map(_shape, row)) != shapes for row in rows):
        raise ValueError("a gradient or state must have its parameter's shape")
    dtypes = {dtype for row in rows for dtype in map(_dtype, row)}
    if len(dtypes) > 1:
        raise ValueError(f"the arrays of one call must have one dtype, but there are {sorted(map(str, dtypes))}")
    return rows


def _on_device(number):
    return isinstance(number, library().module.ndarray)


def _rate(lr, params):
    """(the rate, if the host gives it, then if it is found on the device where, how far apart and how many numbers)."""
    return ((), lr.astype(params[0].dtype), 0, 1) if _on_device(lr) else ((lr,),)


@on_device
def sgd_update(params, grads, momentum_buffers, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """One step of stochastic gradient descent, in place: `kernels.reference.sgd_update`."""
    (rate, *found), given = _rate(lr, params), (momentum, 1 - dampening, weight_decay)
    _update(
        sgd, _rows(params, grads, momentum_buffers), rate + given, *found,
        NESTEROV=bool(nesterov), MAXIMIZE=bool(maximize),
    )  # fmt: skip


@on_device
def adam_update(
    params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr, beta1, beta2, eps, weight_decay, decoupled,
    maximize,
):  # fmt: skip
    """One step of Adam or, if decoupled, AdamW, in place: `kernels.reference.adam_update`.

    `steps` may also be arrays of 0 dimensions, the steps taken so far, to which it adds one; then `lr` may be one, too.
    """
    rows = _rows(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
    given = eps, 0.0 if decoupled else weight_decay, beta1, 1 - beta1, beta2, 1 - beta2
    shrinking, constants = weight_decay if decoupled else 0.0, {"MAXIMIZE": bool(maximize)}
    if steps and _on_device(steps[0]):
        found, on_device = empty((len(params), 3), params[0].dtype), _on_device(lr)
        launch(
            count_and_correct, 1, THREADS, table(steps), lr if on_device else None, 0.0 if on_device else lr, found,
            beta1, beta2, shrinking, len(steps), S=steps[0].dtype, R=lr.dtype if on_device else found.dtype,
            T=found.dtype, RATE=on_device, THREADS=THREADS,
        )  # fmt: skip
        _update(adam, rows, given, found, 3, 3, **constants)
        return
    lr = float(lr)
    for step in dict.fromkeys(steps):  # mostly there is one
        alike = [[array for array, other in zip(row, steps) if other == step] for row in rows]
        corrected = lr / (1 - beta1**step), root(1 - beta2**step), 1 - lr * shrinking
        _update(adam, alike, corrected + given, **constants)


@on_device
def rmsprop_update(
    params, grads, square_avgs, grad_avgs, momentum_buffers, lr, alpha, eps, weight_decay, momentum, maximize
):
    """One step of RMSprop, in place: `kernels.reference.rmsprop_update`."""
    (rate, *found), given = _rate(lr, params), (alpha, 1 - alpha, eps, weight_decay, momentum)
    _update(
        rmsprop, _rows(params, grads, square_avgs, grad_avgs, momentum_buffers), rate + given, *found,
        CENTERED=grad_avgs is not None, BUFFER=momentum_buffers is not None, MAXIMIZE=bool(maximize),
    )  # fmt: skip


@on_device
def adagrad_update(params, grads, sums, steps, lr, lr_decay, eps, weight_decay, maximize):
    """One step of Adagrad, in place: `kernels.reference.adagrad_update`."""
    lr, rows = float(lr), _rows(params, grads, sums)
    for step in dict.fromkeys(steps):
        alike = [[array for array, other in zip(row, steps) if other == step] for row in rows]
        rate = lr / (1 + (step - 1) * lr_decay)
        _update(adagrad, alike, (rate, eps, weight_decay), MAXIMIZE=bool(maximize))

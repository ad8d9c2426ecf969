"""Writing into a tensor under autograd.

An in-place operation computes its result out of place and copies it into the memory of the tensor, or, if nobody can
tell the difference, lets the tensor have the memory of the result; the tensor then takes the place of the result in the
graph, and what the operation saved of its result is from then on the tensor itself. The version counter tells every
operation that saved the old value. A write through a view changes its base: the base becomes "the base with that part
replaced", and all views of it find their new place in the graph when they are next used.
"""

from collections.abc import Callable

import numpy as np

from minigrad.autograd import DEVICES, AccumulateGrad, Operation, Storage, Tensor, no_grad, state, watch
from minigrad.autograd.dtypes import TORCH_NAMES, boxed
from minigrad.kernels import kernels_for, scalars
from minigrad.kernels.buffers import unshared

from .arithmetic import LARGE, PLAIN, is_dense, no_broadcast
from .choice import where
from .conversion import moved
from .creation import fitting, ones, zeros
from .registry import method, twins


class CopySlices(Operation):
    """A base tensor of which one view has been replaced by new values."""

    formula = "dbase = dy with 0 in the view, dvalue = the view of dy"

    @staticmethod
    def forward(ctx, base, value, view):
        ctx.view = view
        ctx.save_for_backward(None)  # as in PyTorch, a second backward through a write is an error
        return base  # the memory has been written already

    @staticmethod
    def backward(ctx, dy):
        ctx.saved_tensors  # noqa: B018
        dbase = dvalue = None
        if ctx.needs_input_grad[0]:
            dbase = where(_outside(ctx.view, dy.shape), dy, 0.0)
        if ctx.needs_input_grad[1]:
            dvalue = ctx.view.replay(dy.contiguous())  # so that views by strides find nothing around it
        return dbase, dvalue


def _is_leaf(tensor):
    """Whether this is a leaf that requires grad."""
    return tensor._edge is not None and tensor._edge[0].accumulates


def _outside(view, shape):
    """Whether each element of a base of this shape lies outside the view, a bool tensor."""
    outside = ones(shape, dtype=bool, device=view.base.device)
    with no_grad():
        part = view.replay(outside)._array
        if not np.may_share_memory(part, outside._array):  # by strides, over memory that lies otherwise
            numbers = Tensor._wrap(np.arange(1, 1 + outside.numel(), like=part).reshape(shape))
            return Tensor._wrap(~np.isin(numbers._array, view.replay(numbers)._array))
    part[...] = False
    return outside


def _forbid_leaves(tensor, when="is being"):
    if not state.grad_enabled:
        return
    if tensor._view is not None and tensor._edge is not None and tensor._view.base.is_leaf:
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation.\nhint: update "
            "parameters under minigrad.no_grad(), or work on a .clone()"
        )
    if _is_leaf(tensor):
        raise RuntimeError(
            f"a leaf Variable that requires grad {when} used in an in-place operation.\nhint: update parameters under "
            "minigrad.no_grad(), or work on a .clone()"
        )


def assign(tensor, operation, *args):
    """`tensor[...] = operation(tensor, *args)` in place, recorded; returns the tensor."""
    if tensor._view is not None:
        tensor._view.refresh(tensor)
    _forbid_leaves(tensor)
    if tensor._storage is not None and tensor._storage.inference and not state.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a "
            "normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
        )
    run = operation.apply if isinstance(operation, type) else operation
    result = run(_before(tensor) if state.grad_enabled else tensor, *args)
    saved = 0 if result._edge is None else result._edge[0].times_saved(result._array)
    _write(tensor, result._array, known=1 + saved)
    if result._edge is not None:
        result._edge[0].result_lies_in(tensor, result._array)
        _take_place(tensor, result)
    if watch.observer is not None:
        watch.observer.wrote(tensor, result)
    return tensor


def _take_place(tensor, result):
    """Put `tensor`, whose memory now holds the values of `result`, in the result's place in the graph."""
    if tensor._view is None:
        tensor._move_to(result._edge)
        tensor.storage.history += 1
    else:
        base, view = tensor._view.base, tensor._view
        base._move_to(CopySlices.apply(base, result, view)._edge)
        base.storage.history += 1


def _written_by_function(tensor, result):
    """What `assign` does around the write, for a Function whose forward has written into `tensor` itself."""
    _forbid_leaves(tensor, "has been")
    _take_place(tensor, result)


Tensor._written_by_function = _written_by_function


class _Fleeting(Storage):
    """The storage of a tensor that is about to be written: an operation that saves it saves a copy."""

    fleeting = True


def _before(tensor):
    """The tensor as it is before the write, for an operation to read."""
    before = Tensor._wrap(tensor._array.view())  # an array of its own: the tensor may be the other operand, too
    before._edge, before._storage = tensor._edge, _Fleeting()
    if watch.observer is not None:
        watch.observer.stands_for(before, tensor)
    return before


def become(tensor, view):
    """Let `tensor` become `view(tensor)`, a view of itself, in place; returns the tensor.

    A hidden tensor takes its place: the base of the views that there are, and of the tensor itself from now on.
    """
    if tensor._view is not None:
        tensor._view.refresh(tensor)
    _forbid_leaves(tensor)
    before = Tensor._wrap(tensor._array)
    before._edge, before._view = tensor._edge, tensor._view
    tensor.storage.share(before)
    for reference in list(tensor.storage.sharers):
        sharer = reference()
        if sharer is not None and sharer._view is not None and sharer._view.base is tensor:
            sharer._view.base = before
    after = view(before)
    tensor._array = after._array
    if _is_leaf(tensor):  # a parameter under no_grad stays one
        tensor._edge = AccumulateGrad(tensor), 0
    else:
        tensor._view = after._view
        tensor._move_to(after._edge)
    tensor.storage.version += 1
    if watch.observer is not None:
        watch.observer.wrote(tensor, after)
    return tensor


def _write(tensor, values, known):
    """Copy `values` into the tensor's memory, which must be of the same shape, and count the write.

    If `known` references, those of the operation that computed it, are all that the array `values` has, and the tensor
    shares its own memory with nobody, then the tensor takes the array instead.
    """
    array = tensor._array
    if values.shape != array.shape:
        raise RuntimeError(
            f"output with shape {list(array.shape)} doesn't match the broadcast shape {list(values.shape)}"
        )
    if values.dtype != array.dtype and _category(values.dtype) > _category(array.dtype):
        raise RuntimeError(
            f"result type {TORCH_NAMES[values.dtype]} can't be cast to the desired output type "
            f"{TORCH_NAMES[array.dtype]}"
            f"\nhint: the tensor is {array.dtype}, the result {values.dtype}; write x = x + y instead of x += y"
        )
    if array.size and 0 in array.strides and any(n > 1 and s == 0 for n, s in zip(array.shape, array.strides)):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    if not array.flags.writeable:
        raise RuntimeError(
            "the tensor's memory is read-only\nhint: it was made from a read-only array; work on a .clone()"
        )
    alike = values.dtype == array.dtype and values.strides == array.strides
    owned = type(array) is np.ndarray  # on the GPU memory keeps its place: captured graphs know it by its address
    if owned and alike and values.flags.writeable and unshared(values, known + 1) and unshared(array, 2):
        tensor._array = values
    elif array.size >= LARGE and not np.may_share_memory(array, values):
        kernels_for(array).copy_into(array, values)
    else:
        array[...] = values
    tensor.storage.version += 1


def _category(dtype):
    return "biuf".index(dtype.kind) if dtype.kind != "u" else 1


class Overwrite(Operation):
    """x replaced by v, broadcast to its shape"""

    formula = "dx = 0, dv = dy"

    @staticmethod
    def forward(ctx, x, v):
        v = np.asarray(v, like=x).astype(x.dtype, copy=False)
        if v.shape == x.shape:
            return v
        try:
            shape = np.broadcast_shapes(x.shape, v.shape)
        except ValueError:
            raise no_broadcast(x, v) from None
        if shape != x.shape:
            raise RuntimeError(f"output with shape {list(x.shape)} doesn't match the broadcast shape {list(shape)}")
        return np.broadcast_to(v, x.shape)

    @staticmethod
    def backward(ctx, dy):
        return (zeros(dy.shape, dtype=dy.dtype, device=dy.device) if ctx.needs_input_grad[0] else None), dy


def _of_kind(tensor, result):
    """`result`; one that is not differentiable although `tensor` is takes its place as constants do."""
    if tensor._edge is not None and result._array.dtype.kind != "f" and result._array.shape == tensor._array.shape:
        return Overwrite.apply(tensor, result)
    return result


def _direct(tensor, function, other):
    """Whether `tensor = function(tensor, other)` has been written at once: large, and of no interest to any graph."""
    array, operand = tensor._array, other._array if isinstance(other, Tensor) else other
    if state.grad_enabled and (tensor._edge or tensor._view or (isinstance(other, Tensor) and other._edge)):
        return False
    if tensor._view is not None or tensor.is_inference() or not is_dense(array) or not array.flags.writeable:
        return False
    if type(operand) in DEVICES:
        alike = operand.dtype == array.dtype and operand.shape == array.shape and operand.strides == array.strides
        if not alike or not is_dense(operand) or np.may_share_memory(array, operand):
            return False
        kernels_for(array).elementwise_in_place(function, (), array, operand)
    elif type(operand) in PLAIN:
        kernels_for(array).elementwise_in_place(function, (operand,), array)
    else:
        return False
    tensor.storage.version += 1
    return True


def _twin(name, definition):
    function = DIRECT.get(name)

    def inplace(self, *args, **kwargs):
        direct = function is not None and self._array.size >= LARGE and len(args) == 1 and not kwargs
        if direct and watch.observer is None and _direct(self, function, *args):
            return self
        return assign(self, lambda x: _of_kind(x, definition(x, *args, **kwargs)))

    inplace.__name__ = f"{name}_"
    inplace.__doc__ = f"`{name}` written into this tensor (`torch.Tensor.{name}_`)."
    setattr(Tensor, f"{name}_", inplace)
    return inplace


def _view_twin(name, definition):
    def inplace(self, *args, **kwargs):
        return become(self, lambda x: definition(x, *args, **kwargs))

    inplace.__name__ = f"{name}_"
    inplace.__doc__ = f"This tensor as its own view by `{name}` (`torch.Tensor.{name}_`)."
    setattr(Tensor, f"{name}_", inplace)


def register():
    """Give Tensor the in-place twins of the functions that have one; called when all operations are known."""
    for name, definition in twins.items():
        _twin(name, definition)
    for name in VIEWS:
        _view_twin(name, getattr(Tensor, name))
    for operator, name in OPERATORS.items():
        setattr(Tensor, operator, getattr(Tensor, f"{name}_"))
    for name in FUNCTIONS:
        functions[f"{name}_"] = getattr(Tensor, f"{name}_")


DIRECT = {"add": scalars.add, "sub": scalars.subtract, "mul": scalars.multiply, "div": scalars.divide}
functions: dict[str, Callable] = {}  # what `minigrad` offers of the twins, filled when all operations are known
# The twins that PyTorch offers as functions too.
FUNCTIONS = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "cos",
    "cosh",
    "deg2rad",
    "detach",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fill",
    "floor",
    "frac",
    "log",
    "log10",
    "log1p",
    "log2",
    "logit",
    "nan_to_num",
    "neg",
    "negative",
    "rad2deg",
    "reciprocal",
    "round",
    "rsqrt",
    "sigmoid",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
    "xlogy",
    "zero",
]
VIEWS = ("squeeze", "unsqueeze", "transpose", "t", "swapaxes", "swapdims", "as_strided")
OPERATORS = {
    "__iadd__": "add",
    "__isub__": "sub",
    "__imul__": "mul",
    "__itruediv__": "div",
    "__ifloordiv__": "floor_divide",
    "__imod__": "remainder",
    "__ipow__": "pow",
    "__iand__": "bitwise_and",
    "__ior__": "bitwise_or",
    "__ixor__": "bitwise_xor",
    "__ilshift__": "bitwise_left_shift",
    "__irshift__": "bitwise_right_shift",
}


@method()
def copy_(self, src, non_blocking=False):
    """Write the elements of `src`, broadcast and converted, into this tensor (`torch.Tensor.copy_`)."""
    source = src if isinstance(src, Tensor) else Tensor._wrap(boxed(src))
    return assign(self, Overwrite, moved(source, self.device, non_blocking))


@method()
def fill_(self, value):
    """Write `value`, a number or a 0-d tensor, into every element (`torch.Tensor.fill_`)."""
    if not isinstance(value, Tensor):
        value = fitting(value, self._array.dtype)
    elif value.ndim:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.")
    return assign(self, Overwrite, value)


@method()
def zero_(self):
    """Write 0 into every element (`torch.Tensor.zero_`)."""
    return assign(self, Overwrite, 0)


@method()
def detach_(self):
    """Take this tensor out of the graph, in place (`torch.Tensor.detach_`)."""
    if self._view is not None:
        raise RuntimeError("Can't detach views in-place. Use detach() instead.")
    self._edge = None
    return self

"""How a tensor is printed: PyTorch's way, four digits, scientific where the range asks for it."""

import numpy as np

from . import dtypes

PRECISION, EDGE_ITEMS, THRESHOLD, LINE_WIDTH = 4, 3, 1000, 80


def _float_formatter(values):
    """A function that prints one element, of a width that fits all `values`."""
    finite = np.abs(values[np.isfinite(values)].astype(np.float64))
    nonzero = finite[finite > 0]
    integral = bool((finite == np.floor(finite)).all())
    scientific = (
        nonzero.size > 0
        and (nonzero.max() / nonzero.min() > 1000 or nonzero.max() > 1e8 or nonzero.min() < 1e-4)
        and (not integral or nonzero.max() / nonzero.min() > 1000 or nonzero.max() > 1e8)
    )
    if scientific:

        def text(v):
            return f"{v:.{PRECISION}e}"
    elif integral:

        def text(v):
            return f"{v:.0f}." if np.isfinite(v) else str(v)
    else:

        def text(v):
            return f"{v:.{PRECISION}f}"

    width = max([len(text(v)) for v in values], default=0)
    return lambda v: text(v).rjust(width)


def format_array(array, indent):
    """`array` as nested brackets, continued lines indented by `indent`."""
    shown = array
    for axis in range(array.ndim):
        if array.size > THRESHOLD and array.shape[axis] > 2 * EDGE_ITEMS:
            edge = np.r_[0:EDGE_ITEMS, array.shape[axis] - EDGE_ITEMS : array.shape[axis]]
            shown = np.take(shown, edge, axis=axis)
    if array.dtype.kind == "f":
        text = _float_formatter(shown.reshape(-1))
    else:
        width = max([len(str(v)) for v in shown.reshape(-1).tolist()], default=0)

        def text(v):
            return str(v).rjust(width)

    if array.ndim == 0:
        return text(array[()]).strip()
    if array.size == 0:
        return "[]"
    return np.array2string(
        array,
        max_line_width=LINE_WIDTH,
        separator=", ",
        prefix=" " * indent,
        threshold=THRESHOLD,
        edgeitems=EDGE_ITEMS,
        formatter={"all": text},
    )


def tensor_repr(tensor):
    """What `repr(tensor)` gives."""
    name = "tensor" if type(tensor).__name__ == "Tensor" else type(tensor).__name__
    notes = []
    array = tensor._array
    if array.size == 0 and array.ndim != 1:
        notes.append(f"size={tuple(array.shape)}")
    default = (
        array.dtype == dtypes.get_default_dtype()
        if array.size == 0
        else (array.dtype in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool))
    )
    if not default:
        notes.append(f"dtype=minigrad.{array.dtype}")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn=<{tensor.grad_fn.name}>")
    elif tensor.requires_grad and name == "tensor":
        notes.append("requires_grad=True")
    body = format_array(array, len(name) + 1)
    if name != "tensor":
        return f"{name} containing:\ntensor({format_array(array, 7)}, requires_grad={tensor.requires_grad})"
    return f"{name}({', '.join([body, *notes])})"

"""How a tensor is printed: PyTorch's way, four digits, scientific where the range asks for it."""

import numpy as np

from . import dtypes
from .device import CPU, home, placed

_PROFILES = {  # precision, threshold, edgeitems, linewidth
    "default": (4, 1000, 3, 80),
    "short": (2, 1000, 2, 80),
    "full": (4, np.inf, 3, 80),
}


class _Options:
    """What `minigrad.set_printoptions` sets."""

    def __init__(self):
        self.set(profile="default")
        self.package = "minigrad"  # whose names are shown: `minigrad run` shows PyTorch's

    def set(self, precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
        """Set what is not None; a profile first."""
        if profile is not None:
            if profile not in _PROFILES:
                raise ValueError(f"profile must be one of {', '.join(_PROFILES)}, not {profile!r}")
            self.precision, self.threshold, self.edgeitems, self.linewidth = _PROFILES[profile]
        self.sci_mode = sci_mode  # None leaves it to the numbers, as in PyTorch each call says it anew
        given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
        vars(self).update({name: value for name, value in given.items() if value is not None})


options = _Options()


def _float_format(values):
    """(width, function that prints one element) for floating-point `values`: what the nonzero finite ones need."""
    sized = values[np.isfinite(values) & (values != 0)].astype(np.float64)
    largest, smallest = (np.abs(sized).max(), np.abs(sized).min()) if sized.size else (1.0, 1.0)
    wide = largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4
    if wide if options.sci_mode is None else options.sci_mode:
        spec, point = f".{options.precision}e", ""
    elif (sized == np.floor(sized)).all():
        spec, point = ".0f", "."
    else:
        spec, point = f".{options.precision}f", ""

    def text(value):
        return format(value, spec) + (point if np.isfinite(value) else "")

    return max([len(text(v)) for v in sized], default=1), text


def _shown(array):
    """The elements that are printed: of a large array, those at the edges."""
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * options.edgeitems:
            array = np.take(array, [*range(options.edgeitems), *range(-options.edgeitems, 0)], axis)
    return array


def format_array(array, indent):
    """`array` as nested brackets, continued lines indented by `indent`."""
    if array.size == 0:
        return "[]"
    summarise = array.size > options.threshold
    values = (_shown(array) if summarise else array).reshape(-1)
    if array.dtype.kind == "f":
        width, text = _float_format(values)
    else:
        width, text = max(len(str(v)) for v in values.tolist()), str

    def block(part, indent):
        if part.ndim == 0:
            return text(part[()]).rjust(width)
        cut = summarise and len(part) > 2 * options.edgeitems
        indices = [*range(options.edgeitems), None, *range(-options.edgeitems, 0)] if cut else range(len(part))
        gap, margin = ("..." if part.ndim > 1 else " ..."), " " * (indent + 1)
        entries = [gap if i is None else block(part[i, ...], indent + 1) for i in indices]
        if part.ndim > 1:
            return "[" + ("," + "\n" * (part.ndim - 1) + margin).join(entries) + "]"
        step = max(1, (options.linewidth - indent) // (width + 2))
        lines = [", ".join(entries[start : start + step]) for start in range(0, len(entries), step)]
        return "[" + f",\n{margin}".join(lines) + "]"

    return block(array, indent)


def tensor_repr(tensor):
    """What `repr(tensor)` gives."""
    notes, array = [], placed(tensor._array, CPU)
    if tensor.device is not home():
        notes.append(f"device='{tensor.device}'")
    if array.size == 0 and array.ndim != 1:
        notes.append(f"size={tuple(array.shape)}")
    plain = (dtypes.int64, dtypes.bool) if array.size else ()
    if array.dtype not in (dtypes.get_default_dtype(), *plain):
        notes.append(f"dtype={options.package}.{array.dtype}")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    text = "tensor(" + format_array(array, len("tensor("))
    column = len(text) - text.rfind("\n") + 1
    for note in notes:
        if column + len(note) + 2 > options.linewidth:
            text, column = f"{text},\n{' ' * len('tensor(')}{note}", len("tensor(") + len(note)
        else:
            text, column = f"{text}, {note}", column + len(note) + 2
    kind = type(tensor).__name__
    return f"{text})" if kind == "Tensor" else f"{kind} containing:\n{text})"

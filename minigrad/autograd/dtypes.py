"""Element types, and which one a mixture of operands has.

minigrad's dtypes are NumPy's dtypes under PyTorch's names. The promotion rules are PyTorch's, not NumPy's: an operand's
*category* (bool < integer < floating) may lift the result, but a 0-d tensor or a Python number lifts it only when it is
of a higher category than every tensor with dimensions
(https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.dtype).
"""

import numpy as np

from .device import ARRAYS, DEVICES
from .printing import options

float32 = float = np.dtype("float32")
float64 = double = np.dtype("float64")
int64 = long = np.dtype("int64")
int32 = int = np.dtype("int32")
int16 = short = np.dtype("int16")
int8 = np.dtype("int8")
uint8 = np.dtype("uint8")
bool = np.dtype("bool")

dtype = np.dtype  # the type of the dtypes


class Absent:
    """A dtype that minigrad can name, so that programs can ask for it, but no tensor can have."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


class Layout:
    """How elements are kept; minigrad's tensors are `strided`."""

    def __repr__(self):
        return f"{options.package}.strided"


strided = Layout()
float16 = half = np.dtype("float16")
bfloat16 = Absent("bfloat16")
complex64 = cfloat = np.dtype("complex64")
complex128 = cdouble = np.dtype("complex128")

SUPPORTED = (float32, float64, int64, int32, int16, int8, uint8, bool)
TORCH_NAMES = {
    float32: "Float",
    float64: "Double",
    int64: "Long",
    int32: "Int",
    int16: "Short",
    int8: "Char",
    uint8: "Byte",
    bool: "Bool",
}
_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}
_default = [float32]


def get_default_dtype():
    """The dtype of floating-point tensors made from Python numbers (`torch.get_default_dtype`).

    >>> get_default_dtype()
    dtype('float32')
    """
    return _default[0]


def set_default_dtype(dtype):
    """Make `dtype` (float32 or float64) the one of tensors made from Python floats (`torch.set_default_dtype`).

    >>> set_default_dtype(float32)
    """
    dtype = as_dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(
            f"only floating-point types are supported as the default type\nhint: got {dtype}; use float32 or float64"
        )
    _default[0] = dtype


def as_dtype(dtype):
    """`dtype` in any of NumPy's spellings as one of the supported dtypes; a TypeError names what is not supported."""
    if dtype in SUPPORTED:
        return np.dtype(dtype)
    names = ", ".join(str(d) for d in SUPPORTED)
    raise TypeError(f"minigrad has no dtype {dtype}\nhint: the dtypes are {names}")


def boxed(result):
    """An array itself; NumPy's scalar, what its functions make of arrays of 0 dimensions, as an array."""
    return result if type(result) in DEVICES else np.asarray(result)


def native(array):
    """`array` itself where minigrad can compute on it; otherwise a copy in native byte order and a supported dtype."""
    if array.dtype in SUPPORTED:  # equal dtypes are of equal byte order
        return array
    if array.dtype.newbyteorder("=") in SUPPORTED:
        return array.astype(array.dtype.newbyteorder("="))
    if array.dtype == np.float16 or array.dtype.kind == "u":
        return array.astype(np.float32 if array.dtype == np.float16 else np.int64)
    raise TypeError(
        f"can't convert np.ndarray of type {array.dtype} to a tensor\nhint: convert it first, for example with "
        f".astype('float32'); the dtypes are {', '.join(str(d) for d in SUPPORTED)}"
    )


def promote_types(a, b):
    """The dtype of an operation between tensors of dtypes `a` and `b` (`torch.promote_types`).

    >>> promote_types(int64, float32)
    dtype('float32')
    """
    if a == b:
        return as_dtype(a)
    for position, dtype in enumerate((a, b), 1):
        if not isinstance(dtype, np.dtype):
            raise TypeError(
                f"promote_types(): argument 'type{position}' (position {position}) must be torch.dtype, not "
                f"{type(dtype).__name__}"
            )
    rank_a, rank_b = _CATEGORY[a.kind], _CATEGORY[b.kind]
    if rank_a != rank_b:
        return a if rank_a > rank_b else b
    return np.promote_types(a, b)


def can_cast(from_, to):
    """Whether PyTorch's promotion lets a result of dtype `from_` be written into dtype `to` (`torch.can_cast`).

    >>> can_cast(float64, float32), can_cast(float32, int64)
    (True, False)
    """
    return _CATEGORY[as_dtype(from_).kind] <= _CATEGORY[as_dtype(to).kind]


class finfo:
    """The limits of a floating-point dtype, Python numbers (`torch.finfo`).

    >>> finfo(float32).max
    3.4028234663852886e+38
    """

    def __init__(self, dtype=None):
        dtype = _default[0] if dtype is None else as_dtype(dtype)
        if dtype.kind != "f":
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
                f"\nhint: the dtype is {dtype}"
            )
        info = np.finfo(dtype)
        self.dtype, self.bits = str(dtype), info.bits
        self.min, self.max, self.eps = info.min.item(), info.max.item(), info.eps.item()
        self.tiny = self.smallest_normal = info.tiny.item()
        self.resolution = 10.0**-info.precision

    def __repr__(self):
        numbers = ", ".join(
            f"{name}={getattr(self, name):g}" for name in ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        )
        return f"finfo({numbers}, dtype={self.dtype})"


class iinfo:
    """The limits of an integer dtype, Python numbers (`torch.iinfo`).

    >>> iinfo(uint8)
    iinfo(min=0, max=255, dtype=uint8)
    """

    def __init__(self, dtype):
        dtype = as_dtype(dtype)
        if dtype.kind == "b":
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if dtype.kind == "f":
            raise TypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'"
                f"\nhint: the dtype is {dtype}"
            )
        info = np.iinfo(dtype)
        self.dtype, self.bits, self.min, self.max = str(dtype), info.bits, info.min, info.max

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def _scalar_dtype(value):
    if isinstance(value, (np.bool_, type(True))):
        return bool
    return int64 if isinstance(value, (np.integer, type(0))) else get_default_dtype()


def result_type(*operands):
    """The dtype that arrays and Python numbers have together, by PyTorch's rules (`torch.result_type`).

    >>> result_type(np.zeros(3, "float32"), np.zeros((), "float64"))
    dtype('float32')
    >>> result_type(np.zeros(3, "int64"), 0.5)
    dtype('float32')
    """
    groups = [None, None, None]  # tensors with dimensions, 0-d tensors, Python numbers
    for operand in operands:
        if isinstance(operand, ARRAYS):
            group, dtype = (0 if operand.ndim else 1), operand.dtype
        else:
            group, dtype = 2, _scalar_dtype(operand)
        groups[group] = dtype if groups[group] is None else promote_types(groups[group], dtype)
    result = None
    for dtype in groups:
        if dtype is not None and (result is None or _CATEGORY[dtype.kind] > _CATEGORY[result.kind]):
            result = dtype
    return result

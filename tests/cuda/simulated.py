"""What the tests of the CUDA kernels share: calls with arrays on the device, and their comparison with the reference.

The whole folder runs in the simulator unless there is a device and MINIGRAD_CUDA_DEVICE=1: `conftest.py` decides.
"""

import numpy as np
from hypothesis import strategies as st

from minigrad.kernels import cuda, reference
from minigrad.kernels.device import DeviceArray, simulated, to_device, to_host
from minigrad.testing import LAYOUTS, lay_out

DTYPES = st.sampled_from(["float32", "float64"])
TOLERANCE = {"float32": {"rtol": 3e-5, "atol": 3e-5}, "float64": {"rtol": 1e-11, "atol": 1e-11}}


@st.composite
def arrays(draw, shape, dtype, scale=1.0, offset=0.0):
    """Normally distributed values in a drawn memory order; the seed is drawn, the values are not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layout = draw(st.sampled_from(["contiguous", *(name for name in LAYOUTS if name != "read-only")]))
    array = np.asarray(rng.normal(offset, scale, shape)).astype(dtype)
    return array if layout == "contiguous" or not shape else lay_out(array, layout)


def on_device(value):
    """Arrays, also those in lists, on the device; in the simulator in the memory they have."""
    if isinstance(value, list):
        return [on_device(item) for item in value]
    if isinstance(value, np.ndarray):
        return DeviceArray(value) if simulated() else to_device(value)
    return value


def on_host(value):
    """Arrays of the device as NumPy's."""
    if isinstance(value, list | tuple):
        return [on_host(item) for item in value]
    return to_host(value) if isinstance(value, DeviceArray) else value


def called(name, *args):
    """The CUDA kernel's result as NumPy arrays; the arguments may not change."""
    before = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
    result = on_host(getattr(cuda, name)(*[on_device(arg) for arg in args]))
    for old, arg in zip(before, args):
        if isinstance(arg, np.ndarray):
            np.testing.assert_array_equal(old, arg)
    return result


def check(name, *args, **tolerance):
    """The CUDA kernel gives what the reference gives: shape, dtype and values; the result is returned."""
    with np.errstate(all="ignore"):
        expected = getattr(reference, name)(*args)
    result = called(name, *args)
    several = isinstance(expected, tuple)
    for ours, theirs in zip(result if several else [result], expected if several else [expected], strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype.newbyteorder("=")
        kind = ours.dtype.name
        np.testing.assert_allclose(ours, theirs, **(tolerance or TOLERANCE.get(kind, {"rtol": 0})))
    return result

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


@st.composite
def geometries(draw):
    """(x's shape, the weight's, y's, (stride, padding, dilation, groups)), up to a few hundred products."""
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    channels, filters = draw(st.sampled_from([1, 2, 3, 4, 5, 8])), draw(st.sampled_from([1, 2, 4, 5, 8]))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    axes = []
    for _ in range(rank):
        kernel, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        padding = draw(st.integers(0, 2)), draw(st.integers(-1, 2))
        least = max(1, dilation * (kernel - 1) + 1 - sum(padding))
        axes.append((least + draw(st.integers(0, 3)), kernel, draw(st.integers(1, 3)), padding, dilation))
    size, kernel, stride, padding, dilation = zip(*axes)
    x_shape = (draw(st.integers(0, 2)), channels * groups, *size)
    output = [(n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, kernel, stride, padding, dilation)]
    y_shape = x_shape[0], filters * groups, *output
    return x_shape, (filters * groups, channels, *kernel), y_shape, (stride, padding, dilation, groups)


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

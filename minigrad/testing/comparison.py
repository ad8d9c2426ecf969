"""Comparing two arrays, and saying where and by how much they differ worst."""

import numpy as np

from minigrad import Tensor
from minigrad.autograd.gradcheck import difference

TOLERANCES = {"float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}  # rtol and atol; other dtypes are compared exactly


def as_array(value):
    """A tensor's memory, a copy if it is on the GPU, or anything NumPy takes, as an array."""
    return value.numpy(force=True) if isinstance(value, Tensor) else np.asarray(value)


def assert_close(actual, expected, *, rtol=None, atol=None, equal_nan=False, check_dtype=True, msg=""):
    """Raise an AssertionError unless shape, dtype and all elements agree (`torch.testing.assert_close`).

    Tensors and arrays of any dtype. Tolerances are PyTorch's unless given: 1.3e-6 relative and 1e-5 absolute for
    float32, 1e-7 and 1e-7 for float64, exact otherwise. The error names the worst element and both values; `msg`
    precedes it.

    >>> import minigrad
    >>> assert_close(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 2.0 + 1e-7]))
    >>> assert_close(minigrad.tensor([1, 2]), minigrad.tensor([1, 3]))
    Traceback (most recent call last):
        ...
    AssertionError: 1 of 2 elements differ; the worst is at (1,): got 2, expected 3 (difference 1, allowed 0)
    """
    actual, expected = as_array(actual), as_array(expected)
    msg = f"{msg}: " if msg else ""
    if actual.shape != expected.shape:
        raise AssertionError(f"{msg}the shapes differ: got {actual.shape}, expected {expected.shape}")
    if check_dtype and actual.dtype != expected.dtype:
        raise AssertionError(f"{msg}the dtypes differ: got {actual.dtype}, expected {expected.dtype}")
    default = TOLERANCES.get(str(actual.dtype), (0.0, 0.0))
    rtol, atol = (d if given is None else given for given, d in zip((rtol, atol), default))
    found = difference(actual, expected, rtol, atol, equal_nan)
    if found is not None:
        raise AssertionError(msg + found)

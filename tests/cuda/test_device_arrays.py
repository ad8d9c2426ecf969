"""The simulated array is as strict as CuPy's: no host arrays, no functions or arguments that CuPy lacks."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from minigrad.kernels import device
from minigrad.kernels.device import DeviceArray, simulated, to_device, to_host

pytestmark = pytest.mark.skipif(not simulated(), reason="of the simulator")
X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "mix",
    [
        lambda x: x + X,
        lambda x: X * x,
        lambda x: np.where(x > 1, x, X),
        lambda x: np.concatenate([x, X]),
        lambda x: x.__setitem__(slice(None), X),
        lambda x: np.take(x, np.array([0])),
        lambda x: np.add(x, 1.0, out=X.copy()),
        lambda x: x.clip(X, None),
    ],
)
def test_host_arrays_are_refused(mix):
    with pytest.raises(RuntimeError, match=r"^Expected all tensors to be on the same device"):
        mix(to_device(X))


@pytest.mark.parametrize("convert", [np.asarray, np.array, np.ascontiguousarray, lambda x: np.ones(3)[x]])
def test_nothing_becomes_a_host_array_by_itself(convert):
    with pytest.raises((TypeError, IndexError), match=r"can't convert cuda:0 device type tensor|only integers"):
        convert(to_device(X))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.insert(x, 0, 1.0),
        lambda x: np.minimum.reduceat(x, [0]),
        lambda x: np.subtract.accumulate(x),
        lambda x: np.mean(x, where=x > 0),
        lambda x: x.round(2).argsort(order=None),
        lambda x: np.spacing(x),
    ],
)
def test_what_cupy_lacks_is_one_clear_error(call):
    with pytest.raises(NotImplementedError, match=r"(?s)CuPy.*hint: compute it on the CPU"):
        call(to_device(X))


@given(nps.arrays("float64", nps.array_shapes(max_dims=3, max_side=4), elements=st.floats(-5, 5)))
def test_numpys_functions_give_numpys_results_on_the_device(a):
    x = to_device(a)
    for function in (
        lambda v: v * 2 - v / 3,
        lambda v: np.add.reduce(v, axis=0),
        lambda v: np.maximum.reduce(v, axis=None),
        lambda v: np.max(v, axis=0, initial=1.0),
        lambda v: np.maximum.accumulate(v, axis=0),
        lambda v: np.logical_and.accumulate(v > 0, axis=0),
        lambda v: np.sum(v),
        lambda v: v[0],
        lambda v: v[..., ::-1],
        lambda v: v[v > 0],
        lambda v: np.zeros_like(v) + np.ones(3, like=v)[1],
        lambda v: v.transpose().reshape(-1),
        lambda v: np.full((2,), 7, like=v),
        lambda v: v.astype("float32", copy=False),
    ):
        ours, theirs = function(x), np.asarray(function(a))
        assert type(ours) is DeviceArray and ours.dtype == theirs.dtype
        np.testing.assert_allclose(to_host(ours), theirs)


def test_an_argument_that_comes_back_is_the_same_array():
    x = to_device(X)
    assert x.astype(x.dtype, copy=False) is x and np.asarray(x, like=x) is x
    before = x
    x += 1
    assert x is before and to_host(x).tolist() == (X + 1).tolist()


def test_the_list_of_cupys_functions_is_that_of_the_cupy_at_hand():
    cupy = pytest.importorskip("cupy")
    lines = (Path(device.__file__).parent / "cupy_signatures.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        name, _, arguments = line.partition(" ")
        if name.startswith(("special.", "ndarray.")) or arguments.startswith(("ufunc", "?")):
            continue
        found = cupy
        for part in name.split("."):
            found = getattr(found, part)
        try:
            parameters = list(inspect.signature(found).parameters)
        except ValueError:
            continue
        listed = [word.strip("*=") for word in arguments.split() if word != "*"]
        assert [parameter.strip("*") for parameter in parameters] == listed, name

"""Memory shared with NumPy and PyTorch by DLPack, and what is said on a machine without a GPU."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

import minigrad as mg
from minigrad.testing import LAYOUTS, lay_out

DTYPES = ["float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"]


@given(st.data())
def test_memory_is_shared_both_ways_in_any_layout(data):
    array = data.draw(nps.arrays(data.draw(st.sampled_from(DTYPES)), nps.array_shapes(min_side=1, max_side=3)))
    layout = data.draw(st.sampled_from([name for name in LAYOUTS if name not in ("broadcast", "read-only")]))
    array = lay_out(array, layout)
    x = mg.from_dlpack(array)
    assert x.data_ptr() == array.__array_interface__["data"][0] and x.dtype == array.dtype
    np.testing.assert_array_equal(np.from_dlpack(x), array)
    if all(stride >= 0 for stride in array.strides):  # PyTorch has no negative ones
        theirs = torch.from_dlpack(x)
        assert theirs.data_ptr() == x.data_ptr() and tuple(theirs.shape) == x.shape
        back = mg.from_dlpack(theirs)
        assert back.data_ptr() == x.data_ptr() and back.dtype == x.dtype
        np.testing.assert_array_equal(back.numpy(), array)


@pytest.mark.parametrize("capsule", [False, True])
def test_writes_are_seen_on_both_sides(capsule):
    theirs = torch.arange(4.0)
    ours = mg.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(theirs) if capsule else theirs)
    ours[1] = 7
    theirs[2] = 8
    assert ours.tolist() == theirs.tolist() == [0, 7, 8, 3]
    exported = torch.utils.dlpack.from_dlpack(mg.utils.dlpack.to_dlpack(ours) if capsule else ours)
    exported[0] = 9
    assert ours.tolist() == [9, 7, 8, 3]


def test_memory_outlives_its_first_owner():
    x = mg.from_dlpack(torch.full((1000,), 3.0))
    y = torch.from_dlpack(mg.full((1000,), 4.0))
    torch.zeros(1000), mg.zeros(1000)
    assert bool((x == 3).all()) and bool((y == 4).all())


def test_copies_and_refusals():
    a = np.ones(2)
    assert mg.from_dlpack(a, copy=True).data_ptr() != a.__array_interface__["data"][0]
    assert mg.ones(2).__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match=r"^Can't export tensors that require gradient"):
        torch.from_dlpack(mg.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match="expected an object with __dlpack__, but got list"):
        mg.from_dlpack([1, 2])
    with pytest.raises(AttributeError, match=r"^Can't get __cuda_array_interface__ on non-CUDA tensor type"):
        mg.ones(2).__cuda_array_interface__  # noqa: B018
    locked = np.ones(2)
    locked.flags.writeable = False
    with pytest.raises(RuntimeError, match="read-only"):
        mg.from_numpy(locked).add_(1)


def test_a_capsule_is_taken_once():
    capsule = mg.utils.dlpack.to_dlpack(mg.ones(2, device="cpu"))
    mg.from_dlpack(capsule)
    with pytest.raises(RuntimeError, match=r"^from_dlpack received an invalid capsule. Note that DLTensor capsules"):
        mg.from_dlpack(capsule)


GPU = """
import ctypes
import numpy as np
import minigrad as mg
for version, name, place in (None, b"dltensor", 8), ((1, 0), b"dltensor_versioned", 40):
    array = np.ones(2)
    capsule = array.__dlpack__(max_version=version)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    device = ctypes.c_int32.from_address(pointer(capsule, name) + place)
    assert device.value == 1
    device.value = 2  # the GPU's, as far as the capsule says
    try:
        mg.from_dlpack(capsule)
        raise SystemExit("taken for the host's")
    except AssertionError as error:
        assert str(error).startswith("Torch not compiled with CUDA enabled"), error
"""


WITHOUT = """
import minigrad as mg
from minigrad import nn
said = []
for ask in (
    lambda: mg.ones(1, device="cuda"), lambda: mg.ones(1).cuda(), lambda: nn.Linear(1, 1).to("cuda"),
    mg.cuda.synchronize, mg.cuda.Stream, mg.cuda.CUDAGraph, lambda: mg.Generator("cuda"),
    lambda: mg.set_default_device("cuda"), mg.cuda.current_device,
):
    try:
        ask()
        said.append("nothing")
    except AssertionError as error:
        said.append(str(error))
assert said == [said[0]] * len(said), said
first, hint = said[0].splitlines()
assert first == "Torch not compiled with CUDA enabled"
assert "CuPy" in hint and "NUMBA_ENABLE_CUDASIM=1" in hint
assert not mg.cuda.is_available() and mg.cuda.device_count() == 0 and mg.cuda.memory_allocated() == 0
assert mg.accelerator.current_accelerator() is None
mg.cuda.manual_seed_all(0), mg.cuda.empty_cache(), mg.manual_seed(0)
assert mg.ones(1).pin_memory().tolist() == [1]
import sys
assert "numba" not in sys.modules
device = "cuda" if mg.cuda.is_available() else "cpu"
assert nn.Linear(2, 2).to(device)(mg.ones(1, 2, device=device)).is_cpu
"""


@pytest.mark.skipif(
    mg.cuda.is_available() and os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "1", reason="there is a GPU"
)
@pytest.mark.parametrize("program", [WITHOUT, GPU], ids=["everything", "a capsule"])
def test_without_a_gpu_everything_says_what_is_missing(program):
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)

"""The switches of `minigrad.backends`: PyTorch's names, values and errors, and one state behind all of them."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.kernels import precision

WORDS = "none", "ieee", "tf32"
PRECISIONS = (
    "backends.fp32_precision", "backends.cudnn.fp32_precision", "backends.cudnn.conv.fp32_precision",
    "backends.cudnn.rnn.fp32_precision", "backends.cuda.matmul.fp32_precision",
)  # fmt: skip
FLAGS = "backends.cuda.matmul.allow_tf32", "backends.cudnn.allow_tf32"


def assign(library, name, value):
    """What `library.name = value` does, or the call of a setter."""
    *path, last = name.split(".")
    for word in path:
        library = getattr(library, word)
    return getattr(library, last)(value) if last.startswith("set_") else setattr(library, last, value)


def read(library, name):
    """`library.name`, called if it is a getter."""
    for word in name.split("."):
        library = getattr(library, word)
    return library() if callable(library) else library


@pytest.fixture(autouse=True)
def defaults():
    """The settings as minigrad has them at first, in both libraries: PyTorch allows TF32 to convolutions."""
    reset()
    yield
    reset()


def reset():
    for library in (mg, torch):
        library.set_float32_matmul_precision("highest")
        for name in PRECISIONS:
            assign(library, name, "none")


NEW = st.tuples(st.sampled_from(PRECISIONS), st.sampled_from(WORDS))
OLD = st.one_of(
    st.tuples(st.sampled_from(FLAGS), st.booleans()),
    st.tuples(st.just("set_float32_matmul_precision"), st.sampled_from(["highest", "high", "medium"])),
)


@given(st.lists(NEW, max_size=6) | st.lists(OLD, max_size=4))  # PyTorch forbids to mix them
def test_every_switch_says_what_torchs_says(settings):
    reset()
    for name, value in settings:
        assign(mg, name, value)
        assign(torch, name, value)
    for name in (*PRECISIONS, *FLAGS, "get_float32_matmul_precision"):
        try:
            expected = read(torch, name)
        except RuntimeError as error:  # what is new may have no word in the old way
            assert "mix of the legacy and new APIs" in str(error)
        else:
            assert read(mg, name) == expected, name


def test_nothing_is_allowed_at_first():
    asked = ", ".join(f"minigrad.{name}" for name in (*PRECISIONS, *FLAGS))
    code = f"import minigrad; print({asked}, minigrad.get_float32_matmul_precision())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == ["none"] * len(PRECISIONS) + ["False"] * len(FLAGS) + ["highest"]


@pytest.mark.parametrize("operation, flag", list(zip(("matmul", "conv"), FLAGS)))
def test_flags_reach_the_kernels(operation, flag):
    assign(mg, flag, True)
    assert precision.tf32_allowed(operation)
    assert not precision.tf32_allowed({"matmul": "conv", "conv": "matmul"}[operation])
    assign(mg, flag, False)
    assert not precision.tf32_allowed(operation)


def test_flags_of_cudnn_hold_for_a_block():
    with mg.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
        assert precision.tf32_allowed("conv")
    assert not precision.tf32_allowed("conv")


def test_both_ways_may_be_mixed():
    mg.set_float32_matmul_precision("medium")
    mg.backends.cuda.matmul.fp32_precision = "none"
    assert mg.get_float32_matmul_precision() == "highest" and not mg.backends.cuda.matmul.allow_tf32
    mg.backends.fp32_precision = "tf32"
    assert mg.backends.cuda.matmul.allow_tf32 and mg.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    "name, value",
    [
        *((flag, value) for flag in FLAGS for value in (1, "yes", None)),
        *((name, word) for name in PRECISIONS for word in ("high", "IEEE", 3)),
        *((name, "bf16") for name in PRECISIONS[1:]),
        ("backends.cuda.matmul.allow_tf23", True),
        ("backends.cudnn.conv.precision", "tf32"),
        ("set_float32_matmul_precision", 3),
    ],
)
def test_a_wrong_value_is_torchs_error_and_changes_nothing(name, value):
    with pytest.raises(Exception) as theirs:
        assign(torch, name, value)
    with pytest.raises(theirs.type) as ours:
        assign(mg, name, value)
    if theirs.type is not TypeError:  # that one shows the signature in C++
        assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]
    assert not any(read(mg, flag) for flag in FLAGS)


def test_an_unknown_precision_of_products_is_an_error():
    with pytest.raises(ValueError, match="low is not one of 'highest', 'high', or 'medium'"):
        mg.set_float32_matmul_precision("low")


def test_the_cpu_is_as_exact_as_ever():
    mg.manual_seed(0)
    x = mg.rand(16, 16)
    before = x @ x
    mg.set_float32_matmul_precision("medium")
    assert mg.equal(x @ x, before)

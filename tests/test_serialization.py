"""Saving and loading: what goes in comes out, whole or not at all, and a damaged file is one clear error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import minigrad as mg
from minigrad import CheckpointError
from minigrad.vision.models import resnet20


def _same(a, b):
    if isinstance(a, mg.Tensor):
        return isinstance(b, mg.Tensor) and a.dtype == b.dtype and a.shape == b.shape and mg.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and a == b


TENSORS = st.sampled_from(
    [
        mg.tensor(3),
        mg.tensor(1.5),
        mg.tensor(True),
        mg.zeros(0, 3),
        mg.arange(6).reshape(2, 3).t(),
        mg.rand(2, 3, 4, 5).contiguous(memory_format=mg.channels_last),
        mg.ones(2, dtype=mg.float64)[::2],
    ]
)
LEAVES = TENSORS | st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text()
STATES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(STATES)
def test_what_goes_in_comes_out(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("state") / "state.safetensors"
    mg.save(state, path)
    assert _same(state, mg.load(path))


def test_a_network_with_batch_norm_and_its_optimizer(tmp_path):
    model, other = resnet20(), resnet20()
    optimizer = mg.optim.Adam(model.parameters())
    model(mg.rand(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    mg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "a")
    state = mg.load(tmp_path / "a")
    other.load_state_dict(state["model"])
    again = mg.optim.Adam(other.parameters())
    again.load_state_dict(state["optimizer"])
    x = mg.rand(2, 3, 32, 32)
    assert mg.equal(model.eval()(x), other.eval()(x))
    assert _same(dict(optimizer.state_dict()["state"]), dict(again.state_dict()["state"]))


def test_other_programs_read_the_tensors_and_we_read_theirs(tmp_path):
    mg.save({"a": {"b": mg.ones(2)}}, tmp_path / "ours")
    np.testing.assert_array_equal(load_file(tmp_path / "ours")["a/b"], np.ones(2, np.float32))
    save_file({"w": np.arange(3)}, tmp_path / "theirs")
    assert _same(mg.load(tmp_path / "theirs"), {"w": mg.arange(3)})


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped"])
def test_a_damaged_file_is_one_error_that_names_it(tmp_path, damage):
    path = tmp_path / "state.safetensors"
    mg.save({"w": mg.rand(100)}, path)
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": data[:-7], "flipped": data[:-1] + bytes([data[-1] ^ 1])}[damage])
    with pytest.raises(CheckpointError, match=r"state\.safetensors: "):
        mg.load(path)


def test_what_cannot_be_saved_is_named_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "state"
    mg.save({"w": 1}, path)
    with pytest.raises(TypeError, match="cannot save model/layer"):
        mg.save({"model": {"layer": mg.nn.Linear(1, 1)}}, path)
    assert mg.load(path) == {"w": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state"]

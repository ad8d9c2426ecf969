"""Saving and loading: what goes in comes out, whole or not at all, and a damaged file is one clear error."""

import collections
import io
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import minigrad as mg
from minigrad import CheckpointError
from minigrad.serialization import safetensors_file
from minigrad.vision.models import resnet20

DTYPES = [mg.float32, mg.float64, mg.int64, mg.int32, mg.int16, mg.int8, mg.uint8, mg.bool]


def _same(a, b):
    """Whether two states are the same in every respect, the memory order and the signs of zeros included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, mg.Tensor):
        return (
            (a.dtype, a.shape, a.requires_grad) == (b.dtype, b.shape, b.requires_grad)
            and a.detach().numpy().tobytes() == b.detach().numpy().tobytes()
            and (a.stride() == b.stride() or not _dense(a))
        )
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return _same(list(a), list(b)) and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return repr(a) == repr(b) if isinstance(a, float | complex) else a == b


def _dense(tensor):
    return sorted(tensor.stride()) == sorted(np.empty(sorted(tensor.shape)[::-1], tensor.dtype).strides)


TENSORS = st.sampled_from(
    [
        *(mg.tensor([[0, 1, 5], [2, 0, 1]]).to(dtype) for dtype in DTYPES),
        *(mg.zeros(shape, dtype=dtype) for dtype in DTYPES[:3] for shape in [(), (0,), (2, 0, 3)]),
        mg.tensor([float("nan"), -0.0, float("-inf")]),
        mg.arange(6).reshape(2, 3).t(),
        mg.rand(2, 3, 4, 5).contiguous(memory_format=mg.channels_last),
        mg.ones(2, dtype=mg.float64)[::2],
        mg.arange(6.0).flip(0),
        mg.ones(1).expand(3, 4),
        mg.arange(5).as_strided((3, 2), (1, 2)),
        mg.ones(2, requires_grad=True),
        mg.nn.Parameter(mg.rand(3)),
        mg.nn.Parameter(mg.rand(3), requires_grad=False),
    ]
)
SCALARS = st.sampled_from([np.float64(0.1), np.float32(-0.0), np.int8(-3), np.bool_(True), np.uint64(2**64 - 1)])
ARRAYS = st.sampled_from(
    [np.arange(3, dtype=">i4"), np.zeros((2, 0), "u2"), np.array("2026-01-01", "M8[D]"), np.eye(2)]
)
KEYS = st.text(max_size=5) | st.integers(-9, 9) | st.none() | st.booleans() | st.floats(allow_nan=False)
KEYS |= st.tuples(st.integers(0, 3), st.text(max_size=2)) | st.binary(max_size=2)
LEAVES = (
    TENSORS | SCALARS | ARRAYS | st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats() | st.text()
)
LEAVES |= st.complex_numbers() | st.binary(max_size=9) | st.binary(max_size=9).map(bytearray)
LEAVES |= st.sampled_from(
    [mg.Size([2, 3]), mg.Size([]), mg.device("cpu"), mg.float64, {1, "a"}, frozenset([b""]), set()]
)


def _states(inner):
    dicts = st.dictionaries(KEYS, inner, max_size=3)
    named = dicts | dicts.map(collections.OrderedDict) | st.text(max_size=9).map(collections.Counter)
    return st.lists(inner, max_size=3) | st.tuples(inner, inner) | named


STATES = st.recursive(LEAVES, _states, max_leaves=8)


@given(STATES)
def test_what_goes_in_comes_out(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("state") / "state.safetensors"
    mg.save(state, path)
    assert _same(state, mg.load(path))
    assert _same(state, mg.load(str(path), mmap=True))
    file = io.BytesIO()
    mg.save(state, file)
    file.seek(0)
    assert _same(state, mg.load(file))
    assert file.getvalue() == path.read_bytes()
    load_file(path)  # a file that the safetensors library takes


def _round_trip(state):
    file = io.BytesIO()
    mg.save(state, file)
    file.seek(0)
    return mg.load(file), file.getvalue()


def test_shared_memory_is_written_once_and_shared_again():
    weight = mg.rand(100, 100)
    state, data = _round_trip({"embedding": weight, "output": weight, "detached": weight.detach(), "other": mg.rand(9)})
    assert len(data) < 1.2 * weight.nbytes
    state["embedding"][3, 4] = 7
    assert state["output"][3, 4] == state["detached"][3, 4] == 7
    assert state["output"]._version == 1  # and whoever saved it for backward will hear of the write
    last = weight.t()[50:, 7]
    state, data = _round_trip([last, weight.t(), weight[::2]])
    assert len(data) < 1.2 * weight.nbytes
    state[1][60, 7] = 7
    assert state[0][10] == 7 and state[1].stride() == (1, 100) and state[2].stride() == (200, 1)


def test_views_apart_in_one_memory_are_not_saved_with_what_lies_between():
    memory = mg.rand(1_000_000)
    state, data = _round_trip([memory[:3], memory[-3:]])
    assert len(data) < 2000 and mg.equal(state[1], memory[-3:])


def test_entries_whose_paths_read_alike_are_kept_apart():
    state = {"a": {"b": mg.zeros(1)}, "a/b": mg.ones(1), 1: mg.zeros(2), "1": mg.ones(2), "__metadata__": mg.ones(3)}
    assert _same(_round_trip(state)[0], state)


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"key": x}])
def test_the_deepest_state_that_is_saved_is_loaded(wrap):
    state, levels = mg.ones(1), 0
    with pytest.raises(ValueError, match="nested deeper than"):
        while True:
            loaded, levels = _round_trip(state)[0], levels + 1
            assert _same(loaded, state)
            state = wrap(state)
    assert levels > 100


def test_tensors_without_elements_come_between_no_views():
    x = mg.rand(8)
    state, _ = _round_trip([x, x[4:4], x[4:]])
    state[0][5] = 7
    assert state[2][1] == 7 and state[1].shape == (0,)


def test_a_state_dict_keeps_its_metadata():
    state = collections.OrderedDict(weight=mg.ones(1))
    state._metadata = collections.OrderedDict({"": {"version": 2}})
    again = _round_trip(state)[0]
    assert _same(again, state) and again._metadata == state._metadata


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
    mg.save({"a": {"b": mg.ones(2), "c": mg.arange(6).reshape(2, 3).t()}}, tmp_path / "ours")
    np.testing.assert_array_equal(load_file(tmp_path / "ours")["a/b"], np.ones(2, np.float32))
    np.testing.assert_array_equal(load_file(tmp_path / "ours")["a/c"], np.arange(6).reshape(2, 3).T)
    save_file({"w": np.arange(3), "none": np.zeros((0, 2), "f4")}, tmp_path / "theirs", {"format": "pt"})
    assert _same(mg.load(tmp_path / "theirs"), {"w": mg.arange(3), "none": mg.zeros(0, 2)})


def test_narrow_types_of_other_programs_become_wider_ones_with_a_warning(tmp_path):
    arrays = {"half": np.array([1.5, np.inf], "f2"), "u2": np.array([65535], "u2"), "u4": np.array([2**32 - 1], "u4")}
    save_file(arrays, tmp_path / "narrow")
    with pytest.warns(UserWarning, match="float16 -> float32, uint16 -> int64, uint32 -> int64") as record:
        state = mg.load(tmp_path / "narrow")
    assert record[0].filename == __file__
    assert state["half"].tolist() == [1.5, float("inf")] and state["half"].dtype == mg.float32
    assert state["u2"].item() == 65535 and state["u4"].item() == 2**32 - 1
    save_file({"u8": np.array([2**63], "u8")}, tmp_path / "wide")
    with pytest.raises(CheckpointError, match="uint64"):
        mg.load(tmp_path / "wide")


def test_mapped_memory_is_private(tmp_path):
    mg.save({"w": mg.arange(4.0)}, tmp_path / "state")
    before = (tmp_path / "state").read_bytes()
    state = mg.load(tmp_path / "state", mmap=True)
    state["w"] += 1
    assert state["w"].tolist() == [1, 2, 3, 4] and (tmp_path / "state").read_bytes() == before
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        mg.load(io.BytesIO(before), mmap=True)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "folder"])
def test_a_damaged_file_is_one_error_that_names_it(tmp_path, damage):
    path = tmp_path / "state.safetensors"
    mg.save({"w": mg.rand(100)}, path)
    data = path.read_bytes()
    if damage in ("missing", "folder"):
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": data[:-7], "flipped": data[:-1] + bytes([data[-1] ^ 1])}[damage])
    if damage == "folder":
        path.mkdir()
    with pytest.raises(CheckpointError, match=r"state\.safetensors: ") as caught:
        mg.load(path)
    assert isinstance(caught.value, FileNotFoundError) == (damage == "missing")


def test_what_cannot_be_saved_is_named_and_leaves_the_old_file(tmp_path, monkeypatch):
    monkeypatch.setattr(safetensors_file, "LONGEST_HEADER", 10_000)
    path = tmp_path / "state"
    mg.save({"w": 1}, path)
    layer = mg.nn.Linear(1, 1)
    point = collections.namedtuple("point", "x y")(1, 2)
    itself: list = []
    itself.append(itself)
    for state, error, words in [
        ({"model": {"layer": layer}}, TypeError, r"cannot save model/layer of type Linear\nhint: save its .state_dict"),
        (layer, TypeError, "cannot save state of type Linear"),
        ([mg.optim.SGD(layer.parameters(), 0.1)], TypeError, "cannot save 0 of type SGD\nhint: save its .state_dict"),
        ({"a": point}, TypeError, "cannot save a of type point\nhint: a named tuple"),
        ({"a": mg.Generator()}, TypeError, "cannot save a of type Generator\nhint: save its .get_state"),
        ({"a": collections.defaultdict(list)}, TypeError, "hint: save dict"),
        ({"f": print}, TypeError, "cannot save f of type builtin_function_or_method\nhint: tensors"),
        ({"a": np.array([None])}, TypeError, "cannot save a of type ndarray"),
        (itself, ValueError, "nested deeper than 100 levels, or in itself"),
        ({"numbers": [1.25] * 10_000}, ValueError, "hint: long lists of numbers"),
    ]:
        with pytest.raises(error, match=words):
            mg.save(state, path)
    assert mg.load(path) == {"w": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_files_get_the_usual_rights_and_links_stay_links(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    mg.save(1, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and mg.load(tmp_path / "file") == 1
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


def test_tensors_of_a_gpu_that_is_not_here(tmp_path):
    made = f"import minigrad as mg; mg.save({{'w': mg.ones(2, device='cuda')}}, {str(tmp_path / 'a')!r})"
    subprocess.run([sys.executable, "-c", made], env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, check=True)
    with pytest.raises(RuntimeError, match=r"^Attempting to deserialize object on a CUDA device"):
        mg.load(tmp_path / "a")
    assert mg.load(tmp_path / "a", map_location="cpu")["w"].tolist() == [1, 1]


def test_arguments_of_load(tmp_path):
    mg.save(mg.ones(1), tmp_path / "a")
    for location in ("cpu", mg.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert mg.load(tmp_path / "a", map_location=location, weights_only=False).item() == 1
    with pytest.raises(RuntimeError, match=r"^Attempting to deserialize object on a CUDA device"):
        mg.load(tmp_path / "a", "cuda")
    with open(tmp_path / "a", "rb") as file:
        assert mg.load(file).item() == 1
    with pytest.raises(AttributeError, match="'int' object has no attribute 'read'"):
        mg.load(3)
    with pytest.raises(AttributeError, match="expected 'f' to be string, path, or a file-like object with a 'write'"):
        mg.save(1, 3)


def test_a_file_object_is_read_from_its_place():
    file = io.BytesIO(b"something before")
    file.seek(0, io.SEEK_END)
    mg.save([1, 2], file)
    file.seek(len(b"something before"))
    assert mg.load(file) == [1, 2]


def _draws(generator):
    """Numbers of every kind, which leave the generator in the middle of what it holds ready."""
    return [
        mg.rand(3, generator=generator),
        mg.randn(5, generator=generator),
        mg.randint(10, (3,), generator=generator),
        mg.randperm(7, generator=generator),
        mg.rand(1, dtype=mg.float64, generator=generator),
    ]


@pytest.mark.parametrize("drawn", range(6))
def test_random_states_are_saved_and_go_on_bit_identically(drawn):
    generator = mg.Generator().manual_seed(7)
    mg.rand(drawn, generator=generator)
    state, _ = _round_trip({"own": generator.get_state(), "default": mg.get_rng_state(), "seed": mg.initial_seed()})
    twin, expected, of_default = generator.clone_state(), _draws(generator), _draws(None)
    again = mg.Generator().set_state(state["own"])
    assert again.initial_seed() == twin.initial_seed() == 7
    assert _same(_draws(again), expected) and _same(_draws(twin), expected)
    mg.manual_seed(0)
    mg.set_rng_state(state["default"])
    assert _same(_draws(None), of_default) and mg.initial_seed() == state["seed"]
    assert mg.default_generator.initial_seed() == state["seed"]


@pytest.mark.parametrize(
    "state, error, words",
    [
        (b"state", TypeError, "expected a torch.ByteTensor, but got bytes"),
        (mg.zeros(112), TypeError, "RNG state must be a torch.ByteTensor"),
        (mg.zeros(5, dtype=mg.uint8), RuntimeError, "RNG state is wrong size"),
        (mg.full((112,), 255, dtype=mg.uint8), RuntimeError, "Invalid Philox state"),
    ],
)
def test_what_is_no_random_state_is_refused_and_changes_nothing(state, error, words):
    generator = mg.Generator().manual_seed(1)
    with pytest.raises(error, match=words):
        generator.set_state(state)
    assert _same(_draws(generator), _draws(mg.Generator().manual_seed(1)))

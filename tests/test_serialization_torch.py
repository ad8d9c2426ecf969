"""Files that PyTorch wrote, in all its formats: what they hold comes out as it went in."""

import collections
import io
import tarfile
import zipfile

import numpy as np
import pytest
import torch

import minigrad as mg
from minigrad import CheckpointError, nn

FORMATS = [
    {},
    {"_use_new_zipfile_serialization": False},
    {"pickle_protocol": 4},
    {"pickle_protocol": 5, "_use_new_zipfile_serialization": False},
]


@pytest.fixture(params=FORMATS, ids=["zip", "legacy", "zip 4", "legacy 5"])
def through(request, tmp_path):
    """What minigrad loads of what torch saves."""

    def round_trip(state, **settings):
        torch.save(state, tmp_path / "state.pt", **request.param)
        return mg.load(tmp_path / "state.pt", **settings)

    return round_trip


def _same(ours, theirs):
    """Whether a loaded state is that of torch, the kinds of containers, strides and dtypes included."""
    if isinstance(theirs, torch.Tensor):
        return (
            isinstance(ours, mg.Tensor)
            and (tuple(ours.shape), str(ours.dtype)) == (tuple(theirs.shape), str(theirs.dtype).removeprefix("torch."))
            and (ours.stride() == theirs.stride() or ours.numel() < 2 or 1 in ours.shape)
            and ours.requires_grad == theirs.requires_grad
            and isinstance(ours, nn.Parameter) == isinstance(theirs, torch.nn.Parameter)
            and np.array_equal(ours.detach().numpy(), theirs.detach().numpy(), equal_nan=theirs.is_floating_point())
        )
    if isinstance(theirs, dict):
        return (
            type(ours) is type(theirs) and list(ours) == list(theirs) and all(_same(ours[k], theirs[k]) for k in ours)
        )
    if isinstance(theirs, list | tuple):
        return (
            type(ours).__name__ == type(theirs).__name__ and len(ours) == len(theirs) and all(map(_same, ours, theirs))
        )
    return type(ours) is type(theirs) and ours == theirs


def _lenet(nn):
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


def _block(nn, channels):
    convolutions = [nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*convolutions, nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))


def _residual(nn):
    stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
    return nn.Sequential(stem, _block(nn, 4), _block(nn, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


@pytest.mark.parametrize("net", [_lenet, _residual])
def test_a_network_computes_what_it_computed_in_torch(through, net):
    torch.manual_seed(0)
    theirs, ours = net(torch.nn), net(nn)
    images = torch.rand(4, 1, 28, 28)
    theirs(images)  # moves the running statistics
    state = through(theirs.state_dict())
    assert _same(state, theirs.state_dict())
    ours.load_state_dict(state)
    with torch.no_grad():
        expected = theirs.eval()(images).numpy()
    np.testing.assert_allclose(ours.eval()(mg.tensor(images.numpy())).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_a_recurrent_network(through):
    theirs = torch.nn.LSTM(3, 5, 2, bidirectional=True)
    state = {"lstm": theirs.state_dict(), "hidden": tuple(h.detach() for h in theirs(torch.rand(7, 2, 3))[1])}
    assert _same(through(state), state)


@pytest.mark.parametrize(
    "name, settings", [("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.01}), ("AdamW", {"lr": 0.01})]
)
def test_an_optimizer_and_its_schedule_go_on_where_torch_stopped(through, name, settings):
    def step(library, weight, optimizer, schedule):
        optimizer.zero_grad()
        (weight * library.arange(4.0)).exp().sum().backward()
        optimizer.step()
        schedule.step()

    theirs = torch.nn.Parameter(torch.tensor([0.1, -0.2, 0.3, 0.4]))
    optimizer = getattr(torch.optim, name)([theirs], **settings)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 4], gamma=0.5)
    for _ in range(3):
        step(torch, theirs, optimizer, schedule)
    states = {"weight": theirs, "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(), "epoch": 3}
    state = through(states)
    assert _same(state, states)
    ours = state["weight"]
    again = getattr(mg.optim, name)([ours], **settings)
    again.load_state_dict(state["optimizer"])
    for group in again.param_groups:
        group["initial_lr"] = settings["lr"]
    schedule_again = mg.optim.lr_scheduler.MultiStepLR(again, [1, 4], gamma=0.5)
    schedule_again.load_state_dict(state["schedule"])
    again.load_state_dict(state["optimizer"])
    step(torch, theirs, optimizer, schedule)
    with mg.enable_grad():
        step(mg, ours, again, schedule_again)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6)


def test_tensors_of_every_kind(through):
    x = torch.arange(24.0).reshape(2, 3, 4)
    dtypes = [torch.float64, torch.float32, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
    state = {
        "dtypes": [torch.tensor([0, 1, 5]).to(dtype) for dtype in dtypes],
        "shapes": [torch.tensor(3.5), torch.zeros(0), torch.zeros(2, 0, 3), torch.tensor(True)],
        "layouts": [x.permute(2, 0, 1), x[1:, ::2, 1], x.flip(0), torch.ones(1).expand(3, 4), x[0, 0, 3:]],
        "values": torch.tensor([float("nan"), float("inf"), -0.0]),
        "attributes": [torch.ones(2), torch.nn.Parameter(x)],
        "grads": [torch.ones(2, requires_grad=True), torch.nn.Parameter(x), torch.nn.Parameter(x, False)],
    }
    state["attributes"][0].tag, state["attributes"][1].tag = "left out", "left out"
    assert _same(through(state), state)


def test_views_of_one_storage_stay_views_of_one(through):
    x = torch.arange(12.0)
    state = through([x, x[2:8], x.reshape(3, 4).t(), torch.nn.Parameter(x)])
    state[0][5] = 99
    assert state[1][3] == state[2][1, 1] == state[3][5] == 99
    assert state[1]._version == 1
    embedding, output = torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5)
    output.weight = embedding.weight
    state = through(torch.nn.ModuleList([embedding, output]).state_dict())
    assert np.shares_memory(state["0.weight"].numpy(), state["1.weight"].numpy())


def test_plain_data(through):
    values = {"int": [0, -1, 255, 256, 65536, -(2**31), 2**31, 2**100, -(2**100)], "float": [0.1, -0.0, 1e300]}
    strings = ["", "text", "ä\N{SNOWMAN}", "x" * 300, b"", b"\0\xff", bytearray(b"ab")]
    containers = [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [[]], {}, set(), {1, "a"}, collections.Counter("aab")]
    numbers = [np.float64(0.1), np.float32(2), np.int64(-3), np.bool_(True), 1 + 2j]
    state = {**values, "strings": strings, "containers": containers, "numbers": numbers, None: True, 3: (False, None)}
    state["ordered"] = collections.OrderedDict(b=1, a=[2])
    assert _same(through(state), state)
    arrays = [np.arange(6, dtype=">i4").reshape(2, 3), np.asfortranarray(np.eye(2, 3)), np.zeros((0, 2)), np.array(3)]
    for ours, theirs in zip(through(arrays), arrays):
        assert ours.dtype == theirs.dtype.newbyteorder("=") and np.array_equal(ours, theirs)
    others = through([torch.Size([2, 3]), torch.float32, torch.int64, torch.bool, torch.device("cuda:1")])
    assert others == [mg.Size([2, 3]), mg.float32, mg.int64, mg.bool, mg.device("cpu")] and type(others[0]) is mg.Size


def test_narrow_types_become_wider_ones_with_a_warning(through):
    values = [1.5, -2.0, 65504.0, float("inf"), float("nan"), 2.0**-20]
    half, brain = torch.tensor(values).half(), torch.tensor([*values, 3e38, 1e-40]).bfloat16()
    with pytest.warns(UserWarning, match="bfloat16 -> float32, float16 -> float32, uint16 -> int64") as record:
        state = through([half, half[1:], brain, torch.tensor([1, 65535], dtype=torch.uint16)])
    assert record[0].filename == __file__
    np.testing.assert_array_equal(state[0].numpy(), half.float().numpy())
    np.testing.assert_array_equal(state[2].numpy(), brain.float().numpy())
    assert np.shares_memory(state[0].numpy(), state[1].numpy()) and state[3].tolist() == [1, 65535]


def test_what_is_not_plain_data_is_named(through):
    model = torch.nn.Linear(2, 2)
    for state, words in [
        (
            model,
            r"state.pt: (the pickle names torch.nn.modules.linear.Linear|.*whole module)[^\n]*\nhint: .*state_dict",
        ),
        ({"loss": torch.nn.functional.mse_loss}, "names torch.nn.functional.mse_loss"),
        (torch.ones(2, dtype=torch.complex64), "holds torch.ComplexFloatStorage"),
        (torch.eye(2).to_sparse(), "holds torch._utils._rebuild_sparse_tensor"),
        (torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "holds torch._utils._rebuild_qtensor"),
        (collections.defaultdict(list), "names collections.defaultdict"),
        (torch.ones(2, device="meta"), "holds torch._utils._rebuild_meta_tensor_no_storage"),
    ]:
        with pytest.raises(CheckpointError, match=words):
            through(state)


def test_mapped_memory(tmp_path):
    state = {"w": torch.arange(1000.0), "b": torch.tensor([True, False]), "n": torch.arange(3), "none": torch.zeros(0)}
    torch.save(state, tmp_path / "state.pt")
    ours = mg.load(tmp_path / "state.pt", mmap=True)
    assert _same(ours, state)
    ours["w"] *= 2
    assert _same(mg.load(tmp_path / "state.pt"), state)


def _rewritten(data, changes):
    """A zip archive with other contents of some records."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name.split("/", 1)[1], old.read(name)))
    return file.getvalue()


@pytest.mark.parametrize("mmap", [False, True])
def test_files_of_machines_with_the_other_byte_order(mmap, tmp_path):
    file = io.BytesIO()
    torch.save([torch.arange(3.0), torch.arange(3).half()], file)
    big = {
        "byteorder": b"big",
        "data/0": np.arange(3.0, dtype=">f4").tobytes(),
        "data/1": np.arange(3, dtype=">f2").tobytes(),
    }
    (tmp_path / "big.pt").write_bytes(_rewritten(file.getvalue(), big))
    with pytest.warns(UserWarning, match="float16"):
        assert [x.tolist() for x in mg.load(tmp_path / "big.pt", mmap=mmap)] == [[0, 1, 2], [0, 1, 2]]
    with pytest.raises(CheckpointError, match="byte order is 'middle'"):
        mg.load(io.BytesIO(_rewritten(file.getvalue(), {"byteorder": b"middle"})))


def test_checksums_are_compared_where_the_file_has_them():
    def written():
        file = io.BytesIO()
        torch.save(torch.arange(3.0), file)
        return file.getvalue()

    damaged = torch.arange(3.0).numpy().tobytes(), torch.tensor([0.0, 9, 2]).numpy().tobytes()
    with pytest.raises(CheckpointError, match="CRC"):
        mg.load(io.BytesIO(written().replace(*damaged)))
    torch.serialization.set_crc32_options(False)
    try:
        unchecked = written()
    finally:
        torch.serialization.set_crc32_options(True)
    assert mg.load(io.BytesIO(unchecked)).tolist() == [0, 1, 2]
    assert mg.load(io.BytesIO(unchecked.replace(*damaged))).tolist() == [0, 9, 2]


def test_a_file_that_is_mostly_pickle(through):
    state = {"text": "ab" * 5_000_000, "losses": [0.1] * 10_000, "tiny": [torch.ones(1)] * 5}
    assert _same(through(state), state)


def test_archives_of_other_kinds(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), tmp_path / "script.pt")
    with tarfile.open(tmp_path / "old.pt", "w") as archive:
        archive.add(tmp_path / "script.pt", "storages")
    with pytest.raises(CheckpointError, match="TorchScript"):
        mg.load(tmp_path / "script.pt")
    with pytest.raises(CheckpointError, match="tar archive"):
        mg.load(tmp_path / "old.pt")

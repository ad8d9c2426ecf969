"""Training on the GPU: networks reach the CPU's losses, state crosses over, graphs replay, memory is counted."""

import io
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch

import minigrad as mg
from minigrad import nn
from minigrad.kernels import use
from minigrad.kernels.device import simulated
from minigrad.nn import functional as F
from minigrad.utils.data import DataLoader, TensorDataset


class LeNet(nn.Module):
    """LeNet-5 in small: two convolutions, each with a pooling, and three linear layers, on 12 x 12 pictures."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 2, 3, bias=False), nn.Conv2d(2, 3, 2)
        self.norm, self.drop = nn.BatchNorm2d(2), nn.Dropout(0.0)
        self.f1, self.f2, self.f3 = nn.Linear(12, 6), nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, x):
        x = F.max_pool2d(self.norm(self.c1(x)).relu(), 2)
        x = F.avg_pool2d(self.c2(x).tanh(), 2)
        return self.f3(self.f2(self.drop(self.f1(x.flatten(1)).sigmoid())).tanh())


def train(device, optimizer, settings, steps=3):
    """The losses of a few steps and the state afterwards."""
    mg.manual_seed(0)
    model = LeNet().to(device)
    optimizer = getattr(mg.optim, optimizer)(model.parameters(), **settings)
    x = mg.from_numpy(np.random.default_rng(0).random((4, 1, 12, 12), np.float32)).to(device)
    target = mg.tensor([0, 1, 2, 3]).to(device)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, model, optimizer


@pytest.mark.parametrize(
    "optimizer, settings",
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
        ("Adam", {"lr": 0.01}),
        ("AdamW", {"lr": 0.01, "amsgrad": True}),
        ("RMSprop", {"lr": 0.01}),
        ("Adagrad", {"lr": 0.1}),
        ("Adadelta", {"lr": 1.0}),
    ],
)
def test_lenet_trains_to_the_cpus_losses(optimizer, settings):
    ours, model, _ = train("cuda", optimizer, settings)
    with use("reference"):
        theirs, other, _ = train("cpu", optimizer, settings)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)
    assert ours[-1] < ours[0]
    assert all(tensor.is_cuda for tensor in model.state_dict().values())
    for name, value in other.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name].cpu().numpy(), value.numpy(), atol=2e-4, err_msg=name)


@pytest.mark.parametrize(
    "kind, settings",
    [("SGD", {"momentum": 0.9}), ("Adam", {}), ("Adam", {"capturable": True}), ("RMSprop", {}), ("Adagrad", {})],
)
@pytest.mark.filterwarnings("ignore:This instance was constructed with capturable")
@pytest.mark.parametrize("other, words", [((300, "float32"), "its parameter's shape"), ((2, "float64"), "one dtype")])
def test_a_state_unlike_its_parameter_is_an_error_before_anything_is_written(kind, settings, other, words):
    p = nn.Parameter(mg.ones(2, device="cuda"))
    optimizer = getattr(mg.optim, kind)([p], **settings)
    p.grad = mg.ones_like(p)
    optimizer.step()
    states = [value for value in optimizer.state[p].values() if mg.is_tensor(value) and value.is_cuda]
    before = [value.tolist() for value in states]
    assert states
    size, dtype = other
    p.data, p.grad = mg.ones(size, dtype=dtype, device="cuda"), None
    p.grad = mg.ones_like(p)
    with pytest.raises(ValueError, match=words):
        optimizer.step()
    assert [value.tolist() for value in states] == before and p.tolist() == [1] * size


def test_state_crosses_devices_by_file_and_by_load_state_dict():
    _, model, optimizer = train("cuda", "Adam", {"lr": 0.01}, steps=1)
    file = io.BytesIO()
    mg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)

    def load(map_location=None):
        file.seek(0)
        return mg.load(file, map_location)

    assert all(t.is_cuda for t in load()["model"].values())
    for location in ("cpu", mg.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage):
        if callable(location):
            assert all(t.is_cuda for t in load(lambda tensor, name: None)["model"].values())
        assert all(t.is_cpu for t in load(location)["model"].values())
    state = load("cpu")
    again = LeNet().cuda()
    again.load_state_dict(state["model"])
    assert all(t.is_cuda for t in again.state_dict().values())
    restored = mg.optim.Adam(again.parameters())
    restored.load_state_dict(state["optimizer"])
    moments = restored.state[again.c1.weight]
    assert moments["exp_avg"].is_cuda and moments["step"].is_cpu
    np.testing.assert_array_equal(
        moments["exp_avg"].cpu().numpy(), optimizer.state[model.c1.weight]["exp_avg"].cpu().numpy()
    )


def test_pytorchs_files_go_where_map_location_says():
    file = io.BytesIO()
    weight = torch.arange(3.0)
    torch.save(OrderedDict(a=weight, b=weight), file)
    file.seek(0)
    state = mg.load(file, "cuda")
    assert state["a"].is_cuda and state["a"].tolist() == [0, 1, 2]
    assert state["a"].data_ptr() == state["b"].data_ptr()
    file.seek(0)
    assert mg.load(file)["a"].is_cpu


@pytest.mark.parametrize("writer", ["minigrad", "torch"])
def test_views_of_one_memory_share_it_again_when_they_are_loaded(writer):
    m, file = (torch, io.BytesIO()) if writer == "torch" else (mg, io.BytesIO())
    device = "cpu" if writer == "torch" else "cuda"
    memory, other = m.arange(12.0, device=device).reshape(3, 4), m.arange(6.0, device=device)
    views = {
        "row": memory[1],
        "columns": memory.T[1:3],
        "all": memory,
        "same": other,
        "again": other[2:],
        "one": m.ones(3),
    }
    m.save(views, file)
    for location in ("cuda", "cpu"):
        file.seek(0)
        state = mg.load(file, location)
        assert all(t.device.type == location for t in state.values())
        for name, view in views.items():
            assert state[name].tolist() == view.tolist()
        state["all"][1] = 9.0
        state["again"].zero_()
        assert state["row"].tolist() == [9] * 4 and state["columns"].tolist() == [[1, 9, 9], [2, 9, 10]]
        assert state["same"].tolist() == [0, 1, 0, 0, 0, 0]


def test_modules_move_with_their_gradients_and_come_back():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model(mg.ones(3, 2)).sum().backward()
    weight = model[0].weight
    assert model.cuda() is model and model[0].weight is weight
    assert weight.is_cuda and weight.grad.is_cuda and model[1].running_mean.is_cuda
    model.cpu()
    assert weight.is_cpu and weight.grad.is_cpu and model[1].running_mean.is_cpu
    assert model.to("cuda", mg.float64)[0].bias.dtype == mg.float64


def test_page_locked_batches():
    point = namedtuple("point", "x y")
    data = TensorDataset(mg.arange(8.0).reshape(4, 2), mg.arange(4))
    for x, y in DataLoader(data, batch_size=2, pin_memory=True):
        assert x.is_pinned() and y.is_pinned()
        there = x.to("cuda", non_blocking=True)
        assert there.tolist() == x.tolist() and not there.is_pinned()
    loader = DataLoader([{"p": point(1.0, "a")}], pin_memory=True)
    (batch,) = loader
    assert batch["p"].x.is_pinned() and batch["p"].y == ["a"]
    assert x.pin_memory() is x and not mg.ones(2).is_pinned()
    with pytest.raises(RuntimeError, match=r"^cannot pin 'torch.cuda.FloatTensor' only dense CPU tensors"):
        mg.ones(2, device="cuda").pin_memory()


def test_gradcheck_and_higher_derivatives_on_the_gpu():
    x = mg.rand(2, 3, dtype=mg.float64, device="cuda", requires_grad=True)
    w = mg.rand(3, 2, dtype=mg.float64, device="cuda", requires_grad=True)
    assert mg.autograd.gradcheck(lambda x, w: (x @ w).tanh(), (x, w))
    assert mg.autograd.gradgradcheck(lambda x: (x * x.exp()).sum(0), x)
    with pytest.raises(mg.autograd.GradcheckError):
        mg.autograd.gradcheck(lambda x: x.detach() * x, x)
    hessian = mg.autograd.functional.hessian(lambda x: (x**3).sum(), mg.ones(2, device="cuda"))
    assert hessian.is_cuda and hessian.tolist() == [[6, 0], [0, 6]]


def test_hooks_checkpoints_and_functions():
    class Double(mg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            assert dy.is_cuda and ctx.saved_tensors[0].is_cuda
            return dy * 2

    x = mg.ones(3, device="cuda", requires_grad=True)
    x.register_hook(lambda grad: grad + mg.ones(3, device="cuda"))
    Double.apply(x).sum().backward()
    assert x.grad.tolist() == [3, 3, 3]
    with mg.autograd.detect_anomaly(check_nan=True), pytest.raises(RuntimeError, match="returned nan values"):
        (mg.zeros(1, device="cuda", requires_grad=True).sqrt() * 0).backward()


def test_streams_events_and_memory():
    assert mg.cuda.is_available() and mg.cuda.device_count() == 1 and mg.cuda.current_device() == 0
    assert mg.accelerator.current_accelerator() == mg.device("cuda")
    before = mg.cuda.memory_allocated()
    block = mg.zeros(1000, 100, device="cuda")
    view = block.t()
    assert mg.cuda.memory_allocated() - before == 400_000 <= mg.cuda.max_memory_allocated()
    del block, view
    assert mg.cuda.memory_allocated() == before
    side, default = mg.cuda.Stream(), mg.cuda.current_stream()
    with mg.cuda.stream(side):
        assert mg.cuda.current_stream() == side != default
    assert mg.cuda.current_stream() == default
    start, end = (mg.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    side.wait_stream(default)
    end.record()
    end.synchronize()
    mg.cuda.synchronize()
    assert start.elapsed_time(end) > 0 and end.query() and side.query()
    with pytest.raises(ValueError, match="enable_timing=True"):
        mg.cuda.Event().elapsed_time(end)
    mg.cuda.set_device(0)
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        mg.cuda.set_device(3)


@pytest.mark.skipif(not simulated(), reason="of the simulator")
def test_dlpack_of_the_simulated_gpu_says_that_the_memory_is_the_hosts():
    x = mg.arange(3, device="cuda")
    assert x.__dlpack_device__() == (1, 0)
    torch.from_dlpack(x)[0] = 9
    assert x.tolist() == [9, 1, 2]
    with pytest.raises(AttributeError, match="the simulated GPU's memory is the host's"):
        x.__cuda_array_interface__  # noqa: B018
    assert mg.from_dlpack(torch.ones(2), device="cuda").is_cuda
    with pytest.raises(RuntimeError, match=r"^cannot move from cpu to cuda without copying"):
        mg.from_dlpack(torch.ones(2), device="cuda", copy=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("capsule", [False, True])
def test_torch_and_minigrad_share_the_gpus_memory(capsule):
    x = mg.arange(3.0, device="cuda")
    theirs = torch.from_dlpack(mg.utils.dlpack.to_dlpack(x) if capsule else x)
    theirs += 1
    torch.cuda.synchronize()
    assert theirs.is_cuda and x.tolist() == [1, 2, 3]
    ours = mg.from_dlpack(torch.utils.dlpack.to_dlpack(theirs) if capsule else theirs)
    ours.mul_(2)
    mg.cuda.synchronize()
    assert ours.is_cuda and ours.data_ptr() == x.data_ptr() and theirs.tolist() == [2, 4, 6]
    assert torch.as_tensor(x, device="cuda").tolist() == [2, 4, 6]  # by __cuda_array_interface__
    assert mg.as_tensor(theirs).is_cuda

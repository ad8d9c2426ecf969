"""CUDA graphs: whole training steps captured once and replayed on new data give what steps one by one give."""

import numpy as np
import pytest
from test_device_training import LeNet

import minigrad as mg
from minigrad import nn
from minigrad.kernels import use
from minigrad.nn import functional as F

RNG = np.random.default_rng(3)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def the_same_numbers():
    """Every test draws from the beginning, whatever ran before."""
    RNG.bit_generator.state = START
    mg.manual_seed(0)


def stepper(model, optimizer, x, target):
    """A function that trains one step on what x and target hold then, and returns the loss."""

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step


def pictures():
    """A batch for `LeNet`."""
    x = mg.from_numpy(RNG.random((2, 1, 12, 12), np.float32)).cuda()
    return x, mg.from_numpy(RNG.integers(0, 4, 2)).cuda()


@pytest.mark.parametrize(
    "kind, settings",
    [("SGD", {"momentum": 0.9}), ("AdamW", {"capturable": True, "amsgrad": True})],
)
@pytest.mark.filterwarnings("ignore:This instance was constructed with capturable=True")
def test_a_whole_step_of_a_network_replays_on_new_data(kind, settings):
    nets = [LeNet().cuda() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    rates = [mg.tensor(0.02, device="cuda") for _ in nets]
    optimizers = [getattr(mg.optim, kind)(net.parameters(), lr=lr, **settings) for net, lr in zip(nets, rates)]
    batches = [pictures() for _ in range(3)]
    static, other = [t.clone() for t in batches[0]], [t.clone() for t in batches[0]]
    captured, plain = (stepper(net, o, *data) for net, o, data in zip(nets, optimizers, (static, other)))
    captured(), plain()  # the optimizers' state is made before the capture
    graph = mg.cuda.CUDAGraph()
    with mg.cuda.graph(graph):
        loss = captured()
    for number, batch in enumerate(batches[1:]):
        for lr in rates:
            lr.fill_(0.02 / (1 + number))
        for tensors in (static, other):
            for tensor, values in zip(tensors, batch):
                tensor.copy_(values)
        graph.replay()
        assert loss.item() == pytest.approx(plain().item(), rel=1e-5)
    for (name, ours), theirs in zip(nets[0].state_dict().items(), nets[1].state_dict().values()):
        np.testing.assert_allclose(ours.cpu().numpy(), theirs.cpu().numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", ["Adadelta", "Adam", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop"])
@pytest.mark.filterwarnings("ignore:This instance was constructed with capturable=True")
def test_every_capturable_optimizer_counts_on_from_replay_to_replay(kind):
    settings = {"ASGD": {"t0": 2.0, "lambd": 0.1}, "RMSprop": {"momentum": 0.5, "centered": True}}.get(kind, {})
    start = RNG.standard_normal((3, 2))
    gradients = [mg.from_numpy(RNG.standard_normal((3, 2))) for _ in range(8)]
    p, q = (mg.nn.Parameter(mg.from_numpy(start.copy()).to(device)) for device in ("cuda", "cpu"))
    lr = mg.tensor(0.05, device="cuda")
    optimizer = getattr(mg.optim, kind)([p], lr=lr, capturable=True, **settings)
    twin = getattr(mg.optim, kind)([q], lr=0.05, **settings)
    p.grad, graph = gradients[0].cuda(), mg.cuda.CUDAGraph()
    optimizer.step()
    with mg.cuda.graph(graph):
        optimizer.step()
    for number, gradient in enumerate(gradients):
        q.grad = gradient
        with use("reference"):
            twin.step()
        if number:
            p.grad.copy_(gradient)
            graph.replay()
        if number == 4:
            lr.fill_(0.02)
            twin.param_groups[0]["lr"] = 0.02
    np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol=1e-4, atol=1e-5)
    state = optimizer.state_dict()["state"][0]
    assert state["step"].is_cuda and state["step"].shape == () and state["step"].item() == len(gradients)
    for name, value in twin.state[q].items():
        np.testing.assert_allclose(state[name].cpu().numpy(), value.numpy(), rtol=2e-4, err_msg=name)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.pad(x[None], (2, 1), mode="reflect"),
        lambda x: F.interpolate(x[None], scale_factor=2.0, mode="linear"),
        lambda x: F.one_hot((3 * x).long(), 4),
        lambda x: x.repeat_interleave(2, 1) + x.repeat(1, 2),
        lambda x: mg.autograd.grad(x.max() + x.min() ** 2, x)[0],
        lambda x: mg.cat([x + n for n in range(9)], 1) * mg.stack([x[0]] * 17).sum(),
        lambda x: mg.tensor([1.0, 2.0], device="cuda").add_(x.sum()),
        lambda x: x[:, np.array([1, 0, 1])],
    ],
    ids=["reflected", "resized", "one_hot", "repeated", "largest", "joined", "made", "picked"],
)
def test_what_needs_numbers_of_the_host_replays_on_new_data(function):
    x = mg.from_numpy(RNG.random((2, 4), np.float32)).cuda().requires_grad_()
    function(x)
    graph = mg.cuda.CUDAGraph()
    with mg.cuda.graph(graph):
        result = function(x)
    for _ in range(2):
        x.data.copy_(mg.from_numpy(RNG.random((2, 4), np.float32)))
        graph.replay()
        assert result.tolist() == function(x).tolist()


def test_a_captured_copy_is_of_what_the_host_held_then_unless_it_is_page_locked_and_asynchronous():
    host, locked = mg.ones(2), mg.ones(2).pin_memory()
    graph = mg.cuda.CUDAGraph()
    with mg.cuda.graph(graph):
        results = [host.cuda(), locked.cuda(), locked.cuda(non_blocking=True)]
    host.fill_(2), locked.fill_(2)
    graph.replay()
    assert [result.tolist() for result in results] == [[1, 1], [1, 1], [2, 2]]


def sorted_and_picked(model, x, y):
    """A loss of functions that look at values on the way, as far as they may."""
    z = model(x)
    picked = z[mg.tensor([0, -1], device="cuda")] + z.max(1).values[:2, None] + z.sort(1)[0][:2]
    return picked.std() + F.binary_cross_entropy(z.sigmoid(), y) + F.multi_margin_loss(z, (2 * y[:, 0]).long())


@pytest.mark.parametrize(
    "make, shapes, loss",
    [
        (
            lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), [(2, 3, 4)] * 2,
            lambda model, x, y: F.mse_loss(model(x), y),
        ),
        (lambda: nn.Linear(3, 3), [(4, 3), (4, 3)], sorted_and_picked),
        (
            lambda: nn.Sequential(nn.Embedding(5, 3, padding_idx=1), nn.LayerNorm(3)), [(2, 4), (2, 4, 3)],
            lambda model, x, y: F.smooth_l1_loss(model((5 * x).long()), y),
        ),
    ],
    ids=["transformer", "functions that look", "embedding"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:This instance was constructed with capturable=True", "ignore:minigrad computes in")
def test_programs_that_clip_and_scale_gradients_replay(make, shapes, loss):
    model, other = make().cuda(), make().cuda()
    other.load_state_dict(model.state_dict())
    data = [[mg.from_numpy(RNG.random(shape, np.float32)).cuda() for shape in shapes] for _ in range(3)]

    def stepper(model, x, y):
        optimizer, scaler = mg.optim.AdamW(model.parameters(), capturable=True), mg.amp.GradScaler("cuda")

        def step():
            optimizer.zero_grad()
            with mg.amp.autocast("cuda"):
                result = loss(model, x, y)
            scaler.scale(result).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            nn.utils.clip_grad_value_(model.parameters(), 0.2)
            scaler.step(optimizer)
            scaler.update()
            return result

        return step

    static, plain = ([t.clone() for t in data[0]] for _ in range(2))
    captured, one_by_one = stepper(model, *static), stepper(other, *plain)
    captured(), one_by_one()
    graph = mg.cuda.CUDAGraph()
    with mg.cuda.graph(graph):
        result = captured()
    for batch in data[1:]:
        for tensors in (static, plain):
            for tensor, values in zip(tensors, batch):
                tensor.copy_(values)
        graph.replay()
        assert result.item() == pytest.approx(one_by_one().item(), rel=1e-4)


def test_the_state_of_a_capturable_optimizer_crosses_devices_and_back():
    p = mg.nn.Parameter(mg.ones(2, device="cuda"))
    p.grad = mg.ones(2, device="cuda")
    optimizer = mg.optim.NAdam([p], capturable=True)
    with pytest.warns(UserWarning, match=r"step\(\) is running without CUDA graph capture"):
        optimizer.step()
    optimizer.step()  # it warns once
    saved = optimizer.state_dict()
    for state in (saved, {**saved, "state": {0: {name: value.cpu() for name, value in saved["state"][0].items()}}}):
        other = mg.optim.NAdam([mg.nn.Parameter(mg.ones(2, device="cuda"))])
        other.load_state_dict(state)
        (loaded,) = other.state.values()
        assert other.param_groups[0]["capturable"] and all(value.is_cuda for value in loaded.values())
        assert loaded["step"].item() == 2 and loaded["mu_product"].item() == saved["state"][0]["mu_product"].item()
    saved["param_groups"][0]["capturable"] = False
    other = mg.optim.NAdam([p])
    other.load_state_dict(saved)
    other.step()  # as in PyTorch the count stays where it was, and still counts
    assert other.state[p]["step"].item() == 3


@pytest.mark.parametrize("kind", ["Adam", "ASGD", "RMSprop"])
def test_what_counts_on_the_host_is_not_captured_and_the_cpu_is_not_capturable(kind):
    p = mg.nn.Parameter(mg.ones(2, device="cuda"))
    p.grad = mg.ones(2, device="cuda")
    message = f"^Attempting CUDA graph capture of step\\(\\) for an instance of {kind} but param_groups' capturable is "
    with pytest.raises(RuntimeError, match=message), mg.cuda.graph(mg.cuda.CUDAGraph()):
        getattr(mg.optim, kind)([p]).step()
    q = mg.nn.Parameter(mg.ones(2))
    q.grad = mg.ones(2)
    with (
        pytest.warns(UserWarning, match="without CUDA graph capture"),
        pytest.raises(
            AssertionError, match=r"^If capturable=True, params and state_steps must be on supported devices"
        ),
    ):
        getattr(mg.optim, kind)([q], capturable=True).step()


def test_dropout_drops_others_at_every_replay_and_a_new_seed_counts():
    x, graph = mg.ones(256, device="cuda"), mg.cuda.CUDAGraph()
    layer = nn.Dropout(0.25)
    with mg.cuda.graph(graph):
        y = layer(x)
    seen = []
    for seed in (5, None, 5):
        if seed:
            mg.cuda.manual_seed(seed)
        graph.replay()
        seen.append(y.tolist())
    mg.cuda.manual_seed(5)
    assert seen[0] != seen[1] and seen[0] == seen[2] == layer(x).tolist()
    assert 0.6 < np.count_nonzero(seen[0]) / 256 < 0.9
    with (
        pytest.raises(RuntimeError, match=r"^CUDAGeneratorImpl::set_current_seed can be called during stream capture"),
        mg.cuda.graph(mg.cuda.CUDAGraph()),
    ):
        mg.cuda.manual_seed(6)


def test_a_capture_computes_nothing_until_it_is_replayed():
    x, graph = mg.ones(3, device="cuda"), mg.cuda.CUDAGraph()
    with mg.cuda.graph(graph):
        x[1:].mul_(5)
        total = x.sum()
    assert x.tolist() == [1, 1, 1]
    assert not mg.cuda.is_current_stream_capturing()
    graph.replay()
    assert x.tolist() == [1, 5, 5] and total.item() == 11
    graph.replay()
    assert total.item() == 51


def test_losses_of_classes_and_embeddings_can_be_captured():
    table, tokens = nn.Embedding(5, 4).cuda(), mg.tensor([0, 3, 1], device="cuda")
    graph = mg.cuda.CUDAGraph()
    with mg.cuda.graph(graph):
        loss = F.cross_entropy(table(tokens), tokens)
        loss.backward()
    gradient = table.weight.grad
    tokens.copy_(mg.tensor([2, 2, 3]))
    graph.replay()
    table.weight.grad = None
    again = F.cross_entropy(table(tokens), tokens)
    again.backward()
    assert loss.item() == pytest.approx(again.item())
    np.testing.assert_allclose(gradient.cpu().numpy(), table.weight.grad.cpu().numpy(), atol=1e-6)


def test_random_numbers_go_on_at_every_replay():
    graph = mg.cuda.CUDAGraph()
    with mg.cuda.graph(graph):
        drawn = mg.rand(4, device="cuda")
    seen = []
    for _ in range(3):
        graph.replay()
        seen.append(drawn.tolist())
    assert seen[0] != seen[1] != seen[2]


def test_what_cannot_be_captured():
    x = mg.ones(2, device="cuda", requires_grad=True)
    waiting = lambda: x.sum().item(), lambda: x.cpu(), lambda: bool((x > 0).all()), lambda: repr(x)
    counting = lambda: x[x > 0], lambda: x.nonzero(), lambda: x.masked_select(x > 0), lambda: x.detach().unique()
    for forbidden in (*waiting, *counting):
        with (
            pytest.raises(RuntimeError, match=r"^CUDA error: operation not permitted when stream is capturing"),
            mg.cuda.graph(mg.cuda.CUDAGraph()),
        ):
            forbidden()
    assert not mg.cuda.is_current_stream_capturing()
    x.sum().backward()
    with pytest.raises(RuntimeError, match="capture of step"), mg.cuda.graph(mg.cuda.CUDAGraph()):
        mg.optim.Adagrad([x]).step()
    with pytest.raises(RuntimeError, match=r"^CUDA graphs must be captured on a non-default stream"):
        mg.cuda.CUDAGraph().capture_begin()
    with pytest.raises(RuntimeError, match=r"^Called CUDAGraph::replay without a preceding successful capture"):
        mg.cuda.CUDAGraph().replay()


def test_graphed_callables_take_their_place_in_training():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).cuda()
    twin = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).cuda()
    twin.load_state_dict(net.state_dict())

    def scaled(x, others):
        return {"sum": x * others["scale"] + others["shift"], "size": others["scale"].detach().abs()}

    def tensors():
        return [mg.from_numpy(RNG.random(shape, np.float32)).cuda() for shape in ((5, 2), (2,), (5, 2))]

    x, scale, shift = tensors()
    samples = (mg.zeros(5, 3, device="cuda"),), (x.requires_grad_(), {"scale": scale.requires_grad_(), "shift": shift})
    graphed, function = mg.cuda.make_graphed_callables((net, scaled), samples)
    assert graphed is net
    for number in range(3):
        x = mg.from_numpy(RNG.random((5, 3), np.float32)).cuda()
        _, scale, shift = tensors()
        found = []
        for model, last in ((net, function), (twin, scaled)):
            one = scale.clone().requires_grad_()
            if number != 1:  # gradients add up where they are kept
                model.zero_grad()
            result = last(model(x), {"scale": one, "shift": shift})
            assert not result["size"].requires_grad
            result["sum"].square().sum().backward()
            found.append([result["sum"], result["size"], one.grad, *[p.grad for p in model.parameters()]])
        for ours, theirs in zip(*found, strict=True):
            np.testing.assert_allclose(ours.detach().cpu().numpy(), theirs.detach().cpu().numpy(), rtol=1e-5)
    net.eval()
    assert net(mg.ones(2, 3, device="cuda")).shape == (2, 2)  # not what was captured


def test_what_cannot_be_graphed():
    x = mg.ones(2, device="cuda", requires_grad=True)
    with pytest.raises(
        AssertionError, match=r"^In the beta API, sample_args for each callable must contain only Tensors"
    ):
        mg.cuda.make_graphed_callables(lambda x, y: x, (x, 2.0))
    for elsewhere in ((nn.Linear(2, 2), (x,)), (nn.Linear(2, 2).cuda(), (x.cpu(),))):
        with pytest.raises(RuntimeError, match=r"^a graph replays work on the GPU alone\nhint: move module"):
            mg.cuda.make_graphed_callables(*elsewhere)
    layer = nn.Linear(2, 2).cuda()
    layer.register_forward_hook(lambda *args: None)
    with pytest.raises(AssertionError, match=r"^Modules must not have hooks registered at the time they are passed"):
        mg.cuda.make_graphed_callables(layer, (x,))
    with pytest.raises(RuntimeError, match=r"^The differentiated Tensor at index 1 appears to not have been used"):
        mg.cuda.make_graphed_callables(lambda x, y: 2 * x, (x, x.detach().clone().requires_grad_()))
    unused = mg.cuda.make_graphed_callables(
        lambda x, y: 2 * x, (x, x.detach().clone().requires_grad_()), allow_unused_input=True
    )
    y = mg.ones(2, device="cuda", requires_grad=True)
    found = unused(y, mg.ones(2, device="cuda", requires_grad=True))
    (dy,) = mg.autograd.grad(found.square().sum(), y, create_graph=True)
    assert dy.tolist() == [8, 8]
    with pytest.raises(RuntimeError, match="twice a function that was marked with @once_differentiable"):
        dy.sum().backward()

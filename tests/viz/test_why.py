"""`explain_grad` says where a gradient came from, and where and by what line its way was cut."""

import inspect
import linecache

import numpy as np
import pytest
from recorded_steps import leaf, randn, recorded

import minigrad as mg
from minigrad import nn, viz
from minigrad.autograd import Function
from minigrad.viz import explain_grad

F = nn.functional


def _marked(step):
    """file:line of the line of `step` that ends in a comment "# here"."""
    lines, start = inspect.getsourcelines(step)
    place = next(i for i, line in enumerate(lines) if line.rstrip().endswith("# here"))
    return start + place


# steps whose gradient is missing, or zero: the line marked is the one that is to blame --------------------------------


def detached():
    w, b = leaf(3, 4), leaf(4)
    h = w * 2
    h = h.detach()  # here
    return w, (h + b).sum()


def under_no_grad():
    w, b = leaf(3, 4), leaf(4)
    with mg.no_grad():
        h = w * 2  # here
    return w, (h + b).sum()


def chosen_by_argmax():
    w, b = leaf(3, 4), leaf(4)
    best = w.argmax(1)  # here
    return w, (best.float().sum() * b).sum()


def compared():
    w, b = leaf(3, 4), leaf(4)
    mask = (w.exp() > 1).float()  # here
    return w, (mask * b).sum()


def cast_to_whole_numbers():
    w, b = leaf(3, 4), leaf(4)
    whole = w.long()  # here
    return w, (whole * b).sum()


def through_data():
    w, b = leaf(3, 4), leaf(4)
    numbers = w.data  # here
    return w, (numbers * b).sum()


def through_numpy():
    w, b = leaf(3, 4), leaf(4)
    numbers = np.tanh(w.detach().numpy())  # here
    return w, (mg.from_numpy(numbers) * b).sum()


def through_item():
    w, b = leaf(3, 4), leaf(4)
    number = w.sum().item()  # here
    return w, (number * b).sum()


def unused():
    w, b = leaf(3, 4), leaf(4)
    aside = w * 2  # here
    return w, (b * b).sum() + 0 * float(aside.numel())


class Rounds(Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, dy):
        return None


def without_a_derivative():
    w, b = leaf(3, 4), leaf(3, 4)
    steps = Rounds.apply(w)  # here
    return w, (steps * b).sum()


class Halves(Function):
    @staticmethod
    def forward(ctx, x):
        half, whole = x / 2, x * 1
        ctx.mark_non_differentiable(half)
        return half, whole

    @staticmethod
    def backward(ctx, _, dwhole):
        return dwhole


def declared_non_differentiable():
    w, b = leaf(3, 4), leaf(3, 4)
    half, _ = Halves.apply(w)  # here
    return w, (half * b).sum()


NONE = {
    detached: "detached",
    under_no_grad: "no_grad",
    chosen_by_argmax: "integer",
    compared: "integer",
    cast_to_whole_numbers: "integer",
    through_data: "data",
    through_numpy: "numpy",
    through_item: "item",
    unused: "unused",
    without_a_derivative: "no_derivative",
    declared_non_differentiable: "non_differentiable",
}


def dead_relu():
    w = leaf(3, 4)
    h = (w - 100).relu()  # here
    return w, (h * 3).sum()


def saturated_sigmoid():
    w = leaf(3, 4)
    h = mg.sigmoid(w * 1e3 + 1e5)  # here
    return w, h.sum()


def saturated_tanh():
    w = leaf(3, 4)
    h = (w + 50).tanh()  # here
    return w, h.sum()


def clamped():
    w = leaf(3, 4)
    h = w.clamp(10, 20)  # here
    return w, (h * randn(4)).sum()


def hard_limit():
    w = leaf(3, 4)
    h = F.hardtanh(w + 9)  # here
    return w, h.sum()


def dropped():
    w = leaf(3, 4)
    h = F.dropout(w * 2, 1.0)  # here
    return w, h.sum()


def not_the_largest():
    small, large = leaf(1, 1, 2, 2), randn(1, 1, 2, 2) + 100
    both = mg.cat([small, large], 3)  # here
    return small, F.max_pool2d(both, (2, 4)).sum()


def lost_to_a_maximum():
    w = leaf(3, 4)
    h = mg.maximum(w, mg.tensor(100.0))  # here
    return w, h.sum()


def times_zero():
    w, mask = leaf(3, 4), mg.zeros(4)
    h = w.exp() * mask  # here
    return w, h.sum()


def times_the_number_zero():
    w = leaf(3, 4)
    h = w.exp() * 0  # here
    return w, h.sum()


def before_a_zero_weight():
    w, last = leaf(3, 4), mg.zeros(2, 4, requires_grad=True)
    h = F.linear(w.tanh(), last)  # here
    return w, h.sum()


def without_input():
    w = leaf(4, 3)
    h = F.linear(mg.zeros(2, 3), w)  # here
    return w, h.square().sum() + h.sum()


def overwritten():
    w = leaf(3, 4)
    h = w * 2
    h[:] = mg.ones(4)  # here
    return w, h.sum()


def never_looked_up():
    w = leaf(3, 4)
    h = F.embedding(mg.tensor([0, 0]), w, padding_idx=0)  # here
    return w, h.sum()


def floor():
    w = leaf(3, 4)
    h = (w * 3).floor()  # here
    return w, h.sum()


def ignored():
    w = leaf(2, 3)
    loss = F.nll_loss(w, mg.tensor([-100, -100]), reduction="sum")  # here
    return w, loss


def sum_of_a_softmax():
    w = mg.zeros(4, requires_grad=True)
    h = w.softmax(0)  # here
    return w, h.sum()


ZERO = {
    dead_relu: "dead_relu",
    saturated_sigmoid: "saturated",
    saturated_tanh: "saturated",
    clamped: "clamped",
    hard_limit: "clamped",
    dropped: "dropout",
    not_the_largest: "not_chosen",
    lost_to_a_maximum: "not_chosen",
    times_zero: "multiplied_by_zero",
    times_the_number_zero: "multiplied_by_zero",
    before_a_zero_weight: "multiplied_by_zero",
    without_input: "multiplied_by_zero",
    overwritten: "overwritten",
    never_looked_up: "not_chosen",
    floor: "flat",
    ignored: "not_chosen",
    sum_of_a_softmax: "invariant",
}


@pytest.mark.parametrize("step", [*NONE, *ZERO], ids=lambda step: step.__name__)
def test_the_cut_and_its_line_are_named(step):
    tensor, loss, recording = recorded(step)
    found = explain_grad(tensor, recording=recording)
    assert (found.state, found.cause) == (("none", NONE[step]) if step in NONE else ("zero", ZERO[step]))
    assert found.line == f"{found.line.rpartition(':')[0]}:{_marked(step)}"
    assert found.line.startswith("tests/viz/test_why.py") or found.line.startswith("test_why.py")
    assert linecache.getline(__file__, _marked(step)).strip() in str(found)
    assert (tensor.grad is None) == (found.state == "none")
    # the loss may be named, the latest recording is found by itself, and the same is said of it
    assert str(explain_grad(tensor, loss)) == str(explain_grad(tensor)) == str(found)


@pytest.mark.parametrize("step", [*NONE, *ZERO], ids=lambda step: step.__name__)
def test_the_document_says_the_same(step):
    tensor, _, recording = recorded(step)
    made, found = recording.document(), explain_grad(tensor, recording=recording)
    entries = [entry["why"] for entry in made["tensors"] if entry["why"] and entry["why"]["text"] == found.text]
    assert entries
    for why in entries:
        assert (why["state"], why["cause"], why["line"]) == (found.state, found.cause, found.line)
        assert made["nodes"][why["node"]]["line"] == found.line
        assert why["path"][-1] == why["node"]
        for before, after in zip(why["path"], why["path"][1:]):
            assert set(made["nodes"][before]["outputs"]) & set(made["nodes"][after]["inputs"])


@pytest.mark.parametrize("step", ZERO, ids=lambda step: step.__name__)
def test_zeros_are_explained_by_the_graph_alone(step):
    tensor, loss = step()
    loss.backward(retain_graph=True)
    before = tensor.grad.numpy().copy()
    found = explain_grad(tensor, loss)
    assert found.state == "zero" and found.line is None
    assert found.cause == ZERO[step]
    assert np.array_equal(tensor.grad.numpy(), before)


@pytest.mark.parametrize("step", [s for s in NONE if s is not without_a_derivative], ids=lambda step: step.__name__)
def test_a_cut_way_is_not_on_the_graph(step):
    tensor, loss = step()
    loss.backward()
    found = explain_grad(tensor, loss)
    assert (found.state, found.cause) == ("none", "not_reached")
    assert "viz.record()" in str(found)


def test_causes_that_lie_in_the_tensor():
    whole, plain, parameter = mg.tensor([1, 2]), randn(3), nn.Parameter(randn(3), requires_grad=False)
    weight = leaf(3)
    with viz.record():
        ((plain + parameter) * weight * whole.sum()).sum().backward()
    assert explain_grad(whole).cause == "integer"
    assert explain_grad(plain).cause == explain_grad(parameter).cause == "requires_grad_false"
    assert "frozen" in str(explain_grad(parameter))
    aside = plain * 2
    assert explain_grad(aside).cause == "requires_grad_false"


def test_a_tensor_outside_the_graph_names_what_took_it_out():
    weight = leaf(3)
    with viz.record():
        cut = weight.detach()
        with mg.no_grad():
            half = weight / 2
        (weight * cut * half).sum().backward()
    assert explain_grad(cut).cause == "detached"
    assert explain_grad(half).cause == "no_grad"


class _Forgetful(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.forgotten = nn.Linear(3, 1), nn.Linear(3, 1)

    def forward(self, x):
        return self.used(x)


def test_a_layer_that_was_never_called_is_unused():
    net = _Forgetful()
    with viz.record() as recording:
        loss = net(mg.ones(2, 3)).sum()
        loss.backward()
    for found in (explain_grad(net.forgotten.weight), explain_grad(net.forgotten.weight, loss)):
        assert found.cause == "unused" and "net.forgotten.weight" in str(found)
    document = recording.document()
    listed = {tensor["name"]: tensor["why"] for tensor in document["tensors"] if tensor["role"] == "parameter"}
    assert list(listed) == ["used.weight", "used.bias", "forgotten.weight", "forgotten.bias"]
    assert listed["forgotten.bias"]["cause"] == "unused" and listed["used.bias"] is None
    # the graph alone does not know what ran outside it
    assert explain_grad(net.forgotten.weight, net(mg.ones(2, 3)).sum()).cause == "not_reached"


def test_what_an_error_kept_from_running_is_not_called_unused():
    net = _Forgetful()
    with pytest.raises(RuntimeError), viz.record() as recording:
        net(mg.ones(2, 3)).sum().backward()
        net(mg.ones(2, 4))
    assert not any("forgotten" in tensor["name"] for tensor in recording.document()["tensors"])


def test_no_pass_has_run():
    tensor, loss, _ = recorded(dead_relu, backward=False)
    assert explain_grad(tensor).cause == "not_run"
    del loss
    tensor, _ = dead_relu()
    assert explain_grad(tensor).cause == "not_run"
    weight = leaf(3)
    found = explain_grad(weight, (weight * 2).sum())
    assert found.cause == "not_run" and found.state == "none" and found.norm == pytest.approx(2 * 3**0.5)


def test_computed_tensors_keep_no_gradient_unless_asked():
    def step(retain):
        w = leaf(3)
        h = w * 2
        if retain:
            h.retain_grad()
        return h, (h * h).sum()

    tensor, _, _ = recorded(lambda: step(False))
    found = explain_grad(tensor)
    assert found.cause == "not_retained" and "retain_grad()" in str(found)
    assert found.norm == pytest.approx(float((2 * tensor).norm()), rel=1e-5)
    tensor, _, _ = recorded(lambda: step(True))
    assert explain_grad(tensor).state == "flows"
    tensor, loss = step(False)
    loss.backward()
    assert explain_grad(tensor, loss).cause == explain_grad(tensor).cause == "not_retained"


def test_a_gradient_that_was_cleared():
    weight = leaf(3)
    with viz.record():
        loss = (weight * weight).sum()
        loss.backward()
    optimizer = mg.optim.SGD([weight], 0.1)
    optimizer.zero_grad(set_to_none=False)
    assert (explain_grad(weight).state, explain_grad(weight).cause) == ("zero", "cleared")
    optimizer.zero_grad()
    assert (explain_grad(weight).state, explain_grad(weight).cause) == ("none", "cleared")
    loss = (weight.exp()).sum()
    loss.backward()
    weight.grad = None
    found = explain_grad(weight, loss)
    assert found.cause == "cleared" and "freed" in str(found) and found.paths == 1


def test_gradients_that_were_returned_or_asked_for_elsewhere():
    a, b = leaf(3), leaf(3)
    with viz.record():
        mg.autograd.grad((a * b).sum(), a)
    assert explain_grad(a).cause == "returned"
    assert explain_grad(b).cause == "inputs"


def test_a_gradient_that_was_changed_afterwards():
    weight = leaf(3)
    with viz.record():
        (weight * 10).sum().backward()
    nn.utils.clip_grad_norm_([weight], 1.0)
    found = explain_grad(weight)
    assert found.state == "flows" and "clipping" in str(found)
    assert found.norm == pytest.approx(10 * 3**0.5)


def test_a_hook_that_puts_zeros_and_a_seed_of_zeros():
    weight = leaf(3)
    with viz.record():
        h = weight * 2
        h.register_hook(lambda grad: grad * 0)
        h.sum().backward()
    assert explain_grad(weight).cause == "hook"
    with viz.record():
        (weight * 2).backward(mg.zeros(3))
    assert explain_grad(weight).cause == "seed"


def test_parts_that_cancel():
    weight = leaf(3)
    with viz.record():
        h = weight * 1
        (h * 2 - h * 2).sum().backward()
    found = explain_grad(weight)
    assert (found.state, found.cause) == ("zero", "cancelled") and "parts of the gradient of h cancel" in str(found)
    with viz.record():
        (weight - weight).sum().backward()
    found = explain_grad(weight)
    assert (found.state, found.cause) == ("zero", "cancelled") and str(found).count("test_why.py") == 1
    assert str(found).startswith("What arrived at weight cancels to zero: the 2 parts of its gradient, from Sub at")


def test_zeros_that_go_far_are_followed_once_and_explained_everywhere():
    start, length = leaf(3), 200
    kept = []
    with viz.record() as recording:
        x = start
        for i in range(length):
            x = x * 2 if i != 150 else (x * 0).add(start * 0)
            kept.append(x)
        x.sum().backward()
    made = recording.document()
    tensors = [made["tensors"][recording.find(x, x._edge).id] for x in kept[:150]]
    node = next(node["id"] for node in made["nodes"] if node["arguments"] == [["y", "0"]])
    for place, tensor in enumerate(tensors):
        why = tensor["why"]
        assert (why["cause"], why["node"], len(why["path"])) == ("multiplied_by_zero", node, min(150 - place, 64))
        assert why["path"][-1] == node and tensor["users"][0][0] == node - (149 - place)
    for x in kept[0], kept[149]:
        assert (
            str(explain_grad(x, recording=recording)) == made["tensors"][recording.find(x, x._edge).id]["why"]["text"]
        )
    found = explain_grad(start)
    assert str(found).endswith("on the way to start: it is multiplied by 0. (1 more ways end like this.)")
    (leaf_entry,) = [tensor for tensor in made["tensors"] if tensor["name"] == "start"]
    assert leaf_entry["why"]["text"] == str(found)


def test_small_gradients_that_differ_are_not_taken_for_equal_ones():
    x = mg.tensor([0.0, 200.0], requires_grad=True)
    with viz.record():
        (x.softmax(0) * mg.tensor([1e-4, 2e-4])).sum().backward()
    assert explain_grad(x).cause == "saturated"


def test_zeros_of_the_tensor_itself():
    empty, weight = leaf(0), leaf(3)
    weight.register_hook(lambda grad: grad * 0)
    with viz.record():
        (empty.sum() + (weight * 2).sum()).backward()
    assert str(explain_grad(empty)) == "empty has no elements." and explain_grad(empty).cause == "empty"
    assert str(explain_grad(weight)) == "A hook on weight replaced its gradient by zeros."
    flat = mg.zeros(3, requires_grad=True)
    with viz.record():
        flat.pow(2).sum().backward()
    found = explain_grad(flat)
    assert found.cause == "flat" and "zero in Pow" in str(found) and "its derivative is 0 at these values" in str(found)


def test_what_a_freed_graph_and_an_unrecorded_pass_still_tell():
    dead = mg.ones(3, requires_grad=True)
    loss = (-dead).relu().sum()
    loss.backward()
    found = explain_grad(dead, loss)
    assert (found.state, found.cause) == ("zero", "unknown") and "a gradient can end in ReLU." in str(found)
    assert "1 way through 3 operations leads from the loss to it: Sum, ReLU, Neg." in str(found)
    weight = leaf(3)
    (weight * 2).sum().backward()
    with viz.record():
        (weight * 1).sum()
    found = explain_grad(weight)
    assert (found.state, found.cause, found.norm) == ("flows", "earlier", pytest.approx(12**0.5))
    assert str(found) == "weight: its .grad, of norm 3.464, is from a pass that was not recorded."
    assert explain_grad(mg.arange(3)).cause == "integer"


@pytest.mark.parametrize("residual", [(), (mg.ones(5, 3),)], ids=["alone", "with a residual"])
def test_a_relu_that_is_one_operation_with_its_normalisation(residual):
    x, norm = mg.randn(5, 3, requires_grad=True), nn.BatchNorm1d(3)
    nn.init.constant_(norm.bias, -100)
    loss = nn.fusion.norm_activation(norm, nn.functional.relu, x, *residual).sum()
    found = explain_grad(x, loss)
    assert (found.state, found.cause) == ("zero", "dead_relu")
    assert "zero in BatchNormReLU" in str(found) and "none of the 15 results" in str(found)
    loss.backward()
    assert "a gradient can end in BatchNormReLU." in str(explain_grad(x, loss))


def test_a_backward_pass_that_failed():
    weight, other = leaf(3), leaf(3)
    with viz.record():
        a = weight.exp()
        loss = (a * other.sin()).sum()
        a.data  # noqa: B018
        a.mul_(2)
        with pytest.raises(RuntimeError, match="inplace"):
            loss.backward()
    assert explain_grad(weight).cause == "error"

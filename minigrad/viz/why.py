"""In words: where a gradient came from, or why there is none.

`explain_grad` is what a user calls. With a recording it knows every operation, whether the graph has it or not, the
line of each, and what arrived where. Without one it walks the graph that the loss has left, if that still holds its
numbers; then it can say whether there is a way, through which operations, and what each contributed, but not what ran
outside the graph.
"""

from dataclasses import dataclass, field

import numpy as np

from minigrad.autograd import Tensor, gradient_edge
from minigrad.autograd.engine import _reachable

from .causes import Trail
from .explorer import recordings, walk
from .recording import RecordedNode, Recording
from .wording import at, named
from .zeros import stops

_ROUTE = 9  # operations of a way that are named one by one


@dataclass(slots=True)
class Contribution:
    """A part of a gradient: what came back along one use of the tensor."""

    node: RecordedNode  # the operation that used it
    norm: float
    share: float  # of the sum of the parts' norms


@dataclass(slots=True, repr=False)
class Explanation:
    """What `explain_grad` found. `str` gives the words.

    `state` is "flows", "zero" or "none"; `cause` a key such as "detached", "no_grad" or "dead_relu" ("" if it flows);
    `line` the line of the user's program where the gradient stops, as "train.py:12", or None if it is not known; `norm`
    the gradient's Euclidean norm. `contributions` are the parts that it is the sum of, the largest first, and `paths`
    the number of ways from the loss.
    """

    state: str
    cause: str
    text: str
    line: str | None = None
    norm: float | None = None
    paths: int = 0
    contributions: list[Contribution] = field(default_factory=list)

    def __str__(self):
        return self.text

    def __repr__(self):
        return self.text


def explain_grad(tensor, loss=None, recording=None):
    """Say where the gradient of a tensor came from, or where and by what line its way was cut: an `Explanation`.

    A recording (`viz.record()`) that knows the tensor is used if there is one, the latest first; `recording` names
    another. Otherwise the graph of `loss` is walked once more, which runs the tensors' hooks but changes no `.grad`,
    provided that it was not freed: call it before `loss.backward()`, or keep the graph with `retain_graph=True`. With
    neither, only what the tensor itself shows can be said.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, -2.0], requires_grad=True)
    >>> y = x.detach() * 3
    >>> explain_grad(y).cause
    'requires_grad_false'
    >>> loss = (x * minigrad.tensor([0.0, 0.0])).sum()
    >>> loss.backward(retain_graph=True)
    >>> explain_grad(x, loss).cause
    'multiplied_by_zero'
    """
    for what, value in (("tensor", tensor), ("loss", loss)):
        if not isinstance(value, Tensor) and not (what == "loss" and value is None):
            raise TypeError(f"explain_grad needs a tensor as {what}, got a {type(value).__name__}")
    for known in [recording] if recording is not None else recordings():
        value = _find(known, tensor)
        root = None if loss is None else _find(known, loss)
        if value is not None and (loss is None or root is not None):
            versions = _versions(value)
            passes = _summed(known.passes, versions) if loss is None else [p for p in known.passes if root in p.roots]
            return _of_recording(tensor, value, Trail(known, passes, versions))
    if recording is not None:
        text = (
            f"{_itself(tensor)} took part in nothing recorded: it was not used, or only where there is no derivative."
        )
        return Explanation("none", "not_recorded", text)
    return _of_tensor(tensor) if loss is None else _of_graph(tensor, loss)


def _find(recording, tensor):
    """The RecordedTensor that stands for a tensor; None if it was not recorded."""
    edge = gradient_edge(tensor)
    if edge is None:
        return recording.find(tensor, None)
    return recording.at(edge) if recording.knows(edge) else None


def _versions(value):
    """A leaf and what it was before each time that it was written, as optimizers do; the latest first."""
    versions = [value]
    while versions[-1].before is not None:
        versions.append(versions[-1].before)
    return versions


def _summed(passes, versions):
    """The passes from the one on that found the `.grad` of a leaf empty: None, or cleared by zero_grad()."""
    begun = [
        place for place, walk in enumerate(passes) if any(step.begins and step.leaf in versions for step in walk.steps)
    ]
    return passes[max(begun, default=0) :]


# with a recording -----------------------------------------------------------------------------------------------------


def _of_recording(tensor, value, trail):
    total = trail.totals.get(value)
    given = None if tensor.grad is None else tensor.grad.numpy()
    if total is None:
        if given is None:
            return _stopped(trail.missing(value))
        text = f"{named(value)}: its .grad, of norm {_norm(given):.4g}, is from a pass that was not recorded."
        return Explanation("flows", "earlier", text, norm=_norm(given))
    if not np.any(total):
        return _stopped(trail.zero(value), norm=0.0)
    found = _flowing(value, total, trail)
    if given is None:
        notes = [_why_not_kept(tensor, trail)]
        found.state, found.cause = "none", notes[0][0]
        found.text = f"{notes[0][1]}\n{found.text}"
    elif not np.any(given):
        found.state, found.cause = "zero", "cleared"
        found.text = f".grad holds zeros now: something (zero_grad(), grad.zero_()) cleared it since.\n{found.text}"
    elif not np.allclose(given, total, 1e-3, 1e-6 * np.abs(np.nan_to_num(total)).max(initial=0.0), equal_nan=True):
        found.text += (
            f"\n.grad itself has norm {_norm(given):.4g}: it was changed since (by clipping, say), or holds the sum "
            "with passes that were not recorded."
        )
    return found


def _why_not_kept(tensor, trail):
    """(key, words): why a gradient arrived, but `.grad` is None."""
    if not tensor.is_leaf and not tensor.retains_grad:
        return "not_retained", (
            ".grad is None because this tensor was computed: backward() fills .grad of leaves only. The gradient did "
            "arrive; retain_grad() before backward() keeps it."
        )
    if all(walked.kind == "grad" for walked in trail.passes):
        return "returned", ".grad is None because autograd.grad() returns gradients and fills no .grad."
    return "cleared", ".grad is None now, but it was filled: zero_grad() or `.grad = None` cleared it since."


def _stopped(cause, norm=None):
    line = cause.to_dict()["line"]
    return Explanation(cause.state, cause.cause, cause.text, line, norm)


def _flowing(value, total, trail):
    """The explanation of a gradient that is there."""
    parts = [(step.node, _norm(leaving.array)) for step, leaving in trail.given.get(value, [])]
    whole = sum(norm for _, norm in parts) or 1.0
    parts = sorted([Contribution(node, norm, norm / whole) for node, norm in parts], key=lambda part: -part.norm)
    paths, between = _ways(value, trail)
    norm, largest = _norm(total), float(np.max(np.abs(total), initial=0.0))
    zeros = 100 * float(np.mean(total == 0)) if total.size else 0.0
    lines = [f"{named(value)}: a gradient of norm {norm:.4g} (largest element {largest:.4g}, {zeros:.3g} % zeros)."]
    if not np.isfinite(total).all():
        bad = int(total.size - np.isfinite(total).sum())
        lines.append(f"{bad:,} of its {total.size:,} elements are NaN or infinite.")
    if trail.times[value] > 1:
        lines.append(f"{trail.times[value]} backward passes have added to it.")
    if not parts:
        lines.append("It is what the backward pass started with.")
    elif len(parts) == 1:
        lines.append(f"It came through {parts[0].node.name()}{at(parts[0].node)}.")
    else:
        lines.append(f"It is the sum of {len(parts)} parts:")
        lines += [f"  {100 * p.share:5.1f} %  norm {p.norm:.4g}  {p.node.name()}{at(p.node)}" for p in parts[:8]]
        if len(parts) > 8:
            lines.append(f"  and {len(parts) - 8} smaller ones")
        if norm < 0.5 * whole:
            lines.append(f"The parts partly cancel: their norms sum to {whole:.4g}.")
    if parts:
        ways = "1 way" if paths == 1 else f"{paths:,} ways"
        lines.append(f"{ways} through {between:,} operation{'s' * (between != 1)}: {_route(value, trail)}")
    return Explanation("flows", "", "\n".join(lines), None, norm, paths, parts)


def _ways(value, trail):
    """(how many ways lead from the loss to `value`, how many operations lie on them)."""
    counts = dict.fromkeys(trail.roots, 1)
    for walked in trail.passes:
        for step in walked.steps:
            if step.node is not None:
                ways = sum(counts.get(output, 0) for output, array in step.arriving if array is not None)
                for leaving in step.leaving:
                    given = trail.latest.get(leaving.tensor, leaving.tensor)
                    counts[given] = counts.get(given, 0) + ways
    nodes, seen, stack = set(), {value}, [value]
    while stack:
        for step, _ in trail.given.get(stack.pop(), []):
            nodes.add(step.node)
            for output, array in step.arriving:
                if array is not None and output not in seen:
                    seen.add(output)
                    stack.append(output)
    return counts.get(value, 0), len(nodes)


def _route(value, trail):
    """The way along the largest parts, from the tensor to the loss, in names of operations."""
    names, here, start = [], value, named(value)
    while parts := trail.given.get(here):
        step, _ = max(parts, key=lambda part: _norm(part[1].array))
        names.append(step.node.name())
        arrived = [(output, array) for output, array in step.arriving if array is not None]
        here = max(arrived, key=lambda pair: _norm(pair[1]))[0]
    if len(names) > _ROUTE:
        half = _ROUTE // 2
        names = [*names[:half], f"... {len(names) - 2 * half} more ...", *names[-half:]]
    return " ← ".join([start, *names, "loss"])


def _norm(array):
    return float(np.linalg.norm(array.astype(np.float64).reshape(-1)))


# without one ----------------------------------------------------------------------------------------------------------


_RECORD = "Run the step inside `with minigrad.viz.record():` to learn the line."


def _itself(tensor):
    return f"This tensor of shape {tuple(tensor.shape)}"


def _of_tensor(tensor):
    """What the tensor alone shows."""
    if tensor.grad is not None:
        norm = _norm(tensor.grad.numpy())
        state = "flows" if norm or not tensor.numel() else "zero"
        what = f"has a gradient of norm {norm:.4g}" if state == "flows" else "has a gradient of zeros"
        text = f"{_itself(tensor)} {what}; pass the loss (its graph kept), or record the step, to learn from where."
        return Explanation(state, "" if state == "flows" else "unknown", text, norm=norm)
    if not tensor.is_floating_point():
        text = f"{_itself(tensor)} holds {tensor.dtype}: only floating-point tensors have gradients."
        return Explanation("none", "integer", text)
    if not tensor.requires_grad:
        text = (
            f"{_itself(tensor)} has requires_grad=False: it was made so, or detach(), no_grad(), .data or NumPy took "
            f"it out of the graph, or nothing that it was computed from requires grad. {_RECORD}"
        )
        return Explanation("none", "requires_grad_false", text)
    if not tensor.is_leaf and not tensor.retains_grad:
        text = (
            f"{_itself(tensor)} is the result of {tensor.grad_fn.name()}: backward() fills .grad of leaves only. Call "
            "retain_grad() on it before backward(), or pass the loss to see its gradient."
        )
        return Explanation("none", "not_retained", text)
    text = (
        f"{_itself(tensor)} requires grad, but has none: no backward pass has run yet, none has reached it, or "
        "zero_grad() has set it to None since. Pass the loss to learn whether there is a way to it."
    )
    return Explanation("none", "not_run", text)


def _of_graph(tensor, loss):
    """What the graph of the loss shows."""
    edge = gradient_edge(loss)
    if edge is None:
        text = (
            "The loss does not require grad, so nothing has a gradient: it was computed under no_grad(), from detached "
            f"tensors or from none that requires grad. {_RECORD}"
        )
        return Explanation("none", "loss_without_graph", text)
    if not tensor.requires_grad or not tensor.is_floating_point():
        return _of_tensor(tensor)
    recording, freed = Recording(), _freed(edge[0])
    if freed is None:
        walk(recording, [loss], [edge])
    else:
        for node in reversed(_reachable({edge[0]})):
            recording._adopt(node, None)
    value = _find(recording, tensor)
    if value is None:
        text = (
            f"The graph of the loss does not lead to {_itself(tensor).lower()}: the loss does not depend on it, or the "
            "way was cut by detach(), no_grad(), .data, NumPy, .item() or a whole-number tensor, which the graph does "
            f"not know. {_RECORD}"
        )
        return Explanation("none", "not_reached", text)
    if freed is not None:
        return _of_freed(tensor, value, recording.at(edge), freed)
    found = _of_recording(tensor, value, Trail(recording, recording.passes))
    if found.cause == "cleared" and tensor.grad is None:
        _, _, rest = found.text.partition("\n")
        found.cause = "not_run"
        found.text = f".grad is None: backward() was not called yet, or zero_grad() cleared it since.\n{rest}"
    return found


def _of_freed(tensor, value, root, freed):
    """What a graph that a backward pass has freed still shows: the ways."""
    ways, nodes = _structure(value, root)
    count, operations = f"{ways:,} way{'s' * (ways != 1)}", f"{len(nodes):,} operation{'s' * (len(nodes) != 1)}"
    route = f"{count} through {operations} lead{'s' * (ways == 1)} from the loss"
    gone = (
        f"What came along them is gone: backward() has freed the graph ({freed} has nothing left). Call explain_grad "
        "before backward(), keep the graph with retain_graph=True, or run the step inside viz.record()."
    )
    if tensor.grad is None and (tensor.is_leaf or tensor.retains_grad):
        text = (
            f"{_itself(tensor)} has no gradient now, but a backward pass did run: zero_grad() or `.grad = None` "
            "cleared it since, or the pass was autograd.grad() or had inputs=."
        )
        return Explanation("none", "cleared", f"{text}\n{route} to it. {gone}", paths=ways)
    found = _of_tensor(tensor)
    found.paths = ways
    start = found.text.partition(";")[0].rstrip(".")
    found.text = f"{start}. {route} to it: {', '.join(dict.fromkeys(node.name() for node in nodes))}. {gone}"
    ends = dict.fromkeys(node.name() for node in nodes if stops(node))
    if found.state == "zero" and ends:
        found.text += f" Of these operations a gradient can end in {', '.join(ends)}."
    return found


def _structure(value, root):
    """(how many ways lead from `root` to `value`, the operations on them, the latest first)."""
    nodes, stack = set(), [value]
    while stack:
        new = {node for node, _ in stack.pop().users} - nodes
        nodes |= new
        stack += [output for node in new for output in node.outputs]
    counts, ordered = {value: 1}, sorted(nodes, key=lambda node: node.sequence)
    for node in ordered:
        ways = sum(counts.get(source, 0) for source in node.inputs)
        counts |= dict.fromkeys(node.outputs, ways)
    return counts.get(root, 0), ordered[::-1]


def _freed(node):
    """The name of an operation behind `node` whose saved tensors are gone; None if none are."""
    return next((n.operation for n in _reachable({node}) if not n.accumulates and n._saved is None), None)

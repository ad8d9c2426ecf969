"""The backprop explorer's front door: `record` a program, `explore` a loss."""

import json
import threading
import weakref
from pathlib import Path

import numpy as np

from minigrad.autograd import AccumulateGrad, Tensor, gradient_edge, watch
from minigrad.autograd.engine import run

from .cards import fill
from .document import BUDGET, document
from .page import html, levels
from .recording import Recording

_recordings: "list[weakref.ref[record]]" = []
_latest: "list[record]" = []  # held here, for `explain_grad` after a block whose recording was given no name


def recordings():
    """The latest recording and those that somebody still holds, the latest first."""
    _recordings[:] = [reference for reference in _recordings if reference() is not None]
    return [recording for reference in reversed(_recordings) if (recording := reference()) is not None]


class record(Recording):
    """Note everything that is computed in a block: operations, module calls and backward passes.

    Afterwards `explore("step.html")` writes the explorer of it, `save` that or the document as JSON, and `document()`
    returns it. The numbers of every tensor are copied when it is used, so record one step of a training with a small
    batch. What the thread that entered the block does is recorded, but for the loading of data; of blocks inside each
    other, the innermost records. An error that ends the block goes on, and what failed is marked.

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(3, 1)
    >>> with record() as recording:
    ...     layer(minigrad.ones(2, 3)).sum().backward()
    >>> [node["operation"] for node in recording.document()["nodes"]]
    ['Linear', 'Sum']
    """

    def __init__(self, title=""):
        super().__init__()
        self.title = title
        _recordings.append(weakref.ref(self))
        _latest[:] = [self]

    def document(self, title="", budget=BUDGET):
        """The document: a dict ready for JSON, described in docs/explorer-format.md.

        `title` stands for the recording's own; `budget` is how many characters the numbers of arrays may take in JSON,
        nearly.
        """
        with self.quiet():  # what is computed for the cards is no part of it
            made = document(self, title or self.title, budget)
            fill(self, made)
        return made

    def explore(self, path=None, title="", budget=BUDGET):
        """The document, written into `path` (.html or .json) if one is given; `title` stands for the recording's.

        Folders are made as needed.
        """
        made = self.document(title, budget)
        if path is not None:
            save(made, path)
        return made

    def save(self, path, title="", budget=BUDGET):
        """Write the explorer's page (.html) or the document (.json) into a file; returns the path.

        Folders are made as needed.
        """
        return save(self.document(title, budget), path)


def save(made, path):
    """Write a document into a file whose name ends in .html (the explorer's page) or .json; returns the path.

    Folders are made as needed. A document without a title bears the name of the file.
    """
    path = Path(path)
    made = {**made, "title": made["title"] or path.stem}
    form = path.suffix.lower()
    if form not in (".html", ".json"):
        raise ValueError(f"cannot write {path.name!r}: the name must end in .html or .json")
    if form == ".html":
        text = html(made)
    else:
        text = json.dumps({**made, "levels": levels(made)}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def explore(loss, path=None, title="", budget=BUDGET):
    """The document of a loss (any tensor, or a list of tensors): its graph and its backward pass, as the engine walks.

    If the loss was computed in a `record` block, that recording is shown, with the backward pass added unless it has
    one; otherwise the graph that the loss has left is walked, with the numbers that it still holds. No `.grad` is
    touched and the graph is kept. `path` (.html or .json) is where to write it (folders are made as needed), `title`
    what the page is called (by default as the file), and `budget` how many characters the numbers of arrays may take
    in JSON, nearly.

    Raises TypeError for what is no tensor, ValueError for a tensor without a graph and RuntimeError for a graph that
    a backward pass has freed.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> made = explore((x * x).sum())
    >>> [step["node"] for step in made["passes"][0]["steps"]]
    [1, 0, None]
    """
    tensors = list(loss) if isinstance(loss, list | tuple) else [loss]
    edges = [_edge(tensor) for tensor in tensors]
    recording = next((r for r in recordings() if all(r.knows(edge) for edge in edges)), None) or record(title)
    walked = {tensor for made in recording.passes for tensor in made.roots}
    if not all(recording.knows(edge) and recording.at(edge) in walked for edge in edges):
        walk(recording, tensors, edges)
    return recording.explore(path, title, budget)


def _edge(tensor):
    if not isinstance(tensor, Tensor):
        raise TypeError(f"explore needs a tensor, got a {type(tensor).__name__}\nhint: pass the loss")
    edge = gradient_edge(tensor)
    if edge is None:
        raise ValueError(
            f"the tensor of shape {tuple(tensor.shape)} has no graph: it does not require grad\n"
            "hint: compute it from parameters or a tensor with requires_grad=True, outside no_grad(), without detach()"
        )
    return edge


def walk(recording, tensors, edges):
    """Let the engine walk backward from `tensors`, at `edges`, for the recording, with no effect but on that.

    Raises RuntimeError if what the graph had saved is gone.
    """
    leaves, retained = set(), []
    seen, stack = set(), [node for node, _ in edges]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, AccumulateGrad):
            leaves.add((node, 0))
        elif node._saved is None:
            raise RuntimeError(
                f"the graph has been used up: what {node.operation} saved for backward was freed\nhint: explore before "
                "backward(), call backward(retain_graph=True), or run the step inside `with viz.record():`"
            )
        for watchers in (node.retained or {}).values():
            retained += [tensor for watcher in watchers if (tensor := watcher()) is not None]
        stack += [edge[0] for edge in node.edges if edge is not None]
    kept = [tensor.grad for tensor in retained]
    for tensor in retained:
        tensor.grad = None
    before, watch.observer = watch.observer, recording
    recording._thread = threading.get_ident()
    try:
        seeds = [(edge, Tensor._wrap(np.ones_like(tensor._array))) for edge, tensor in zip(edges, tensors)]
        run(seeds, retain_graph=True, create_graph=False, targets=leaves)
    finally:
        watch.observer = before
        for tensor, grad in zip(retained, kept):
            tensor.grad = grad
    made = recording.passes[-1]
    made.kind, made.inputs = "backward", None
    for tensor, root in zip(tensors, made.roots):
        if root.array is None:
            root.array = tensor._array.copy()

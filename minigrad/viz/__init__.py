"""Pictures of the graph that a computation leaves behind: `graph(loss)` draws it.

`extract` makes plain data of the graph, `drawing` decides what becomes a box, `dot` says how boxes look, `picture`
draws.
"""

from . import plots
from .explorer import explore, record
from .extract import Edge, Graph, Group, Node, Port, extract
from .picture import Picture, RenderError
from .recorded import recorded_graph
from .why import explain_grad

__all__ = [
    "Edge",
    "Graph",
    "Group",
    "Node",
    "Picture",
    "Port",
    "RenderError",
    "explain_grad",
    "explore",
    "extract",
    "graph",
    "plots",
    "record",
]


def graph(outputs, params=None, depth=None, values=False):
    """Draw the computation of a tensor, or of a list or tuple of tensors, or a recording: returns a `Picture`.

    Data flows from top to bottom. A box is an operation with the bytes it saves for backward and its step in the
    backward pass (↑); the formula of its derivative is the tooltip. Arrows bear the shapes (and dtypes unless float32)
    of what they carry. Parameters are chips in the box that uses them, with ∅ while they have no gradient. Dashed lines
    go round module calls.

    `params` names tensors: a dict name -> tensor, pairs such as `model.named_parameters()`, or a module; parameters
    of the modules that were called are named without it. `depth` draws module calls deeper than so many levels as one
    box each (0: each outermost one), and alike ones in a row or side by side as one ("BasicBlock ×2"). `values=True`
    writes `data | grad` of named tensors, leaves and results: their numbers, or the Euclidean norm of more than four.

    A recording (`record`) shows everything that ran in its block, inputs and operations without gradient as well; if an
    error ended it, up to the operation that failed, which is marked.

    Raises TypeError for what is no tensor and ValueError for a tensor without a graph or a negative `depth`.

    >>> import minigrad
    >>> a = minigrad.tensor(2.0, requires_grad=True)
    >>> b = minigrad.tensor(-3.0, requires_grad=True)
    >>> picture = graph(a * b + a, params={"a": a, "b": b}, values=True)
    >>> picture
    Picture(operations=2, leaves=2, calls=0, boxes=4)
    >>> picture.dot.splitlines()[0]
    'digraph minigrad {'
    """
    if depth is not None and depth < 0:
        raise ValueError(f"depth counts levels of modules from 0, got {depth}")
    if isinstance(outputs, record):
        document = outputs.document()
        return Picture(recorded_graph(document, values), depth, values, document)
    return Picture(extract(outputs, params, values), depth, values)

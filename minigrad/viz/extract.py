"""The graph behind a tensor, as plain data: what every picture draws.

`extract` walks the backward graph of one or several tensors once and turns it round, so that edges follow the data
from the leaves to the results. Operations stand in the order in which they ran, each in the group of the module call
that made it. The result holds no array and no tensor; `Graph.to_dict` is ready for JSON. What is drawn as what,
`drawing` decides.
"""

from dataclasses import asdict, dataclass, field

import numpy as np

from minigrad.autograd import AccumulateGrad, Tensor, gradient_edge
from minigrad.nn import Parameter

from .calls import path_and_name

MOST_NUMBERS = 4  # a tensor of at most so many elements is shown number by number, a larger one by its norm


@dataclass(slots=True)
class Port:
    """One result of a node: the shape and the dtype of the tensor that leaves there."""

    shape: tuple
    dtype: str


@dataclass(slots=True)
class Node:
    """A vertex: an operation, a leaf (parameter or input) or a result.

    `id` is the place in `Graph.nodes`, inputs before users. `order` is the step of the backward pass, counted over
    operations from 1; a leaf has the step after which its gradient is complete, None where it is itself the result.
    `label` is the name of a tensor: a leaf's, a result's, or the one a caller gave to an operation's result. `data` and
    `grad` are texts, filled on demand. In recordings there are also operations and leaves that are not `recorded` on
    the graph, since no gradient passes, and one with the `error` in which the program ended.
    """

    id: int
    kind: str  # "operation", "leaf" or "result"
    name: str
    ports: list[Port]
    label: str = ""
    formula: str = ""
    saved_bytes: int = 0
    group: int | None = None
    order: int | None = None
    parameter: bool = False
    has_grad: bool = False
    data: str | None = None
    grad: str | None = None
    recorded: bool = True
    error: str = ""


@dataclass(slots=True)
class Edge:
    """A tensor on its way: result number `output` of node `source` is argument number `input` of node `target`."""

    source: int
    target: int
    output: int
    input: int


@dataclass(slots=True)
class Group:
    """One call of a module: `path` is its name in the outermost module, `name` what that adds to the caller's."""

    id: int
    path: str
    name: str
    kind: str  # the module's class
    settings: str  # what the module says of itself, as in its repr
    parent: int | None
    depth: int  # 0 for an outermost module


@dataclass(slots=True)
class Graph:
    """Nodes, edges and module calls of the computation of some tensors, each numbered by its place in its list."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    def to_dict(self):
        """The graph as dicts, lists, strings and numbers, ready for `json.dumps`."""
        return asdict(self)


def extract(outputs, params=None, values=False):
    """The `Graph` of the computation of `outputs`, a tensor or a list or tuple of tensors.

    `params` names tensors: a dict name -> tensor, pairs (name, tensor) such as `model.named_parameters()`, or a
    module. Parameters of the modules whose calls were recorded are named without it. Named tensors may also be
    computed ones: the operation that made such a tensor carries its name. `values=True` writes the numbers of named
    tensors, leaves and results into the nodes, or their Euclidean norm where there are more than a few. Each
    operation is visited once, and nothing recurses.

    Raises TypeError for what is no tensor and ValueError for a tensor without a graph.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> graph = extract((x * x).sum(), params={"x": x})
    >>> [(node.kind, node.label or node.name, node.order) for node in graph.nodes]
    [('leaf', 'x', 2), ('operation', 'Mul', 2), ('operation', 'Sum', 1), ('result', 'loss', None)]
    """
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    roots = [_root(tensor, place) for place, tensor in enumerate(outputs)]
    if not roots:
        raise ValueError("a graph needs at least one tensor\nhint: pass the loss, or a list of results")
    edges = _walk([node for node, _ in roots])
    operations = [node for node in edges if not isinstance(node, AccumulateGrad)]
    operations.sort(key=lambda node: node.sequence)

    graph, calls = Graph(), _Calls()
    scopes = [calls.enter(node.scope) for node in operations]
    graph.groups = calls.groups
    names = {id(tensor): name for module in calls.paths for name, tensor in module.named_parameters()}
    named = _named(params)
    names |= {id(tensor): name for name, tensor in named}
    computed = {
        (edge[0].sequence, edge[1]): (name, tensor)
        for name, tensor in named
        if not tensor.is_leaf and (edge := gradient_edge(tensor)) is not None
    }

    ids = {}  # sequence number -> id
    last = len(operations)

    def add(sequence, **values_of_node):
        ids[sequence] = len(graph.nodes)
        graph.nodes.append(Node(ids[sequence], **values_of_node))

    def add_leaf(node, order):
        leaf = node.variable
        contents = {} if leaf is None else _contents(leaf, values)
        kind = "Tensor" if leaf is None else type(leaf).__name__
        add(
            node.sequence,
            kind="leaf",
            name=kind,
            ports=_ports(node),
            label=names.get(id(leaf), ""),
            order=order,
            parameter=id(leaf) in names or isinstance(leaf, Parameter),
            **contents,
        )

    for place, node in enumerate(operations):
        arguments = [(i, *edge) for i, edge in enumerate(edges[node]) if edge is not None]
        for _, source, _ in arguments:
            if source.sequence not in ids:
                add_leaf(source, order=last - place)
        given = [computed[node.sequence, i] for i in range(len(node.outputs)) if (node.sequence, i) in computed]
        contents = _contents(given[0][1], values) if len(given) == 1 else {}
        add(
            node.sequence,
            kind="operation",
            name=node.operation,
            ports=_ports(node),
            formula=type(node).formula,
            label=", ".join(name for name, _ in given),
            saved_bytes=node.saved_bytes,
            group=scopes[place],
            order=last - place,
            **contents,
        )
        graph.edges += [Edge(ids[source.sequence], ids[node.sequence], output, i) for i, source, output in arguments]

    for place, ((node, output), tensor) in enumerate(zip(roots, outputs)):
        if node.sequence not in ids:
            add_leaf(node, order=None)
        port = node.outputs[output]
        default = ("loss" if port[0] == () else "result") if len(roots) == 1 else f"result {place}"
        key = (node.sequence, output)
        label = computed[key][0] if key in computed else default
        result = Node(len(graph.nodes), "result", "Result", [_port(*port)], label=label, **_contents(tensor, values))
        graph.nodes.append(result)
        graph.edges.append(Edge(ids[node.sequence], result.id, output, 0))
    return graph


def _root(tensor, place):
    """(node, output_index) that made `tensor`."""
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"a graph is drawn of tensors, but output {place} is a {type(tensor).__name__}\n"
            "hint: pass a loss, or what a model returned"
        )
    edge = gradient_edge(tensor)
    if edge is None:
        raise ValueError(
            f"output {place}, of shape {tuple(tensor.shape)}, has no graph: it does not require grad\n"
            "hint: compute it from parameters or a tensor with requires_grad=True, outside no_grad(), without detach()"
        )
    return edge


def _walk(roots):
    """The edges of every node that can be reached from `roots`, by node."""
    found, stack = {}, list(roots)
    while stack:
        node = stack.pop()
        if node not in found:
            found[node] = node.edges
            stack += [edge[0] for edge in found[node] if edge is not None and edge[0] not in found]
    return found


def _named(params):
    """[(name, tensor), ...] of whatever `params` is."""
    if params is None:
        return []
    if hasattr(params, "named_parameters"):
        params = params.named_parameters()
    elif hasattr(params, "items"):
        params = params.items()
    pairs = list(params)
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Tensor)):
            raise TypeError(
                f"params needs pairs (name, tensor), got a {type(pair).__name__}\n"
                "hint: pass a dict of tensors, model.named_parameters(), or the model"
            )
    return [(str(name), tensor) for name, tensor in pairs]


class _Calls:
    """Turns the frames in which operations were made, in order of execution, into groups: one a call of a module.

    A call is a run of operations, so drawing a group as one box never makes a cycle, even of a module called twice.
    """

    def __init__(self):
        self.groups = []
        self.paths = {}  # outermost module -> {module: path}
        self._open = []  # (frame, group), outermost first

    def enter(self, scope):
        """The group of an operation made in frame `scope`; None outside modules."""
        if not (self._open and self._open[-1][0] is scope):
            frames = []
            while scope is not None:
                frames.append(scope)
                scope = scope.parent
            frames.reverse()
            shared = 0
            while shared < min(len(frames), len(self._open)) and frames[shared] is self._open[shared][0]:
                shared += 1
            del self._open[shared:]
            for frame in frames[shared:]:
                self._open.append((frame, self._group(frame.module)))
        return self._open[-1][1].id if self._open else None

    def _group(self, module):
        parent = self._open[-1][1] if self._open else None
        if parent is None and module not in self.paths:
            self.paths[module] = {part: name for name, part in module.named_modules()}
        root = self._open[0][0].module if self._open else module
        path, name = path_and_name(self.paths[root], module, parent)
        group = Group(
            len(self.groups),
            path,
            name,
            type(module).__name__,
            module.extra_repr(),
            None if parent is None else parent.id,
            len(self._open),
        )
        self.groups.append(group)
        return group


def _port(shape, dtype):
    return Port(tuple(shape), str(dtype))


def _ports(node):
    return [_port(*output) for output in node.outputs]


def _contents(tensor, values):
    """Whether a tensor has a gradient and, on demand, what it and its gradient hold."""
    contents = {"has_grad": tensor.grad is not None}
    if values:
        contents["data"] = _text(tensor)
        contents["grad"] = None if tensor.grad is None else _text(tensor.grad)
    return contents


def _text(tensor):
    array = tensor.detach().numpy()
    if array.size > MOST_NUMBERS:
        return f"norm {np.linalg.norm(array.astype(np.float64).reshape(-1)):.4g}"
    numbers = [f"{number:.4g}" for number in array.reshape(-1).tolist()]
    return numbers[0] if array.shape == () else f"[{', '.join(numbers)}]"

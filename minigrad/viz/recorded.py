"""Between the two descriptions of a computation: the document of a recording and the `Graph` that pictures are made of.

The document (docs/explorer-format.md) tells what ran, not only what is on the graph. So a picture of it has the inputs,
the operations that no gradient passes, and, where the program ended in an error, the operation that failed.
"""

from minigrad import __version__

from .extract import MOST_NUMBERS, Edge, Graph, Group, Node, Port

CALL = ("id", "path", "name", "kind", "settings", "parent")  # what the two tell of a module's call


def recorded_graph(document, values=False):
    """The `Graph` of everything in the document of a recording; `values=True` writes numbers into its tensors.

    Results are the tensors at which backward passes began, or else those that nothing used. Orders are those of the
    first backward pass.

    >>> import minigrad
    >>> with minigrad.viz.record() as recording:
    ...     y = minigrad.ones(2).exp()
    >>> graph = recorded_graph(recording.document())
    >>> [(node.kind, node.name, node.recorded) for node in graph.nodes]
    [('leaf', 'Tensor', False), ('operation', 'Exp', False), ('result', 'Result', True)]
    """
    return _Builder(document, values).build()


def document_of(graph):
    """The document of an extracted `Graph`, for the explorer's page: what ran in which module, without numbers.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> document = document_of(minigrad.viz.extract((x * x).sum(), {"x": x}))
    >>> [(node["operation"], node["inputs"], node["outputs"]) for node in document["nodes"]]
    [('Mul', [0, 0], [1]), ('Sum', [1], [2])]
    """
    operations = [node for node in graph.nodes if node.kind == "operation"]
    place = {node.id: i for i, node in enumerate(operations)}
    tensors, at = [], {}  # at: (id of a node, output) -> id of the tensor
    for node in graph.nodes:
        for output, port in enumerate(node.ports if node.kind != "result" else ()):
            at[node.id, output] = len(tensors)
            tensors.append(_bare_tensor(len(tensors), node, port, place.get(node.id), output))
    inputs = {node.id: {} for node in operations}
    for edge in graph.edges:
        tensor = at[edge.source, edge.output]
        if edge.target in place:
            inputs[edge.target][edge.input] = tensor
            tensors[tensor]["users"].append([place[edge.target], edge.input])
        else:
            tensors[tensor]["name"] = tensors[tensor]["name"] or graph.nodes[edge.target].label
    return {
        "format": "minigrad.explorer",
        "version": 1,
        "title": "graph",
        "minigrad": __version__,
        "calls": [{name: getattr(group, name) for name in CALL} for group in graph.groups],
        "tensors": tensors,
        "nodes": [_bare_node(place[node.id], node, inputs[node.id], at) for node in operations],
        "passes": [],
        "timeline": [["forward", i] for i in range(len(operations))],
        "error": None,
        "data": [],
    }


def _bare_tensor(id, node, port, made_by, output):
    role = "result" if made_by is not None else "parameter" if node.parameter else "input"
    return {
        "id": id,
        "name": node.label if len(node.ports) == 1 else "",
        "role": role,
        "version": 0,
        "shape": list(port.shape),
        "dtype": port.dtype,
        "requires_grad": True,
        "is_leaf": made_by is None,
        "node": made_by,
        "output": output,
        "users": [],
        **dict.fromkeys(("stats", "data", "grad", "why")),
    }


def _bare_node(id, node, inputs, at):
    return {
        "id": id,
        "operation": node.name,
        "name": node.name,
        "formula": node.formula,
        "forward_formula": "",
        "call": node.group,
        "inputs": [inputs.get(i) for i in range(max(inputs, default=-1) + 1)],
        "outputs": [at[node.id, output] for output in range(len(node.ports))],
        "arguments": [],
        "saved": [],
        "saved_bytes": node.saved_bytes,
        "recorded": True,
        "flags": [],
        **dict.fromkeys(("line", "source", "within")),
    }


class _Builder:
    def __init__(self, document, values):
        self.document, self.values = document, values
        self.tensors, self.error = document["tensors"], document["error"]
        self.graph = Graph(groups=_groups(document["calls"]))
        self.made = {}  # id of an operation in the document -> node
        self.leaves = {}  # id of a tensor that no operation made -> node
        steps = document["passes"][0]["steps"] if document["passes"] else []
        operations = [step["node"] for step in steps if step["node"] is not None]
        self.orders = {node: place for place, node in enumerate(operations, 1)}

    def build(self):
        """Operations in the order in which they ran, each after the leaves that it is the first to use."""
        for operation in self.document["nodes"]:
            self._operation(operation)
        if self.error is not None and self.error["node"] is None:
            message = self._message()
            self._add(kind="operation", name=self.error["type"], ports=[], group=self.error["call"], error=message)
        roots = [tensor for walk in self.document["passes"] for tensor in walk["roots"]]
        if not roots and self.error is None:
            roots = [t["id"] for t in self.tensors if t["node"] is not None and not t["users"]]
        roots = list(dict.fromkeys(roots))
        for place, tensor in enumerate(roots):
            self._result(self.tensors[tensor], "" if len(roots) == 1 else f" {place}")
        return self.graph

    def _message(self):
        return f"{self.error['type']}: {self.error['message']}"

    def _add(self, **fields):
        node = Node(len(self.graph.nodes), **fields)
        self.graph.nodes.append(node)
        return node

    def _operation(self, operation):
        inputs = [(place, self.tensors[t]) for place, t in enumerate(operation["inputs"]) if t is not None]
        for _, tensor in inputs:
            if tensor["node"] is None and tensor["id"] not in self.leaves:
                self._leaf(tensor)
        failed = self.error is not None and self.error["node"] == operation["id"]
        self.made[operation["id"]] = node = self._add(
            kind="operation",
            name=operation["operation"],
            ports=[_port(self.tensors[t]) for t in operation["outputs"] if t is not None],
            formula=operation["formula"],
            saved_bytes=operation["saved_bytes"],
            group=operation["call"],
            order=self.orders.get(operation["id"]),
            recorded=operation["recorded"],
            error=self._message() if failed else "",
        )
        for place, tensor in inputs:
            self._edge(tensor, node, place)

    def _leaf(self, tensor):
        self.leaves[tensor["id"]] = self._add(
            kind="leaf",
            name="Parameter" if tensor["role"] == "parameter" else "Tensor",
            ports=[_port(tensor)],
            label=tensor["name"],
            parameter=tensor["role"] == "parameter",
            recorded=tensor["requires_grad"],
            **self._contents(tensor),
        )

    def _result(self, tensor, number):
        default = "loss" if tensor["shape"] == [] and not number else f"result{number}"
        label = tensor["name"] or default
        node = self._add(kind="result", name="Result", ports=[_port(tensor)], label=label, **self._contents(tensor))
        self._edge(tensor, node, 0)

    def _edge(self, tensor, target, place):
        if tensor["node"] is None:
            source, output = self.leaves[tensor["id"]], 0
        else:
            outputs = [t for t in self.document["nodes"][tensor["node"]]["outputs"] if t is not None]
            source, output = self.made[tensor["node"]], outputs.index(tensor["id"])
        self.graph.edges.append(Edge(source.id, target.id, output, place))

    def _contents(self, tensor):
        contents = {"has_grad": tensor["grad"] is not None}
        if self.values:
            contents["data"] = self._text(tensor)
            contents["grad"] = None if tensor["grad"] is None else self._text(tensor["grad"])
        return contents

    def _text(self, array):
        """The few numbers of an array, or the norm of more."""
        stats, data = array["stats"], None if array["data"] is None else self.document["data"][array["data"]]
        if stats is None:
            return "?"
        if stats["size"] > MOST_NUMBERS or data is None:
            return f"norm {float(stats['norm']):.4g}"
        numbers = [f"{float(number):.4g}" for number in _flat(data["numbers"])]
        return f"[{', '.join(numbers)}]" if isinstance(data["numbers"], list) else numbers[0]


def _flat(numbers):
    return [number for part in numbers for number in _flat(part)] if isinstance(numbers, list) else [numbers]


def _port(tensor):
    return Port(tuple(tensor["shape"]), tensor["dtype"])


def _groups(calls):
    groups = []
    for call in calls:
        depth = 0 if call["parent"] is None else groups[call["parent"]].depth + 1
        groups.append(Group(*(call[name] for name in CALL), depth))
    return groups

"""A model's graph as rows for TensorBoard: nodes are named by the path of their module, so that they nest.

The graph is the one that `minigrad.viz` draws: the operations between inputs and outputs through which gradients could
flow, with every parameter on the way.
"""

from collections import namedtuple
from collections.abc import Mapping

from minigrad import Tensor, enable_grad
from minigrad.viz import extract


class GraphNode(namedtuple("GraphNode", ["name", "op", "inputs", "shapes", "formula"])):
    """A node: its name and kind, the names of the nodes that it reads, its results' shapes, its derivative's formula.

    The name is the path of the module call and what is in it: "LeNet5/c1/Convolution", "LeNet5/c1/weight".
    """

    __slots__ = ()


def nodes(model, inputs):
    """The `GraphNode`s of one call of `model`; `inputs` is a tensor, or a tuple or list of its arguments.

    The call is made in evaluation mode, and leaves the model, its gradients and the random numbers as they were. Raises
    ValueError if nothing that the model returns depends on a parameter or an input of floats.

    >>> from minigrad import nn, ones
    >>> for node in nodes(nn.Sequential(nn.Linear(2, 3), nn.Tanh()), ones(1, 2)):
    ...     print(node.name, node.inputs, node.shapes)
    input [] [(1, 2)]
    Sequential/0/weight [] [(3, 2)]
    Sequential/0/bias [] [(3,)]
    Sequential/0/Linear ['input', 'Sequential/0/weight', 'Sequential/0/bias'] [(1, 3)]
    Sequential/1/Tanh ['Sequential/0/Linear'] [(1, 3)]
    output ['Sequential/1/Tanh'] [(1, 3)]
    """
    args = [_fresh(value) for value in (inputs if isinstance(inputs, (tuple, list)) else [inputs])]
    labels = ["input"] if len(args) == 1 else [f"input_{number}" for number in range(len(args))]
    given = {label: value for label, value in zip(labels, args) if isinstance(value, Tensor)}
    outputs, readers = _call(model, args, given)
    graph = extract([tensor for tensor in _tensors(outputs) if tensor.requires_grad], params=given)

    root, names = type(model).__name__, _Names(given)
    scopes = [[root, *filter(None, group.path.split("."))] for group in graph.groups]
    integers = {label: value for label, value in given.items() if not value.requires_grad}
    made = [GraphNode(label, "Placeholder", [], [tuple(value.shape)], "") for label, value in integers.items()]
    for node in graph.nodes:
        op = node.name
        if node.kind == "operation":
            name = names.new("/".join([*([] if node.group is None else scopes[node.group]), node.name]))
        elif node.kind == "result":
            name = names.new("output")
        elif node.name == "Tensor" and node.label in given:
            name, op = node.label, "Placeholder"
        else:
            name = names.new("/".join([root, *(node.label or "constant").split(".")]))
        shapes = [port.shape for port in node.ports]
        made.append(GraphNode(name, op, [], shapes, node.formula))
    first = len(integers)
    for edge in sorted(graph.edges, key=lambda edge: edge.input):
        source = made[first + edge.source].name
        made[first + edge.target].inputs.append(f"{source}:{edge.output}" if edge.output else source)
    for label in integers:  # no gradient flows to them: they lead to the first operation of the modules they enter
        for path in readers[label]:
            group = next(group.id for group in graph.groups if group.path == path)
            reader = next(node.id for node in graph.nodes if node.group == group)
            made[first + reader].inputs.append(label)
    return made


def _call(model, args, given):
    """What `model` returns in evaluation mode, and for each input the paths of the innermost modules that it enters."""
    paths = {module: path for path, module in model.named_modules()}
    readers = {label: [] for label in given}

    def enter(module, values):
        for label, value in given.items():
            if any(value is each for each in values):
                path = paths[module]
                outer = [other for other in readers[label] if not other or path.startswith(f"{other}.")]
                readers[label] = [*(other for other in readers[label] if other not in outer), path]

    hooks = [module.register_forward_pre_hook(enter) for module in paths]
    modes = {module: module.training for module in paths}
    try:
        with enable_grad():
            return model.eval()(*args), readers
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training


def _fresh(value):
    """A copy of a tensor, as a leaf of the graph if it can be one; other values as they are."""
    if not isinstance(value, Tensor):
        return value
    copy = value.detach().clone()
    return copy.requires_grad_() if copy.is_floating_point() else copy


def _tensors(value):
    """The tensors in nested results."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(each)


class _Names:
    """Makes every name the only one of its kind: Tanh, Tanh_1, Tanh_2."""

    def __init__(self, taken):
        self._taken, self._counts = set(taken), {}

    def new(self, name):
        """`name`, or `name` with the next number."""
        candidate = name
        while candidate in self._taken:
            self._counts[name] = self._counts.get(name, 0) + 1
            candidate = f"{name}_{self._counts[name]}"
        self._taken.add(candidate)
        return candidate

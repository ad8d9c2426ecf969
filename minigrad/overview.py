"""`minigrad.summary`: a network's layers in a table, with shapes, parameters, multiply-adds and memory.

Layout and counting are torchinfo's (https://github.com/TylerYep/torchinfo).
"""

import math
from collections.abc import Mapping, Sequence

import minigrad
from minigrad import Tensor, nn

__all__ = ["Layer", "ModelStatistics", "summary"]

COLUMNS = {
    "input_size": "Input Shape",
    "output_size": "Output Shape",
    "num_params": "Param #",
    "params_percent": "Param %",
    "kernel_size": "Kernel Shape",
    "mult_adds": "Mult-Adds",
    "trainable": "Trainable",
}
NAME_WIDTH = 40
NOTHING = "--"


class Layer:
    """One call of a module: where it is, what went in and came out, what it holds and computes."""

    def __init__(self, module, name, parent, index):
        self.module, self.name, self.parent, self.index = module, name, parent, index
        self.depth = 0 if parent is None else parent.depth + 1
        self.children: list[Layer] = []
        self.input_size: list = []
        self.output_size: list = []
        self.is_recursive = False  # the module has been called before
        self.num_params = sum(parameter.numel() for parameter in module.parameters())
        self.trainable_params = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)

    @property
    def is_leaf(self):
        """Whether the module called no other."""
        return not self.children

    @property
    def mult_adds(self):
        """Multiply-adds of the call: every parameter once for each place of the output at which it is used."""
        if not self.is_leaf or not self.output_size:
            return 0
        kind, (samples, *rest) = type(self.module).__name__, self.output_size
        if "Conv" in kind:
            return self.num_params * samples * math.prod(rest[1:])
        if isinstance(self.module, nn.RNNBase if hasattr(nn, "RNNBase") else ()):
            return self.num_params * samples * rest[0]
        return self.num_params * samples

    @property
    def own_params(self):
        """Parameters that belong to no module called below."""
        below = {id(parameter) for child in self.children for parameter in child.module.parameters()}
        return sum(parameter.numel() for parameter in self.module.parameters() if id(parameter) not in below)

    def cell(self, column, depth):
        """The text of a column of a table that goes down to `depth`."""
        if column in ("input_size", "output_size"):
            size = getattr(self, column)
            return str(size) if size else NOTHING
        if column == "kernel_size":
            weight = getattr(self.module, "weight", None)
            spatial = hasattr(self.module, "kernel_size") and isinstance(weight, Tensor)
            return str(list(weight.shape[2:])) if spatial else NOTHING
        if column == "trainable":
            if not self.num_params:
                return NOTHING
            return {0: "False", self.num_params: "True"}.get(self.trainable_params, "Partial")
        if column == "mult_adds":
            return f"{self.mult_adds:,}" if self.mult_adds else NOTHING
        whole = self.is_leaf or self.depth == depth
        count = self.num_params if whole else self.own_params
        if self.is_recursive and count:
            return "(recursive)"
        if column == "params_percent":
            return f"{count / self.root.num_params:.2%}" if count else NOTHING
        return f"{count:,}" if count else NOTHING

    @property
    def root(self):
        """The call of the whole network."""
        return self if self.parent is None else self.parent.root

    def label(self, settings):
        """The first column: type, name and number of the layer, indented by its depth."""
        name = f" ({self.name})" if "var_names" in settings else ""
        kind = f"{type(self.module).__name__}{name}"
        if self.depth == 0:
            return kind
        number = f": {self.depth}-{self.index}" if "depth" in settings else ""
        indent = "├─" if self.depth == 1 else "│    " * (self.depth - 1) + "└─"
        return f"{indent}{kind}{number}"


class ModelStatistics:
    """What `summary` returns: the layers in the order of their calls, and the sums; its text is the table."""

    def __init__(self, layers, input_bytes, columns, column_width, depth, settings):
        self.summary_list, self.total_input = layers, input_bytes
        self._columns, self._width, self._depth, self._settings = columns, column_width, depth, settings
        root = layers[0]
        self.total_params, self.trainable_params = root.num_params, root.trainable_params
        self.total_mult_adds = sum(layer.mult_adds for layer in layers)
        self.total_output_bytes = sum(
            2 * 4 * math.prod(layer.output_size) for layer in layers if layer.is_leaf and layer.num_params
        )
        self.total_param_bytes = sum(parameter.numel() * parameter.itemsize for parameter in root.module.parameters())

    def __repr__(self):
        shown = [layer for layer in self.summary_list if layer.depth <= self._depth]
        name = "type (var_name)" if "var_names" in self._settings else "type"
        rows = [[f"Layer ({name}:depth-idx)", *(COLUMNS[column] for column in self._columns)]]
        rows += [
            [layer.label(self._settings), *(layer.cell(column, self._depth) for column in self._columns)]
            for layer in shown
        ]
        first = max(NAME_WIDTH, *(len(row[0]) for row in rows))
        rule = "=" * (first + self._width * len(self._columns))
        lines = [" ".join([row[0].ljust(first), *(cell.ljust(self._width) for cell in row[1:])]) for row in rows]
        unit, divisor = next((u, d) for u, d in _UNITS if self.total_mult_adds >= d or d == 1e6)
        sizes = self.total_input, self.total_output_bytes, self.total_param_bytes
        parts = [
            rule,
            lines[0].rstrip(),
            rule,
            *(line.rstrip() for line in lines[1:]),
            rule,
            f"Total params: {self.total_params:,}",
            f"Trainable params: {self.trainable_params:,}",
            f"Non-trainable params: {self.total_params - self.trainable_params:,}",
            f"Total mult-adds ({unit}): {self.total_mult_adds / divisor:,.2f}",
            rule,
            *(f"{what} (MB): {size / 1e6:,.2f}" for what, size in zip(_SIZES, (*sizes, sum(sizes)))),
            rule,
        ]
        return "\n".join(parts)


_UNITS = (("T", 1e12), ("G", 1e9), ("M", 1e6))
_SIZES = ("Input size", "Forward/backward pass size", "Params size", "Estimated Total Size")


def summary(
    model,
    input_size=None,
    input_data=None,
    *,
    batch_dim=None,
    col_names=("output_size", "num_params"),
    col_width=25,
    depth=3,
    dtypes=None,
    mode="eval",
    row_settings=("depth",),
    verbose=1,
    **arguments,
):
    """A table of the layers that `model` calls, in torchinfo's layout; printed if `verbose`, and returned.

    `input_size` is the shape of the input, batch included (or a list of shapes), of which random numbers of `dtypes`
    are made; or else `input_data` is the input itself: a tensor, or a sequence of positional or a mapping of named
    arguments. `batch_dim` adds a batch of one at that place of every shape. Columns: input_size, output_size,
    num_params, params_percent, kernel_size, mult_adds, trainable; rows: depth, var_names. `mode` is "train", "eval" or
    "same". Other `arguments` go to the model. A shape that the model cannot take is the model's own error.

    Parameters are counted once, multiply-adds and outputs at every call. Source: `torchinfo.summary`.

    >>> import minigrad
    >>> table = minigrad.summary(minigrad.nn.Linear(4, 3), (2, 4))
    =================================================================...
    Layer (type:depth-idx)                   Output Shape              Param #
    =================================================================...
    Linear                                   [2, 3]                    15
    ...
    >>> table.total_mult_adds
    30
    """
    unknown = [name for name in col_names if name not in COLUMNS]
    if unknown:
        raise ValueError(f"no column {unknown[0]!r}\nhint: the columns are {', '.join(COLUMNS)}")
    if mode not in ("train", "eval", "same"):
        raise ValueError(f"mode must be 'train', 'eval' or 'same', not {mode!r}")
    args, kwargs = _inputs(input_size, input_data, batch_dim, dtypes)
    layers = _calls(model, args, {**kwargs, **arguments}, mode)
    given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
    settings = tuple(row_settings)
    table = ModelStatistics(layers, sum(t.numel() * t.itemsize for t in given), col_names, col_width, depth, settings)
    if verbose:
        print(table)
    return table


def _inputs(input_size, input_data, batch_dim, dtypes):
    """(positional, named) arguments for the model."""
    if (input_size is None) == (input_data is None):
        raise ValueError("give input_size, a shape such as (1, 3, 224, 224), or input_data, and not both")
    if input_data is not None:
        if isinstance(input_data, Mapping):
            return [], dict(input_data)
        return (list(input_data) if isinstance(input_data, (list, tuple)) else [input_data]), {}
    shapes = [input_size] if all(isinstance(n, int) for n in input_size) else list(input_size)
    dtypes = [minigrad.get_default_dtype()] * len(shapes) if dtypes is None else dtypes
    if batch_dim is not None:
        shapes = [(*shape[:batch_dim], 1, *shape[batch_dim:]) for shape in shapes]
    return [minigrad.rand(*shape).to(dtype) for shape, dtype in zip(shapes, dtypes, strict=True)], {}


def _calls(model, args, kwargs, mode):
    """The calls of modules while the model runs once, as `Layer`s."""
    layers: list[Layer] = []
    open_calls: list[Layer] = []
    seen, numbers = set(), {}
    names = {id(module): path.rpartition(".")[2] for path, module in model.named_modules()}

    def before(module, inputs):
        parent = open_calls[-1] if open_calls else None
        depth = len(open_calls)
        numbers[depth] = numbers.get(depth, 0) + 1
        layer = Layer(module, names[id(module)] or type(module).__name__, parent, numbers[depth])
        layer.is_recursive = id(module) in seen
        seen.add(id(module))
        layer.input_size = _size(inputs)
        if parent is not None:
            parent.children.append(layer)
        layers.append(layer)
        open_calls.append(layer)

    def after(module, inputs, result):
        open_calls.pop().output_size = _size(result)

    hooks = []
    for module in model.modules():
        hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    modes = {module: module.training for module in model.modules()}
    try:
        if mode != "same":
            model.train(mode == "train")
        with minigrad.no_grad():
            model(*args, **kwargs)
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return layers


def _size(value):
    """The shape of the first tensor in nested values, a list."""
    if isinstance(value, Tensor):
        return list(value.shape)
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return next((size for size in map(_size, value) if size), [])
    return []

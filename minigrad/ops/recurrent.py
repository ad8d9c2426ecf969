"""Recurrent networks: cells, and layers that walk along a sequence.

One operation, `Recurrence`, walks along a whole sequence in one layer and direction; what a step does is described by a
`Cell`. Sequences are packed: the rows of all samples at step 0, then those at step 1, ..., `batch_sizes` saying how
many there are; samples are sorted by length, so that those still running come first. A plain batch (T, N, ·) is packed
by nature. The gradient walks back in the same way and takes the weight's gradient in one matrix product at the end.
Where the gradient is to be differentiated again, the walk is repeated with differentiable operations.
"""

import inspect

import numpy as np

from minigrad.autograd import Operation, Tensor, grad, is_grad_enabled
from minigrad.autograd.dtypes import TORCH_NAMES
from minigrad.kernels import kernels_for, scalars

from .dropout import dropout
from .joining import cat, stack
from .matrix import linear, matmul, product
from .registry import function


class Cell:
    """What one step does: with arrays forward and backward, with tensors for derivatives of higher order.

    `gates` parts of the width H come from the input and from the hidden state; they are kept apart only for a GRU,
    whose products with the hidden state have a bias of their own (`own_bias`).
    """

    gates = 1
    states = 1  # hidden state, and for an LSTM the cell state
    own_bias = False

    def step(self, input_part, hidden_part, state):
        """(new state, what the gradient needs): arrays."""
        raise NotImplementedError

    def step_grad(self, dstate, kept, state, new_state):
        """(gradient of the input's part, of the hidden state's part, of the state but for the product): arrays."""
        raise NotImplementedError

    def compose(self, input_part, hidden_part, state):
        """The new state: tensors."""
        raise NotImplementedError


class ElmanCell(Cell):
    """h' = f(input part + hidden part), f being tanh or relu. Elman 1990, "Finding structure in time"."""

    def __init__(self, activation):
        self.activation = activation

    def step(self, input_part, hidden_part, state):
        """See `Cell`."""
        total = input_part + hidden_part
        return (kernels_for(total).elementwise(getattr(scalars, self.activation), (), total),), None

    def step_grad(self, dstate, kept, state, new_state):
        """See `Cell`."""
        gradient = getattr(scalars, f"{self.activation}_grad")
        dtotal = kernels_for(dstate[0]).elementwise(gradient, (), dstate[0], new_state[0])
        return dtotal, dtotal, (0,)

    def compose(self, input_part, hidden_part, state):
        """See `Cell`."""
        return (getattr(input_part + hidden_part, self.activation)(),)


class LSTMCell(Cell):
    """c' = f · c + i · g, h' = o · tanh c'. Hochreiter and Schmidhuber 1997, "Long short-term memory"."""

    gates, states = 4, 2

    def step(self, input_part, hidden_part, state):
        """See `Cell`."""
        gates, cell, hidden = kernels_for(input_part).lstm_step(input_part, hidden_part, state[1])
        return (hidden, cell), gates

    def step_grad(self, dstate, kept, state, new_state):
        """See `Cell`."""
        dgates, dcell = kernels_for(kept).lstm_step_grad(*dstate, kept, state[1], new_state[1])
        return dgates, dgates, (0, dcell)

    def compose(self, input_part, hidden_part, state):
        """See `Cell`."""
        i, f, g, o = (input_part + hidden_part).chunk(4, 1)
        cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        return o.sigmoid() * cell.tanh(), cell


class GRUCell(Cell):
    """h' = (1 - z) · n + z · h. Cho et al. 2014, https://arxiv.org/abs/1406.1078, with r as PyTorch has it."""

    gates, own_bias = 3, True

    def step(self, input_part, hidden_part, state):
        """See `Cell`."""
        gates, hidden = kernels_for(input_part).gru_step(input_part, hidden_part, state[0])
        return (hidden,), (gates, hidden_part)

    def step_grad(self, dstate, kept, state, new_state):
        """See `Cell`."""
        dinput_part, dhidden_part, dhidden = kernels_for(kept[0]).gru_step_grad(dstate[0], *kept, state[0])
        return dinput_part, dhidden_part, (dhidden,)

    def compose(self, input_part, hidden_part, state):
        """See `Cell`."""
        (xr, xz, xn), (hr, hz, hn) = input_part.chunk(3, 1), hidden_part.chunk(3, 1)
        new = (xn + (xr + hr).sigmoid() * hn).tanh()
        return (new + (xz + hz).sigmoid() * (state[0] - new),)


CELLS = {"lstm": LSTMCell(), "gru": GRUCell(), "rnn_tanh": ElmanCell("tanh"), "rnn_relu": ElmanCell("relu")}


def _steps(batch_sizes, reverse):
    """(rows of the step, how many) for each step in the order of the walk."""
    stops = np.cumsum(batch_sizes).tolist()
    steps = [(slice(stop - size, stop), size) for stop, size in zip(stops, batch_sizes)]
    return steps[::-1] if reverse else steps


class Recurrence(Operation):
    """h[t] = cell(input part[t], weight · h[t - 1] + bias) along packed sequences, from given states"""

    formula = "the cell's gradient from the last step to the first; dweight = Σ dhidden_part[t] ⊗ h[t - 1]"

    @staticmethod
    def forward(ctx, input_part, weight, bias, projection, hidden, cell_state, cell, batch_sizes, reverse):
        ctx.cell, ctx.batch_sizes, ctx.reverse = cell, batch_sizes, reverse
        state = [hidden, cell_state][: cell.states]
        outputs = np.empty((len(input_part), hidden.shape[1]), hidden.dtype, like=hidden)
        needed, ctx.kept = any(ctx.needs_input_grad), []
        for rows, size in _steps(batch_sizes, reverse):
            before = [s[:size] for s in state]
            hidden_part = product(before[0], weight.T)
            if bias is not None:
                hidden_part += bias
            after, gates = cell.step(input_part[rows], hidden_part, before)
            if needed:
                ctx.kept.append((before, gates, after))
            if projection is not None:
                after = (product(after[0], projection.T), *after[1:])
            outputs[rows] = after[0]
            state = _merge(state, after, size)
        ctx.save_for_backward(input_part, weight, bias, projection, hidden, cell_state)
        return (outputs, *[s.copy() for s in state])

    @staticmethod
    def backward(ctx, doutputs, *dstates):
        arguments = ctx.saved_tensors
        if is_grad_enabled():
            return _differentiable_grads(ctx, arguments, (doutputs, *dstates))
        weight, bias, projection = [None if a is None else a._array for a in arguments[1:4]]
        grads = _walk_back(ctx, doutputs._array, [d._array for d in dstates], weight, bias, projection)
        return tuple([None if g is None else Tensor._wrap(g) for g in grads])

    def free(self):
        """Let go of what the steps kept, too."""
        super().free()
        self.kept = None


def _merge(state, new, size):
    """The states with those of the first `size` samples replaced; nothing is written into arrays that steps keep."""
    if size == len(state[0]):
        return new
    return [np.concatenate([n, s[size:]]) for s, n in zip(state, new)]


def _walk_back(ctx, doutputs, dstate, weight, bias, projection):
    """Gradients of the arguments of `Recurrence`, as arrays."""
    cell = ctx.cell
    dinput = np.empty((len(doutputs), len(weight)), doutputs.dtype, like=doutputs)
    dhidden_parts = np.empty_like(dinput) if cell.own_bias else dinput
    befores = np.empty((len(doutputs), weight.shape[1]), doutputs.dtype, like=doutputs)
    dprojection = None if projection is None else np.zeros_like(projection)
    steps = _steps(ctx.batch_sizes, ctx.reverse)
    for (rows, size), (before, gates, after) in zip(reversed(steps), reversed(ctx.kept)):
        arriving = [d[:size] for d in dstate]
        arriving[0] = arriving[0] + doutputs[rows]
        if projection is not None:
            dprojection += product(arriving[0].T, after[0])
            arriving[0] = product(arriving[0], projection)
        dinput[rows], dhidden_parts[rows], direct = cell.step_grad(arriving, gates, before, after)
        befores[rows] = before[0]
        dstate = _merge(dstate, (product(dhidden_parts[rows], weight) + direct[0], *direct[1:]), size)
    dweight = product(dhidden_parts.T, befores)
    dbias = None if bias is None else dhidden_parts.sum(0)
    return dinput, dweight, dbias, dprojection, *dstate


def _differentiable_grads(ctx, arguments, cotangents):
    """The same gradients written with differentiable operations: those of the walk made of them."""
    # copies, so that the walk back ends there although one argument may have been computed from another
    aliases = [None if a is None else a.clone() if a.requires_grad else a.detach().requires_grad_() for a in arguments]
    outputs = _composed(*aliases, ctx.cell, ctx.batch_sizes, ctx.reverse)
    present = [alias for alias in aliases if alias is not None]
    grads = iter(grad(outputs, present, cotangents, create_graph=True, allow_unused=True))
    return tuple([None if alias is None else next(grads) for alias in aliases])


def _composed(input_part, weight, bias, projection, hidden, cell_state, cell, batch_sizes, reverse):
    """`Recurrence` out of differentiable operations."""
    state = [hidden, cell_state][: cell.states]
    outputs = []
    for rows, size in _steps(batch_sizes, reverse):
        before = [s[:size] for s in state]
        hidden_part = linear(before[0], weight, bias)
        after = cell.compose(input_part[rows], hidden_part, before)
        if projection is not None:
            after = (matmul(after[0], projection.t()), *after[1:])
        outputs.append(after[0])
        state = [new if size == s.shape[0] else cat([new, s[size:]]) for new, s in zip(after, state)]
    return (cat(outputs[::-1] if reverse else outputs), *state)


def _layer(cell, x, states, weights, batch_sizes, reverse):
    """(outputs, new states) of one layer in one direction, packed."""
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    _check_weights(cell, x, states, weights)
    if not cell.own_bias and b_hh is not None:
        b_ih, b_hh = (b_hh if b_ih is None else b_ih + b_hh), None
    input_part = linear(x, w_ih, b_ih)
    outputs, *states = Recurrence.apply(
        input_part, w_hh, b_hh, w_hr, states[0], states[1] if cell.states > 1 else None, cell, batch_sizes, reverse
    )
    return outputs, states


def _check_weights(cell, x, states, weights):
    """Errors for weights that do not fit the input, the states and each other."""
    width, outer = states[-1].shape[1], states[0].shape[1]
    rows = cell.gates * width
    names = ("w_ih", "w_hh", "b_ih", "b_hh", "w_hr")
    wanted = ((rows, *weights[0].shape[1:2]), (rows, outer), (rows,), (rows,), (outer, width))
    for name, tensor, shape in zip(names, weights, wanted):
        if tensor is not None and tuple(tensor.shape) != shape:
            raise RuntimeError(
                f"{name} has shape {list(tensor.shape)}, expected {list(shape)}\nhint: the hidden state has {outer} "
                f"columns{f', the cell state {width}' if width != outer else ''}, so the {cell.gates} gates have {rows}"
            )
    for tensor in (*states, *weights):
        if tensor is not None and tensor.dtype != x.dtype:
            raise RuntimeError(
                f"mat1 and mat2 must have the same dtype, but got {TORCH_NAMES[x.dtype]} and "
                f"{TORCH_NAMES[tensor.dtype]}\nhint: input, states and weights must be of one floating-point dtype"
            )
    if x.dtype.kind != "f":
        raise NotImplementedError(f"a recurrent network needs floating-point tensors, but got {x.dtype}")


def _grouped(params, has_biases, projected, count):
    """The flat list of parameters as (w_ih, w_hh, b_ih, b_hh, w_hr) for each layer and direction, None for no such."""
    params = list(params)
    each = 2 + 2 * has_biases + projected
    if len(params) != each * count:
        raise RuntimeError(
            f"got an incorrect number of RNN parameters\nhint: {count} layers and directions of {each} parameters "
            f"make {each * count}, but there are {len(params)}"
        )
    groups = [params[i * each : (i + 1) * each] for i in range(count)]
    return [(*g[:2], *(g[2:4] if has_biases else (None, None)), g[-1] if projected else None) for g in groups]


def _check_states(states, cell, count, batch):
    """The states as tensors of the right number of layers and samples."""
    if cell.states == 2:
        if isinstance(states, Tensor) or len(states) != 2:
            raise RuntimeError("lstm expects two hidden states\nhint: hx is a tuple (h_0, c_0)")
    elif not isinstance(states, Tensor):
        raise TypeError(f"argument 'hx' (position 2) must be Tensor, not {type(states).__name__}")
    else:
        states = (states,)
    for state in states:
        if state.ndim != 3 or state.shape[0] != count:
            raise RuntimeError(
                f"Expected more hidden states in stacked_rnn\nhint: hx is ({count}, {batch}, H) for {count} layers and "
                f"directions and {batch} samples, but its shape is {tuple(state.shape)}"
            )
        if state.shape[1] != batch:
            raise RuntimeError(
                f"The size of tensor a ({state.shape[1]}) must match the size of tensor b ({batch}) at non-singleton "
                f"dimension 0\nhint: hx is for {state.shape[1]} samples, the input has {batch}"
            )
    return states


def _network(name, x, batch_sizes, hx, params, has_biases, num_layers, dropout_p, train, bidirectional):
    """All layers on packed sequences: (outputs, final states), the states stacked over layers and directions."""
    cell, directions = CELLS[name], 2 if bidirectional else 1
    states = _check_states(hx, cell, num_layers * directions, batch_sizes[0])
    projected = cell.states == 2 and states[0].shape[2] != states[1].shape[2]
    groups = _grouped(params, has_biases, projected, num_layers * directions)
    final = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            index = layer * directions + direction
            y, new = _layer(cell, x, [s[index] for s in states], groups[index], batch_sizes, direction == 1)
            outputs.append(y)
            final.append(new)
        x = cat(outputs, 1) if directions == 2 else outputs[0]
        if train and dropout_p > 0 and layer < num_layers - 1:
            x = dropout(x, dropout_p)
    return x, tuple([stack(states) for states in zip(*final)])


def _plain(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    """The arguments of a network on a batch."""


def _packed(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional):
    """The arguments of a network on packed sequences."""


_PLAIN, _PACKED = inspect.signature(_plain), inspect.signature(_packed)


def _run(name, args, kwargs):
    """A network on a batch, or on packed sequences, told apart by the arguments."""
    packed = "batch_sizes" in kwargs or (len(args) > 3 and not isinstance(args[3], (bool, int)))
    try:
        given = (_PACKED if packed else _PLAIN).bind(*args, **kwargs).arguments
    except TypeError as error:
        types = ", ".join(type(a).__name__ for a in args)
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({types}), but expected one of:\nhint: "
            f"{error}; the arguments are {_PLAIN}, or {_PACKED} for packed sequences"
        ) from None
    settings = [given[key] for key in ("hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional")]
    if packed:
        sizes = given["batch_sizes"].tolist()
        data = given["data"]
        if not sizes or min(sizes) <= 0 or sizes != sorted(sizes, reverse=True) or sum(sizes) != data.shape[0]:
            raise RuntimeError(
                f"batch_sizes do not describe the data\nhint: they must not increase and add up to the {data.shape[0]} "
                f"rows, but are {sizes}"
            )
        outputs, states = _network(name, data, sizes, *settings)
        return (outputs, *states)
    x, batch_first = given["input"], given["batch_first"]
    if x.ndim != 3:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [-{x.ndim}, {x.ndim - 1}], but got 2)\nhint: the "
            "input is (T, N, I), or (N, T, I) with batch_first"
        )
    x = x.transpose(0, 1) if batch_first else x
    steps, batch, width = x.shape
    if steps == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    outputs, states = _network(name, x.reshape(steps * batch, width), [batch] * steps, *settings)
    outputs = outputs.reshape(steps, batch, outputs.shape[1])
    return (outputs.transpose(0, 1) if batch_first else outputs, *states)


@function
def lstm(*args, **kwargs):
    """An LSTM: `lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)`
    (`torch.lstm`).

    input (T, N, I), or (N, T, I) with `batch_first`; hx = (h_0, c_0), each (layers · directions, N, H); params the
    weights (w_ih, w_hh, b_ih, b_hh, and w_hr if h_0 is narrower than c_0) of each layer and direction. Returns
    (output, h_n, c_n). For packed sequences `lstm(data, batch_sizes, hx, params, ...)`, without `batch_first`.

    >>> import minigrad
    >>> weights = [minigrad.ones(8, 3), minigrad.ones(8, 2)]
    >>> states = minigrad.zeros(1, 4, 2), minigrad.zeros(1, 4, 2)
    >>> y, h, c = lstm(minigrad.ones(5, 4, 3), states, weights, False, 1, 0.0, False, False, False)
    >>> y.shape
    minigrad.Size([5, 4, 2])
    """
    return _run("lstm", args, kwargs)


@function
def gru(*args, **kwargs):
    """A GRU: `gru(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)`
    (`torch.gru`).

    As `lstm`, but hx is one tensor and the result is (output, h_n).

    >>> import minigrad
    >>> weights = [minigrad.ones(6, 3), minigrad.ones(6, 2)]
    >>> y, h = gru(minigrad.ones(5, 4, 3), minigrad.zeros(1, 4, 2), weights, False, 1, 0.0, False, False, False)
    >>> y.shape
    minigrad.Size([5, 4, 2])
    """
    return _run("gru", args, kwargs)


@function
def rnn_tanh(*args, **kwargs):
    """Elman's network with tanh: `rnn_tanh(input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first)` (`torch.rnn_tanh`).

    As `lstm`, but hx is one tensor and the result is (output, h_n).

    >>> import minigrad
    >>> weights = [minigrad.ones(2, 3), minigrad.ones(2, 2)]
    >>> y, h = rnn_tanh(minigrad.ones(5, 4, 3), minigrad.zeros(1, 4, 2), weights, False, 1, 0.0, False, False, False)
    >>> y.shape
    minigrad.Size([5, 4, 2])
    """
    return _run("rnn_tanh", args, kwargs)


@function
def rnn_relu(*args, **kwargs):
    """Elman's network with relu: `rnn_relu(input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first)` (`torch.rnn_relu`).

    As `lstm`, but hx is one tensor and the result is (output, h_n).

    >>> import minigrad
    >>> weights = [minigrad.ones(2, 3), minigrad.ones(2, 2)]
    >>> y, h = rnn_relu(minigrad.ones(5, 4, 3), minigrad.zeros(1, 4, 2), weights, False, 1, 0.0, False, False, False)
    >>> y.shape
    minigrad.Size([5, 4, 2])
    """
    return _run("rnn_relu", args, kwargs)


def _one_step(name, input, states, w_ih, w_hh, b_ih, b_hh):
    """The new states of one step of a cell: (N, I) and (N, H)."""
    cell = CELLS[name]
    for tensor, rank in ((input, 2), *[(s, 2) for s in states]):
        if tensor.ndim < rank:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{tensor.ndim}, {tensor.ndim - 1}], but got 1)"
                f"\nhint: {name}_cell takes (N, I) and (N, H)"
            )
    if input.shape[1] != w_ih.shape[1] or input.ndim > 2:
        raise RuntimeError(
            f"input has inconsistent input_size: got {input.shape[1]} expected {w_ih.shape[1]}\nhint: the input is "
            f"{tuple(input.shape)}, w_ih {tuple(w_ih.shape)}"
        )
    for index, state in enumerate(states):
        if state.shape[0] != input.shape[0]:
            raise RuntimeError(
                f"Input batch size {input.shape[0]} doesn't match hidden{index} batch size {state.shape[0]}"
            )
        if state.shape[1] != w_hh.shape[1]:
            raise RuntimeError(
                f"hidden{index} has inconsistent hidden_size: got {state.shape[1]}, expected {w_hh.shape[1]}"
            )
    return _layer(cell, input, states, (w_ih, w_hh, b_ih, b_hh, None), [input.shape[0]], False)[1]


def _hidden_state(name, hx):
    if not isinstance(hx, Tensor):
        raise TypeError(f"{name}_cell(): argument 'hx' (position 2) must be Tensor, not {type(hx).__name__}")
    return [hx]


@function
def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of an LSTM: (N, I) and hx = (h, c), each (N, H), to the new (h, c) (`torch.lstm_cell`).

    w_ih is (4H, I), w_hh (4H, H), the biases (4H,), the gates in the order input, forget, cell, output.

    >>> import minigrad
    >>> state = minigrad.zeros(1, 2), minigrad.ones(1, 2)
    >>> h, c = lstm_cell(minigrad.zeros(1, 3), state, minigrad.ones(8, 3), minigrad.ones(8, 2))
    >>> c
    tensor([[0.5000, 0.5000]])
    """
    if isinstance(hx, Tensor) or len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states\nhint: hx is a tuple (h, c)")
    return tuple(_one_step("lstm", input, list(hx), w_ih, w_hh, b_ih, b_hh))


@function
def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of a GRU: (N, I) and (N, H) to the new (N, H) (`torch.gru_cell`).

    w_ih is (3H, I), w_hh (3H, H), the biases (3H,), the gates in the order reset, update, new.

    >>> import minigrad
    >>> gru_cell(minigrad.zeros(1, 3), minigrad.ones(1, 2), minigrad.ones(6, 3), minigrad.zeros(6, 2))
    tensor([[0.5000, 0.5000]])
    """
    return _one_step("gru", input, _hidden_state("gru", hx), w_ih, w_hh, b_ih, b_hh)[0]


@function
def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """tanh(w_ih · input + b_ih + w_hh · hx + b_hh): (N, I) and (N, H) to (N, H) (`torch.rnn_tanh_cell`).

    >>> import minigrad
    >>> rnn_tanh_cell(minigrad.zeros(1, 3), minigrad.ones(1, 2), minigrad.ones(2, 3), minigrad.eye(2))
    tensor([[0.7616, 0.7616]])
    """
    return _one_step("rnn_tanh", input, _hidden_state("rnn_tanh", hx), w_ih, w_hh, b_ih, b_hh)[0]


@function
def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """max(0, w_ih · input + b_ih + w_hh · hx + b_hh): (N, I) and (N, H) to (N, H) (`torch.rnn_relu_cell`).

    >>> import minigrad
    >>> rnn_relu_cell(minigrad.zeros(1, 3), minigrad.ones(1, 2), minigrad.ones(2, 3), minigrad.eye(2))
    tensor([[1., 1.]])
    """
    return _one_step("rnn_relu", input, _hidden_state("rnn_relu", hx), w_ih, w_hh, b_ih, b_hh)[0]

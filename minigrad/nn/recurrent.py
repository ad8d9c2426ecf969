"""Recurrent networks: layers that walk along sequences, and cells that take one step, (input, state) to new state."""

import math
import numbers
import warnings

from minigrad.ops import functions

from . import init
from .layer import new_parameter
from .module import Module
from .utils.rnn import PackedSequence

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What RNN, LSTM and GRU have in common: `num_layers` layers, in two directions if `bidirectional`.

    Layer k has `weight_ih_l{k}` (gates · hidden_size, width of its input), `weight_hh_l{k}`, with `bias` also
    `bias_ih_l{k}` and `bias_hh_l{k}` (gates · hidden_size,), with `proj_size` also `weight_hr_l{k}`; the second
    direction's end in `_reverse`. All are drawn evenly from ±1 / √hidden_size. In training, `dropout` is applied to the
    outputs of all layers but the last. Source: `torch.nn.RNNBase`.

    >>> [name for name, _ in RNNBase("GRU", 4, 3).named_parameters()]
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """

    def __init__(
        self,
        mode,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
    ):
        super().__init__()
        if mode not in GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        for name, value, kind in (
            ("bias", bias, bool),
            ("batch_first", batch_first, bool),
            ("input_size", input_size, int),
            ("hidden_size", hidden_size, int),
        ):
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if value <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if proj_size and mode != "LSTM":
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        rows, output, directions = GATES[mode] * hidden_size, proj_size or hidden_size, 2 if bidirectional else 1
        self._names = []  # of the weights of each layer and direction
        for layer in range(num_layers):
            width = output * directions if layer else input_size
            shapes = {"weight_ih": (rows, width), "weight_hh": (rows, output)}
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
            shapes |= {"weight_hr": (proj_size, hidden_size)} if proj_size else {}
            for end in ("", "_reverse")[:directions]:
                names = {f"{name}_l{layer}{end}": shape for name, shape in shapes.items()}
                for name, shape in names.items():
                    self.register_parameter(name, new_parameter(*shape, device=device, dtype=dtype))
                self._names.append(list(names))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw all weights anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    @property
    def all_weights(self):
        """The weights of each layer and direction, a list of lists."""
        return [[getattr(self, name) for name in names] for names in self._names]

    @property
    def _flat_weights(self):
        return [weight for weights in self.all_weights for weight in weights]

    def flatten_parameters(self):
        """PyTorch lays weights out for cuDNN here; on the CPU there is nothing to do, as in PyTorch."""

    def forward(self, input, hx=None):
        packed = isinstance(input, PackedSequence)
        batched, batch_dim = True, 0 if self.batch_first else 1
        if packed:
            x, batch_sizes, order, back = input
            batch = int(batch_sizes[0])
        else:
            x, order, back = input, None, None
            if x.ndim not in (2, 3):
                name = type(self).__name__ if self.mode in ("LSTM", "GRU") else "RNN"
                raise ValueError(
                    f"{name}: Expected input to be 2D or 3D, got {x.ndim}D {'tensor ' * (name == 'RNN')}instead"
                )
            batched = x.ndim == 3
            if hx is not None:
                hx = self._batched_states(hx, batched)
            x = x if batched else x.unsqueeze(batch_dim)
            batch = x.shape[batch_dim]
        self._check_input(x, 2 if packed else 3)
        states = self._states(hx, batch, x)
        if order is not None and hx is not None:
            states = [state.index_select(1, order) for state in states]
        settings = self.bias, self.num_layers, self.dropout, self.training, self.bidirectional
        function, hidden = functions[self.mode.lower()], tuple(states) if self.mode == "LSTM" else states[0]
        if packed:
            output, *states = function(x, batch_sizes, hidden, self._flat_weights, *settings)
            output = PackedSequence(output, batch_sizes, order, back)
            states = states if back is None else [state.index_select(1, back) for state in states]
        else:
            output, *states = function(x, hidden, self._flat_weights, *settings, self.batch_first)
            if not batched:
                output, states = output.squeeze(batch_dim), [state.squeeze(1) for state in states]
        return output, tuple(states) if self.mode == "LSTM" else states[0]

    def _batched_states(self, hx, batched):
        """The states with a dimension for the batch, errors for those that have none where the input has one."""
        states = tuple(hx) if self.mode == "LSTM" else (hx,)
        wanted, given = (3 if batched else 2), [state.ndim for state in states]
        if any(rank != wanted for rank in given):
            kind = f"{'batched' if batched else 'unbatched'} {wanted}-D"
            if self.mode == "LSTM":
                ranks = ", ".join(f"{rank}-D" for rank in given)
                raise RuntimeError(f"For {kind} input, hx and cx should also be {wanted}-D but got ({ranks}) tensors")
            raise RuntimeError(f"For {kind} input, hx should also be {wanted}-D but got {given[0]}-D tensor")
        states = states if batched else tuple([state.unsqueeze(1) for state in states])
        return states if self.mode == "LSTM" else states[0]

    def _check_input(self, x, rank):
        weight = self._flat_weights[0]
        if x.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({x.dtype}) does not match weight dtype ({weight.dtype}). Convert input: "
                f"input.to({weight.dtype}), or convert model: model.to({x.dtype})"
            )
        if x.ndim != rank:
            raise RuntimeError(f"input must have {rank} dimensions, got {x.ndim}")
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}"
            )

    def _states(self, hx, batch, x):
        """The states as a list of tensors of the right shapes: zeros by default."""
        count = self.num_layers * (2 if self.bidirectional else 1)
        widths = (self.proj_size or self.hidden_size, self.hidden_size)[: 2 if self.mode == "LSTM" else 1]
        shapes = [(count, batch, width) for width in widths]
        if hx is None:
            return [functions["zeros"](*shape, dtype=x.dtype, device=x.device) for shape in shapes]
        states = list(hx) if self.mode == "LSTM" else [hx]
        for index, (state, shape) in enumerate(zip(states, shapes)):
            if tuple(state.shape) != shape:
                which = f"hidden[{index}]" if self.mode == "LSTM" else "hidden"
                raise RuntimeError(f"Expected {which} size {shape}, got {list(state.shape)}")
        return states

    def extra_repr(self):
        usual = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        usual |= {"bidirectional": False}
        changed = [f", {name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return f"{self.input_size}, {self.hidden_size}{''.join(changed)}"


class RNN(RNNBase):
    """Elman's recurrent network, h' = tanh(W_ih · x + b_ih + W_hh · h + b_hh) or relu (`torch.nn.RNN`).

    Input (T, N, input_size), (N, T, ·) with `batch_first`, (T, ·) for one sample, or a `PackedSequence`; `hx`
    (layers · directions, N, hidden_size), zeros by default. Returns (outputs of the last layer, final states). Elman
    1990, "Finding structure in time".

    >>> import minigrad
    >>> output, h = RNN(4, 3, num_layers=2)(minigrad.ones(5, 2, 4))
    >>> output.shape, h.shape
    (minigrad.Size([5, 2, 3]), minigrad.Size([2, 2, 3]))
    """

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", *args, **kwargs):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory (`torch.nn.LSTM`): states (h, c), gates in the order input, forget, cell, output.

    Shapes as for `RNN`; `hx` is (h_0, c_0). With `proj_size` the hidden state is projected to that width. Hochreiter
    and Schmidhuber 1997.

    >>> import minigrad
    >>> output, (h, c) = LSTM(4, 3, bidirectional=True)(minigrad.ones(5, 2, 4))
    >>> output.shape, c.shape
    (minigrad.Size([5, 2, 6]), minigrad.Size([2, 2, 3]))
    """

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent units (`torch.nn.GRU`), gates in the order reset, update, new: Cho et al. 2014, arXiv:1406.1078.

    Shapes as for `RNN`.

    >>> import minigrad
    >>> output, h = GRU(4, 3, batch_first=True)(minigrad.ones(2, 5, 4))
    >>> output.shape, h.shape
    (minigrad.Size([2, 5, 3]), minigrad.Size([1, 2, 3]))
    """

    def __init__(self, *args, **kwargs):
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """Weights of `gates` blocks for input and hidden state, drawn evenly from ±1 / √hidden_size.

    The base of the cells: `torch.nn.RNNCellBase`.

    >>> isinstance(GRUCell(4, 3), RNNCellBase)
    True
    """

    gates: int
    function: str
    states = 1

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows, place = self.gates * hidden_size, {"device": device, "dtype": dtype}
        self.weight_ih = new_parameter(rows, input_size, **place)
        self.weight_hh = new_parameter(rows, hidden_size, **place)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, new_parameter(rows, **place) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw all weights anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input, hx=None):
        self._check("input", input)
        if hx is None:
            zeros = functions["zeros"](*input.shape[:-1], self.hidden_size, dtype=input.dtype, device=input.device)
            states = [zeros] * self.states
        else:
            states = [hx] if self.states == 1 else list(hx)
            for index, state in enumerate(states):
                self._check("hidden" if self.states == 1 else f"hx[{index}]", state)
        batched = input.ndim == 2
        if not batched:
            input, states = input.unsqueeze(0), [state.unsqueeze(0) for state in states]
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        new = functions[self.function](input, states[0] if self.states == 1 else tuple(states), *weights)
        if batched:
            return new
        return new.squeeze(0) if self.states == 1 else tuple([state.squeeze(0) for state in new])

    def _check(self, name, tensor):
        if tensor.ndim not in (1, 2):
            raise ValueError(f"{type(self).__name__}: Expected {name} to be 1D or 2D, got {tensor.ndim}D instead")

    def extra_repr(self):
        return f"{self.input_size}, {self.hidden_size}" + (f", bias={self.bias}" if self.bias is not True else "")


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih · x + b_ih + W_hh · h + b_hh), or relu (`torch.nn.RNNCell`): (N, input_size) or (input_size,).

    >>> import minigrad
    >>> RNNCell(4, 3)(minigrad.ones(2, 4)).shape
    minigrad.Size([2, 3])
    """

    gates = 1

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    @property
    def function(self):
        """The name of the step's function, by the nonlinearity."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}\nhint: it is 'tanh' or 'relu'")
        return f"rnn_{self.nonlinearity}_cell"

    def extra_repr(self):
        return super().extra_repr() + (f", nonlinearity={self.nonlinearity}" if self.nonlinearity != "tanh" else "")


class LSTMCell(RNNCellBase):
    """One step of a long short-term memory, (h, c) to (h', c') (`torch.nn.LSTMCell`).

    i, f, o = σ(...), g = tanh(...), c' = f · c + i · g, h' = o · tanh(c'): Hochreiter and Schmidhuber 1997.

    >>> import minigrad
    >>> h, c = LSTMCell(4, 3)(minigrad.ones(2, 4))
    >>> h.shape, c.shape
    (minigrad.Size([2, 3]), minigrad.Size([2, 3]))
    """

    gates, function, states = 4, "lstm_cell", 2


class GRUCell(RNNCellBase):
    """One step of a gated recurrent unit (`torch.nn.GRUCell`).

    r, z = σ(...), n = tanh(W_in · x + b_in + r · (W_hn · h + b_hn)), h' = (1 - z) · n + z · h: Cho et al. 2014,
    arXiv:1406.1078.

    >>> import minigrad
    >>> GRUCell(4, 3)(minigrad.ones(2, 4)).shape
    minigrad.Size([2, 3])
    """

    gates, function = 3, "gru_cell"

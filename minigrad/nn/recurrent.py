"""Recurrent cells: one step of a recurrent network, (input, state) to new state."""

import math

from minigrad.ops import functions

from . import init
from .layer import new_parameter
from .module import Module


class _Cell(Module):
    """Weights of `gates` blocks for input and hidden state, drawn evenly from ±1 / √hidden_size."""

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


class RNNCell(_Cell):
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


class LSTMCell(_Cell):
    """One step of a long short-term memory, (h, c) to (h', c') (`torch.nn.LSTMCell`).

    i, f, o = σ(...), g = tanh(...), c' = f · c + i · g, h' = o · tanh(c'): Hochreiter and Schmidhuber 1997.

    >>> import minigrad
    >>> h, c = LSTMCell(4, 3)(minigrad.ones(2, 4))
    >>> h.shape, c.shape
    (minigrad.Size([2, 3]), minigrad.Size([2, 3]))
    """

    gates, function, states = 4, "lstm_cell", 2


class GRUCell(_Cell):
    """One step of a gated recurrent unit (`torch.nn.GRUCell`).

    r, z = σ(...), n = tanh(W_in · x + b_in + r · (W_hn · h + b_hn)), h' = (1 - z) · n + z · h: Cho et al. 2014,
    arXiv:1406.1078.

    >>> import minigrad
    >>> GRUCell(4, 3)(minigrad.ones(2, 4)).shape
    minigrad.Size([2, 3])
    """

    gates, function = 3, "gru_cell"

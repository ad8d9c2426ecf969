"""One step of an LSTM and of a GRU after the matrix products, and its gradient: one loop over the units of a row.

`kernels/reference/recurrent.py` is the definition.
"""

import numpy as np

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .exponential import exp, expm1
from .layout import dense, parts

WORK = 8  # a unit costs as much as so many elements elsewhere


@jit
def _sigmoid(x, one):
    """1 / (1 + e⁻ˣ); one is 1 in x's dtype, for a plain 1 would make float64 of float32."""
    power = exp(-abs(x))
    return (power if x < one - one else one) / (one + power)


@jit
def _tanh(x, one):
    """tanh x."""
    size = abs(x)
    decay = expm1(-(size + size))
    value = abs(decay) / (one + one + decay)
    return -value if x < one - one else value


@jit
def _lstm_rows(part, count, input_part, hidden_part, cell, gates, next_cell, hidden):
    """Part `part` of `count` of the rows of an LSTM's step."""
    width, one = cell.shape[1], gates.dtype.type(1)
    for n in range(len(cell) * part // count, len(cell) * (part + 1) // count):
        x, h, y, c, c_next, out = input_part[n], hidden_part[n], gates[n], cell[n], next_cell[n], hidden[n]
        for j in range(2 * width):
            y[j] = _sigmoid(x[j] + h[j], one)
        for j in range(2 * width, 3 * width):
            y[j] = _tanh(x[j] + h[j], one)
        for j in range(3 * width, 4 * width):
            y[j] = _sigmoid(x[j] + h[j], one)
        for j in range(width):
            c_next[j] = y[width + j] * c[j] + y[j] * y[2 * width + j]
            out[j] = y[3 * width + j] * _tanh(c_next[j], one)


@jit
def _lstm_grad_rows(part, count, dhidden, dnext_cell, gates, cell, next_cell, dgates, dcell):
    """Part `part` of `count` of the rows of the gradient of an LSTM's step."""
    width, one = cell.shape[1], gates.dtype.type(1)
    for n in range(len(cell) * part // count, len(cell) * (part + 1) // count):
        y, c, c_next, dh, dc_next = gates[n], cell[n], next_cell[n], dhidden[n], dnext_cell[n]
        dy, dc = dgates[n], dcell[n]
        for j in range(width):
            i, f, g, o = y[j], y[width + j], y[2 * width + j], y[3 * width + j]
            t = _tanh(c_next[j], one)
            d = dc_next[j] + dh[j] * o * (one - t * t)
            dy[j] = d * g * i * (one - i)
            dy[width + j] = d * c[j] * f * (one - f)
            dy[2 * width + j] = d * i * (one - g * g)
            dy[3 * width + j] = dh[j] * t * o * (one - o)
            dc[j] = d * f


@jit
def _gru_rows(part, count, input_part, hidden_part, hidden, gates, next_hidden):
    """Part `part` of `count` of the rows of a GRU's step."""
    width, one = hidden.shape[1], gates.dtype.type(1)
    for n in range(len(hidden) * part // count, len(hidden) * (part + 1) // count):
        x, h, y, before, out = input_part[n], hidden_part[n], gates[n], hidden[n], next_hidden[n]
        for j in range(2 * width):
            y[j] = _sigmoid(x[j] + h[j], one)
        for j in range(width):
            new = _tanh(x[2 * width + j] + y[j] * h[2 * width + j], one)
            y[2 * width + j] = new
            out[j] = new + y[width + j] * (before[j] - new)


@jit
def _gru_grad_rows(part, count, dnext_hidden, gates, hidden_part, hidden, dinput_part, dhidden_part, dhidden):
    """Part `part` of `count` of the rows of the gradient of a GRU's step."""
    width, one = hidden.shape[1], gates.dtype.type(1)
    for n in range(len(hidden) * part // count, len(hidden) * (part + 1) // count):
        y, h, before, dy = gates[n], hidden_part[n], hidden[n], dnext_hidden[n]
        dx, dh, dbefore = dinput_part[n], dhidden_part[n], dhidden[n]
        for j in range(width):
            r, z, new = y[j], y[width + j], y[2 * width + j]
            dnew = dy[j] * (one - z) * (one - new * new)
            dr, dz = dnew * h[2 * width + j] * r * (one - r), dy[j] * (before[j] - new) * z * (one - z)
            dx[j] = dh[j] = dr
            dx[width + j] = dh[width + j] = dz
            dx[2 * width + j] = dnew
            dh[2 * width + j] = dnew * r
            dbefore[j] = dy[j] * z


@pool_jit
def _lstm_all(count, input_part, hidden_part, cell, gates, next_cell, hidden):
    parallel_for(count, count > 1, _lstm_rows, (count, input_part, hidden_part, cell, gates, next_cell, hidden))


@pool_jit
def _lstm_grad_all(count, dhidden, dnext_cell, gates, cell, next_cell, dgates, dcell):
    arguments = count, dhidden, dnext_cell, gates, cell, next_cell, dgates, dcell
    parallel_for(count, count > 1, _lstm_grad_rows, arguments)


@pool_jit
def _gru_all(count, input_part, hidden_part, hidden, gates, next_hidden):
    parallel_for(count, count > 1, _gru_rows, (count, input_part, hidden_part, hidden, gates, next_hidden))


@pool_jit
def _gru_grad_all(count, dnext_hidden, gates, hidden_part, hidden, dinput_part, dhidden_part, dhidden):
    arguments = count, dnext_hidden, gates, hidden_part, hidden, dinput_part, dhidden_part, dhidden
    parallel_for(count, count > 1, _gru_grad_rows, arguments)


def lstm_step(input_part, hidden_part, cell):
    """One step of an LSTM: `(gates, next_cell, hidden)`, (N, 4 H), (N, H) and (N, H).

    input_part and hidden_part, both (N, 4 H), add up to the input, forget, cell and output gates before their
    activation; cell is (N, H). next_cell = f · cell + i · g and hidden = o · tanh(next_cell) with the activated gates
    i, f, o (sigmoid) and g (tanh), which are returned for the gradient.

    >>> [x.round(4) for x in lstm_step(np.zeros((1, 4)), np.zeros((1, 4)), np.ones((1, 1)))[1:]]
    [array([[0.5]]), array([[0.2311]])]
    """
    own = dense(cell)
    gates, next_cell, hidden = np.empty(input_part.shape, own.dtype), np.empty_like(own), np.empty_like(own)
    count = parts(len(own), WORK * own.size)
    _lstm_all(count, dense(input_part), dense(hidden_part), own, gates, next_cell, hidden)
    return gates, next_cell, hidden


def lstm_step_grad(dhidden, dnext_cell, gates, cell, next_cell):
    """Gradient of `lstm_step`: `(dgates, dcell)`, that of the gates before their activation, (N, 4 H), and (N, H).

    dhidden and dnext_cell are (N, H); gates and next_cell are what `lstm_step` returned for cell.

    >>> gates, next_cell, _ = lstm_step(np.zeros((1, 4)), np.zeros((1, 4)), np.ones((1, 1)))
    >>> lstm_step_grad(np.zeros((1, 1)), np.ones((1, 1)), gates, np.ones((1, 1)), next_cell)
    (array([[0.  , 0.25, 0.5 , 0.  ]]), array([[0.5]]))
    """
    own = dense(cell)
    dgates, dcell = np.empty_like(gates), np.empty_like(own)
    count = parts(len(own), WORK * own.size)
    _lstm_grad_all(count, dense(dhidden), dense(dnext_cell), dense(gates), own, dense(next_cell), dgates, dcell)
    return dgates, dcell


def gru_step(input_part, hidden_part, hidden):
    """One step of a GRU: `(gates, next_hidden)`, (N, 3 H) and (N, H).

    input_part and hidden_part, both (N, 3 H), hold the parts of the reset, update and new gates before their
    activation; hidden is (N, H). r and z are sigmoids of the sums, n = tanh(input + r · hidden part); next_hidden =
    (1 - z) · n + z · hidden. The activated gates are returned for the gradient. As in PyTorch, r multiplies the product
    rather than the hidden state.

    >>> gru_step(np.zeros((1, 3)), np.zeros((1, 3)), np.ones((1, 1)))
    (array([[0.5, 0.5, 0. ]]), array([[0.5]]))
    """
    own = dense(hidden)
    gates, next_hidden = np.empty(input_part.shape, own.dtype), np.empty_like(own)
    _gru_all(parts(len(own), WORK * own.size), dense(input_part), dense(hidden_part), own, gates, next_hidden)
    return gates, next_hidden


def gru_step_grad(dnext_hidden, gates, hidden_part, hidden):
    """Gradient of `gru_step`: `(dinput_part, dhidden_part, dhidden)`, (N, 3 H), (N, 3 H) and (N, H).

    dnext_hidden is (N, H); gates is what `gru_step` returned for the others.

    >>> gates, _ = gru_step(np.zeros((1, 3)), np.zeros((1, 3)), np.ones((1, 1)))
    >>> gru_step_grad(np.ones((1, 1)), gates, np.zeros((1, 3)), np.ones((1, 1)))
    (array([[0.  , 0.25, 0.5 ]]), array([[0.  , 0.25, 0.25]]), array([[0.5]]))
    """
    own = dense(hidden)
    dinput_part, dhidden_part, dhidden = np.empty_like(gates), np.empty_like(gates), np.empty_like(own)
    _gru_grad_all(
        parts(len(own), WORK * own.size), dense(dnext_hidden), dense(gates), dense(hidden_part), own, dinput_part,
        dhidden_part, dhidden,
    )  # fmt: skip
    return dinput_part, dhidden_part, dhidden

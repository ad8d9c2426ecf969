"""One step of an LSTM and of a GRU after the matrix products, and its gradient, written as its definition.

Hochreiter and Schmidhuber 1997, "Long short-term memory"; Cho et al. 2014, https://arxiv.org/abs/1406.1078. The fast
versions live in `kernels/cpu/recurrent.py`.
"""

import math

import numpy as np


def _sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def lstm_step(input_part, hidden_part, cell):
    """One step of an LSTM: `(gates, next_cell, hidden)`, (N, 4 H), (N, H) and (N, H).

    input_part and hidden_part, both (N, 4 H), add up to the input, forget, cell and output gates before their
    activation; cell is (N, H). next_cell = f · cell + i · g and hidden = o · tanh(next_cell) with the activated gates
    i, f, o (sigmoid) and g (tanh), which are returned for the gradient.

    >>> [x.round(4) for x in lstm_step(np.zeros((1, 4)), np.zeros((1, 4)), np.ones((1, 1)))[1:]]
    [array([[0.5]]), array([[0.2311]])]
    """
    rows, width = cell.shape
    gates, next_cell, hidden = (np.empty(s, cell.dtype) for s in ((rows, 4 * width), cell.shape, cell.shape))
    for n in range(rows):
        for j in range(4 * width):
            activation = math.tanh if j // width == 2 else _sigmoid
            gates[n, j] = activation(float(input_part[n, j] + hidden_part[n, j]))
        for j in range(width):
            i, f, g, o = gates[n, j::width]
            next_cell[n, j] = f * cell[n, j] + i * g
            hidden[n, j] = o * math.tanh(next_cell[n, j])
    return gates, next_cell, hidden


def lstm_step_grad(dhidden, dnext_cell, gates, cell, next_cell):
    """Gradient of `lstm_step`: `(dgates, dcell)`, that of the gates before their activation, (N, 4 H), and (N, H).

    dhidden and dnext_cell are (N, H); gates and next_cell are what `lstm_step` returned for cell.

    >>> gates, next_cell, _ = lstm_step(np.zeros((1, 4)), np.zeros((1, 4)), np.ones((1, 1)))
    >>> lstm_step_grad(np.zeros((1, 1)), np.ones((1, 1)), gates, np.ones((1, 1)), next_cell)
    (array([[0.  , 0.25, 0.5 , 0.  ]]), array([[0.5]]))
    """
    dgates, dcell = np.empty(gates.shape, gates.dtype), np.empty(cell.shape, cell.dtype)
    width = cell.shape[1]
    for n, j in np.ndindex(cell.shape):
        i, f, g, o = gates[n, j::width]
        t = math.tanh(next_cell[n, j])
        dc = dnext_cell[n, j] + dhidden[n, j] * o * (1 - t * t)
        dgates[n, j] = dc * g * i * (1 - i)
        dgates[n, width + j] = dc * cell[n, j] * f * (1 - f)
        dgates[n, 2 * width + j] = dc * i * (1 - g * g)
        dgates[n, 3 * width + j] = dhidden[n, j] * t * o * (1 - o)
        dcell[n, j] = dc * f
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
    rows, width = hidden.shape
    gates, next_hidden = np.empty((rows, 3 * width), hidden.dtype), np.empty(hidden.shape, hidden.dtype)
    for n, j in np.ndindex(hidden.shape):
        r = _sigmoid(float(input_part[n, j] + hidden_part[n, j]))
        z = _sigmoid(float(input_part[n, width + j] + hidden_part[n, width + j]))
        new = math.tanh(input_part[n, 2 * width + j] + r * hidden_part[n, 2 * width + j])
        gates[n, j::width] = r, z, new
        next_hidden[n, j] = new + z * (hidden[n, j] - new)
    return gates, next_hidden


def gru_step_grad(dnext_hidden, gates, hidden_part, hidden):
    """Gradient of `gru_step`: `(dinput_part, dhidden_part, dhidden)`, (N, 3 H), (N, 3 H) and (N, H).

    dnext_hidden is (N, H); gates is what `gru_step` returned for the others.

    >>> gates, _ = gru_step(np.zeros((1, 3)), np.zeros((1, 3)), np.ones((1, 1)))
    >>> gru_step_grad(np.ones((1, 1)), gates, np.zeros((1, 3)), np.ones((1, 1)))
    (array([[0.  , 0.25, 0.5 ]]), array([[0.  , 0.25, 0.25]]), array([[0.5]]))
    """
    dinput_part, dhidden_part = np.empty(gates.shape, gates.dtype), np.empty(gates.shape, gates.dtype)
    dhidden, width = np.empty(hidden.shape, hidden.dtype), hidden.shape[1]
    for n, j in np.ndindex(hidden.shape):
        r, z, new = gates[n, j::width]
        dy = dnext_hidden[n, j]
        dnew = dy * (1 - z) * (1 - new * new)
        dr, dz = dnew * hidden_part[n, 2 * width + j] * r * (1 - r), dy * (hidden[n, j] - new) * z * (1 - z)
        dinput_part[n, j::width] = dr, dz, dnew
        dhidden_part[n, j::width] = dr, dz, dnew * r
        dhidden[n, j] = dy * z
    return dinput_part, dhidden_part, dhidden

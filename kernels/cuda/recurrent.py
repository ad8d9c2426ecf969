"""One step of an LSTM and of a GRU after the matrix products, and its gradient: a thread computes one unit.

`kernels/reference/recurrent.py` is the definition.
"""

import math

from ._numba import SIMULATED, cuda, exp, i32, inlined, kernel, launch, on_device
from .memory import dense, empty

__all__ = ["gru_step", "gru_step_grad", "lstm_step", "lstm_step_grad"]

THREADS = 8 if SIMULATED else 256


@inlined
def squash(x, *, T):
    """1 / (1 + e⁻ˣ)"""
    return T(1) / (T(1) + exp(-x))


@kernel("T*, T*, T*, T*, T*, T*, i32, i32")
def lstm_unit(input_part, hidden_part, cell, gates, next_cell, hidden, count, width, *, T, THREADS):
    """The four gates of one unit, its next cell and its hidden state."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        at = number + 3 * (number // width) * width
        i = squash(input_part[at] + hidden_part[at])
        f = squash(input_part[at + width] + hidden_part[at + width])
        g = math.tanh(input_part[at + 2 * width] + hidden_part[at + 2 * width])
        o = squash(input_part[at + 3 * width] + hidden_part[at + 3 * width])
        gates[at] = i
        gates[at + width] = f
        gates[at + 2 * width] = g
        gates[at + 3 * width] = o
        new = f * cell[number] + i * g
        next_cell[number] = new
        hidden[number] = o * math.tanh(new)


@kernel("T*, T*, T*, T*, T*, T*, T*, i32, i32")
def lstm_unit_grad(dhidden, dnext_cell, gates, cell, next_cell, dgates, dcell, count, width, *, T, THREADS):
    """The gradients of one unit's gates before their activation, and of its cell."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        at = number + 3 * (number // width) * width
        i, f, g, o = gates[at], gates[at + width], gates[at + 2 * width], gates[at + 3 * width]
        t = math.tanh(next_cell[number])
        dc = dnext_cell[number] + dhidden[number] * o * (T(1) - t * t)
        dgates[at] = dc * g * i * (T(1) - i)
        dgates[at + width] = dc * cell[number] * f * (T(1) - f)
        dgates[at + 2 * width] = dc * i * (T(1) - g * g)
        dgates[at + 3 * width] = dhidden[number] * t * o * (T(1) - o)
        dcell[number] = dc * f


@kernel("T*, T*, T*, T*, T*, i32, i32")
def gru_unit(input_part, hidden_part, hidden, gates, next_hidden, count, width, *, T, THREADS):
    """The three gates of one unit and its next hidden state."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        at = number + 2 * (number // width) * width
        r = squash(input_part[at] + hidden_part[at])
        z = squash(input_part[at + width] + hidden_part[at + width])
        new = math.tanh(input_part[at + 2 * width] + r * hidden_part[at + 2 * width])
        gates[at] = r
        gates[at + width] = z
        gates[at + 2 * width] = new
        next_hidden[number] = new + z * (hidden[number] - new)


@kernel("T*, T*, T*, T*, T*, T*, T*, i32, i32")
def gru_unit_grad(
    dnext_hidden, gates, hidden_part, hidden, dinput_part, dhidden_part, dhidden, count, width, *, T, THREADS
):  # fmt: skip
    """The gradients of one unit's two parts and of its hidden state."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        at = number + 2 * (number // width) * width
        r, z, new, dy = gates[at], gates[at + width], gates[at + 2 * width], dnext_hidden[number]
        dnew = dy * (T(1) - z) * (T(1) - new * new)
        dr = dnew * hidden_part[at + 2 * width] * r * (T(1) - r)
        dz = dy * (hidden[number] - new) * z * (T(1) - z)
        dinput_part[at] = dr
        dinput_part[at + width] = dz
        dinput_part[at + 2 * width] = dnew
        dhidden_part[at] = dr
        dhidden_part[at + width] = dz
        dhidden_part[at + 2 * width] = dnew * r
        dhidden[number] = dy * z


def _launch(kernel, inputs, shapes):
    """Results of the shapes from dense inputs; a thread for each element of the last result."""
    inputs = [dense(array) for array in inputs]
    results = [empty(shape, inputs[0].dtype) for shape in shapes]
    count, width = results[-1].size, results[-1].shape[1]
    launch(
        kernel, -(-count // THREADS), THREADS, *inputs, *results, count, width, T=inputs[0].dtype, THREADS=THREADS
    )  # fmt: skip
    return tuple(results)


@on_device
def lstm_step(input_part, hidden_part, cell):
    """One step of an LSTM, `(gates, next_cell, hidden)`: `kernels.reference.lstm_step`."""
    return _launch(lstm_unit, [input_part, hidden_part, cell], [input_part.shape, cell.shape, cell.shape])


@on_device
def lstm_step_grad(dhidden, dnext_cell, gates, cell, next_cell):
    """Gradient of `lstm_step`, `(dgates, dcell)`: `kernels.reference.lstm_step_grad`."""
    return _launch(lstm_unit_grad, [dhidden, dnext_cell, gates, cell, next_cell], [gates.shape, cell.shape])


@on_device
def gru_step(input_part, hidden_part, hidden):
    """One step of a GRU, `(gates, next_hidden)`: `kernels.reference.gru_step`."""
    return _launch(gru_unit, [input_part, hidden_part, hidden], [input_part.shape, hidden.shape])


@on_device
def gru_step_grad(dnext_hidden, gates, hidden_part, hidden):
    """Gradient of `gru_step`, `(dinput_part, dhidden_part, dhidden)`: `kernels.reference.gru_step_grad`."""
    shapes = gates.shape, gates.shape, hidden.shape
    return _launch(gru_unit_grad, [dnext_hidden, gates, hidden_part, hidden], shapes)

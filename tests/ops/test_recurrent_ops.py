"""Recurrent cells and networks: PyTorch is the oracle, for values and derivatives of first and second order."""

import itertools

import numpy as np
import pytest
from torch_oracle import agree, draw, same_error, torch

import minigrad as mg

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
STEPS, BATCH, INPUTS, WIDTH = 4, 3, 3, 2
SIZES = [3, 2, 2, 1]


def network(name, bias=True, layers=1, bidirectional=False, batch_first=False, packed=False, projected=0):
    """(fn, arrays) of a network with all its states and parameters."""
    directions, outer, rows = 1 + bidirectional, projected or WIDTH, GATES[name] * WIDTH
    shapes = [(sum(SIZES), INPUTS) if packed else (BATCH, STEPS, INPUTS) if batch_first else (STEPS, BATCH, INPUTS)]
    shapes += [(layers * directions, BATCH, width) for width in ((outer, WIDTH) if name == "lstm" else (outer,))]
    states = len(shapes) - 1
    for layer, _ in itertools.product(range(layers), range(directions)):
        shapes += [(rows, outer * directions if layer else INPUTS), (rows, outer)]
        shapes += [(rows,), (rows,)] if bias else []
        shapes += [(projected, WIDTH)] if projected else []

    def fn(m, x, *rest):
        hx, params = (rest[:2] if states == 2 else rest[0]), list(rest[states:])
        settings = bias, layers, 0.0, True, bidirectional
        if packed:
            return getattr(m, name)(x, m.tensor(SIZES), hx, params, *settings)
        return getattr(m, name)(x, hx, params, *settings, batch_first)

    return fn, [draw(shape, seed=i, low=-1.0, high=1.0) for i, shape in enumerate(shapes)]


NETWORKS = [
    *[{"name": name, "packed": packed} for name, packed in itertools.product(GATES, (False, True))],
    *[{"name": name, "layers": 2, "bidirectional": True, "batch_first": True} for name in GATES],
    *[{"name": name, "bias": False, "bidirectional": True, "packed": True} for name in GATES],
    {"name": "lstm", "projected": 1, "layers": 2},
    {"name": "lstm", "projected": 1, "bias": False, "bidirectional": True, "packed": True},
]


@pytest.mark.parametrize("settings", NETWORKS, ids=str)
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_networks_agree_with_torch(settings):
    fn, xs = network(**settings)
    agree(fn, *xs)
    agree(fn, *[x.astype("float32")[..., ::-1] for x in xs], order=1)


def cell(name):
    """(fn, arrays) of one step."""
    rows = GATES[name] * WIDTH
    shapes = [(BATCH, INPUTS), *[(BATCH, WIDTH)] * (1 + (name == "lstm"))]
    states = len(shapes) - 1
    shapes += [(rows, INPUTS), (rows, WIDTH), (rows,), (rows,)]

    def fn(m, x, *rest):
        return getattr(m, f"{name}_cell")(x, rest[:2] if states == 2 else rest[0], *rest[states:])

    return fn, [draw(shape, seed=i, low=-1.0, high=1.0) for i, shape in enumerate(shapes)]


@pytest.mark.parametrize("name", GATES)
def test_cells_agree_with_torch(name):
    fn, xs = cell(name)
    agree(fn, *xs)
    agree(fn, *[np.asfortranarray(x) for x in xs[:-2]])  # without biases
    agree(fn, *[x[:0] if x.shape[0] == BATCH and x.ndim == 2 else x for x in xs], order=1)


@pytest.mark.parametrize("name", GATES)
def test_a_packed_batch_is_its_samples_one_by_one(name):
    fn, xs = network(name, packed=True, bidirectional=True)
    tensors = [mg.from_numpy(x) for x in xs]
    states = 2 if name == "lstm" else 1
    y, *final = fn(mg, *tensors)
    starts = np.cumsum(SIZES) - SIZES
    for sample in range(BATCH):
        rows = [s + sample for s, size in zip(starts, SIZES) if sample < size]
        hx = [t[:, sample : sample + 1] for t in tensors[1 : 1 + states]]
        alone, *ends = getattr(mg, name)(
            tensors[0][rows].unsqueeze(1), hx if states == 2 else hx[0], tensors[1 + states :],
            True, 1, 0.0, False, True, False,
        )  # fmt: skip
        np.testing.assert_allclose(y.numpy()[rows], alone.numpy()[:, 0], atol=1e-12)
        for a, b in zip(final, ends):
            np.testing.assert_allclose(a.numpy()[:, sample], b.numpy()[:, 0], atol=1e-12)


def test_a_network_is_its_cells():
    fn, (x, h, c, *params) = network("lstm")
    y, _, _ = fn(mg, *[mg.from_numpy(a) for a in (x, h, c, *params)])
    state = mg.from_numpy(h[0]), mg.from_numpy(c[0])
    for t in range(STEPS):
        state = mg.lstm_cell(mg.from_numpy(x[t]), state, *[mg.from_numpy(p) for p in params])
        np.testing.assert_allclose(y.numpy()[t], state[0].numpy(), atol=1e-12)


def test_dropout_falls_between_layers_alone():
    x, h, *params = [mg.from_numpy(a) for a in network("gru", layers=2)[1]]
    settings = (x, h, params, True, 2)
    exact = mg.gru(*settings, 0.0, True, False, False)[0].numpy()
    np.testing.assert_array_equal(mg.gru(*settings, 0.9, False, False, False)[0].numpy(), exact)
    assert np.abs(mg.gru(*settings, 0.9, True, False, False)[0].numpy() - exact).max() > 1e-3
    one = (x, h[:1], params[:4], True, 1)
    np.testing.assert_array_equal(mg.gru(*one, 0.9, True, False, False)[0], mg.gru(*one, 0.0, True, False, False)[0])


def test_backward_twice_and_writes_into_what_was_returned():
    fn, xs = network("rnn_tanh")
    tensors = [mg.from_numpy(x.copy()).requires_grad_() for x in xs]
    y, h = fn(mg, *tensors)
    with mg.no_grad():
        h.zero_()
        y.zero_()
    first = mg.autograd.grad(y.sum(), tensors, retain_graph=True)
    second = mg.autograd.grad(y.sum(), tensors)
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    theirs = [torch.from_numpy(x.copy()).requires_grad_() for x in xs]
    for a, b in zip(first, torch.autograd.grad(fn(torch, *theirs)[0].sum(), theirs)):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-12)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        mg.autograd.grad(y.sum(), tensors)


def broken(name, x=(5, 4, 3), hx=(1, 4, 2), params=((6, 3), (6, 2), (6,), (6,)), biases=True, layers=1, both=False):
    return lambda m: getattr(m, name)(
        m.ones(x), m.ones(hx), [m.ones(p) for p in params], biases, layers, 0.0, False, both, False
    )


def broken_cell(name, x=(4, 3), hx=(4, 2), **other):
    rows = GATES[name] * WIDTH

    def run(m):
        state = (m.ones(hx), m.ones(hx)) if name == "lstm" else m.ones(hx)
        state = other.get("state", lambda m: state)(m)
        getattr(m, f"{name}_cell")(m.ones(x), state, m.ones(rows, 3), m.ones(rows, 2))

    return run


MISUSE = {
    "no steps": broken("gru", x=(0, 4, 3)),
    "layers": broken("gru", hx=(2, 4, 2)),
    "too few layers": broken("gru", layers=2),
    "samples": broken("gru", hx=(1, 5, 2)),
    "inputs": broken("gru", x=(5, 4, 4)),
    "parameters": broken("gru", params=((6, 3), (6, 2))),
    **{f"{name} inputs": broken_cell(name, x=(4, 4)) for name in GATES},
    **{f"{name} units": broken_cell(name, hx=(4, 3)) for name in GATES},
    **{f"{name} samples": broken_cell(name, hx=(5, 2)) for name in GATES},
    **{f"{name} vectors": broken_cell(name, x=(3,), hx=(2,)) for name in GATES},
    "one state": broken_cell("lstm", state=lambda m: (m.ones(4, 2),)),
    "two states": broken_cell("gru", state=lambda m: (m.ones(4, 2), m.ones(4, 2))),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_errors_are_those_of_torch(misuse):
    same_error(misuse)


def test_what_torch_reads_beyond_its_arrays_is_an_error():
    for changes, text in (
        ({"params": ((6, 3), (8, 2), (6,), (6,))}, r"w_hh has shape \[8, 2\], expected \[6, 2\]"),
        ({"params": ((6, 3), (6, 2), (7,), (6,))}, r"b_ih has shape \[7\], expected \[6\]"),
        ({"hx": (1, 4, 5)}, r"w_ih has shape \[6, 3\], expected \[15, 3\]"),
    ):
        with pytest.raises(RuntimeError, match=text):
            broken("gru", **changes)(mg)
    x, h, params = mg.ones(6, 3), mg.ones(1, 3, 2), [mg.ones(2, 3), mg.ones(2, 2)]
    for sizes in ([1, 2, 3], [3, 2], [3, 3, 0], []):
        with pytest.raises(RuntimeError, match="batch_sizes do not describe the data"):
            mg.rnn_tanh(x, mg.tensor(sizes, dtype=mg.int64), h, params, False, 1, 0.0, False, False)
    with pytest.raises(TypeError, match="invalid combination of arguments"):
        mg.gru(x, h)

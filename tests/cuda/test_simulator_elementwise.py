"""Activations, arithmetic, choices, copies, optimizers and recurrent cells: the GPU's kernels against the reference."""

import inspect
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import DTYPES, TOLERANCE, arrays, called, check, on_device, on_host

from minigrad.kernels import cuda, reference, scalars
from minigrad.kernels.cuda import _numba, optim

SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)
ARITHMETIC = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "squared_difference")
FUNCTIONS = [
    function
    for name, function in inspect.getmembers(scalars, inspect.isfunction)
    if name not in ("where", "real", "absolute", "quotient", "larger", "exp", "expm1", "log1p", "log", "sqrt", "erf")
]


def parameters_of(function):
    """Numbers for what follows an array or two in a function's arguments."""
    names = list(inspect.signature(function).parameters)
    binary = (len(names) > 1 and names[0] in ("dy", "g")) or function.__name__ in ARITHMETIC
    values = {"low": -0.5, "high": 0.75, "limit": 0.5}
    return binary, tuple(values.get(name, 0.5) for name in names[1 + binary :])


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_functions_of_numbers(function):
    binary, parameters = parameters_of(function)
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 2, 17), [0.0, np.inf, -np.inf, np.nan, 90.0, -90.0, 0.5, -3.0]])
    others = [rng.normal(size=x.size).astype("float32")] if binary else []
    check("elementwise", function, parameters, *others, x.astype("float32"))


@given(st.data(), SHAPES, DTYPES)
def test_elementwise(data, shape, dtype):
    x, y = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    check("elementwise", scalars.leaky_relu, (0.25,), x)
    check("elementwise", scalars.sigmoid_grad, (), x, y)
    y_shape = tuple(n if data.draw(st.booleans()) else min(n, 1) for n in shape)
    check("elementwise_broadcast", scalars.subtract, (), x, data.draw(arrays(y_shape, dtype)))
    target = np.array(x)
    device = on_device(target.copy())
    cuda.elementwise_in_place(scalars.multiply, (), device, on_device(y))
    reference.elementwise_in_place(scalars.multiply, (), target, y)
    np.testing.assert_allclose(on_host(device), target, **TOLERANCE[dtype])


@given(st.data(), SHAPES, DTYPES)
def test_choices_and_copies(data, shape, dtype):
    x, y = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    condition = x > 0
    check("choose", condition, x, y)
    check("choose", condition, x, np.zeros((), dtype))
    check("select", x, condition)
    assert check("contiguous", x).flags.c_contiguous
    assert check("duplicate", x, np.dtype("float64")).dtype == "float64"
    if shape:
        axis = data.draw(st.integers(0, len(shape) - 1))
        joined = called("concatenate", [x, y], axis)
        np.testing.assert_array_equal(joined, reference.concatenate([x, y], axis))


def updated(name, lists, *settings):
    """The lists of arrays after an update by the reference, and by the GPU's kernels."""
    first = [None if one is None else [np.array(a) for a in one] for one in lists]
    second = [None if one is None else on_device([a.copy(order="K") for a in one]) for one in lists]
    with np.errstate(all="ignore"):
        getattr(reference, name)(*first, *settings)
    getattr(cuda, name)(*second, *settings)
    return first, [None if one is None else on_host(one) for one in second]


@given(st.data(), st.lists(SHAPES, min_size=1, max_size=2), DTYPES, st.booleans(), st.booleans(), st.booleans())
def test_optimizers(data, shapes, dtype, some, other, maximize):
    def draw(positive=False):
        found = [np.array(data.draw(arrays(shape, dtype)), order="K") for shape in shapes]
        return [np.array(abs(x)) for x in found] if positive else found

    steps = [3] * len(shapes)
    decay = 0.1 if other else 0.0
    for name, lists, settings in (
        ("sgd_update", [draw(), draw(), draw() if some else None], (0.1, 0.9, 0.1, decay, other and some, maximize)),
        (
            "adam_update", [draw(), draw(), draw(), draw(True), draw(True) if some else None],
            (steps, 0.1, 0.9, 0.99, 1e-8, decay, other, maximize),
        ),
        (
            "rmsprop_update", [draw(), draw(), [np.array(x + 1) for x in draw(True)],
            [np.array(x * 0) for x in draw()] if some else None,
            draw() if other else None], (0.1, 0.9, 1e-8, decay, 0.5, maximize),
        ),
        ("adagrad_update", [draw(), draw(), draw(True)], (steps, 0.1, 0.01, 1e-8, decay, maximize)),
    ):  # fmt: skip
        for ours, theirs in zip(*updated(name, lists, *settings)):
            for a, b in zip(ours or [], theirs or []):
                np.testing.assert_allclose(a, b, **TOLERANCE[dtype])


def test_one_launch_updates_parameters_of_all_sizes_and_memory_orders(monkeypatch):
    rng, launched = np.random.default_rng(0), []
    note = lambda kernel, *args, **kwargs: launched.append(kernel) or _numba.launch(kernel, *args, **kwargs)  # noqa: E731
    monkeypatch.setattr(optim, "launch", note)
    shapes = (3, 5), (0,), (), (97,), (2, 3, 4, 5), (0, 2), (16,), (1, 7)
    values = [[rng.random(shape) for shape in shapes] for _ in range(4)]
    for row in values:
        row[4] = row[4].transpose(0, 3, 1, 2).copy().transpose(0, 2, 3, 1)
    values[1][0] = np.asfortranarray(values[1][0])  # unlike its parameter
    values[2][3] = np.repeat(values[2][3], 2)[::2]
    settings = (0.1, 0.9, 0.99, 1e-8, 0.1, True, False)
    for steps, launches in (([4] * 8, 1), ([4, 2, 4, 4, 2, 4, 9, 4], 3)):
        ours, theirs = updated("adam_update", [*values, None], steps, *settings)
        for a, b in zip(chain(*ours[:4]), chain(*theirs[:4])):
            np.testing.assert_allclose(a, b, rtol=1e-11)
        assert len(launched) == launches
        launched.clear()
    ours, theirs = updated("adam_update", [*values, None], [4] * 8, *settings)
    rows = [on_device([a.copy(order="K") for a in row]) for row in values]
    counts = on_device([np.array(3.0) for _ in shapes])
    cuda.adam_update(*rows, None, counts, on_device(np.array(0.1)), *settings[1:])
    for a, b in zip(chain(*ours[:4]), on_host(list(chain(*rows)))):
        np.testing.assert_allclose(a, b, rtol=1e-11)
    assert on_host(counts) == [4.0] * 8


def test_rates_on_the_device():
    param, grad = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    for name, state, settings in (
        ("sgd_update", [None], (0.9, 0.0, 0.1, False, False)),
        ("rmsprop_update", [[np.ones(2)], None, None], (0.9, 1e-8, 0.1, 0.0, True)),
    ):
        ours, theirs = updated(name, [[param], [grad], *state], 0.25, *settings)
        again = on_device([param.copy()])
        getattr(cuda, name)(again, on_device([grad]), *on_device(state), on_device(np.array(0.25)), *settings)
        np.testing.assert_allclose(ours[0], theirs[0])
        np.testing.assert_allclose(ours[0], on_host(again))


@given(st.data(), SHAPES, DTYPES, st.integers(0, 2**64 - 1), st.sampled_from([0, 2**32 - 1]), st.floats(0.1, 0.9))
def test_dropout_and_its_words(data, shape, dtype, seed, place, p):
    x = data.draw(arrays(shape, dtype))
    for name, before, after in (("dropout", (x,), (p,)), ("random_words", (), (x.size,))):
        ours, theirs = np.array([seed, place], np.uint64), np.array([seed, place], np.uint64)
        stream = on_device(ours)
        found = on_host(getattr(cuda, name)(*map(on_device, before), stream, *after))
        expected = getattr(reference, name)(*before, theirs, *after)
        np.testing.assert_array_equal(on_host(stream), theirs)
        for a, b in zip(found, expected) if name == "dropout" else [(found, expected)]:
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-6)


@given(st.data(), st.integers(0, 3), st.integers(1, 4), DTYPES)
def test_recurrent_cells(data, rows, width, dtype):
    def draw(columns):
        return data.draw(arrays((rows, columns), dtype))

    cell = draw(width)
    gates, next_cell, _ = check("lstm_step", draw(4 * width), draw(4 * width), cell)
    check("lstm_step_grad", draw(width), draw(width), gates, cell, next_cell)
    hidden_part = draw(3 * width)
    gates, _ = check("gru_step", draw(3 * width), hidden_part, cell)
    check("gru_step_grad", draw(width), gates, hidden_part, cell)

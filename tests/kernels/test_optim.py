"""Updates of the optimizers: the fast kernels against the reference loops and PyTorch's optimizers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference
from minigrad.testing import lay_out

WRITABLE = ["contiguous", "permuted", "strided", "negative", "fortran"]
SHAPES = st.lists(array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5), min_size=0, max_size=4)


def positive(draw, shapes, dtype):
    """Writable arrays of positive values in any memory order, and copies."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    originals, copies = [], []
    for shape in shapes:
        array = np.asarray(rng.random(shape)).astype(dtype)
        layout = draw(st.sampled_from(WRITABLE)) if shape else "contiguous"
        originals.append(array if layout == "contiguous" else lay_out(array, layout))
        copies.append(array.copy())
    return originals, copies


def agree(data, name, shapes, dtype, present, *settings):
    """The fast kernel does to parameters and states (those that are present) what the reference does."""
    states = [positive(data.draw, shapes, dtype) if there else (None, None) for there in present]
    (params, expected_params), grads = positive(data.draw, shapes, dtype), [data.draw(arrays(s, dtype)) for s in shapes]
    with unchanged(*grads):
        getattr(cpu, name)(params, grads, *[state for state, _ in states], *settings)
    getattr(reference, name)(expected_params, grads, *[state for _, state in states], *settings)
    for actual, expected in [(params, expected_params), *[pair for pair in states if pair[0] is not None]]:
        for a, b in zip(actual, expected, strict=True):
            assert_same(a, b, **TOLERANCE[dtype])


@given(
    data=st.data(), shapes=SHAPES, dtype=DTYPES, buffered=st.booleans(), nesterov=st.booleans(), maximize=st.booleans(),
    momentum=st.sampled_from([0.0, 0.9]), dampening=st.sampled_from([0.0, 0.3]), decay=st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_sgd_agrees_with_reference(data, shapes, dtype, buffered, nesterov, maximize, momentum, dampening, decay):
    agree(data, "sgd_update", shapes, dtype, [buffered], 0.1, momentum, dampening, decay, nesterov, maximize)


@given(
    data=st.data(), shapes=SHAPES, dtype=DTYPES, amsgrad=st.booleans(), decoupled=st.booleans(), maximize=st.booleans(),
    step=st.integers(1, 1000), decay=st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_adam_agrees_with_reference(data, shapes, dtype, amsgrad, decoupled, maximize, step, decay):
    steps = [float(step + i) for i in range(len(shapes))]
    settings = (steps, 0.1, 0.9, 0.99, 1e-8, decay, decoupled, maximize)
    agree(data, "adam_update", shapes, dtype, [True, True, amsgrad], *settings)


@given(
    data=st.data(), shapes=SHAPES, dtype=DTYPES, centered=st.booleans(), buffered=st.booleans(), maximize=st.booleans(),
    decay=st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_rmsprop_agrees_with_reference(data, shapes, dtype, centered, buffered, maximize, decay):
    settings = (0.1, 0.9, 1e-3, decay, 0.8, maximize)
    present = [True, centered, buffered]
    states = [positive(data.draw, shapes, dtype) if there else (None, None) for there in present]
    for square, copy in zip(*states[0]):  # a variance that rounding could make negative says nothing
        square += 2
        copy += 2
    params, expected_params = positive(data.draw, shapes, dtype)
    grads = [data.draw(arrays(shape, dtype)) for shape in shapes]
    cpu.rmsprop_update(params, grads, *[state for state, _ in states], *settings)
    reference.rmsprop_update(expected_params, grads, *[state for _, state in states], *settings)
    for actual, expected in [(params, expected_params), *[pair for pair in states if pair[0] is not None]]:
        for a, b in zip(actual, expected, strict=True):
            assert_same(a, b, **TOLERANCE[dtype])


@given(
    data=st.data(), shapes=SHAPES, dtype=DTYPES, maximize=st.booleans(), step=st.integers(1, 1000),
    decay=st.sampled_from([0.0, 0.1]), lr_decay=st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_adagrad_agrees_with_reference(data, shapes, dtype, maximize, step, decay, lr_decay):
    steps = [float(step + i) for i in range(len(shapes))]
    agree(data, "adagrad_update", shapes, dtype, [True], steps, 0.1, lr_decay, 1e-10, decay, maximize)


def run(optimizer, param, grads):
    """Values of the parameter after each of a PyTorch optimizer's steps."""
    values = []
    for grad in grads:
        param.grad = grad
        optimizer.step()
        values.append(param.detach().numpy().copy())
    return values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [7, 70_001])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1, "maximize": True},
        {"momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True},
    ],
)
def test_sgd_agrees_with_torch(dtype, size, options):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    param, *grads = rng.normal(size=(5, size)).astype(dtype)
    leaf = torch.from_numpy(param.copy()).requires_grad_()
    expected = run(torch.optim.SGD([leaf], lr=0.1, **options), leaf, map(torch.from_numpy, grads))
    settings = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False} | options
    buffers = [np.zeros(size, dtype)] if settings["momentum"] else None
    for number, grad in enumerate(grads):  # the first gradient is not dampened
        dampening = settings["dampening"] if number else 0.0
        cpu.sgd_update([param], [grad], buffers, lr=0.1, **{**settings, "dampening": dampening})
        assert_same(param, expected[number], **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [7, 70_001])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
def test_adam_agrees_with_torch(dtype, size, decoupled, amsgrad, maximize):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    param, *grads = rng.normal(size=(5, size)).astype(dtype)
    leaf = torch.from_numpy(param.copy()).requires_grad_()
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind([leaf], lr=0.01, weight_decay=0.1, amsgrad=amsgrad, maximize=maximize)
    expected = run(optimizer, leaf, map(torch.from_numpy, grads))
    mean, square, largest = np.zeros((3, size), dtype)
    for step, grad in enumerate(grads, 1):
        states = [mean], [square], [largest] if amsgrad else None
        cpu.adam_update([param], [grad], *states, [step], 0.01, 0.9, 0.999, 1e-8, 0.1, decoupled, maximize)
        assert_same(param, expected[step - 1], rtol=TOLERANCE[dtype]["rtol"], atol=5 * TOLERANCE[dtype]["atol"])


def test_amsgrad_keeps_nan():
    arrays = [[np.ones(40, "float32")] for _ in range(5)]
    arrays[1][0][3] = np.nan
    cpu.adam_update(*arrays, [1], 0.1, 0.9, 0.999, 1e-8, 0.0, False, False)
    np.testing.assert_array_equal(np.isnan(arrays[4][0]), np.arange(40) == 3)


def sgd(params, grads):
    cpu.sgd_update(params, grads, None, 0.1, 0.0, 0.0, 0.0, False, False)


def test_a_read_only_parameter_is_an_error():
    with pytest.raises(ValueError, match="read-only"):
        sgd([lay_out(np.ones(3), "read-only")], [np.ones(3)])


def test_a_read_only_gradient_is_read():
    param = np.ones(3)
    sgd([param], [lay_out(np.ones(3), "read-only")])
    np.testing.assert_allclose(param, 0.9)


@pytest.mark.parametrize("shape", [(2,), (3, 1), ()], ids=str)
def test_a_gradient_of_another_shape_is_an_error(shape):
    with pytest.raises(ValueError, match="must have its parameter's shape"):
        sgd([np.ones(2), np.ones(3)], [np.ones(2), np.ones(shape)])


def test_two_dtypes_in_one_call_are_an_error():
    with pytest.raises(ValueError, match=r"one dtype, but there are \['float32', 'float64'\]"):
        sgd([np.ones(2, "float32"), np.ones(2)], [np.ones(2, "float32"), np.ones(2)])
    with pytest.raises(ValueError, match=r"one dtype, but there are \['float32', 'float64'\]"):
        sgd([np.ones(2)], [np.ones(2, "float32")])


SIZES = [3, 0, 50_000, 1, 20_003, 70_001, 5]  # parts of the work begin and end within some, and hold several others


def test_many_parameters_at_once_are_as_one_by_one():
    rng = np.random.default_rng(0)
    roles = [[rng.random(size).astype("float32") for size in SIZES] for _ in range(5)]
    single = [[array.copy() for array in role] for role in roles]
    settings = (0.1, 0.9, 0.999, 1e-8, 0.1, False, False)
    cpu.adam_update(*roles, [3.0] * len(SIZES), *settings)
    for index in range(len(SIZES)):
        cpu.adam_update(*[[role[index]] for role in single], [3.0], *settings)
    for role, one in zip(roles, single):
        for a, b in zip(role, one):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "name, states, settings",
    [
        ("sgd_update", 1, (0.1, 0.9, 0.1, 0.1, True, False)),
        ("adam_update", 3, ([3.0] * len(SIZES), 0.1, 0.9, 0.999, 1e-8, 0.1, False, False)),
        ("rmsprop_update", 3, (0.1, 0.9, 1e-3, 0.1, 0.9, False)),
        ("adagrad_update", 1, ([3.0] * len(SIZES), 0.1, 0.1, 1e-10, 0.1, False)),
    ],
)
def test_any_number_of_threads_gives_the_same_bits(name, states, settings):
    rng = np.random.default_rng(0)
    values = [[rng.random(size).astype("float32") for size in SIZES] for _ in range(2 + states)]
    if name == "rmsprop_update":
        values[2] = [array + 2 for array in values[2]]

    def step():
        roles = [[array.copy() for array in role] for role in values]
        getattr(cpu, name)(*roles, *settings)
        return np.concatenate([array for role in roles for array in role])

    one_and_two_threads(step)

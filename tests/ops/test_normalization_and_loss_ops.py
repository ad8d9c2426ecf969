"""Batch normalisation, softmax and losses against torch, with the identities that define them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import agree, draw, named, same, same_error, torch

import minigrad as mg
from minigrad.nn import functional as F
from minigrad.testing import assert_close, check_op
from minigrad.testing.strategies import arrays

# batch normalisation ------------------------------------------------------------------------------------------------

SHAPES = [(5, 3), (4, 3, 2), (2, 3, 2, 4)]


def norm(m, x, w=None, b=None, training=True):
    return m.nn.functional.batch_norm(x, None, None, w, b, training=training)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_passes_the_harness(shape):
    xs = [draw(shape, seed=1), draw((3,), seed=2), draw((3,), seed=3)]
    inputs = [mg.from_numpy(x) for x in xs]

    def reference(*xs):
        return norm(torch, *[torch.from_numpy(np.array(x)) for x in xs]).numpy()

    check_op(lambda *xs: norm(mg, *xs), *inputs, reference=reference, rtol=1e-4, atol=1e-5)
    check_op(lambda x: norm(mg, x), inputs[0], reference=reference, rtol=1e-4, atol=1e-5)
    agree(norm, *xs)


@pytest.mark.parametrize("parts", ["xwb", "xw", "xb", "x"])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_with_some_parts_agrees_with_torch(parts, training):
    x, w, b = draw((3, 2, 4)), draw((2,), seed=1), draw((2,), seed=2)
    mean, var = draw((2,), seed=3), draw((2,), seed=4, low=0.5)

    def fn(m, x, *rest):
        given = dict(zip(parts[1:], rest))
        running = m.from_numpy(mean.copy()), m.from_numpy(var.copy())
        y = m.nn.functional.batch_norm(x, *running, given.get("w"), given.get("b"), training, 0.3, 1e-3)
        return (y, *running) if training else y

    order = 1 if parts == "xb" else 2  # torch has no second derivative with a bias but no weight
    agree(fn, x, *[a for name, a in (("w", w), ("b", b)) if name in parts], order=order)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_at_evaluation_passes_the_harness(shape):
    mean, var = mg.from_numpy(draw((3,), seed=4)), mg.from_numpy(draw((3,), seed=5, low=0.5))

    def fn(x, w, b):
        return F.batch_norm(x, mean.to(x.dtype), var.to(x.dtype), w, b)

    check_op(fn, *[mg.from_numpy(draw(s, seed=i)) for i, s in enumerate([shape, (3,), (3,)])])


@given(st.data(), st.sampled_from(["float32", "float64"]))
def test_batch_norm_of_any_layout_agrees_with_torch(data, dtype):
    shape = data.draw(
        st.tuples(st.integers(2, 5), st.integers(1, 4), *[st.integers(1, 4)] * data.draw(st.integers(0, 2)))
    )
    x = data.draw(arrays(shape, dtype, layouts=("contiguous", "permuted", "strided", "negative", "fortran")))
    w, b = (data.draw(arrays(shape[1:2], dtype)) for _ in range(2))
    tolerance = {"rtol": 1e-3, "atol": 2e-3} if dtype == "float32" else {"rtol": 1e-6, "atol": 1e-6}
    if x.astype("float64").var(axis=tuple(a for a in range(x.ndim) if a != 1)).min() > 0.05:
        agree(norm, x, w, b, order=1, **tolerance)


def test_batch_norm_does_not_see_scale_and_shift():
    x = mg.from_numpy(draw((6, 3, 4)))
    assert_close(norm(mg, x * 7 + 100), norm(mg, x), rtol=1e-4, atol=1e-4)


def test_batch_norm_gradients_sum_to_zero_over_a_channel():
    x = mg.from_numpy(draw((6, 3, 4))).requires_grad_()
    y = norm(mg, x)
    (dx,) = mg.autograd.grad(y, x, mg.from_numpy(draw(y.shape, seed=1)))
    assert_close(dx.sum((0, 2)), mg.zeros(3, dtype=mg.float64), atol=1e-12)
    assert_close((dx * y).sum((0, 2)), mg.zeros(3, dtype=mg.float64), atol=1e-3)  # up to eps


def test_batch_norm_is_sound_for_a_large_mean():
    x = draw((64, 2)).astype("float32") + np.float32(10_000)
    exact = (x.astype("float64") - x.astype("float64").mean(0)) / np.sqrt(x.astype("float64").var(0) + 1e-5)
    np.testing.assert_allclose(norm(mg, mg.from_numpy(x)).numpy(), exact, atol=2e-3)


def one_value_per_channel(m):
    norm(m, m.ones(1, 3))


def one_pixel_per_channel(m):
    norm(m, m.ones(1, 3, 1, 1))


def no_running_statistics(m):
    norm(m, m.ones(2, 3), training=False)


def wrong_number_of_statistics(m):
    m.nn.functional.batch_norm(m.ones(2, 3), m.zeros(4), m.ones(3))


def wrong_number_of_weights(m):
    norm(m, m.ones(2, 3), m.ones(4))


@named(
    one_value_per_channel,
    one_pixel_per_channel,
    no_running_statistics,
    wrong_number_of_statistics,
    wrong_number_of_weights,
)
def test_batch_norm_errors_are_those_of_torch(function):
    same_error(function)


# softmax ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_passes_the_harness(name, dim):
    def fn(m, x):
        return getattr(m, name)(x, dim)

    def reference(x):
        return fn(torch, torch.from_numpy(np.array(x))).numpy()

    x = draw((3, 4, 2))
    check_op(lambda x: fn(mg, x), mg.from_numpy(x), reference=reference, rtol=1e-5, atol=1e-6)
    agree(fn, x)


@given(st.data(), st.sampled_from(["softmax", "log_softmax"]), st.sampled_from(["float32", "float64"]))
def test_softmax_of_any_shape_agrees_with_torch(data, name, dtype):
    shape = data.draw(st.tuples(*[st.integers(0, 5)] * data.draw(st.integers(0, 4))))
    dim = data.draw(st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    agree(lambda m, x: getattr(m.nn.functional, name)(x, dim), data.draw(arrays(shape, dtype, -30, 30)))


def test_softmax_does_not_see_a_shift_and_does_not_overflow():
    x = mg.from_numpy(draw((3, 5)))
    for shift in (100.0, -1000.0, 1e6):
        assert_close((x + shift).softmax(1), x.softmax(1), rtol=1e-8, atol=1e-9)
        assert_close((x + shift).log_softmax(1), x.log_softmax(1), rtol=1e-8, atol=1e-8)
    agree(lambda m, x: x.log_softmax(1), np.array([[1e4, 0.0, -1e4], [-np.inf, 0.0, 1.0]]), order=1)


def test_softmax_converts_as_torch_does():
    for dtype in ("float64", "float32"):
        ours = mg.softmax(mg.tensor([1, 2]), 0, dtype=getattr(mg, dtype))
        same(ours, torch.softmax(torch.tensor([1, 2]), 0, dtype=getattr(torch, dtype)))


# losses -------------------------------------------------------------------------------------------------------------

LOSS_SHAPES = [((4, 5), (4,)), ((5,), ()), ((2, 5, 3), (2, 3)), ((2, 3, 2, 4), (2, 2, 4)), ((0, 5), (0,))]
SETTINGS = [
    {},
    {"reduction": "sum"},
    {"reduction": "none"},
    {"ignore_index": 1},
    {"weight": True},
    {"weight": True, "ignore_index": 2},
    {"weight": True, "reduction": "sum"},
    {"label_smoothing": 0.2},
    {"label_smoothing": 0.3, "weight": True, "ignore_index": 1},
    {"label_smoothing": 0.1, "reduction": "none"},
]


def loss(name, target, settings):
    """A class-index loss of library m with the settings; weight=True draws one weight a class."""

    def fn(m, x):
        classes = x.shape[0] if x.ndim == 1 else x.shape[1]
        given = dict(settings)
        if "weight" in given:
            weight = m.from_numpy(draw((classes,), low=0.2))
            given["weight"] = weight.to(x.dtype)
        return getattr(m.nn.functional, name)(x, m.from_numpy(target), **given)

    return fn


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("shape, target_shape", LOSS_SHAPES, ids=str)
def test_class_losses_agree_with_torch(shape, target_shape, settings):
    classes = shape[0] if len(shape) == 1 else shape[1]
    target = np.asarray(np.random.default_rng(0).integers(0, classes, target_shape))
    agree(loss("cross_entropy", target, settings), draw(shape))
    if "label_smoothing" not in settings:
        agree(loss("nll_loss", target, settings), draw(shape))


@pytest.mark.parametrize("settings", SETTINGS[:8], ids=str)
def test_cross_entropy_passes_the_harness(settings):
    target = np.array([1, 4, 1, 2])
    fn = loss("cross_entropy", target, settings)

    def reference(x):
        return fn(torch, torch.from_numpy(np.array(x))).numpy()

    check_op(lambda x: fn(mg, x), mg.from_numpy(draw((4, 5))), reference=reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{}, {"reduction": "sum"}, {"reduction": "none"}, {"label_smoothing": 0.2}], ids=str
)
def test_cross_entropy_with_probabilities_agrees_with_torch(settings):
    x, target = draw((4, 5)), np.abs(draw((4, 5), seed=1))
    agree(lambda m, x, t: m.nn.functional.cross_entropy(x, t, **settings), x, target)
    weight = np.abs(draw((5,), seed=2))
    agree(lambda m, x, t, w: m.nn.functional.cross_entropy(x, t, w.detach(), **settings), x, target, weight)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mse_passes_the_harness(reduction):
    xs = [draw((3, 4), seed=i) for i in range(2)]
    check_op(lambda x, y: F.mse_loss(x, y, reduction=reduction), *map(mg.from_numpy, xs))
    agree(lambda m, x, y: m.nn.functional.mse_loss(x, y, reduction=reduction), *xs)


def test_cross_entropy_is_log_softmax_and_nll():
    x, target = mg.from_numpy(draw((4, 5))), mg.tensor([0, 4, 2, 2])
    assert_close(F.cross_entropy(x, target), F.nll_loss(x.log_softmax(1), target))


def test_a_batch_is_the_mean_of_its_samples():
    x, target = mg.from_numpy(draw((4, 5))).requires_grad_(), mg.tensor([0, 4, 2, 2])
    F.cross_entropy(x, target).backward()
    whole, x.grad = x.grad, None
    for i in range(4):
        (F.cross_entropy(x[i : i + 1], target[i : i + 1]) / 4).backward()
    assert_close(x.grad, whole, atol=1e-12)


def test_the_loss_of_float32_is_float32():
    target = mg.tensor([0, 1])
    assert F.cross_entropy(mg.zeros(2, 3), target).dtype == mg.float32
    assert F.cross_entropy(mg.zeros(2, 3), target, label_smoothing=0.1).dtype == mg.float32
    assert F.mse_loss(mg.zeros(2), mg.ones(2)).dtype == mg.float32


def entropy(shape, target, **settings):
    return lambda m: m.nn.functional.cross_entropy(m.zeros(shape), m.tensor(target), **settings)


MISUSE = {
    "class out of range": entropy((2, 3), [0, 3]),
    "negative class": entropy((2, 3), [0, -1]),
    "batch sizes": entropy((2, 3), [0, 1, 2]),
    "reduction": entropy((2, 3), [0, 1], reduction="average"),
    "smoothing": entropy((2, 3), [0, 1], label_smoothing=1.5),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_same_error_as_torch(misuse):
    same_error(misuse)


KIND = {
    "weights for other classes": lambda m: m.nn.functional.cross_entropy(
        m.zeros(2, 3), m.tensor([0, 1]), weight=m.ones(4)
    ),
    "target of another shape": entropy((2, 3, 4), [[0, 1], [1, 2]]),
    "floats of another shape": lambda m: m.nn.functional.cross_entropy(m.zeros(2, 3), m.zeros(2)),
    "softmax along no dimension": lambda m: m.zeros(2, 3).softmax(2),
    "softmax of integers": lambda m: m.softmax(m.tensor([1, 2]), 0),
}


@pytest.mark.parametrize("misuse", KIND.values(), ids=KIND)
def test_same_kind_of_error_as_torch(misuse):
    same_error(misuse, "")


@pytest.mark.parametrize("settings", [{"size_average": False}, {"size_average": True}, {"reduce": False}])
@pytest.mark.filterwarnings("ignore:size_average and reduce args will be deprecated")
def test_the_older_reduction_settings_count(settings):
    torch = pytest.importorskip("torch")
    x, y = np.linspace(-1, 1, 12).reshape(4, 3), np.array([0, 2, 1, 1])
    for name, target in (("cross_entropy", y), ("nll_loss", y), ("mse_loss", x[::-1].copy())):
        ours = getattr(F, name)(mg.from_numpy(x), mg.from_numpy(target), **settings)
        theirs = getattr(torch.nn.functional, name)(torch.from_numpy(x), torch.from_numpy(target), **settings)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy())
    assert mg.nn.MSELoss(**settings).reduction == torch.nn.MSELoss(**settings).reduction

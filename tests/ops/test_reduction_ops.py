"""Sums, means, extremes, variances, and matrix products."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import agree, draw, named, same, same_error, torch

import minigrad as mg
from minigrad.testing import check_op
from minigrad.testing.strategies import arrays

REDUCTIONS = {
    "sum": lambda m, x, **dim: x.sum(**dim),
    "mean": lambda m, x, **dim: x.mean(**dim),
    "amax": lambda m, x, **dim: m.amax(x, **({"dim": ()} | dim)),
    "amin": lambda m, x, **dim: m.amin(x, **({"dim": ()} | dim)),
    "var": lambda m, x, **dim: x.var(**dim),
    "var without correction": lambda m, x, **dim: x.var(**dim, correction=0),
    "std": lambda m, x, **dim: x.std(**dim),
    "var_mean": lambda m, x, **dim: m.var_mean(x, **dim),
}
DIMS = [{}, {"dim": 0}, {"dim": -1}, {"dim": (0, 2)}, {"dim": 1, "keepdim": True}, {"dim": (-1, 0), "keepdim": True}]
ONE_DIM = {
    "max": lambda m, x, **dim: x.max(**dim),
    "min": lambda m, x, **dim: x.min(**dim),
    "argmax": lambda m, x, **dim: x.argmax(**dim),
    "argmin": lambda m, x, **dim: m.argmin(x, **dim),
    "all": lambda m, x, **dim: (x > -1).all(**dim),
    "any": lambda m, x, **dim: m.any(x > 1, **dim),
}


@pytest.mark.parametrize("dim", DIMS, ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_pass_the_harness(name, dim):
    def fn(m, x):
        return REDUCTIONS[name](m, x, **dim)

    def reference(x):
        result = fn(torch, torch.from_numpy(np.array(x)))
        return tuple([r.numpy() for r in result]) if isinstance(result, tuple) else result.numpy()

    x = mg.from_numpy(draw((2, 3, 4)))
    linear = name in ("sum", "mean")
    check_op(lambda x: fn(mg, x), x, reference=reference, linear=linear, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_along_a_dimension_pass_the_harness(name):
    check_op(lambda x: getattr(x, name)(dim=1).values, mg.from_numpy(draw((2, 5, 2))))


@given(st.data(), st.sampled_from(sorted(REDUCTIONS)), st.sampled_from(["float32", "float64"]))
def test_reductions_agree_with_torch(data, name, dtype):
    shape = data.draw(st.tuples(*[st.integers(2, 5)] * data.draw(st.integers(1, 4))))
    dims = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    settings = data.draw(st.sampled_from([{}, {"dim": tuple(dims), "keepdim": data.draw(st.booleans())}]))
    agree(lambda m, x: REDUCTIONS[name](m, x, **settings), data.draw(arrays(shape, dtype)))


@pytest.mark.parametrize("name", ONE_DIM)
@pytest.mark.parametrize("dim", [{}, {"dim": 0}, {"dim": -1, "keepdim": True}], ids=str)
@pytest.mark.parametrize(
    "array",
    [
        draw((3, 4)),
        np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]),
        np.array([[1.0, np.nan, 2.0, np.nan], [-np.inf, np.inf, 0.0, 1.0]]),
        np.array([[3, 1, 3], [2, 2, 5]]),
        np.array(3.5),
    ],
    ids=["random", "ties", "nan", "int", "0-d"],
)
def test_choices_agree_with_torch(name, dim, array):
    agree(lambda m, x: ONE_DIM[name](m, x, **dim), array)


@pytest.mark.parametrize("name", ["amax", "amin"])
def test_ties_share_the_gradient_as_in_torch(name):
    x = np.array([[1.0, 2.0, 2.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    for dim in ((), 0, 1):
        agree(lambda m, x, dim=dim: getattr(m, name)(x, dim=dim), x)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool", "float32"])
def test_sums_of_every_dtype_agree_with_torch(dtype):
    array = np.array([[1, 0, 3], [1, 1, 0]]).astype(dtype)
    for fn in (lambda m, x: x.sum(), lambda m, x: x.sum(0), lambda m, x: m.sum(x, dim=1, dtype=m.float64)):
        same(fn(mg, mg.from_numpy(array)), fn(torch, torch.from_numpy(array)))


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std"])
@pytest.mark.filterwarnings("ignore:(std|var).*degrees of freedom:UserWarning", "ignore:Mean of empty slice")
def test_empty_and_single_elements_agree_with_torch(name):
    for shape in ((0,), (0, 3), (1,), (), (1, 1)):
        agree(lambda m, x: getattr(x, name)(), draw(shape), order=1)
    agree(lambda m, x: getattr(x, name)(dim=1), draw((0, 3)), order=1)


def test_std_of_equal_elements_agrees_with_torch():
    agree(lambda m, x: x.std(), np.ones(4), order=1)


def test_a_long_float32_sum_is_exact_enough():
    x = mg.full((1 << 22,), 0.1)
    for total in (x.sum(), x.reshape(2, -1).sum(1).sum(), x.reshape(-1, 2).sum(0).sum()):
        assert abs(total.item() / ((1 << 22) * 0.1) - 1) < 1e-6


# matrix products ----------------------------------------------------------------------------------------------------

MATRIX_SHAPES = [
    ((3, 4), (4, 2)),
    ((3,), (3,)),
    ((3, 4), (4,)),
    ((3,), (3, 4)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((2, 3, 4), (4,)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize("shapes", MATRIX_SHAPES, ids=str)
def test_matmul_passes_the_harness(shapes):
    inputs = [mg.from_numpy(draw(shape, seed=i)) for i, shape in enumerate(shapes)]
    check_op(mg.matmul, *inputs, reference=np.matmul, linear=True, rtol=1e-5, atol=1e-5)


@given(st.data(), st.sampled_from(["float32", "float64"]))
def test_matmul_agrees_with_torch(data, dtype):
    n, k, m = (data.draw(st.integers(0, 9)) for _ in range(3))
    batch = data.draw(st.sampled_from([((), ()), ((2,), (2,)), ((2, 1), (3,)), ((), (2,)), ((0,), ())]))
    agree(
        lambda m, x, y: x @ y, data.draw(arrays((*batch[0], n, k), dtype)), data.draw(arrays((*batch[1], k, m), dtype))
    )


@pytest.mark.parametrize("lead", [(), (3,), (2, 3), (0,), (2, 0)])
def test_linear_passes_the_harness(lead):
    inputs = [mg.from_numpy(draw(shape, seed=i)) for i, shape in enumerate([(*lead, 4), (5, 4), (5,)])]
    check_op(mg.nn.functional.linear, *inputs, reference=lambda x, w, b: x @ w.T + b, rtol=1e-5, atol=1e-5)


def test_linear_without_bias_and_with_frozen_parts_agrees_with_torch():
    x, w, b = draw((3, 4)), draw((5, 4)), draw((5,))
    agree(lambda m, x, w: m.nn.functional.linear(x, w), x, w)
    agree(lambda m, x, w, b: m.nn.functional.linear(x.detach(), w, b), x, w, b)
    agree(lambda m, x, w, b: m.nn.functional.linear(x, w.detach(), b), x, w, b)


def test_named_products_agree_with_torch():
    agree(lambda m, x, y: m.mm(x, y), draw((2, 3)), draw((3, 4)))
    agree(lambda m, x, y: m.bmm(x, y), draw((2, 2, 3)), draw((2, 3, 4)))
    agree(lambda m, x, y: m.dot(x, y), draw((4,)), draw((4,), seed=1))
    agree(lambda m, x, y: x @ y, np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2))


def sum_over_a_dimension_that_is_not_there(m):
    m.ones(2, 3).sum(2)


def sum_over_a_dimension_twice(m):
    m.ones(2, 3).sum((0, 0))


def mean_of_integers(m):
    m.tensor([1, 2]).mean()


def variance_of_integers(m):
    m.tensor([1, 2]).var()


def max_of_nothing(m):
    m.zeros(0).max()


def max_along_nothing(m):
    m.zeros(2, 0).max(dim=1)


def amax_of_nothing(m):
    m.zeros(0).amax()


def argmax_of_nothing(m):
    m.zeros(0).argmax()


def matrices_that_do_not_fit(m):
    m.ones(2, 3) @ m.ones(2, 3)


def matrix_and_vector_that_do_not_fit(m):
    m.ones(2, 3) @ m.ones(2)


def vectors_that_do_not_fit(m):
    m.ones(2) @ m.ones(3)


def product_with_a_number(m):
    m.ones(2) @ m.tensor(1.0)


def mm_of_a_vector(m):
    m.mm(m.ones(2), m.ones(2, 2))


def bmm_of_matrices(m):
    m.bmm(m.ones(2, 2), m.ones(2, 2, 2))


def bmm_of_different_batches(m):
    m.bmm(m.ones(2, 3, 4), m.ones(3, 4, 5))


def dot_of_matrices(m):
    m.dot(m.ones(2, 2), m.ones(2))


def linear_with_too_many_features(m):
    m.nn.functional.linear(m.ones(2, 5), m.ones(3, 4))


def dtypes_that_differ(m):
    m.ones(2, 2) @ m.ones(2, 2, dtype=m.float64)


@named(
    sum_over_a_dimension_that_is_not_there,
    sum_over_a_dimension_twice,
    mean_of_integers,
    max_of_nothing,
    max_along_nothing,
    amax_of_nothing,
    argmax_of_nothing,
    matrices_that_do_not_fit,
    vectors_that_do_not_fit,
    product_with_a_number,
    bmm_of_matrices,
    bmm_of_different_batches,
    linear_with_too_many_features,
)
def test_same_error_as_torch(function):
    same_error(function)


@named(variance_of_integers, matrix_and_vector_that_do_not_fit, mm_of_a_vector, dot_of_matrices, dtypes_that_differ)
def test_same_kind_of_error_as_torch(function):
    same_error(function, "")

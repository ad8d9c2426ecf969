"""Products, cumulative reductions, norms, order statistics: against PyTorch, at zeros, ties, NaN and infinities too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import agree, draw, same, same_error, torch

import minigrad as mg

INF, NAN = float("inf"), float("nan")
REDUCTIONS = {
    "prod": lambda m, x, **dim: m.prod(x, **dim),
    "logsumexp": lambda m, x, **dim: m.logsumexp(x, **({"dim": tuple(range(x.ndim))} | dim)),
    "nansum": lambda m, x, **dim: m.nansum(x, **dim),
    "nanmean": lambda m, x, **dim: x.nanmean(**dim),
    "std_mean": lambda m, x, **dim: m.std_mean(x, **dim),
    "var_mean": lambda m, x, **dim: m.var_mean(x, **dim, correction=0),
    "median": lambda m, x, **dim: m.median(x, **dim),
    "nanmedian": lambda m, x, **dim: x.nanmedian(**dim),
    "kthvalue": lambda m, x, **dim: x.kthvalue(2, **dim),
    "mode": lambda m, x, **dim: x.mode(**dim),
    "quantile": lambda m, x, **dim: m.quantile(x, 0.6, **dim),
    "nanquantile": lambda m, x, **dim: m.nanquantile(x, 0.3, interpolation="lower", **dim),
    "aminmax": lambda m, x, **dim: m.aminmax(x, **dim),
    "amax": lambda m, x, **dim: m.amax(x, **({"dim": ()} | dim)),
    "max": lambda m, x, **dim: m.max(x, **dim),
    "count_nonzero": lambda m, x, keepdim=0, **dim: m.count_nonzero(x, **dim),
    "vector_norm": lambda m, x, **dim: m.linalg.vector_norm(x, 2, **dim),
    "vector_norm 0": lambda m, x, **dim: m.linalg.vector_norm(x, 0, **dim),
    "vector_norm 1.5": lambda m, x, **dim: m.linalg.vector_norm(x, 1.5, **dim),
    "vector_norm inf": lambda m, x, **dim: m.linalg.vector_norm(x, INF, **dim),
    "norm": lambda m, x, **dim: m.norm(x, 3, **dim),
}
CUMULATIVE = {
    "cumsum": lambda m, x, dim: x.cumsum(dim),
    "cumprod": lambda m, x, dim: m.cumprod(x, dim=dim),
    "logcumsumexp": lambda m, x, dim: m.logcumsumexp(x, dim),
    "cummax": lambda m, x, dim: m.cummax(x, dim),
    "cummin": lambda m, x, dim: x.cummin(axis=dim),
}
MATRIX_NORMS = ["fro", "nuc", 1, -1, 2, -2, INF, -INF]
ARRAYS = {
    "random": draw((3, 4)),
    "transposed": draw((4, 3)).T,
    "negative strides": draw((3, 4))[::-1, ::-1],
    "ties": np.array([[1.0, 2.0, 2.0, 1.0], [0.0, 0.0, -1.0, -1.0], [2.0, 2.0, 2.0, 2.0]]),
    "zeros": np.array([[1.0, 0.0, 2.0, 3.0], [0.0, 2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]),
    "one element": np.array([[2.0], [3.0]]),
}
SPECIAL = {
    "NaN": np.array([[NAN, 1.0, 2.0, 3.0], [1.0, NAN, NAN, 2.0], [NAN, NAN, NAN, NAN]]),
    "infinities": np.array([[INF, 1.0, 2.0, 3.0], [-INF, -INF, INF, 1.0], [-INF, -INF, -INF, -INF]]),
    "NaN and zeros": np.array([[0.0, NAN, 2.0, 0.0], [NAN, 0.0, 1.0, 2.0], [1.0, 0.0, INF, 0.0]]),
}
ONE_DIM = {"kthvalue", "mode"}  # these always reduce one dimension
DIMS = [{}, {"dim": 0}, {"dim": -1, "keepdim": True}]
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:.*degrees of freedom:UserWarning")


@pytest.mark.parametrize("dim", DIMS, ids=str)
@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_and_both_derivatives_agree_with_torch(name, array, dim):
    if name == "kthvalue" and 1 in (ARRAYS[array].shape[dim.get("dim", -1)],):
        pytest.skip("there is no second element")
    order = 1 if name == "std_mean" or (array == "zeros" and name.startswith(("vector_norm", "norm"))) else 2
    agree(lambda m, x: REDUCTIONS[name](m, x, **dim), ARRAYS[array], order=order)


@pytest.mark.parametrize("dim", DIMS, ids=str)
@pytest.mark.parametrize("array", SPECIAL)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_values_that_are_no_numbers_agree_with_torch(name, array, dim):
    if name == "mode" and array != "infinities":
        pytest.skip("torch sorts NaN by a comparison that does not order them")
    rows = 2 if name == "nanmedian" else 3  # which NaN of a row of NaN the median names is left to chance
    agree(lambda m, x: REDUCTIONS[name](m, x, **dim), SPECIAL[array][:rows], order=0)


@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("array", [*ARRAYS, *SPECIAL])
@pytest.mark.parametrize("name", CUMULATIVE)
def test_cumulative_reductions_agree_with_torch(name, array, dim):
    x = (ARRAYS | SPECIAL)[array]
    agree(lambda m, x: CUMULATIVE[name](m, x, dim), x, order=2 if array in ARRAYS else 0)


@pytest.mark.parametrize("name", [*REDUCTIONS, *CUMULATIVE])
def test_zero_dimensions_agree_with_torch(name):
    fn = REDUCTIONS.get(name) or (lambda m, x: CUMULATIVE[name](m, x, 0))
    if name == "kthvalue":
        fn = lambda m, x: x.kthvalue(1)  # noqa: E731
    agree(fn, np.array(1.5), order=1 if name in ("std_mean", "var_mean") else 2)


@pytest.mark.parametrize("name", ["prod", "nansum", "nanmean", "count_nonzero", "vector_norm", "median", "nanmedian"])
def test_reductions_of_nothing_agree_with_torch(name):
    agree(lambda m, x: REDUCTIONS[name](m, x), draw((0, 3)), order=1)
    agree(
        lambda m, x: REDUCTIONS[name](m, x, dim=0 if name not in ("median", "nanmedian") else 1), draw((0, 3)), order=1
    )


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool", "float32"])
@pytest.mark.parametrize(
    "name", ["prod", "nansum", "logsumexp", "median", "kthvalue", "mode", "cumsum", "cumprod", "cummax"]
)
def test_every_dtype_agrees_with_torch(name, dtype):
    if dtype == "bool" and name in ("median", "kthvalue"):
        pytest.skip("not offered for bool")
    x = np.array([[1, 0, 3, 1], [1, 1, 0, 2]]).astype(dtype)
    fn = REDUCTIONS[name] if name in REDUCTIONS else lambda m, x, dim: CUMULATIVE[name](m, x, dim)
    agree(lambda m, x: fn(m, x, dim=1), x)


@pytest.mark.parametrize("size", [5, 16, 17, 100])
def test_order_statistics_name_the_same_ones_of_equal_elements_as_torch(size):
    x = np.random.default_rng(size).integers(-2, 3, (6, size)).astype("float32")
    agree(lambda m, x: [*x.median(1), *x.nanmedian(1), *x.kthvalue(size // 3 + 1, 1), *x.max(1), *x.min(1)], x, order=1)
    if size <= 16:
        agree(lambda m, x: x.mode(1), x, order=1)


@pytest.mark.parametrize("ord", MATRIX_NORMS)
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2), (2, 0, 3)])
def test_matrix_norms_agree_with_torch(ord, shape):
    if 0 in shape and ord in (-1, -2):
        same_error(lambda m: m.linalg.matrix_norm(m.zeros(shape), ord, dim=(0, 1)), "")
        return
    agree(lambda m, x: m.linalg.matrix_norm(x, ord, dim=(0, -1), keepdim=True), draw(shape), order=2)
    if 0 in shape and ord == -INF:
        return
    agree(
        lambda m, x: m.norm(x, ord, dim=(-2, -1)) if ord in ("fro", "nuc") else m.linalg.norm(x, ord, (-2, -1)),
        draw(shape),
    )


def test_norms_at_zero_have_the_gradient_zero():
    for p in (0.7, 1, 1.5, 2, 3, INF):
        agree(lambda m, x, p=p: m.linalg.vector_norm(x, p), np.array([2.0, 0.0, 1.0]), order=1)
    for p in (1, 1.5, 2, 3, INF):
        agree(lambda m, x, p=p: m.linalg.vector_norm(x, p), np.zeros(3), order=1)
        agree(lambda m, x, y, p=p: m.dist(x, y, p), np.ones(3), np.ones(3), order=1)


def test_dtypes_asked_for_agree_with_torch():
    x = draw((2, 3), "float32")
    for fn in (
        lambda m, x: x.prod(dtype=m.float64),
        lambda m, x: x.cumsum(0, dtype=m.float64),
        lambda m, x: x.cumprod(1, dtype=m.float64),
        lambda m, x: m.nansum(x, 1, dtype=m.float64),
        lambda m, x: m.linalg.vector_norm(x, 2, dtype=m.float64),
        lambda m, x: m.linalg.matrix_norm(x, dtype=m.float64),
        lambda m, x: m.linalg.norm(x, 2, dtype=m.float64),
    ):
        agree(fn, x, order=1)
    same(mg.tensor([1.6, 1.6]).sum(dtype=mg.int64), torch.tensor([1.6, 1.6]).sum(dtype=torch.int64))


def test_numpy_spells_its_arguments_in_its_own_way():
    agree(lambda m, x: m.sum(x, axis=0, keepdims=True), draw((2, 3)))
    agree(lambda m, x: [x.max(axis=1, keepdims=True).values, x.cumsum(axis=0), m.var(x, axis=(0, 1))], draw((2, 3)))
    for arguments in ({"dim": 0, "axis": 1}, {"rows": 2}):
        with pytest.raises(TypeError):
            mg.ones(2, 3).sum(**arguments)


def test_statistics_of_variables_agree_with_torch():
    x, w, f = draw((3, 5)), draw((5,), low=0.1), np.array([1, 2, 0, 1, 3])
    agree(lambda m, x: m.cov(x), x)
    agree(lambda m, x: m.cov(x, correction=0), x[0])
    agree(lambda m, x, f: m.cov(x, fweights=f), x, f)
    agree(lambda m, x, f, w: m.cov(x, fweights=f, aweights=w.detach()), x, f, w)
    agree(lambda m, x: m.corrcoef(x), x, order=1)
    agree(lambda m, x: m.corrcoef(x), x[:1], order=0)


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("dim", [{}, {"dim": 0}, {"dim": 1, "keepdim": True}, {"dim": -1}], ids=str)
def test_quantiles_agree_with_torch(interpolation, dim):
    q = np.array([0.0, 0.3, 0.55])
    with_nan = draw((3, 4, 2))
    with_nan[1, 2, 0] = NAN
    for x in (draw((3, 4, 2)), with_nan):
        for name in ("quantile", "nanquantile"):
            agree(lambda m, x, q, n=name: getattr(m, n)(x, q, **dim, interpolation=interpolation), x, q, order=1)
            agree(lambda m, x, n=name: getattr(m, n)(x, 0.7, **dim, interpolation=interpolation), x, order=1)


def test_differences_and_trapezoids_agree_with_torch():
    x = draw((3, 4))
    for n in (0, 1, 3, 9):
        agree(lambda m, x, n=n: m.diff(x, n=n), x)
    agree(lambda m, x, y: m.diff(x, dim=0, prepend=y, append=y), x, draw((1, 4)))
    agree(lambda m, x: m.diff(x), np.array([True, False, False]))
    agree(lambda m, y, x: m.trapezoid(y, x, dim=0), x, draw((3,)))
    agree(lambda m, y, x: m.cumulative_trapezoid(y, x), x, draw((3, 4), seed=1))


def test_large_corrections_agree_with_torch():
    agree(lambda m, x: [x.var(0, correction=2), m.std(x, correction=5), x.std(1, correction=3)], draw((3, 4)))
    agree(lambda m, x: x.var(0, correction=3), draw((3, 4)), order=1)  # the divisor is 0
    agree(lambda m, x: x.var(0, correction=4), draw((3, 4)), order=0)


def test_sums_so_far_of_many_float32_stay_exact():
    agree(lambda m, x: x.cumsum(0)[::1000], np.full(100_000, 0.1, "float32"), order=0, rtol=1e-7, atol=0)
    agree(lambda m, x: x.cumprod(0)[::100], np.full(10_000, 0.9999, "float32"), order=0, rtol=1e-7, atol=0)


def test_correlations_stay_within_their_limits():
    x = draw((1, 50), "float32")
    assert mg.corrcoef(mg.from_numpy(x * np.arange(1, 40, dtype="float32")[:, None] + x)).abs().max().item() <= 1


def test_reductions_in_place():
    agree(lambda m, x: (x * 1).cumsum_(0), draw((3, 4)))
    agree(lambda m, x: (x * 1).cumprod_(1), draw((3, 4)))
    agree(lambda m, x: (x * 1).cumsum_(1), np.arange(6, dtype="int32").reshape(2, 3))


ERRORS = {
    "a dimension twice": lambda m: m.ones(2, 3).sum((0, -2)),
    "a product over two dimensions": (lambda m: m.ones(2, 3).prod((0, 1)), "prod() received an invalid combination"),
    "nanmean of integers": lambda m: m.nanmean(m.tensor([1, 2])),
    "mean in integers": lambda m: m.ones(2).mean(dtype=m.int64),
    "argmax of bools": lambda m: m.tensor([True]).argmax(),
    "argmax along nothing": lambda m: m.zeros(2, 0).argmax(1),
    "amax along nothing": lambda m: m.zeros(2, 0).amax(1),
    "aminmax of nothing": lambda m: m.zeros(0).aminmax(),
    "aminmax along nothing": lambda m: m.zeros(2, 0).aminmax(dim=1),
    "var of integers": lambda m: m.tensor([1, 2]).var(),
    "var_mean of integers": lambda m: m.var_mean(m.tensor([1, 2])),
    "std_mean of integers": lambda m: m.std_mean(m.tensor([1, 2])),
    "trace of a vector": lambda m: m.trace(m.ones(2)),
    "trace of bools": lambda m: m.trace(m.ones(2, 2) > 0),
    "cumsum along no dimension": lambda m: m.ones(2).cumsum(1),
    "logcumsumexp of integers": lambda m: m.tensor([1]).logcumsumexp(0),
    "median along nothing": lambda m: m.zeros(2, 0).median(1),
    "median of bools": lambda m: m.tensor([True]).median(),
    "kthvalue 0": lambda m: m.ones(3).kthvalue(0),
    "kthvalue 4 of 3": lambda m: m.ones(3).kthvalue(4),
    "kthvalue 2**62": (lambda m: m.ones(3).kthvalue(2**62), "kthvalue(): selected number k out of range"),
    "kthvalue along nothing": lambda m: m.zeros(2, 0).kthvalue(1, 1),
    "mode of nothing": lambda m: m.zeros(0).mode(),
    "quantile 1.5": lambda m: m.quantile(m.ones(2), 1.5),
    "quantile of integers": lambda m: m.quantile(m.tensor([1]), 0.5),
    "quantile of nothing": lambda m: m.quantile(m.zeros(0), 0.5),
    "quantile of another dtype": lambda m: m.quantile(m.ones(2), m.tensor(0.5, dtype=m.float64)),
    "quantile of no such kind": lambda m: m.quantile(m.ones(2), 0.5, interpolation="cubic"),
    "vector norm of integers": lambda m: m.linalg.vector_norm(m.tensor([1])),
    "inf norm of nothing": lambda m: m.linalg.vector_norm(m.zeros(0), INF),
    "negative norm along nothing": lambda m: m.linalg.vector_norm(m.zeros(2, 0), -1, dim=1),
    "norm with fewer digits": lambda m: m.linalg.vector_norm(m.zeros(2, dtype=m.float64), dtype=m.float32),
    "norm in integers": lambda m: m.linalg.vector_norm(m.zeros(2), dtype=m.int64),
    "vector norm with a name": lambda m: m.linalg.vector_norm(m.zeros(2), "fro"),
    "matrix norm of a vector": lambda m: m.linalg.matrix_norm(m.zeros(2)),
    "matrix norm 3": lambda m: m.linalg.matrix_norm(m.zeros(2, 2), 3),
    "matrix norm of one dimension": lambda m: m.linalg.matrix_norm(m.zeros(2, 2), dim=(0,)),
    "matrix norm of a dimension twice": lambda m: m.linalg.matrix_norm(m.zeros(2, 2), dim=(0, 0)),
    "norm over three dimensions": lambda m: m.linalg.norm(m.ones(1, 2, 2), 2, dim=(0, 1, 2)),
    "norm of three dimensions": lambda m: m.linalg.norm(m.ones(1, 2, 2), 2),
    "nuclear norm along one dimension": lambda m: m.linalg.norm(m.ones(2, 2), "nuc", dim=0),
    "norm of integers": lambda m: m.norm(m.tensor([1])),
    "distance of integers": lambda m: m.dist(m.tensor([1]), m.tensor([1])),
    "distance of different sizes": lambda m: m.dist(m.ones(2), m.ones(3)),
    "renorm of a vector": lambda m: m.renorm(m.ones(2), 2, 0, 1),
    "renorm by the norm 0": lambda m: m.renorm(m.ones(2, 2), 0, 0, 1),
    "renorm to less than nothing": lambda m: m.renorm(m.ones(2, 2), 2, 0, -1),
    "renorm along no dimension": lambda m: m.renorm(m.ones(2, 2), 2, 2, 1),
    "common divisor of fractions": lambda m: m.gcd(m.ones(2), m.ones(2)),
    "common multiple of bools": lambda m: m.lcm(m.tensor([True]), m.tensor([True])),
    "differences of a number": lambda m: m.diff(m.tensor(1.0)),
    "sum to a size that does not fit": lambda m: m.ones(2, 3).sum_to_size(2),
}


@pytest.mark.parametrize("p", [1, 2, 3.5, INF])
@pytest.mark.parametrize("dim", [0, -1])
def test_renorm_and_its_gradient(p, dim):
    array, cotangent = draw((4, 3, 2), seed=1), draw((4, 3, 2), seed=2)
    array[1] = 0
    results = []
    for m in (mg, torch):
        x = m.from_numpy(array.copy()).requires_grad_()
        y = m.renorm(x, p, dim, 1.5)
        y.backward(m.from_numpy(cotangent))
        results.append((y.detach(), x.grad, x.detach().clone().renorm_(p, dim, 0.5)))
    for ours, theirs in zip(*results):
        same(ours, theirs)


@given(
    st.lists(st.integers(-(2**31), 2**31), min_size=1, max_size=5),
    st.sampled_from(["int64", "int32", "int16", "int8", "uint8"]),
    st.integers(-100, 100),
)
def test_common_divisors_and_multiples(numbers, dtype, other):
    array = np.array(numbers).astype(dtype)
    for name in ("gcd", "lcm"):
        ours, theirs = (getattr(m, name)(m.from_numpy(array.copy()), m.tensor([other, 12])[:1]) for m in (mg, torch))
        same(ours, theirs)


@pytest.mark.parametrize("name", ERRORS)
def test_same_error_as_torch(name):
    call = ERRORS[name]
    same_error(*call) if isinstance(call, tuple) else same_error(call)

"""Reductions, cumulative reductions, norms, order statistics."""

import numpy as np
from gradient_cases import X, case

import minigrad as mg
from minigrad import linalg

APART = X(("a", "k"), distinct=True)
NONZERO = X(("a", "k"), away=(0.0,))
ZEROS = mg.from_numpy(np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))

CASES = [
    case("sum", lambda x: x.sum((0, 2), keepdim=True), X(("a", "b", "k")), linear=True),
    case("mean", lambda x: x.mean(-1), linear=True),
    case("nansum", lambda x: mg.nansum(x, 0), linear=True),
    case("nanmean", lambda x: mg.nanmean(x, (0, 1)), linear=True),
    case("trace", mg.trace, linear=True),
    case("sum_to_size", lambda x: x.sum_to_size(1, x.shape[2]), X(("a", "b", "k")), linear=True),
    case("prod", mg.prod, NONZERO),
    case("prod", lambda x: (x * ZEROS).prod(1), X((3, 3))),
    case("prod", lambda x: (x * ZEROS).prod(), X((3, 3))),
    case("prod", lambda x: (x * ZEROS[0]).prod(), X((3,))),
    case("logsumexp", lambda x: x.logsumexp((0, 1), keepdim=True)),
    case("amax", lambda x: x.amax(0), APART),
    case("amin", lambda x: x.amin(), APART),
    case("max", lambda x: x.max(), APART),
    case("min", lambda x: x.min(1).values, APART),
    case("aminmax", lambda x: mg.aminmax(x, dim=1), APART),
    case("var", lambda x: x.var(0), X(("k", "a"))),
    case("std", lambda x: x.std(1, correction=0), X(("a", "k"), distinct=True)),
    case("var_mean", lambda x: mg.var_mean(x), X(("k", "a"))),
    case("std_mean", lambda x: mg.std_mean(x, 0, keepdim=True), X(("k", "a"), distinct=True)),
    case("cov", lambda x: mg.cov(x, aweights=mg.arange(1, x.shape[1] + 1).double()), X(("a", "k"))),
    case("corrcoef", lambda x: mg.corrcoef(x)[0, 1:], X((3, 4), distinct=True)),
    case("cumsum", lambda x: x.cumsum(1), linear=True),
    case("cumprod", lambda x: x.cumprod(0), NONZERO),
    case("cumprod", lambda x: (x * ZEROS).cumprod(1), X((3, 3))),
    case("logcumsumexp", lambda x: x.logcumsumexp(1), X(("a", "k"))),
    case("cummax", lambda x: mg.cummax(x, 1).values, APART),
    case("cummin", lambda x: mg.cummin(x, 0).values, APART),
    case("diff", lambda x, y: mg.diff(x, 2, 0, append=y), X(("k", "a")), X((1, "a"))),
    case("trapezoid", lambda y, x: mg.trapezoid(y, x), X(("a", "k")), X(("k",))),
    case("cumulative_trapezoid", lambda y: mg.cumulative_trapezoid(y, dx=0.5), X(("a", "k")), linear=True),
    case("median", lambda x: x.median(), APART),
    case("nanmedian", lambda x: x.nanmedian(1).values, APART),
    case("kthvalue", lambda x: x.kthvalue(2, 1).values, APART),
    case("mode", lambda x: x.mode(1).values, APART),
    case("quantile", lambda x, q: mg.quantile(x, q, 1), APART, X((2,), 0.35, 0.45)),
    case("nanquantile", lambda x: mg.nanquantile(x, 0.4, interpolation="midpoint"), APART),
    *[
        case("vector_norm", lambda x, p=p: linalg.vector_norm(x, p, 1), X(("a", "k"), low=-1.3, distinct=True))
        for p in (0.5, 1, 1.5, 2, 3, float("inf"), float("-inf"))
    ],
    *[
        case("matrix_norm", lambda x, p=p: linalg.matrix_norm(x, p, (0, 2)), X((3, "a", 2), away=(0.0,)))
        for p in ("fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf"))
    ],
    case("linalg.norm", lambda x: linalg.norm(x), X(("a", "k"))),
    case("norm", lambda x: x.norm(3, dim=1), NONZERO),
    case("dist", lambda x, y: mg.dist(x, y, 2), X(("a", "b")), X(("b",))),
]

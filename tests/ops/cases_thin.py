"""Functions that are another one with arguments fixed, and losses of classes: listed so that nothing is left out."""

from gradient_cases import Index, X, case

import minigrad as mg
from minigrad.nn import functional as F

CUBE = X(("a", "b", 2))


def spd(x):
    """A symmetric matrix with eigenvalues that lie apart."""
    return (x + x.mT) * 0.1 + mg.diag(mg.arange(3, dtype=x.dtype) * 2)


def below(x):
    """A triangular matrix with a large diagonal."""
    return x.tril(-1) * 0.3 + 3 * mg.eye(3, dtype=x.dtype) + 0.1 * x.diagonal().diag()


CASES = [
    case("unflatten", lambda x: x.unflatten(1, (2, -1)), X(("a", 4)), linear=True),
    case("ravel", lambda x: x.ravel(), linear=True),
    case("transpose", lambda x: x.transpose(0, 2), CUBE, linear=True),
    case("swapaxes", lambda x: x.swapaxes(0, 1), CUBE, linear=True),
    case("adjoint", lambda x: x.adjoint(), linear=True),
    case("broadcast_to", lambda x: x.broadcast_to((3, *x.shape)), linear=True),
    case("hstack", lambda x, y: mg.hstack([x, y]), X(("a", 2)), X(("a", "b"))),
    case("vstack", lambda x, y: mg.vstack([x, y]), X(("a", 2)), X(("b", 2))),
    case("atleast_1d", lambda x: mg.atleast_1d(x), X(()), linear=True),
    case("atleast_2d", lambda x: mg.atleast_2d(x), X(("a",)), linear=True),
    case("fliplr", lambda x: x.fliplr(), linear=True),
    case("flipud", lambda x: x.flipud(), linear=True),
    case("narrow_copy", lambda x: x.narrow_copy(1, 1, 2), X(("a", 4)), linear=True),
    case("unbind", lambda x: x.unbind(1)),
    case("split_with_sizes", lambda x: x.split_with_sizes((1, 3), 1), X(("a", 4))),
    case("chunk", lambda x: x.chunk(2, 1)),
    case("hsplit", lambda x: x.hsplit(2), X(("a", 4))),
    case("vsplit", lambda x: x.vsplit(2), X((4, "a"))),
    case("dsplit", lambda x: x.dsplit(2), CUBE),
    case("inverse", lambda x: mg.inverse(x + 3 * mg.eye(3, dtype=x.dtype)), X((3, 3), -0.5, 0.5)),
    case("deg2rad", lambda x: mg.deg2rad(x), linear=True),
    case("rad2deg", lambda x: mg.rad2deg(x), linear=True),
    case("vander", lambda x: mg.vander(x, 3), X((3,), 0.5, 2)),
    case("combinations", lambda x: mg.combinations(x), X((4,)), linear=True),
    case("trapz", lambda y, x: mg.trapz(y, x), X(("a", 3)), X((3,))),
    case("cdist", lambda x, y: mg.cdist(x, y), X(("a", 2), 0, 1), X((3, 2), 2, 3)),
    case("pinverse", lambda x: mg.pinverse(x + 3 * mg.eye(3, 2, dtype=x.dtype)), X((3, 2), -0.5, 0.5)),
    case("pinv", lambda x: mg.linalg.pinv(x + 3 * mg.eye(3, 2, dtype=x.dtype)), X((3, 2), -0.5, 0.5)),
    case("cond", lambda x: mg.linalg.cond(x + mg.diag(mg.arange(1, 4, dtype=x.dtype))), X((3, 3), -0.1, 0.1)),
    case("logdet", lambda x: mg.logdet(x + 3 * mg.eye(3, dtype=x.dtype)), X((3, 3), -0.5, 0.5)),
    case("lstsq", lambda a, b: mg.linalg.lstsq(a + 3 * mg.eye(3, 2, dtype=a.dtype), b).solution, X((3, 2)), X((3, 2))),
    case("solve_triangular", lambda a, b: mg.linalg.solve_triangular(below(a), b, upper=False), X((3, 3)), X((3, 2))),
    case("triangular_solve", lambda b, a: mg.triangular_solve(b, below(a), upper=False)[0], X((3, 2)), X((3, 3))),
    case("cholesky_solve", lambda b, a: mg.cholesky_solve(b, below(a)), X((3, 2)), X((3, 3))),
    case("cholesky_inverse", lambda a: mg.cholesky_inverse(below(a)), X((3, 3))),
    case("eigvalsh", lambda x: mg.linalg.eigvalsh(spd(x)), X((3, 3), -1, 1)),
    case("normalize", lambda x: F.normalize(x, dim=1), X(("a", 3), 0.5, 2)),
    case("upsample", lambda x: F.upsample(x, scale_factor=2), X(("n", "c", 2, 3)), linear=True),
    case("upsample_nearest", lambda x: F.upsample_nearest(x, scale_factor=2), X(("n", "c", 2, 3)), linear=True),
    case("upsample_bilinear", lambda x: F.upsample_bilinear(x, scale_factor=2), X(("n", "c", 2, 3)), linear=True),
    case("cross_entropy", lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), X(("a", 3)), Index(("a",), 3)),
    case("nll_loss", lambda x, t: F.nll_loss(x, t), X(("a", 3)), Index(("a",), 3), linear=True),
    case("selu_", lambda x: F.selu_(x * 1), X(away=(0,))),
    case("celu_", lambda x: F.celu_(x * 1), X(away=(0,))),
    case("rrelu_", lambda x: F.rrelu_(x * 1), X(away=(0,))),
    case("threshold_", lambda x: F.threshold_(x * 1, 0.5, -1.0), X(away=(0.5,))),
    case("hardtanh_", lambda x: F.hardtanh_(x * 1, -1, 1), X(away=(-1, 1))),
    *[
        case(f"{name}{rank}d_with_indices", lambda x, f=f, k=k: f(x, k)[0], X(("n", *sizes), distinct=True))
        for rank, sizes in ((1, (2, 4)), (2, (1, 4, 2)), (3, (1, 2, 4, 2)))
        for name, k in (("max_pool", 2), ("adaptive_max_pool", 1))
        for f in (getattr(F, f"{name}{rank}d_with_indices"),)
    ],
]

"""Pooling, unpooling and the norms and medians of windows."""

from gradient_cases import Index, X, case

from minigrad.nn import functional as F

LINE, PLANE, VOLUME = ("n", 2, 7), ("n", 2, "h", "w"), (1, 2, 3, 3, "h")

CASES = [
    case("max_pool1d", lambda x: F.max_pool1d(x, 3, 2, 1, ceil_mode=True), X(LINE, distinct=True)),
    case("max_pool2d", lambda x: F.max_pool2d(x, 2, 1, 1, 2), X(PLANE, distinct=True)),
    case("max_pool3d", lambda x: F.max_pool3d(x, 2, (1, 2, 1)), X(VOLUME, distinct=True)),
    case("avg_pool1d", lambda x: F.avg_pool1d(x, 3, 2, 1), X(LINE), linear=True),
    case(
        "avg_pool2d",
        lambda x: F.avg_pool2d(x, (3, 2), 2, 1, ceil_mode=True, count_include_pad=False),
        X(PLANE),
        linear=True,
    ),
    case("avg_pool3d", lambda x: F.avg_pool3d(x, 2, 1, 1, divisor_override=3), X(VOLUME), linear=True),
    case("adaptive_avg_pool1d", lambda x: F.adaptive_avg_pool1d(x, 3), X(LINE), linear=True),
    case("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (2, 4)), X(PLANE), linear=True),
    case("adaptive_avg_pool3d", lambda x: F.adaptive_avg_pool3d(x, (2, 1, None)), X(VOLUME), linear=True),
    case("adaptive_max_pool1d", lambda x: F.adaptive_max_pool1d(x, 3), X(LINE, distinct=True)),
    case("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (2, 4)), X(PLANE, distinct=True)),
    case("adaptive_max_pool3d", lambda x: F.adaptive_max_pool3d(x, (2, 1, None)), X(VOLUME, distinct=True)),
    case("lp_pool1d", lambda x: F.lp_pool1d(x, 3, 2), X(LINE, low=0.5)),
    case("lp_pool2d", lambda x: F.lp_pool2d(x, 2, 2, 1), X(PLANE, low=0.5)),
    case("lp_pool3d", lambda x: F.lp_pool3d(x, 2.5, 2, 1), X((1, 1, 2, 3, 2), low=0.5)),
    case("median_pool2d", lambda x: F.median_pool2d(x, 3, 2, 1), X(PLANE, distinct=True)),
    case(
        "max_unpool1d",
        lambda x, i: F.max_unpool1d(x[None], i[None, None], 2),
        X((1, 4)),
        Index((4,), 8, distinct=True),
        linear=True,
    ),
    case(
        "max_unpool2d",
        lambda x, i: F.max_unpool2d(x, i.reshape(1, 2, 2), 2, output_size=(4, 5)),
        X((1, 2, 2)),
        Index((4,), 20, distinct=True),
        linear=True,
    ),
    case(
        "max_unpool3d",
        lambda x, i: F.max_unpool3d(x, i.reshape(1, 1, 2, 2), (1, 2, 2)),
        X((1, 1, 2, 2)),
        Index((4,), 16, distinct=True),
        linear=True,
    ),
]

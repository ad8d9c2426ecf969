"""Normalisations."""

from gradient_cases import X, case

import minigrad as mg
from minigrad.nn import functional as F

EPS = 0.1  # few numbers may have next to no variance, and finite differences then fail


def _statistics(channels):
    return mg.linspace(-1, 1, channels, dtype=mg.float64), mg.linspace(0.5, 2, channels, dtype=mg.float64)


CASES = [
    case("batch_norm", lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=EPS), X((3, "c", "a")), X(("c",)),
         X(("c",))),
    case("batch_norm", lambda x, w, b: F.batch_norm(x, *_statistics(x.shape[1]), w, b), X(("n", "c")), X(("c",)),
         X(("c",))),
    case("layer_norm", lambda x, w, b: F.layer_norm(x, x.shape[1:], w, b, EPS), X(("n", "c", "k")), X(("c", "k")),
         X(("c", "k"))),
    case("layer_norm", lambda x: F.layer_norm(x, x.shape[-1:], eps=EPS), X(("a", "k"))),
    case("rms_norm", lambda x, w: F.rms_norm(x, x.shape[1:], w, EPS), X(("n", "k")), X(("k",))),
    case("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b, EPS), X(("n", 4, "k")), X((4,)), X((4,))),
    case("instance_norm", lambda x, w, b: F.instance_norm(x, None, None, w, b, eps=EPS), X(("n", "c", "k")),
         X(("c",)), X(("c",))),
    case("instance_norm", lambda x, w: F.instance_norm(x, *_statistics(x.shape[1]), w, use_input_stats=False),
         X(("n", "c", "k")), X(("c",))),
    case("local_response_norm", lambda x: F.local_response_norm(x, 2, 0.5, 0.75, 1.5), X(("n", "h", "a"))),
    case("local_response_norm", lambda x: F.local_response_norm(x, 5, 0.5, 2.0), X(("n", "h", "a", "b"))),
]  # fmt: skip

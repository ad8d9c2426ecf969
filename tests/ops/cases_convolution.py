"""Convolutions."""

from gradient_cases import X, case

from minigrad.nn import functional as F

CASES = [
    case(
        "conv2d",
        lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        X(("n", 4, 5, 6)),
        X((4, 2, 3, 2)),
        X((4,)),
    ),
    case("conv2d", lambda x, w: F.conv2d(x, w, padding="same"), X(("n", 2, "h", "w")), X((3, 2, 2, 3))),
]

"""Convolutions, their transposes, and images unfolded to columns."""

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
    case("conv1d", lambda x, w, b: F.conv1d(x, w, b, 2, 1, 2), X(("n", 2, 7)), X((3, 2, 3)), X((3,))),
    case("conv3d", lambda x, w: F.conv3d(x, w, None, (1, 2, 1), (0, 1, 0)), X((1, 2, 2, 3, 3)), X((2, 2, 2, 2, 1))),
    case(
        "conv_transpose1d",
        lambda x, w, b: F.conv_transpose1d(x, w, b, 1, 1, 1, 1, 2),
        X(("n", 2, 4)),
        X((2, 3, 3)),
        X((3,)),
    ),
    case(
        "conv_transpose2d",
        lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 1), (1, 0), (1, 0), 2, (1, 2)),
        X(("n", 4, 3, 2)),
        X((4, 2, 3, 2)),
        X((4,)),
    ),
    case("conv_transpose3d", lambda x, w: F.conv_transpose3d(x, w, None, 2), X((1, 2, 2, 1, 2)), X((2, 1, 2, 1, 2))),
    case("unfold", lambda x: F.unfold(x, (2, 3), (1, 2), (1, 2), (2, 1)), X(("n", 2, "h", 5)), linear=True),
    case("fold", lambda y: F.fold(y, (4, 5), (2, 3), 1, (1, 0), (2, 1)), X(("n", 12, 9)), linear=True),
]

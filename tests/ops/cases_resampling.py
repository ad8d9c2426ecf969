"""Padding, interpolation, shuffles and sampling at places that are data."""

from gradient_cases import X, case

from minigrad.nn import functional as F

LINE, PLANE, VOLUME = ("n", 2, "w"), ("n", 2, "h", "w"), (1, 1, 2, 3, "h")


def interpolation(mode, shape, *size, **settings):
    """The case of one mode of interpolate."""
    return case(f"interpolate {mode}", lambda x: F.interpolate(x, *size, mode=mode, **settings), X(shape), linear=True)


def sampling(mode, padding_mode, align_corners, image=(2, 3, 4), places=(2, 2), low=-0.95, high=0.95):
    """The case of one mode of grid_sample; places stay off the kinks between cells."""
    rank = len(image) - 1
    kinks = {1: [2 * k / (n - 1) - 1 for n in image[1:] for k in range(n)]}.get(align_corners, [])
    kinks += [] if align_corners else [(2 * k + 1) / n - 1 for n in image[1:] for k in range(-4, n + 4)]
    kinks += [2 * k / n - 1 for n in image[1:] for k in range(-4, n + 4)] if mode == "nearest" else []
    return case(
        f"grid_sample {mode} {padding_mode}",
        lambda x, grid: F.grid_sample(x, grid, mode, padding_mode, align_corners),
        X((1, *image)),
        X((1, *places, rank), low, high, away=tuple(kinks)),
        second=True,
    )


CASES = [
    case("pad constant", lambda x: F.pad(x, (1, -1, 0, 2)), X(("a", 3, 4)), linear=True),
    case("pad reflect", lambda x: F.pad(x, (2, 1, -1, 1), "reflect"), X(PLANE), linear=True),
    case("pad replicate", lambda x: F.pad(x, (7, 1, -1, 1, 0, 1), "replicate"), X(VOLUME), linear=True),
    case("pad circular", lambda x: F.pad(x, (2, 3), "circular"), X(LINE), linear=True),
    interpolation("nearest", LINE, 7),
    interpolation("nearest", PLANE, None, (0.7, 2.5)),
    interpolation("nearest-exact", VOLUME, (3, 2, 5)),
    interpolation("linear", LINE, 8),
    interpolation("bilinear", PLANE, (7, 2)),
    interpolation("bilinear", PLANE, (7, 2), align_corners=True),
    interpolation("bilinear", PLANE, (2, 8), antialias=True),
    interpolation("trilinear", VOLUME, (3, 2, 5)),
    interpolation("bicubic", PLANE, None, 1.6),
    interpolation("bicubic", PLANE, (2, 8), antialias=True),
    interpolation("lanczos", PLANE, (2, 3), antialias=True),
    interpolation("area", PLANE, (2, 8)),
    case("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), X(("n", 8, 2, "h")), linear=True),
    case("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), X(("n", 2, 4, 6)), linear=True),
    case("channel_shuffle", lambda x: F.channel_shuffle(x, 3), X(("n", 6, "h")), linear=True),
    sampling("bilinear", "zeros", False),
    sampling("bilinear", "border", True),
    sampling("bilinear", "reflection", False),
    sampling("bilinear", "zeros", True, image=(1, 2, 3, 2), places=(1, 2, 2)),
    sampling("nearest", "zeros", False),
    sampling("bicubic", "zeros", False),
    sampling("bicubic", "reflection", True),
    case(
        "affine_grid", lambda theta: F.affine_grid(theta, (2, 1, 2, 3), align_corners=False), X((2, 2, 3)), linear=True
    ),
]

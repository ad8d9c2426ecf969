"""Cells that change places between channels and pixels: reshapes and permutations."""

from operator import index

from .registry import function, functional


def _at_least_3d(name, input):
    if input.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )


@functional
@function
def pixel_shuffle(input, upscale_factor):
    """(*, C · r², H, W) to (*, C, H · r, W · r): every r x r block of pixels from as many channels
    (`torch.nn.functional.pixel_shuffle`).

    >>> import minigrad
    >>> pixel_shuffle(minigrad.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    _at_least_3d("pixel_shuffle", input)
    r = index(upscale_factor)
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    if r * r >= 2**63:
        raise ValueError(f"upscale factor is too large, (upscale_factor)^2 overflowed: upscale_factor={r}")
    *batch, c, h, w = input._array.shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(batch)
    blocks = input.reshape(*batch, c // (r * r), r, r, h, w)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)  # (*, C, H, r, W, r)
    return blocks.permute(order).reshape(*batch, c // (r * r), h * r, w * r)


@functional
@function
def pixel_unshuffle(input, downscale_factor):
    """(*, C, H · r, W · r) to (*, C · r², H, W), the inverse of `pixel_shuffle`
    (`torch.nn.functional.pixel_unshuffle`).

    >>> import minigrad
    >>> pixel_unshuffle(minigrad.tensor([[[0.0, 1.0], [2.0, 3.0]]]), 2).flatten()
    tensor([0., 1., 2., 3.])
    """
    _at_least_3d("pixel_unshuffle", input)
    r = index(downscale_factor)
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, c, h, w = input._array.shape
    for name, axis, size in (("height", -2, h), ("width", -1, w)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({axis})={size} is "
                f"not divisible by {r}"
            )
    n = len(batch)
    blocks = input.reshape(*batch, c, h // r, r, w // r, r)
    return blocks.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3).reshape(*batch, c * r * r, h // r, w // r)


@functional
@function
def channel_shuffle(input, groups):
    """The channels of (N, C, *), which stand in groups, mixed: the first of each group, then the second of each, ...
    (`torch.nn.functional.channel_shuffle`).

    >>> import minigrad
    >>> channel_shuffle(minigrad.arange(4.0).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    if input.ndim < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    groups = index(groups)
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *rest = input._array.shape
    if c % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.\nhint: the shape "
            f"is {tuple(input.shape)}"
        )
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(n, c, *rest)

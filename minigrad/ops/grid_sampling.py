"""Sampling at places that are data themselves (spatial transformers), and the grids of affine maps.

Sampling is linear in the image, and its weights are polynomials of the place. With the number of derivatives taken of
these polynomials along each coordinate as a setting, three operations are closed under differentiation:

y  = sample(x, grid)           dx = spread(dy, grid)                dgrid = grid_grad(dy, x, grid)
x' = spread(y, grid)           dy = sample(dx', grid)               dgrid = grid_grad(y, dx', grid)
"""

import warnings

import numpy as np

from minigrad.autograd import Operation
from minigrad.kernels import kernels_for

from .convolution import refuse_absurd
from .creation import tensor
from .matrix import bmm
from .registry import functional


def _steeper(settings, coordinate):
    """The settings with the weights differentiated once more along a coordinate."""
    *rest, orders = settings
    return (*rest, tuple([order + (at == coordinate) for at, order in enumerate(orders)]))


class GridSample(Operation):
    """y[n, c, p] = Σ w(grid[n, p], q) · x[n, c, q] over the neighbours q of a place"""

    formula = "dx[q] = Σ w(p, q) · dy[p], dgrid = Σ dy · ∂w/∂grid · x"
    fused = True

    @staticmethod
    def forward(ctx, x, grid, mode, padding_mode, align_corners, orders):
        ctx.settings, ctx.shape = (mode, padding_mode, align_corners, orders), x.shape
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, grid)
        return kernels_for(x).grid_sample(x, grid, *ctx.settings)

    @staticmethod
    def backward(ctx, dy):
        x, grid = ctx.saved_tensors
        return (
            GridSpread.apply(dy, grid, ctx.shape, *ctx.settings) if ctx.needs_input_grad[0] else None,
            None if x is None else GridSampleGridGrad.apply(dy, x, grid, *ctx.settings),
        )


class GridSpread(Operation):
    """x[n, c, q] = Σ w(grid[n, p], q) · y[n, c, p] over the places p next to a cell"""

    formula = "dy[p] = Σ w(p, q) · dx[q], dgrid = Σ y · ∂w/∂grid · dx"
    fused = True

    @staticmethod
    def forward(ctx, y, grid, shape, mode, padding_mode, align_corners, orders):
        ctx.settings = mode, padding_mode, align_corners, orders
        ctx.save_for_backward(y if ctx.needs_input_grad[1] else None, grid)
        return kernels_for(y).grid_sample_grad(y, grid, shape, *ctx.settings)

    @staticmethod
    def backward(ctx, dx):
        y, grid = ctx.saved_tensors
        return (
            GridSample.apply(dx, grid, *ctx.settings) if ctx.needs_input_grad[0] else None,
            None if y is None else GridSampleGridGrad.apply(y, dx, grid, *ctx.settings),
        )


class GridSampleGridGrad(Operation):
    """dgrid[n, p, a] = Σ dy[n, c, p] · ∂w/∂a · x[n, c, q] over channels and neighbours, for each coordinate a"""

    formula = "ddy = Σ dz[a] · ∂w/∂a · x, dx = Σ dz[a] · ∂w/∂a · dy, dgrid = Σ dz[a] · ∂²w/∂a∂grid · dy · x"
    fused = True

    @staticmethod
    def forward(ctx, dy, x, grid, mode, padding_mode, align_corners, orders):
        ctx.settings, ctx.shape = (mode, padding_mode, align_corners, orders), x.shape
        ctx.save_for_backward(dy, x, grid)
        return kernels_for(x).grid_sample_grid_grad(dy, x, grid, *ctx.settings)

    @staticmethod
    def backward(ctx, dz):
        dy, x, grid = ctx.saved_tensors
        ddy = dx = dgrid = None
        for a in range(dz.shape[-1]):
            settings, factor = _steeper(ctx.settings, a), dz.select(-1, a).unsqueeze(1)
            terms = (
                factor * GridSample.apply(x, grid, *settings) if ctx.needs_input_grad[0] else None,
                GridSpread.apply(factor * dy, grid, ctx.shape, *settings) if ctx.needs_input_grad[1] else None,
                GridSampleGridGrad.apply(factor * dy, x, grid, *settings) if ctx.needs_input_grad[2] else None,
            )
            ddy, dx, dgrid = (t if s is None else s + t for s, t in zip((ddy, dx, dgrid), terms))
        return ddy, dx, dgrid


_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def _aligned(align_corners):
    """False for None, with PyTorch's warning."""
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for "
            "details.",
            UserWarning,
            stacklevel=3,
        )
    return bool(align_corners)


@functional
def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """(N, C, H, W) sampled at the places of a grid (N, H', W', 2), or (N, C, D, H, W) at (N, D', H', W', 3)
    (`torch.nn.functional.grid_sample`).

    The grid holds coordinates (x, y) or (x, y, z) from -1 to 1: the centres of the outermost cells with
    `align_corners`, else their outer edges. Modes: "bilinear", "nearest", and "bicubic" in two dimensions. Beyond the
    image there are "zeros", its "border" or its "reflection". A NaN in the grid gives NaN with "zeros", else a
    border.
    Differentiable in both tensors, to every order. Shapes that disagree raise a RuntimeError.

    >>> import minigrad
    >>> image = minigrad.tensor([[[[1.0, 3.0]]]])
    >>> grid_sample(image, minigrad.tensor([[[[0.0, 0.0], [1.0, 0.0]]]]), align_corners=True)
    tensor([[[[2., 3.]]]])
    """
    if mode not in _MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    align_corners = _aligned(align_corners)
    shape, places = input._array.shape, grid._array.shape
    if len(shape) == 0 or len(places) == 0 or shape[0] != places[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
            f"{list(shape)} and grid with sizes {list(places)}"
        )
    if places[-1] != len(shape) - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {len(shape) - 2} in last dimension, but got grid with sizes "
            f"{list(places)}"
        )
    if len(shape) not in (4, 5) or len(shape) != len(places):
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes "
            f"{list(shape)} and grid with sizes {list(places)}"
        )
    if len(shape) == 5 and mode == "bicubic":
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    for axis in range(2, len(shape)):
        if shape[axis] == 0:
            raise RuntimeError(
                f"grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
                f"{list(shape)} with dimension {axis} being empty"
            )
    if input.dtype.kind != "f":
        raise NotImplementedError(f'"grid_sampler_{len(shape) - 2}d" not implemented for {input.dtype}')
    if input.dtype != grid.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype} but found {grid.dtype}\nhint: convert the grid with .to({input.dtype})"
        )
    return GridSample.apply(input, grid, mode, padding_mode, align_corners, (0,) * (len(shape) - 2))


@functional
def affine_grid(theta, size, align_corners=None):
    """The grid that `grid_sample` needs to apply affine maps: (N, H, W, 2) from (N, 2, 3) and size (N, C, H, W), or
    (N, D, H, W, 3) from (N, 3, 4) and size (N, C, D, H, W) (`torch.nn.functional.affine_grid`).

    >>> import minigrad
    >>> affine_grid(minigrad.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    align_corners = _aligned(align_corners)
    if theta.dtype.kind != "f":
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{size}."
        )
    rank = len(size) - 2
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (rank, rank + 1):
        raise ValueError(
            f"Expected a batch of {rank}D affine matrices of shape Nx{rank}x{rank + 1} for size {size}. Got "
            f"{theta.shape}."
        )
    if align_corners and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This "
            "is not an intended use case of affine_grid. See the documentation of affine_grid for details.",
            UserWarning,
            stacklevel=2,
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    refuse_absurd(size[2:])
    if theta.shape[0] != size[0]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{size[0]}, {rank + 1}] but got: "
            f"[{theta.shape[0]}, {rank + 1}].\nhint: theta must hold {size[0]} matrices"
        )
    base = tensor(_base_grid(tuple(size[2:]), align_corners, np.dtype(theta.dtype)), device=theta.device)
    return bmm(base.expand(size[0], *base.shape), theta.transpose(1, 2)).reshape(size[0], *size[2:], rank)


def _base_grid(sizes, align_corners, dtype):
    """The coordinates (x, y, 1) or (x, y, z, 1) of every cell, flat."""
    axes = []
    for n in sizes:
        axis = np.linspace(-1, 1, n) if n > 1 else np.zeros(n)
        axes.append(axis if align_corners else axis * (n - 1) / n)
    cells = np.meshgrid(*axes, indexing="ij")
    return np.stack([*cells[::-1], np.ones(sizes)], -1).reshape(-1, len(sizes) + 1).astype(dtype)

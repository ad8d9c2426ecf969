"""Resampling: tensors of another size made of weighted sums of neighbours, axis by axis.

A table (`Taps`) says for one axis which cells of the input each cell of the result is made of. Every interpolation is
a pair of such tables, its gradient the same with the tables transposed. The tables follow PyTorch's arithmetic, in the
tensor's own precision, so that the same neighbours are chosen.
"""

import math
import warnings
from functools import cached_property, lru_cache
from operator import index

import numpy as np

from minigrad.autograd import DEVICES, Operation, placed
from minigrad.kernels import kernels_for

from .adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .convolution import refuse_absurd
from .registry import functional


class Taps:
    """One axis of a resampling: cell j is the sum of weights[t] · x[indices[t]] for t in starts[j] to starts[j + 1]."""

    def __init__(self, starts, indices, weights, size):
        self.starts, self.indices, self.weights, self.size = starts, indices, weights, size

    @classmethod
    def rows(cls, indices, weights, size):
        """Taps from (cells, terms) tables."""
        cells, terms = indices.shape
        return cls(np.arange(cells + 1) * terms, indices.reshape(-1), weights.reshape(-1), size)

    @classmethod
    def copies(cls, indices, size):
        """Taps that take cell indices[j] as it is."""
        return cls.rows(indices[:, None], np.ones((len(indices), 1), np.float32), size)

    def beside(self, x):
        """(starts, indices, weights) on the device of the array `x`."""
        return [placed(table, DEVICES[type(x)]) for table in (self.starts, self.indices, self.weights)]

    @property
    def cells(self):
        """The size of the result along the axis."""
        return len(self.starts) - 1

    @cached_property
    def transposed(self):
        """The taps of the adjoint."""
        cell = np.repeat(np.arange(self.cells), np.diff(self.starts))
        order = np.argsort(self.indices, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.indices, minlength=self.size))])
        adjoint = Taps(starts, cell[order], self.weights[order], self.cells)
        adjoint.transposed = self
        return adjoint


class Resample(Operation):
    """y[p] = Σ w[p, q] · x[q], a weighted sum of neighbours along each axis in turn"""

    formula = "dx[q] = Σ w[p, q] · dy[p]"

    @staticmethod
    def forward(ctx, x, taps):
        ctx.taps = taps
        if x.dtype == np.uint8:
            return _resample_bytes(x, taps)
        kernels = kernels_for(x)
        # the axes that shrink go first, then those at the end, which are the slowest to work on
        order = sorted(taps, key=lambda item: (item[1].cells / max(item[1].size, 1), -item[0]))
        for axis, table in order:
            x = kernels.resample(x, axis, *table.beside(x))
        return x

    @staticmethod
    def backward(ctx, dy):
        return Resample.apply(dy, tuple([(axis, table.transposed) for axis, table in ctx.taps]))


def _resample_bytes(x, taps):
    """Resampling of numbers from 0 to 255: in float32, rounded after each axis, the last one first, as in PyTorch."""
    for axis, table in reversed(taps):
        y = kernels_for(x).resample(x.astype(np.float32), axis, *table.beside(x))
        x = np.floor(y + 0.5).clip(0, 255).astype(np.uint8)
    return x


def _scale(size, cells, factor, align_corners, real):
    """How far apart neighbours of the result stand in the input."""
    if align_corners:
        return real(size - 1) / real(cells - 1) if cells > 1 else real(0)
    return real(1 / factor) if factor is not None and factor > 0 else real(size) / real(cells)


def _nearest_of_images(size, cells, factor, align_corners, real):
    if cells in (size, 2 * size):  # PyTorch passes over the factor here, though not in one dimension
        return Taps.copies(np.arange(cells) * size // cells, size)
    return _nearest(size, cells, factor, align_corners, real)


def _nearest(size, cells, factor, align_corners, real):
    at = np.floor((np.arange(cells) * np.float64(_scale(size, cells, factor, False, real))).astype(np.float32))
    return Taps.copies(np.minimum(at.astype(np.int64), size - 1), size)


def _nearest_exact(size, cells, factor, align_corners, real):
    at = np.float64(_scale(size, cells, factor, False, real)) * (np.arange(cells) + 0.5) - 0.5
    at = np.floor((np.maximum(at, 0) + 0.5).astype(np.float32))
    return Taps.copies(np.minimum(at.astype(np.int64), size - 1), size)


def _places(size, cells, factor, align_corners, real):
    """Where in the input, in cells, each cell of the result stands."""
    scale, cell = _scale(size, cells, factor, align_corners, real), np.arange(cells).astype(real)
    return scale * cell if align_corners else scale * (cell + real(0.5)) - real(0.5)


def _linear(size, cells, factor, align_corners, real):
    if size == cells:
        below, beyond = np.arange(cells), np.zeros(cells, real)
        return Taps.rows(np.stack([below, below], 1), np.stack([1 - beyond, beyond], 1), size)
    at = np.maximum(_places(size, cells, factor, align_corners, real), 0)
    below = np.minimum(np.floor(at).astype(np.int64), size - 1)
    beyond = np.clip(at - below.astype(real), 0, 1)
    indices = np.stack([below, np.minimum(below + 1, size - 1)], 1)
    return Taps.rows(indices, np.stack([1 - beyond, beyond], 1), size)


def cubic_weights(t, a=-0.75):
    """Weights of the four neighbours of a place that lies t beyond the second, by Keys' cubic convolution."""

    def near(d):
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d):
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _cubic(size, cells, factor, align_corners, real):
    at = _places(size, cells, factor, align_corners, real)
    below = np.minimum(np.floor(at).astype(np.int64), size - 1)
    beyond = np.clip(at - below.astype(real), 0, 1)
    indices = np.clip(below[:, None] + np.arange(-1, 3), 0, size - 1)
    return Taps.rows(indices, np.stack(cubic_weights(beyond), 1).astype(real), size)


def _triangle(x):
    return np.maximum(1 - np.abs(x), 0)


def _keys(x):
    x = np.abs(x)
    near, far = cubic_weights(x, -0.5)[1], cubic_weights(x - 1, -0.5)[0]
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x):
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


_FILTERS = {"bilinear": (_triangle, 1), "bicubic": (_keys, 2), "lanczos": (_lanczos, 3)}  # and how far they reach


def _smoothed(filter, reach, size, cells, factor, align_corners, real):
    """A filter as wide as the step between neighbours of the result, so that no cell of the input is skipped."""
    scale = _scale(size, cells, factor, align_corners, real)
    support = real(reach) * max(scale, real(1))
    centre = scale * (np.arange(cells).astype(real) + real(0.5))
    first = np.maximum((centre - support + real(0.5)).astype(np.int64), 0)
    stop = np.minimum((centre + support + real(0.5)).astype(np.int64), size)
    counts = np.clip(stop - first, 0, math.ceil(support) * 2 + 1)
    starts = np.concatenate([[0], np.cumsum(counts)])
    cell = np.repeat(np.arange(cells), counts)
    indices = np.arange(len(cell)) - starts[cell] + first[cell]
    narrow = real(1) / max(scale, real(1))
    weights = filter((indices.astype(real) - centre[cell] + real(0.5)) * narrow).astype(real)
    total = np.bincount(cell, weights, cells).astype(real)[cell]
    return Taps(starts, indices, np.where(total != 0, weights / np.where(total != 0, total, 1), weights), size)


_TABLES = {
    "nearest": _nearest_of_images,
    "nearest of lines": _nearest,
    "nearest-exact": _nearest_exact,
    "linear": _linear,
    "bilinear": _linear,
    "trilinear": _linear,
    "bicubic": _cubic,
}


@lru_cache(256)
def _taps(mode, antialias, *geometry):
    return _smoothed(*_FILTERS[mode], *geometry) if antialias else _TABLES[mode](*geometry)


_AREA = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}
_RANKS = {
    "nearest": (3, 4, 5),
    "nearest-exact": (3, 4, 5),
    "area": (3, 4, 5),
    "linear": (3,),
    "bilinear": (4,),
    "trilinear": (5,),
    "bicubic": (4,),
    "lanczos": (4,),
}


def _check_mode(input, mode, align_corners, antialias):
    """Errors for modes that do not exist, or not for this rank or dtype."""
    exact = mode in ("nearest", "area", "nearest-exact")
    if exact and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    if antialias and not (mode in _FILTERS and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if input.ndim not in _RANKS.get(mode, ()):
        if 3 <= input.ndim <= 5 and mode in ("linear", "bilinear", "trilinear"):
            raise NotImplementedError(f"Got {input.ndim}D input, but {mode} mode needs {_RANKS[mode][0]}D input")
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.ndim}D) for the modes: nearest | "
            f"linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
        )
    if mode == "lanczos" and align_corners:
        raise ValueError("Lanczos mode does not support align_corners=True")
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos mode requires antialias=True")


def _per_axis(name, value, sizes):
    """One value for each spatial dimension."""
    if not isinstance(value, (tuple, list)):
        return [value] * len(sizes)
    if len(value) == len(sizes):
        return list(value)
    if name == "size":
        raise ValueError(
            "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of {list(sizes)} and output size of {value}. Please provide input tensor in (N, C, d1, d2, ...,dK) "
            "format and output size in (o1, o2, ...,oK) format."
        )
    raise ValueError(
        "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial dimensions "
        f"of {list(sizes)} and scale_factor of shape {value}. Please provide input tensor in (N, C, d1, d2, ...,dK) "
        "format and scale_factor in (s1, s2, ...,sK) format."
    )


def _scaled(size, factor):
    """The size times the factor, cut to a whole number."""
    cells = size * float(factor)
    if not -(2**63) <= cells < 2**63:
        raise RuntimeError(f"value cannot be converted to type int64_t without overflow\nhint: scale_factor={factor}")
    return int(cells)


def _output_size(sizes, size, scale_factor, recompute):
    """(sizes of the result, the factors that the places are computed with, None where the sizes say them)."""
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        given = _per_axis("size", size, sizes)
        if not all(hasattr(n, "__index__") for n in given):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size "
                f"with types {[type(n) for n in given]}"
            )
        return tuple(map(index, given)), [None] * len(sizes)
    factors = _per_axis("scale_factor", scale_factor, sizes)
    cells = tuple([_scaled(n, factor) for n, factor in zip(sizes, factors)])
    return cells, [None] * len(sizes) if recompute else [float(factor) for factor in factors]


def _refuse_sizes(input, sizes, cells):
    if min(*sizes, *cells) <= 0:
        letters = "DHW"[3 - len(sizes) :]
        given, wanted = (", ".join(f"{a}: {n}" for a, n in zip(letters, shape)) for shape in (sizes, cells))
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({given})"
            f"{' and' if len(sizes) == 1 else ''} output ({wanted})"
        )
    if input._array.shape[1] == 0:
        raise RuntimeError(
            f"Non-empty {input.ndim}D data tensor expected but got a tensor with sizes {list(input.shape)}"
        )
    refuse_absurd(cells)


@functional
def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """(N, C, L), (N, C, H, W) or (N, C, D, H, W) resampled to `size`, or by `scale_factor`
    (`torch.nn.functional.interpolate`).

    Modes: "nearest", "nearest-exact" and "area" for any rank, "linear", "bilinear" and "trilinear" for one, two and
    three dimensions, "bicubic" and, with `antialias`, "lanczos" for two. `align_corners` puts the centres of the corner
    cells on each other instead of their corners; `antialias` widens the filter when the image shrinks, so that no cell
    is left out. Places are computed from `scale_factor` as it is unless `recompute_scale_factor`.

    >>> import minigrad
    >>> interpolate(minigrad.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    _check_mode(input, mode, align_corners, antialias)
    sizes = input._array.shape[2:]
    cells, factors = _output_size(sizes, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return _AREA[input.ndim](input, cells)
    _refuse_sizes(input, sizes, cells)
    if input.dtype.kind != "f" and input.dtype != np.uint8:
        raise NotImplementedError(f'"interpolate" not implemented for {input.dtype}\nhint: use x.float()')
    mode = "nearest of lines" if mode == "nearest" and input.ndim == 3 else mode
    real = np.float64 if input.dtype == np.float64 else np.float32
    tables = [
        (axis + 2, _taps(mode, bool(antialias), n, m, factor, bool(align_corners), real))
        for axis, (n, m, factor) in enumerate(zip(sizes, cells, factors))
    ]
    return Resample.apply(input, tuple(tables))


@functional
def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """`interpolate` under its older name (`torch.nn.functional.upsample`); it warns.

    >>> import minigrad
    >>> upsample(minigrad.tensor([[[1.0, 3.0]]]), 4)
    tensor([[[1., 1., 3., 3.]]])
    """
    _warn("upsample", "interpolate")
    return interpolate(input, size, scale_factor, mode, align_corners)


@functional
def upsample_nearest(input, size=None, scale_factor=None):
    """`interpolate` with mode "nearest" under its older name (`torch.nn.functional.upsample_nearest`); it warns.

    >>> import minigrad
    >>> upsample_nearest(minigrad.tensor([[[1.0, 3.0]]]), 4)
    tensor([[[1., 1., 3., 3.]]])
    """
    _warn("upsample_nearest", "interpolate")
    return interpolate(input, size, scale_factor, "nearest")


@functional
def upsample_bilinear(input, size=None, scale_factor=None):
    """`interpolate` with mode "bilinear" and aligned corners (`torch.nn.functional.upsample_bilinear`); it warns.

    >>> import minigrad
    >>> upsample_bilinear(minigrad.tensor([[[[1.0, 3.0]]]]), (1, 3))
    tensor([[[[1., 2., 3.]]]])
    """
    _warn("upsample_bilinear", "interpolate")
    return interpolate(input, size, scale_factor, "bilinear", True)


def _warn(name, instead):
    warnings.warn(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.{instead}` instead.", UserWarning, stacklevel=3
    )

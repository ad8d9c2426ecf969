"""Padding: a border around sequences, images and volumes.

An int is the width of every side; a tuple gives (before, after) of the last dimension, then of the one before it.
"""

from . import functional as F
from .layer import as_tuple
from .module import Module


class _Padding(Module):
    """`F.pad` with a mode over `spatial` dimensions."""

    mode: str
    spatial: int

    def __init__(self, padding):
        super().__init__()
        self.padding = as_tuple(padding, 2 * self.spatial)

    def forward(self, input):
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self):
        return f"{self.padding}"


class _ConstantPadding(_Padding):
    mode = "constant"

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class _CircularPadding(_Padding):
    mode = "circular"

    def forward(self, input):
        ranks = self.spatial + 1, self.spatial + 2
        if input.ndim not in ranks:
            raise ValueError(
                f"expected {ranks[0]}D or {ranks[1]}D input (got {input.ndim}D input)\n"
                f"hint: {type(self).__name__} takes {self.spatial} dimensions after the channels"
            )
        return super().forward(input)


class ConstantPad1d(_ConstantPadding):
    """A border of one value around (N, C, L) or (C, L) (`torch.nn.ConstantPad1d`).

    >>> import minigrad
    >>> ConstantPad1d((1, 0), 9.0)(minigrad.tensor([[1.0, 2.0, 3.0]]))
    tensor([[9., 1., 2., 3.]])
    """

    spatial = 1


class ConstantPad2d(_ConstantPadding):
    """A border of one value around (N, C, H, W) or (C, H, W) (`torch.nn.ConstantPad2d`).

    >>> import minigrad
    >>> ConstantPad2d(1, 9.0)(minigrad.ones(1, 2, 3)).shape
    minigrad.Size([1, 4, 5])
    """

    spatial = 2


class ConstantPad3d(_ConstantPadding):
    """A border of one value around (N, C, D, H, W) or (C, D, H, W) (`torch.nn.ConstantPad3d`).

    >>> import minigrad
    >>> ConstantPad3d(1, 9.0)(minigrad.ones(1, 2, 3, 4)).shape
    minigrad.Size([1, 4, 5, 6])
    """

    spatial = 3


class _ZeroPadding(_ConstantPadding):
    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        return f"{self.padding}"


class ZeroPad1d(_ZeroPadding, ConstantPad1d):
    """A border of zeros around (N, C, L) or (C, L) (`torch.nn.ZeroPad1d`).

    >>> import minigrad
    >>> ZeroPad1d((1, 0))(minigrad.tensor([[1.0, 2.0, 3.0]]))
    tensor([[0., 1., 2., 3.]])
    """


class ZeroPad2d(_ZeroPadding, ConstantPad2d):
    """A border of zeros around (N, C, H, W) or (C, H, W) (`torch.nn.ZeroPad2d`).

    >>> import minigrad
    >>> ZeroPad2d(1)(minigrad.ones(1, 2, 3)).shape
    minigrad.Size([1, 4, 5])
    """


class ZeroPad3d(_ZeroPadding, ConstantPad3d):
    """A border of zeros around (N, C, D, H, W) or (C, D, H, W) (`torch.nn.ZeroPad3d`).

    >>> import minigrad
    >>> ZeroPad3d(1)(minigrad.ones(1, 2, 3, 4)).shape
    minigrad.Size([1, 4, 5, 6])
    """


class ReflectionPad1d(_Padding):
    """A border mirrored at the outermost elements of (N, C, L) or (C, L) (`torch.nn.ReflectionPad1d`).

    >>> import minigrad
    >>> ReflectionPad1d((1, 0))(minigrad.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 1., 2., 3.]])
    """

    mode, spatial = "reflect", 1


class ReflectionPad2d(_Padding):
    """A border mirrored at the outermost elements of (N, C, H, W) or (C, H, W) (`torch.nn.ReflectionPad2d`).

    >>> import minigrad
    >>> ReflectionPad2d(1)(minigrad.ones(1, 2, 3)).shape
    minigrad.Size([1, 4, 5])
    """

    mode, spatial = "reflect", 2


class ReflectionPad3d(_Padding):
    """A border mirrored at the outermost elements of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.ReflectionPad3d`).

    >>> import minigrad
    >>> ReflectionPad3d(1)(minigrad.ones(1, 2, 3, 4)).shape
    minigrad.Size([1, 4, 5, 6])
    """

    mode, spatial = "reflect", 3


class ReplicationPad1d(_Padding):
    """A border of the nearest elements around (N, C, L) or (C, L) (`torch.nn.ReplicationPad1d`).

    >>> import minigrad
    >>> ReplicationPad1d((1, 0))(minigrad.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 1., 2., 3.]])
    """

    mode, spatial = "replicate", 1


class ReplicationPad2d(_Padding):
    """A border of the nearest elements around (N, C, H, W) or (C, H, W) (`torch.nn.ReplicationPad2d`).

    >>> import minigrad
    >>> ReplicationPad2d(1)(minigrad.ones(1, 2, 3)).shape
    minigrad.Size([1, 4, 5])
    """

    mode, spatial = "replicate", 2


class ReplicationPad3d(_Padding):
    """A border of the nearest elements around (N, C, D, H, W) or (C, D, H, W) (`torch.nn.ReplicationPad3d`).

    >>> import minigrad
    >>> ReplicationPad3d(1)(minigrad.ones(1, 2, 3, 4)).shape
    minigrad.Size([1, 4, 5, 6])
    """

    mode, spatial = "replicate", 3


class CircularPad1d(_CircularPadding):
    """A border from the opposite side around (N, C, L) or (C, L) (`torch.nn.CircularPad1d`).

    >>> import minigrad
    >>> CircularPad1d((1, 0))(minigrad.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3.]])
    """

    spatial = 1


class CircularPad2d(_CircularPadding):
    """A border from the opposite side around (N, C, H, W) or (C, H, W) (`torch.nn.CircularPad2d`).

    >>> import minigrad
    >>> CircularPad2d(1)(minigrad.ones(1, 2, 3)).shape
    minigrad.Size([1, 4, 5])
    """

    spatial = 2


class CircularPad3d(_CircularPadding):
    """A border from the opposite side around (N, C, D, H, W) or (C, D, H, W) (`torch.nn.CircularPad3d`).

    >>> import minigrad
    >>> CircularPad3d(1)(minigrad.ones(1, 2, 3, 4)).shape
    minigrad.Size([1, 4, 5, 6])
    """

    spatial = 3

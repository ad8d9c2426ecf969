"""Lazy modules: the first input decides how many features or channels their weights are for (`torch.nn.modules.lazy`).

Until then their parameters are uninitialized: they can be converted, copied, saved and loaded, but not computed with.
After the first forward the module is an ordinary one.
"""

from itertools import chain

from minigrad.autograd import no_grad

from .convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from .parameter import UninitializedBuffer, UninitializedParameter, UninitializedTensor


class LazyModuleMixin:
    """What makes a module lazy: `initialize_parameters(*inputs)` runs before the first forward.

    A subclass, which also inherits from a module, defines it and maybe `cls_to_become`, the class to be afterwards.
    """

    cls_to_become: type | None = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args, **kwargs):
        """Give the parameters their shapes and values, from the inputs of the first forward."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self):
        """Whether a parameter or buffer still waits for its shape."""
        return any(isinstance(t, UninitializedTensor) for t in chain(self._parameters.values(), self._buffers.values()))

    def _infer_parameters(self, module, args, kwargs):
        module.initialize_parameters(*args, **kwargs)
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        del module._initialize_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become


class _Lazy(LazyModuleMixin):
    """A layer whose first argument, the attribute `inferred`, is not given but follows from the input."""

    inferred: str

    def __init__(self, *args, **kwargs):
        super().__init__(0, *args, **kwargs)
        self._shapes = {}  # with 0 where the inferred size belongs
        for kind, uninitialized in ((self._parameters, UninitializedParameter), (self._buffers, UninitializedBuffer)):
            for name, tensor in kind.items():
                if tensor is not None and tensor.ndim > 0:
                    self._shapes[name] = tuple(tensor.shape)
                    kind[name] = uninitialized(dtype=tensor.dtype)

    def reset_parameters(self):
        """Draw the parameters anew, as soon as there are any."""
        if not self.has_uninitialized_params() and getattr(self, self.inferred) != 0:
            super().reset_parameters()

    @no_grad()
    def initialize_parameters(self, input, *args, **kwargs):
        """Give the parameters their shapes, which follow from the input's, and values."""
        fresh, size = self.has_uninitialized_params(), self._size(input)
        setattr(self, self.inferred, size)
        for name, shape in self._shapes.items():
            tensor = getattr(self, name)
            if isinstance(tensor, UninitializedTensor):
                tensor.materialize([length or self._length(size, dim) for dim, length in enumerate(shape)])
        del self._shapes
        if fresh:
            self.reset_parameters()

    def _size(self, input):
        raise NotImplementedError

    def _length(self, size, dim):
        return size


class LazyLinear(_Lazy, Linear):
    """`Linear` whose in_features are those of its first input (`torch.nn.LazyLinear`).

    >>> import minigrad
    >>> layer = LazyLinear(3)
    >>> layer(minigrad.ones(2, 4)).shape, layer
    (minigrad.Size([2, 3]), Linear(in_features=4, out_features=3, bias=True))
    """

    cls_to_become, inferred = Linear, "in_features"

    def __init__(self, out_features, bias=True, device=None, dtype=None):
        super().__init__(out_features, bias, device, dtype)

    def _size(self, input):
        return input.shape[-1]


class _LazyConvolutionBase(_Lazy):
    inferred = "in_channels"

    def _size(self, input):
        unbatched = self.spatial + 1
        if input.ndim not in (unbatched, unbatched + 1):
            raise RuntimeError(
                f"Expected {unbatched}D (unbatched) or {unbatched + 1}D (batched) input to {type(self).__name__}, but "
                f"got input of size: {input.shape}"
            )
        channels = input.shape[input.ndim - unbatched]
        if channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        return channels

    def _length(self, size, dim):
        return size // self.groups if dim == 1 else size


class _LazyConvolution(_LazyConvolutionBase):
    def __init__(
        self,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        super().__init__(
            out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )


class _LazyTransposedConvolution(_LazyConvolutionBase):
    def __init__(
        self,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        bias=True,
        dilation=1,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        sizes = kernel_size, stride, padding, output_padding
        super().__init__(out_channels, *sizes, groups, bias, dilation, padding_mode, device, dtype)


class LazyConv1d(_LazyConvolution, Conv1d):
    """`Conv1d` whose in_channels are those of its first input (`torch.nn.LazyConv1d`).

    >>> import minigrad
    >>> LazyConv1d(6, 5)(minigrad.ones(2, 1, 32)).shape
    minigrad.Size([2, 6, 28])
    """

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvolution, Conv2d):
    """`Conv2d` whose in_channels are those of its first input (`torch.nn.LazyConv2d`).

    >>> import minigrad
    >>> LazyConv2d(6, 5)(minigrad.ones(2, 1, 32, 32)).shape
    minigrad.Size([2, 6, 28, 28])
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvolution, Conv3d):
    """`Conv3d` whose in_channels are those of its first input (`torch.nn.LazyConv3d`).

    >>> import minigrad
    >>> LazyConv3d(2, 3)(minigrad.ones(2, 1, 4, 5, 6)).shape
    minigrad.Size([2, 2, 2, 3, 4])
    """

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyTransposedConvolution, ConvTranspose1d):
    """`ConvTranspose1d` whose in_channels are those of its first input (`torch.nn.LazyConvTranspose1d`).

    >>> import minigrad
    >>> LazyConvTranspose1d(1, 5)(minigrad.ones(2, 6, 28)).shape
    minigrad.Size([2, 1, 32])
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyTransposedConvolution, ConvTranspose2d):
    """`ConvTranspose2d` whose in_channels are those of its first input (`torch.nn.LazyConvTranspose2d`).

    >>> import minigrad
    >>> LazyConvTranspose2d(1, 3)(minigrad.ones(2, 3, 6, 6)).shape
    minigrad.Size([2, 1, 8, 8])
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyTransposedConvolution, ConvTranspose3d):
    """`ConvTranspose3d` whose in_channels are those of its first input (`torch.nn.LazyConvTranspose3d`).

    >>> import minigrad
    >>> LazyConvTranspose3d(1, 2)(minigrad.ones(1, 2, 2, 3, 4)).shape
    minigrad.Size([1, 1, 3, 4, 5])
    """

    cls_to_become = ConvTranspose3d


class _LazyNorm(_Lazy):
    inferred = "num_features"

    def __init__(
        self, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True
    ):  # affine and tracking for instance norms too, as in PyTorch
        super().__init__(eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def reset_running_stats(self):
        """Forget the running statistics, as soon as there are any."""
        if not self.has_uninitialized_params():
            super().reset_running_stats()

    def _size(self, input):
        return input.shape[1]


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """`BatchNorm1d` whose num_features are those of its first input (`torch.nn.LazyBatchNorm1d`).

    >>> import minigrad
    >>> LazyBatchNorm1d()(minigrad.rand(4, 3)).shape
    minigrad.Size([4, 3])
    """

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """`BatchNorm2d` whose num_features are those of its first input (`torch.nn.LazyBatchNorm2d`).

    >>> import minigrad
    >>> LazyBatchNorm2d()(minigrad.rand(4, 3, 2, 2)).shape
    minigrad.Size([4, 3, 2, 2])
    """

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """`BatchNorm3d` whose num_features are those of its first input (`torch.nn.LazyBatchNorm3d`).

    >>> import minigrad
    >>> LazyBatchNorm3d()(minigrad.rand(4, 3, 2, 2, 2)).shape
    minigrad.Size([4, 3, 2, 2, 2])
    """

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """`InstanceNorm1d` whose num_features are those of its first input (`torch.nn.LazyInstanceNorm1d`).

    >>> import minigrad
    >>> LazyInstanceNorm1d()(minigrad.rand(4, 3, 5)).shape
    minigrad.Size([4, 3, 5])
    """

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """`InstanceNorm2d` whose num_features are those of its first input (`torch.nn.LazyInstanceNorm2d`).

    >>> import minigrad
    >>> LazyInstanceNorm2d()(minigrad.rand(4, 3, 2, 2)).shape
    minigrad.Size([4, 3, 2, 2])
    """

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """`InstanceNorm3d` whose num_features are those of its first input (`torch.nn.LazyInstanceNorm3d`).

    >>> import minigrad
    >>> LazyInstanceNorm3d()(minigrad.rand(4, 3, 2, 2, 2)).shape
    minigrad.Size([4, 3, 2, 2, 2])
    """

    cls_to_become = InstanceNorm3d

"""Normalisation: shifted to mean 0 and scaled to variance 1, over the batch, a layer, groups or single channels."""

import warnings
from numbers import Integral

from minigrad.autograd import no_grad
from minigrad.ops import functions
from minigrad.ops.fused_normalization import batch_norm_activation, group_norm_activation, layer_norm_activation

from . import functional as F
from . import init
from .layer import Layer, new_parameter
from .module import Module


class Scaled(Module):
    """A layer that may end in · weight + bias, which begin as 1 and 0."""

    def _make(self, shape, weight, bias, device, dtype):
        for name, wanted in (("weight", weight), ("bias", weight and bias)):
            self.register_parameter(name, new_parameter(*shape, device=device, dtype=dtype) if wanted else None)

    def reset_parameters(self):
        """Weight 1, bias 0."""
        for name, fill in (("weight", init.ones_), ("bias", init.zeros_)):
            if self._parameters.get(name) is not None:
                fill(self._parameters[name])


class _ChannelNorm(Scaled):
    """What batch and instance normalisation keep: weight and bias of each channel, maybe running statistics."""

    _version = 2
    ranks: tuple

    def __init__(
        self,
        num_features,
        eps=1e-05,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._make((num_features,), affine, bias, device, dtype)
        place = {"device": device, "dtype": dtype}
        tracked = track_running_stats
        self.register_buffer("running_mean", functions["zeros"](num_features, **place) if tracked else None)
        self.register_buffer("running_var", functions["ones"](num_features, **place) if tracked else None)
        self.register_buffer("num_batches_tracked", functions["tensor"](0, device=device) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self):
        """Forget the running statistics."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Forget the running statistics; weight 1, bias 0."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check(self, input):
        if input.ndim not in self.ranks:
            expected = " or ".join(f"{rank}D" for rank in self.ranks)
            raise ValueError(f"expected {expected} input (got {input.ndim}D input)")

    def extra_repr(self):
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        key = f"{prefix}num_batches_tracked"
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats and key not in state_dict:
            state_dict[key] = self.num_batches_tracked  # PyTorch 0.4 did not count yet
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_ChannelNorm):
    def forward(self, input, *, activation=None, residual=None):
        self._check(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            with no_grad():
                self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        kept = not self.training or self.track_running_stats
        mean, var = (self.running_mean, self.running_var) if kept else (None, None)
        of_batch = self.training or (self.running_mean is None and self.running_var is None)
        arguments = input, mean, var, self.weight, self.bias, of_batch, momentum, self.eps
        if activation is None:
            return F.batch_norm(*arguments)
        return batch_norm_activation(*arguments, activation, residual)  # as `fusion` has it


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L) (`torch.nn.BatchNorm1d`): Ioffe and Szegedy 2015, arXiv:1502.03167.

    >>> import minigrad
    >>> BatchNorm1d(3)(minigrad.rand(4, 3)).shape
    minigrad.Size([4, 3])
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W) (`torch.nn.BatchNorm2d`).

    >>> import minigrad
    >>> BatchNorm2d(3)(minigrad.rand(4, 3, 2, 2)).shape
    minigrad.Size([4, 3, 2, 2])
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W) (`torch.nn.BatchNorm3d`).

    >>> import minigrad
    >>> BatchNorm3d(3)(minigrad.rand(4, 3, 2, 2, 2)).shape
    minigrad.Size([4, 3, 2, 2, 2])
    """

    ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over all processes of a group, for (N, C, *) (`torch.nn.SyncBatchNorm`).

    minigrad trains in one process, whose batch is all there is: what it computes is what `BatchNorm2d` does.

    >>> import minigrad
    >>> SyncBatchNorm.convert_sync_batchnorm(minigrad.nn.Sequential(BatchNorm2d(3)))
    Sequential(
      (0): SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    )
    """

    def __init__(
        self, num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, process_group=None,
        device=None, dtype=None, *, bias=True,
    ):  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check(self, input):
        if input.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input.ndim}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module, process_group=None):
        """`module` with all batch normalisation in it replaced by this, parameters and statistics kept."""
        result = module
        if isinstance(module, _BatchNorm):
            result = cls(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                process_group,
            )  # fmt: skip
            result._parameters.update(module._parameters)
            result._buffers.update(module._buffers)
            result.training = module.training
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result


class _InstanceNorm(_ChannelNorm):
    def __init__(
        self,
        num_features,
        eps=1e-05,
        momentum=0.1,
        affine=False,
        track_running_stats=False,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input):
        self._check(input)
        unbatched = input.ndim == self.ranks[0]
        dim = 0 if unbatched else 1
        channels = input.shape[dim]
        if channels != self.num_features and self.affine:
            raise ValueError(
                f"expected input's size at dim={dim} to match num_features ({self.num_features}), but got: {channels}."
            )
        if channels != self.num_features:
            warnings.warn(
                f"input's size at dim={dim} does not match num_features. You can silence this warning by not passing "
                "in num_features, which is not used because affine=False",
                stacklevel=3,
            )
        result = F.instance_norm(
            input.unsqueeze(0) if unbatched else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result.squeeze(0) if unbatched else result


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample of (N, C, L) or (C, L) normalised by itself (`torch.nn.InstanceNorm1d`).

    Ulyanov et al. 2016, arXiv:1607.08022.

    >>> import minigrad
    >>> InstanceNorm1d(3)(minigrad.rand(4, 3, 5)).shape
    minigrad.Size([4, 3, 5])
    """

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each sample of (N, C, H, W) or (C, H, W) normalised by itself (`torch.nn.InstanceNorm2d`).

    >>> import minigrad
    >>> InstanceNorm2d(3)(minigrad.rand(4, 3, 2, 2)).shape
    minigrad.Size([4, 3, 2, 2])
    """

    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Each channel of each sample of (N, C, D, H, W) or (C, D, H, W) normalised (`torch.nn.InstanceNorm3d`).

    >>> import minigrad
    >>> InstanceNorm3d(3)(minigrad.rand(4, 3, 2, 2, 2)).shape
    minigrad.Size([4, 3, 2, 2, 2])
    """

    ranks = (4, 5)


class GroupNorm(Scaled):
    """Channels normalised in `num_groups` groups, sample by sample (`torch.nn.GroupNorm`).

    (N, C, *): Wu and He 2018, arXiv:1803.08494.

    >>> import minigrad
    >>> GroupNorm(2, 6)(minigrad.rand(4, 6, 5)).shape
    minigrad.Size([4, 6, 5])
    """

    def __init__(self, num_groups, num_channels, eps=1e-05, affine=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self._make((num_channels,), affine, bias, device, dtype)
        self.reset_parameters()

    def forward(self, input, *, activation=None):
        arguments = input, self.num_groups, self.weight, self.bias, self.eps
        return F.group_norm(*arguments) if activation is None else group_norm_activation(*arguments, activation)

    def extra_repr(self):
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LayerNorm(Scaled):
    """Normalisation over the last dimensions, of sizes `normalized_shape` (`torch.nn.LayerNorm`).

    Ba et al. 2016, arXiv:1607.06450.

    >>> import minigrad
    >>> LayerNorm(2)(minigrad.tensor([1.0, 3.0])).detach()
    tensor([-1.0000,  1.0000])
    """

    def __init__(self, normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._make(self.normalized_shape, elementwise_affine, bias, device, dtype)
        self.reset_parameters()

    def forward(self, input, *, activation=None):
        arguments = input, self.normalized_shape, self.weight, self.bias, self.eps
        return F.layer_norm(*arguments) if activation is None else layer_norm_activation(*arguments, activation)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Scaled):
    """x / √(mean of x² + eps) · weight over the last dimensions (`torch.nn.RMSNorm`).

    `eps` None is the dtype's smallest step. Zhang and Sennrich 2019, arXiv:1910.07467.

    >>> import minigrad
    >>> RMSNorm(2)(minigrad.tensor([1.0, 1.0])).detach()
    tensor([1.0000, 1.0000])
    """

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = new_parameter(*self.normalized_shape, device=device, dtype=dtype) if elementwise_affine else None
        self.register_parameter("weight", weight)
        self.reset_parameters()

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LocalResponseNorm(Layer, call=F.local_response_norm, text="{size}, alpha={alpha}, beta={beta}, k={k}"):
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta (`torch.nn.LocalResponseNorm`).

    Krizhevsky et al. 2012.

    >>> import minigrad
    >>> LocalResponseNorm(2)(minigrad.ones(1, 2, 3)).shape
    minigrad.Size([1, 2, 3])
    """

    size: int
    alpha: float = 0.0001
    beta: float = 0.75
    k: float = 1.0


def _shape(sizes):
    return (int(sizes),) if isinstance(sizes, Integral) else tuple(sizes)

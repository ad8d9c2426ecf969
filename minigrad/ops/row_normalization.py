"""Layer, group, instance and root-mean-square normalisation: one kernel normalises rows of a view (N, G, K, S) of N
samples, G groups, K channels a group and S places; the four differ in what a row is.
"""

import math

import numpy as np

from minigrad.autograd import Operation, check_dim, is_grad_enabled
from minigrad.autograd.dtypes import TORCH_NAMES, float32
from minigrad.kernels import kernels_for

from .normalization import ChannelScale, check_channels, paired_statistics, toward
from .registry import function, functional


class RowNorm(Operation):
    """y = (x - mean) / √(var + eps) · weight + bias, with every row's own mean and variance"""

    formula = (
        "dx = (g - mean(g) - x̂ · mean(g · x̂)) / √(var + eps) with g = dy · weight, dweight = Σ dy · x̂, dbias = Σ dy"
    )
    fused = True
    centred = True

    @staticmethod
    def forward(ctx, x, weight, bias, eps, geometry):
        y, mean, invstd = RowNorm.compute(ctx, x, weight, bias, eps, geometry)
        ctx.save_for_backward(x, weight, mean, invstd)
        return y

    @staticmethod
    def compute(ctx, x, weight, bias, eps, geometry, activation=None):
        """The result, and the rows' mean and 1 / √(var + eps), of arrays; the context keeps the settings."""
        ctx.eps, ctx.geometry = eps, geometry
        ctx.affine_shape = next((parameter.shape for parameter in (weight, bias) if parameter is not None), (-1,))
        flat = _flat(weight), _flat(bias)
        y, mean, invstd = kernels_for(x).row_norm(x.reshape(geometry), *flat, eps, ctx.centred, activation)
        return y.reshape(x.shape), mean, invstd

    @staticmethod
    def backward(ctx, dy):
        x, weight, mean, invstd = ctx.saved_tensors
        return RowNorm.gradients(ctx, dy, x, weight, mean, invstd)

    @staticmethod
    def gradients(ctx, dy, x, weight, mean, invstd):
        """(dx, dweight, dbias) of tensors."""
        if is_grad_enabled():
            return _differentiable_grads(dy, x, weight, ctx)
        return RowNormGrad.apply(dy, x, mean, invstd, weight, ctx.geometry, ctx.affine_shape, ctx.centred)


def _flat(parameter):
    return None if parameter is None else parameter.reshape(-1)


class LayerNorm(RowNorm):
    """y = (x - mean) / √(var + eps) · weight + bias over the last dimensions"""

    formula = RowNorm.formula


class GroupNorm(RowNorm):
    """y = (x - mean) / √(var + eps) · weight + bias over groups of channels of a sample"""

    formula = RowNorm.formula


class InstanceNorm(RowNorm):
    """y = (x - mean) / √(var + eps) · weight + bias over each channel of a sample"""

    formula = RowNorm.formula


class RMSNorm(RowNorm):
    """y = x / √(mean(x²) + eps) · weight over the last dimensions"""

    formula = "dx = (g - x̂ · mean(g · x̂)) / √(mean(x²) + eps) with g = dy · weight, dweight = Σ dy · x̂"
    centred = False


class RowNormGrad(Operation):
    """The gradient of a normalisation of rows in one kernel, where no second derivative is asked for"""

    formula = RowNorm.formula
    fused = True

    @staticmethod
    def forward(ctx, dy, x, mean, invstd, weight, geometry, affine_shape, centred):
        return RowNormGrad.compute(dy, x, mean, invstd, weight, None, geometry, affine_shape, centred)

    @staticmethod
    def compute(dy, x, mean, invstd, weight, bias, geometry, affine_shape, centred, activation=None):
        """(dx, dweight, dbias) of arrays."""
        rows = dy.reshape(geometry), x.reshape(geometry)
        settings = _flat(weight), centred, _flat(bias), activation
        dx, dweight, dbias = kernels_for(x).row_norm_grad(*rows, mean, invstd, *settings)
        return dx.reshape(x.shape), dweight.reshape(affine_shape), dbias.reshape(affine_shape)


def _differentiable_grads(dy, x, weight, ctx):
    """The same gradient written with differentiable operations, the statistics included."""
    rows, grads = x.reshape(ctx.geometry), dy.reshape(ctx.geometry)  # (N, G, K, S)
    centred = rows - rows.mean((2, 3), keepdim=True) if ctx.centred else rows
    invstd = ((centred * centred).mean((2, 3), keepdim=True) + ctx.eps).rsqrt()
    normal = centred * invstd
    g = grads if weight is None else grads * weight.reshape(1, *ctx.geometry[1:3], 1)
    inner = g - normal * (g * normal).mean((2, 3), keepdim=True)
    if ctx.centred:
        inner = inner - g.mean((2, 3), keepdim=True)
    dweight = dbias = None
    if ctx.needs_input_grad[1]:
        dweight = (grads * normal).sum((0, 3)).reshape(ctx.affine_shape)
    if ctx.needs_input_grad[2]:
        dbias = grads.sum((0, 3)).reshape(ctx.affine_shape)
    return (invstd * inner).reshape(x.shape), dweight, dbias


def _check_dtypes(kernel, input, *parameters):
    if input.dtype.kind != "f":
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{TORCH_NAMES[input.dtype]}'\nhint: use x.float()")
    for parameter in parameters:
        if parameter is not None and parameter.dtype != input.dtype:
            problem = (
                "expect parameter to have scalar type of Float"
                if input.dtype == float32
                else "all inputs must share same datatype."
            )
            raise RuntimeError(
                f"mixed dtype (CPU): {problem}\nhint: the input is {input.dtype}, a parameter {parameter.dtype}"
            )


def _last_dimensions(name, input, normalized_shape, gap, **parameters):
    """The geometry of rows that are the last dimensions, whose shape must be `normalized_shape`."""
    if not isinstance(normalized_shape, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not "
            f"{type(normalized_shape).__name__}"
        )
    for at, size in enumerate(normalized_shape):
        if not isinstance(size, (int, np.integer)):
            raise TypeError(
                f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, but found element of type "
                f"{type(size).__name__} at pos {at}"
            )
    wanted, count = list(normalized_shape), len(normalized_shape)
    if not wanted:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    for parameter, value in parameters.items():
        if value is not None and list(value.shape) != wanted:
            raise RuntimeError(
                f"Expected {parameter} to be of same shape as normalized_shape, but got {parameter} of shape "
                f"{list(value.shape)} and normalized_shape = {wanted}"
            )
    shape = list(input.shape)
    if shape[-count:] != wanted:
        raise RuntimeError(
            f"Given normalized_shape={wanted}, expected input with shape [*{gap}{', '.join(map(str, wanted))}], but "
            f"got input of size{shape}\nhint: normalized_shape is the shape of the input's last dimensions"
        )
    return math.prod(shape[:-count]), 1, math.prod(wanted), 1


@functional
@function
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05):
    """Normalise over the last dimensions, of shape `normalized_shape`, to mean 0 and variance 1, then scale and shift
    by element (`torch.nn.functional.layer_norm`).

    Ba et al. 2016, https://arxiv.org/abs/1607.06450.

    >>> import minigrad
    >>> layer_norm(minigrad.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    return LayerNorm.apply(*layer_norm_arguments(input, normalized_shape, weight, bias, eps))


def layer_norm_arguments(input, normalized_shape, weight, bias, eps):
    """What the operation takes, checked."""
    geometry = _last_dimensions("layer_norm", input, normalized_shape, ", ", weight=weight, bias=bias)
    _check_dtypes("LayerNormKernelImpl", input, weight, bias)
    return input, weight, bias, eps, geometry


@functional
@function
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divide by the root of the mean square over the last dimensions, of shape `normalized_shape`, then scale by
    element (`torch.nn.functional.rms_norm`).

    `eps`, added to the mean square, is the dtype's machine epsilon by default. Zhang and Sennrich 2019,
    https://arxiv.org/abs/1910.07467.

    >>> import minigrad
    >>> rms_norm(minigrad.tensor([[1.0, 7.0]]), (2,))
    tensor([[0.2000, 1.4000]])
    """
    geometry = _last_dimensions("rms_norm", input, normalized_shape, "", weight=weight)
    _check_dtypes("rms_norm", input)
    if weight is not None:
        weight = weight.to(input.dtype)
    return RMSNorm.apply(input, weight, None, float(np.finfo(input.dtype).eps) if eps is None else eps, geometry)


@functional
@function
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-05):
    """Normalise `num_groups` groups of channels of each sample of (N, C, *) to mean 0 and variance 1, then scale and
    shift by channel (`torch.nn.functional.group_norm`).

    Wu and He 2018, https://arxiv.org/abs/1803.08494.

    >>> import minigrad
    >>> group_norm(minigrad.tensor([[1.0, 3.0, 5.0, 5.0]]), 2)
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])
    """
    return GroupNorm.apply(*group_norm_arguments(input, num_groups, weight, bias, eps))


def group_norm_arguments(input, num_groups, weight, bias, eps):
    """What the operation takes, checked."""
    if input.ndim < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
            "\nhint: the shape is (N, C, *)"
        )  # fmt: skip
    if not isinstance(num_groups, (int, np.integer)):
        raise TypeError(
            f"group_norm(): argument 'num_groups' (position 2) must be int, not {type(num_groups).__name__}"
        )
    samples, channels, *spatial = input.shape
    places = math.prod(spatial)
    sizes = [samples * channels // num_groups, num_groups, *spatial]
    if sizes[0] * places == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {sizes}"
            f"\nhint: a group of the input {tuple(input.shape)} is a single number"
        )
    if num_groups < 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}"
        )
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and (parameter.ndim != 1 or parameter.numel() != channels):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {list(parameter.shape)} and input of shape {list(input.shape)}"
            )
    _check_dtypes("GroupNormKernelImpl", input, weight, bias)
    return input, weight, bias, eps, (samples, num_groups, channels // num_groups, places)


@functional
@function
def instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-05,
):
    """Normalise each channel of each sample of (N, C, *) to mean 0 and variance 1, then scale and shift by channel
    (`torch.nn.functional.instance_norm`).

    The samples' mean statistics move `running_mean` and `running_var` (in place, the latter unbiased) by `momentum`;
    without `use_input_stats` those serve instead. Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022.

    >>> import minigrad
    >>> instance_norm(minigrad.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """
    places = math.prod(input.shape[2:])
    if use_input_stats and places == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}\nhint: the shape is "
            "(N, C, *), and statistics are taken over *"
        )
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    paired_statistics(running_mean, running_var)
    check_dim(1, input.ndim)
    samples, channels = input.shape[:2]
    check_channels(channels, samples, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    _check_dtypes("batch_norm", input, weight, bias)
    if not use_input_stats:
        statistics = ChannelScale.statistics(input, running_mean, running_var, eps)
        return ChannelScale.apply(input, weight, bias, *statistics)
    result = InstanceNorm.apply(input, weight, bias, eps, (samples, channels, 1, places))
    if running_mean is not None and input._array.size:
        every = input._array.reshape(1, samples * channels, places)
        mean, var = [s.reshape(samples, channels) for s in kernels_for(every).batch_norm_stats(every)]
        with np.errstate(all="ignore"):
            unbiased = var * np.asarray(places / (places - 1), var.dtype)
            running_mean.copy_(toward(running_mean, mean.mean(0), momentum))
            running_var.copy_(toward(running_var, unbiased.mean(0), momentum))
    return result

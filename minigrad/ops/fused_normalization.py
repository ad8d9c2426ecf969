"""A normalisation and the activation of its result as one operation, after batch normalisation with a residual between.

Apart they write z, the normalised x, to memory and read it back; here z is never written: the kernels apply the
activation f to it while it is in registers, and backward computes it anew from x. `with_activation` makes such an
operation of two; it computes what they compute one after the other. `nn.fusion` decides where that is done.
"""

import functools
import re

from minigrad.autograd import Operation, is_grad_enabled
from minigrad.kernels import kernels_for

from .normalization import BatchNorm, BatchNormGrad, ChannelScale, check_batch_norm, with_statistics
from .row_normalization import (
    GroupNorm,
    LayerNorm,
    RowNorm,
    RowNormGrad,
    group_norm_arguments,
    layer_norm_arguments,
)


class NormActivation:
    """What the operations share: y = f(z), where z is x normalised."""

    formula = "dx = that of the normalisation, for the gradient dy · f'(z)"
    fused = True
    norm: type  # the operation z
    activation: type  # the operation f(z), whose parameters come last
    scalar: staticmethod  # f, of `kernels.scalars`
    gradient: type  # the operation of both gradients in one kernel, where no second derivative is asked for

    def of_z(self, dy, z):
        """dz; with a residual z is not known, but y is."""
        v = z if not self.activation.of_result else self.activation.apply(z, *self.parameters)
        return self.activation.gradient.apply(dy, v, *self.parameters)


class BatchNormActivation(NormActivation, Operation):
    """y = f(z) with z = (x - mean) / √(var + eps) · weight + bias + residual, the batch's own mean and variance"""

    formula = NormActivation.formula
    norm = BatchNorm

    @staticmethod
    def forward(ctx, x, weight, bias, residual, mean, invstd, eps, *parameters):
        ctx.eps, ctx.parameters = eps, parameters
        y = kernels_for(x).batch_norm(x, mean, invstd, weight, bias, (ctx.scalar, *parameters), residual)
        ctx.save_for_backward(x, weight, bias, mean, invstd, None if residual is None else y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, bias, mean, invstd, y = ctx.saved_tensors
        if y is not None:
            dz = ctx.activation.gradient.apply(dy, y, *ctx.parameters)
            dx, dweight, dbias = BatchNorm.gradients(dz, x, weight, mean, invstd, ctx.eps)
            return dx, dweight, dbias, dz
        if is_grad_enabled():
            dz = ctx.of_z(dy, BatchNorm.apply(x, weight, bias, mean, invstd, ctx.eps))
            return BatchNorm.gradients(dz, x, weight, mean, invstd, ctx.eps)
        return ctx.gradient.apply(dy, x, mean, invstd, weight, bias, *ctx.parameters)


class BatchNormActivationGrad(BatchNormGrad):
    """The gradient of batch normalisation and activation in one kernel, where no second derivative is asked for"""

    formula = NormActivation.formula
    scalar: staticmethod

    @staticmethod
    def forward(ctx, dy, x, mean, invstd, weight, bias, *parameters):
        return kernels_for(x).batch_norm_grad(dy, x, mean, invstd, weight, bias, (ctx.scalar, *parameters))


class ChannelScaleActivation(NormActivation, Operation):
    """y = f(z) with z = (x - mean) · invstd · weight + bias + residual, with given statistics"""

    formula = NormActivation.formula
    norm = ChannelScale

    @staticmethod
    def forward(ctx, x, weight, bias, residual, mean, invstd, *parameters):
        ctx.parameters = parameters
        y = kernels_for(x).batch_norm(x, mean, invstd, weight, bias, (ctx.scalar, *parameters), residual)
        ctx.save_for_backward(x, weight, bias, mean, invstd, None if residual is None else y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, bias, mean, invstd, y = ctx.saved_tensors
        if y is None:
            dz = ctx.of_z(dy, ChannelScale.apply(x, weight, bias, mean, invstd))
        else:
            dz = ctx.activation.gradient.apply(dy, y, *ctx.parameters)
        return *ChannelScale.gradients(ctx, dz, x, weight, mean, invstd), dz


class RowNormActivation(NormActivation, Operation):
    """y = f(z) with z = (x - mean) / √(var + eps) · weight + bias, every row's own mean and variance"""

    formula = NormActivation.formula

    @staticmethod
    def forward(ctx, x, weight, bias, eps, geometry, *parameters):
        ctx.parameters = parameters
        y, mean, invstd = RowNorm.compute(ctx, x, weight, bias, eps, geometry, (ctx.scalar, *parameters))
        ctx.save_for_backward(x, weight, bias, mean, invstd)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, bias, mean, invstd = ctx.saved_tensors
        if is_grad_enabled():
            dz = ctx.of_z(dy, ctx.norm.apply(x, weight, bias, ctx.eps, ctx.geometry))
            return RowNorm.gradients(ctx, dz, x, weight, mean, invstd)
        settings = ctx.geometry, ctx.affine_shape, ctx.centred
        return ctx.gradient.apply(dy, x, mean, invstd, weight, bias, *settings, *ctx.parameters)


class RowNormActivationGrad(RowNormGrad):
    """The gradient of a normalisation of rows and activation in one kernel, where no second derivative is asked for"""

    formula = NormActivation.formula
    scalar: staticmethod

    @staticmethod
    def forward(ctx, dy, x, mean, invstd, weight, bias, geometry, affine_shape, centred, *parameters):
        activation = ctx.scalar, *parameters
        return RowNormGrad.compute(dy, x, mean, invstd, weight, bias, geometry, affine_shape, centred, activation)


@functools.cache
def with_activation(norm, activation):
    """The operation that is the normalisation `norm` and then `activation`, operations both.

    >>> from minigrad.ops.activation_operations import ReLU
    >>> with_activation(BatchNorm, ReLU).__name__
    'BatchNormReLU'
    """
    rows = issubclass(norm, RowNorm)
    base = RowNormActivation if rows else BatchNormActivation if norm is BatchNorm else ChannelScaleActivation
    name, scalar = f"{norm.__name__}{activation.__name__}", activation.scalar
    residual = "" if rows else " + residual"
    of_z, dz = [re.sub(r"\bx\b", "z", function.__doc__) for function in (scalar, activation.gradient.scalar)]
    members = {
        "__doc__": f"y = {of_z}, where z{norm.__doc__[1:].replace('bias', f'bias{residual}')}",
        "formula": f"{norm.formula.replace('dy', 'h')}{', dresidual = h' if residual else ''}, where h = {dz}",
        "scalar": staticmethod(scalar),
    }
    result = type(name, (base,), {**members, "norm": norm, "activation": activation})
    if base is not ChannelScaleActivation:
        gradient = RowNormActivationGrad if rows else BatchNormActivationGrad
        result.gradient = type(f"{name}Grad", (gradient,), members)
    if rows:
        result.centred = norm.centred
    return result


def batch_norm_activation(
    input, running_mean, running_var, weight, bias, training, momentum, eps, activation, residual=None
):  # fmt: skip
    """f(batch_norm(input, ...) + residual), where `activation` is the operation f and its parameters; (N, C, *).

    >>> import minigrad
    >>> from minigrad.ops.activation_operations import ReLU
    >>> x = minigrad.tensor([[1.0], [3.0]])
    >>> batch_norm_activation(x, None, None, None, None, True, 0.1, 1e-05, (ReLU,))
    tensor([[0.0000],
            [1.0000]])
    """
    check_batch_norm(input, running_mean, running_var, weight, bias, training, eps)
    norm, *statistics = with_statistics(input, running_mean, running_var, training, momentum, eps)
    operation, *parameters = activation
    return with_activation(norm, operation).apply(input, weight, bias, residual, *statistics, *parameters)


def layer_norm_activation(input, normalized_shape, weight, bias, eps, activation):
    """f(layer_norm(input, ...)), where `activation` is the operation f and its parameters."""
    operation, *parameters = activation
    arguments = layer_norm_arguments(input, normalized_shape, weight, bias, eps)
    return with_activation(LayerNorm, operation).apply(*arguments, *parameters)


def group_norm_activation(input, num_groups, weight, bias, eps, activation):
    """f(group_norm(input, ...)), where `activation` is the operation f and its parameters."""
    operation, *parameters = activation
    arguments = group_norm_arguments(input, num_groups, weight, bias, eps)
    return with_activation(GroupNorm, operation).apply(*arguments, *parameters)

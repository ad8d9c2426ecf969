"""A layer and the batch normalisation after it as one layer, for evaluation."""

import copy

from ..parameter import Parameter


def _scale_and_shift(bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """What batch normalisation in evaluation multiplies by, and adds."""
    scale = (bn_rv + bn_eps).rsqrt() * (1 if bn_w is None else bn_w)
    return scale, (0 if bn_b is None else bn_b) - bn_rm * scale


def _fused(weight, bias, scale, shift, dim):
    shape = [1] * weight.ndim
    shape[dim] = -1
    fused_bias = shift if bias is None else bias * scale + shift
    return (
        Parameter((weight * scale.reshape(shape)).detach().to(weight.dtype), weight.requires_grad),
        Parameter(fused_bias.detach().to(weight.dtype), False if bias is None else bias.requires_grad),
    )


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """(weight, bias) of the convolution that a convolution and a batch normalisation in evaluation are together.

    Source: `torch.nn.utils.fusion.fuse_conv_bn_weights`.

    >>> import minigrad
    >>> one = minigrad.ones(1)
    >>> fuse_conv_bn_weights(minigrad.ones(1, 1, 1), None, one, one * 4, 0.0, one, one)[1].detach()
    tensor([0.5000])
    """
    return _fused(conv_w, conv_b, *_scale_and_shift(bn_rm, bn_rv, bn_eps, bn_w, bn_b), 1 if transpose else 0)


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """(weight, bias) of the linear layer that a linear layer and a batch normalisation in evaluation are together.

    Source: `torch.nn.utils.fusion.fuse_linear_bn_weights`.

    >>> import minigrad
    >>> one = minigrad.ones(1)
    >>> fuse_linear_bn_weights(minigrad.ones(1, 1), None, one, one * 4, 0.0, one, one)[1].detach()
    tensor([0.5000])
    """
    scale, shift = _scale_and_shift(bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    return _fused(linear_w, linear_b, scale.expand(len(linear_w)), shift.expand(len(linear_w)), 0)


def _with(layer, bn, parameters):
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!\nhint: call .eval() on both first")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = parameters(fused)
    return fused


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """The convolution that computes what `conv` and then `bn` do, both in evaluation.

    Source: `torch.nn.utils.fusion.fuse_conv_bn_eval`.

    >>> import minigrad
    >>> fused = fuse_conv_bn_eval(minigrad.nn.Conv2d(1, 2, 3).eval(), minigrad.nn.BatchNorm2d(2).eval())
    >>> fused(minigrad.ones(1, 1, 3, 3)).shape
    minigrad.Size([1, 2, 1, 1])
    """
    norm = bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    return _with(conv, bn, lambda layer: fuse_conv_bn_weights(layer.weight, layer.bias, *norm, transpose))


def fuse_linear_bn_eval(linear, bn):
    """The linear layer that computes what `linear` and then `bn` do, both in evaluation.

    Source: `torch.nn.utils.fusion.fuse_linear_bn_eval`.

    >>> import minigrad
    >>> fused = fuse_linear_bn_eval(minigrad.nn.Linear(3, 2).eval(), minigrad.nn.BatchNorm1d(2).eval())
    >>> fused(minigrad.ones(1, 3)).shape
    minigrad.Size([1, 2])
    """
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got linear.out_features="
            f"{linear.out_features} and bn.num_features={bn.num_features}"
        )
    norm = bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    return _with(linear, bn, lambda layer: fuse_linear_bn_weights(layer.weight, layer.bias, *norm))

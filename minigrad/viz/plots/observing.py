"""Running a model to look at it: in evaluation mode, with the result of any of its layers."""

from contextlib import contextmanager

from minigrad import Tensor
from minigrad.nn import Module

__all__ = ["as_batch", "evaluating", "name_of", "result_of"]


@contextmanager
def evaluating(model):
    """The model in evaluation mode; at the end, each of its modules is again in the mode in which it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield model
    finally:
        for module, training in modes.items():
            module.training = training


def name_of(model, layer):
    """The name of a layer in `named_modules`; a name is one already.

    Raises ValueError for a module that is no part of the model.
    """
    if not isinstance(layer, Module):
        return layer
    for name, module in model.named_modules():
        if module is layer:
            return name
    raise ValueError(
        f"this {type(layer).__name__} is no layer of the {type(model).__name__}\nhint: name one as in named_modules()"
    )


def result_of(model, images, layer=None):
    """What a layer (or its name, "features.0" say) gives when `model(images)` is called; without one, the model.

    Raises ValueError for a layer that the model lacks or does not call, TypeError for a result that is no tensor.
    """
    if layer is None:
        return _tensor(model(images), "the model")
    layer = name_of(model, layer)
    layers = dict(model.named_modules())
    if layer not in layers:
        names = ", ".join(name for name, _ in model.named_children())
        inner = " and those inside them" if any("." in name for name in layers) else ""
        raise ValueError(
            f"{type(model).__name__} has no layer {layer!r}\nhint: its layers are {names or 'none'}{inner}"
        )
    results = []
    hook = layers[layer].register_forward_hook(lambda module, args, result: results.append(result))
    try:
        model(images)
    finally:
        hook.remove()
    if not results:
        raise ValueError(f"the model does not call its layer {layer!r}\nhint: name one that its forward calls")
    return _tensor(results[-1], layer)


def _tensor(result, who):
    if not isinstance(result, Tensor):
        raise TypeError(
            f"the result of {who} is a {type(result).__name__}, not a tensor\nhint: name a layer that gives one tensor"
        )
    return result


def as_batch(images, dimensions=None):
    """`images` as a batch (N, C, ...); one image (C, H, W) becomes a batch of one if `dimensions` is 4.

    Raises TypeError for what is no tensor of floats and ValueError for other numbers of dimensions or no images.
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        what = f"a tensor of {images.dtype}" if isinstance(images, Tensor) else f"a {type(images).__name__}"
        raise TypeError(f"images must be a tensor of floats, as the model takes them, not {what}")
    images = images.detach()
    if dimensions is not None and images.ndim == dimensions - 1:
        images = images.unsqueeze(0)
    if images.ndim != dimensions if dimensions is not None else images.ndim < 3:
        wanted = "(N, C, H, W) or one image (C, H, W)" if dimensions == 4 else "(N, C, ...)"
        raise ValueError(f"images must be {wanted}, but the shape is {tuple(images.shape)}")
    if images.numel() == 0:
        raise ValueError(f"there are no images: the shape is {tuple(images.shape)}")
    return images

"""Saliency: how much each pixel of an image matters for a class, told by the gradient of the class's score."""

from minigrad import Tensor, autograd, default_generator, enable_grad, full, randn

from .observing import as_batch, evaluating

__all__ = ["METHODS", "gradient", "gradient_times_input", "smooth_grad"]


def gradient(model, images, target=None):
    """The slope of each image's score of its class: d score / d pixel, of the images' shape (N, C, H, W).

    `target` is a class for all or one for each image; without it, the class with the highest score. The model, which
    gives scores (N, classes), runs in evaluation mode; its parameters' gradients stay as they are.

    Raises TypeError for images that are no floats, ValueError for scores of another shape, for a class that there is
    not, and for scores that no gradient joins with the images.

    Simonyan, Vedaldi and Zisserman 2014, "Deep Inside Convolutional Networks: Visualising Image Classification Models
    and Saliency Maps" (https://arxiv.org/abs/1312.6034).

    >>> import minigrad
    >>> model = minigrad.nn.Sequential(minigrad.nn.Flatten(), minigrad.nn.Linear(4, 2))
    >>> slope = gradient(model, minigrad.rand(1, 1, 2, 2), target=1)
    >>> minigrad.equal(slope.flatten(), model[1].weight[1])
    True
    """
    images = as_batch(images, 4)
    with evaluating(model):
        return _slope(model, images, _classes(model, images, target))


def gradient_times_input(model, images, target=None):
    """The slope times the pixel: what each pixel adds to the score, as far as the score is linear. As `gradient`.

    Shrikumar, Greenside, Shcherbina and Kundaje 2016, "Not Just a Black Box: Learning Important Features Through
    Propagating Activation Differences" (https://arxiv.org/abs/1605.01713).

    >>> import minigrad
    >>> model = minigrad.nn.Sequential(minigrad.nn.Flatten(), minigrad.nn.Linear(4, 2, bias=False))
    >>> image = minigrad.rand(1, 1, 2, 2)
    >>> parts = gradient_times_input(model, image, target=1)
    >>> minigrad.allclose(parts.sum(), model(image)[0, 1])
    True
    """
    images = as_batch(images, 4)
    return gradient(model, images, target) * images


def smooth_grad(model, images, target=None, samples=50, noise=0.15, generator=None):
    """The mean slope over `samples` copies of each image with normal noise added. As `gradient`.

    `noise` is its standard deviation as a share of the range of each image's values. Without `target`, the class is the
    one that has the highest score without noise. Raises ValueError for no samples or negative noise.

    Smilkov, Thorat, Kim, Viégas and Wattenberg 2017, "SmoothGrad: removing noise by adding noise"
    (https://arxiv.org/abs/1706.03825).

    >>> import minigrad
    >>> model = minigrad.nn.Sequential(minigrad.nn.Flatten(), minigrad.nn.Linear(4, 2))
    >>> image = minigrad.rand(1, 1, 2, 2)
    >>> minigrad.allclose(smooth_grad(model, image), gradient(model, image))  # a linear model has one slope
    True
    """
    if samples < 1 or noise < 0:
        raise ValueError(f"smooth_grad needs samples >= 1 and noise >= 0, got samples={samples}, noise={noise}")
    images = as_batch(images, 4)
    deviation = noise * (images.amax((1, 2, 3), True) - images.amin((1, 2, 3), True))
    generator = default_generator if generator is None else generator
    with evaluating(model):
        classes = _classes(model, images, target)
        total = 0
        for _ in range(samples):
            noisy = images + deviation * randn(*images.shape, dtype=images.dtype, generator=generator)
            total = total + _slope(model, noisy, classes)
        return total / samples


METHODS = {"gradient": gradient, "gradient × input": gradient_times_input, "SmoothGrad": smooth_grad}


def _classes(model, images, target):
    """The class of each image, (N,)."""
    scores = model(images).detach()
    if scores.ndim != 2 or len(scores) != len(images):
        raise ValueError(
            f"saliency is that of a score for each class: the model's result must be ({len(images)}, classes), but its "
            f"shape is {tuple(scores.shape)}"
        )
    if target is None:
        return scores.argmax(1)
    classes = target if isinstance(target, Tensor) else full((len(images),), target)
    if tuple(classes.shape) != (len(images),) or classes.is_floating_point():
        raise ValueError(f"target must be a class or {len(images)} whole numbers, a class for each image")
    if classes.min() < 0 or classes.max() >= scores.shape[1]:
        raise ValueError(f"target {target} is no class: the model gives scores of 0 to {scores.shape[1] - 1}")
    return classes


def _slope(model, images, classes):
    images = images.clone().requires_grad_()
    with enable_grad():
        scores = model(images).gather(1, classes.unsqueeze(1)).sum()
        slope = autograd.grad(scores, images, allow_unused=True)[0] if scores.requires_grad else None
    if slope is None:
        raise ValueError("the scores do not depend on the images: no gradient leads back to them")
    return slope

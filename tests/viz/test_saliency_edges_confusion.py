"""What plots are made of: saliency beside PyTorch's gradients, Kirsch beside SciPy, confusion beside scikit-learn."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import confusion_matrix

import minigrad as mg
from minigrad import nn
from minigrad.viz import plots


def networks():
    """(ours, PyTorch's) of the same weights; dropout and batch normalisation would tell training from evaluation."""
    mg.manual_seed(1)
    ours, theirs = (
        lib.Sequential(
            lib.Conv2d(3, 4, 3), lib.BatchNorm2d(4), lib.Tanh(), lib.Dropout(0.5), lib.Flatten(), lib.Linear(64, 5)
        )
        for lib in (nn, torch.nn)
    )
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    return ours, theirs.eval()


def slope(theirs, images, classes):
    x = torch.tensor(images, requires_grad=True)
    scores = theirs(x)
    classes = scores.argmax(1) if classes is None else torch.as_tensor(classes).expand(len(x))
    return torch.autograd.grad(scores[torch.arange(len(x)), classes].sum(), x)[0].numpy()


IMAGES = np.random.default_rng(0).normal(size=(3, 3, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("target", [None, 2, [4, 0, 1]])
def test_gradients_are_pytorchs(target):
    ours, theirs = networks()
    before = ours.state_dict()["1.running_mean"].clone()
    given_target = mg.tensor(target) if isinstance(target, list) else target
    expected = slope(theirs, IMAGES, target)
    np.testing.assert_allclose(plots.gradient(ours, mg.tensor(IMAGES), given_target), expected, rtol=1e-4, atol=1e-6)
    if not isinstance(target, list):
        alone = plots.gradient(ours, mg.tensor(IMAGES[0]), target)
        np.testing.assert_allclose(alone, slope(theirs, IMAGES[:1], target), rtol=1e-4, atol=1e-6)
    with mg.no_grad():
        product = plots.gradient_times_input(ours, mg.tensor(IMAGES), given_target)
    np.testing.assert_allclose(product, expected * IMAGES, rtol=1e-4, atol=1e-6)
    assert ours.training and mg.equal(ours.state_dict()["1.running_mean"], before)
    assert all(parameter.grad is None for parameter in ours.parameters())


def test_smooth_grad_is_the_mean_of_pytorchs_gradients_at_the_same_noise():
    ours, theirs = networks()
    images = IMAGES * np.array([1, 2, 5], np.float32).reshape(3, 1, 1, 1)
    found = plots.smooth_grad(ours, mg.tensor(images), samples=4, noise=0.3, generator=mg.Generator().manual_seed(7))
    generator = mg.Generator().manual_seed(7)
    spread = images.max((1, 2, 3)) - images.min((1, 2, 3))
    classes = theirs(torch.tensor(images)).argmax(1)
    slopes = []
    for _ in range(4):
        noise = mg.randn(3, 3, 6, 6, generator=generator).numpy() * (0.3 * spread).reshape(3, 1, 1, 1)
        slopes.append(slope(theirs, (images + noise).astype(np.float32), classes))
    np.testing.assert_allclose(found, np.mean(slopes, 0), rtol=1e-3, atol=1e-5)
    usual, papers = (
        plots.smooth_grad(ours, mg.tensor(images), generator=mg.Generator().manual_seed(7), **settings)
        for settings in ({}, {"samples": 50, "noise": 0.15})
    )
    assert mg.equal(usual, papers)
    still = plots.smooth_grad(ours, mg.tensor(images), samples=2, noise=0)
    np.testing.assert_allclose(still, plots.gradient(ours, mg.tensor(images)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "images, target, error, message",
    [
        (IMAGES[0, 0], None, ValueError, r"images must be \(N, C, H, W\) or one image \(C, H, W\).*\(6, 6\)"),
        (IMAGES[:0], None, ValueError, "there are no images"),
        (IMAGES, 5, ValueError, "target 5 is no class: the model gives scores of 0 to 4"),
        (IMAGES, -1, ValueError, "target -1 is no class"),
        (IMAGES, mg.tensor([0, 1]), ValueError, "target must be a class or 3 whole numbers"),
        (IMAGES, mg.tensor([0.0, 1.0, 2.0]), ValueError, "target must be a class or 3 whole numbers"),
        (IMAGES.astype(np.int64), None, TypeError, "tensor of floats.* not a tensor of int64"),
    ],
)
@pytest.mark.parametrize("method", [plots.gradient, plots.gradient_times_input, plots.smooth_grad])
def test_misuse_of_saliency(method, images, target, error, message):
    with pytest.raises(error, match=message):
        method(networks()[0], mg.tensor(images), target)


def test_scores_of_another_shape_and_without_a_gradient():
    with pytest.raises(ValueError, match=r"must be \(3, classes\), but its shape is \(3, 4, 4, 4\)"):
        plots.gradient(nn.Conv2d(3, 4, 3), mg.tensor(IMAGES))
    cut = nn.Sequential(networks()[0], nn.Identity())
    cut[1].forward = lambda x: x.detach()
    with pytest.raises(ValueError, match="the scores do not depend on the images"):
        plots.gradient(cut, mg.tensor(IMAGES))
    with pytest.raises(ValueError, match="samples >= 1 and noise >= 0, got samples=0"):
        plots.smooth_grad(networks()[0], mg.tensor(IMAGES), samples=0)


KIRSCH = {  # as tables list them
    "N": [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]],
    "NE": [[-3, 5, 5], [-3, 0, 5], [-3, -3, -3]],
    "E": [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]],
    "SE": [[-3, -3, -3], [-3, 0, 5], [-3, 5, 5]],
    "S": [[-3, -3, -3], [-3, 0, -3], [5, 5, 5]],
    "SW": [[-3, -3, -3], [5, 0, -3], [5, 5, -3]],
    "W": [[5, -3, -3], [5, 0, -3], [5, -3, -3]],
    "NW": [[5, 5, -3], [5, 0, -3], [-3, -3, -3]],
}


@given(
    arrays.arrays(
        np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.floats(0, 255, width=16)
    )
)
def test_kirschs_responses_are_scipys_correlations(image):
    found = plots.kirsch(image).numpy()
    assert found.shape == (8, *image.shape)
    for direction, response in zip(plots.DIRECTIONS, found, strict=True):
        expected = scipy.ndimage.correlate(image.astype(np.float64), np.array(KIRSCH[direction]), mode="nearest")
        np.testing.assert_allclose(response, expected, rtol=1e-5, atol=1e-2)


def test_kirsch_of_colours_is_that_of_their_luminance():
    colours = np.random.default_rng(0).integers(0, 256, (3, 5, 6)).astype(np.uint8)
    grey = 0.299 * colours[0] + 0.587 * colours[1] + 0.114 * colours[2]
    np.testing.assert_allclose(plots.kirsch(mg.tensor(colours)), plots.kirsch(grey[None]), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("shape", [(4,), (2, 4, 4), (1, 1, 4, 4), (0, 4)])
def test_kirsch_takes_images_only(shape):
    with pytest.raises(ValueError, match="kirsch takes an image"):
        plots.kirsch(mg.zeros(shape))


@given(st.data(), st.integers(1, 6), st.integers(1, 40))
def test_confusion_is_scikit_learns(data, classes, samples):
    numbers = st.lists(st.integers(0, classes - 1), min_size=samples, max_size=samples)
    true, predicted = data.draw(numbers), data.draw(numbers)
    expected = confusion_matrix(true, predicted, labels=range(classes))
    for kind in (mg.tensor, np.array, list):
        np.testing.assert_array_equal(plots.confusion_counts(kind(true), kind(predicted), classes), expected)
    largest = max(true + predicted) + 1
    np.testing.assert_array_equal(plots.confusion_counts(true, predicted), expected[:largest, :largest])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([], []), "there is nothing to count"),
        (([0, 1], [0]), "2 true classes and 1 predicted ones"),
        (([0, 3], [0, 1], 3), "3 is no class: there are 3, numbered 0 to 2"),
        (([0, 1], [0, -1]), "-1 is no class"),
        (([0, 1], [0.5, 1]), r"predicted must be whole numbers.*float64.*\nhint: scores.argmax"),
        (([0, 1], mg.zeros(2, 3)), "predicted must be whole numbers"),
    ],
)
def test_misuse_of_confusion(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.confusion_counts(*arguments)

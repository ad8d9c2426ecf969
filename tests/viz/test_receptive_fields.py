"""Receptive fields: the exact ones beside pixels switched on one by one, measured ones beside PyTorch's gradients."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.vision import models
from minigrad.viz.plots import effective_receptive_field, receptive_field

SIZE = 13


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


class Residual(nn.Module):
    """Two paths of equal strides that meet in a sum or side by side."""

    def __init__(self, path, joined):
        super().__init__()
        self.path, self.joined = path, joined

    def forward(self, x):
        y = self.path(x)
        return mg.cat([x, y], 1).sum(1, keepdim=True) if self.joined else x + y


def positive(model):
    """Weights above 0 and biases of 0, so that no influence cancels."""
    for name, parameter in model.named_parameters():
        parameter.data.uniform_(0.1, 1)
        if "bias" in name:
            parameter.data.zero_()
    return model


def influence(model, size, channels=1):
    """Which pixel reaches which cell: (pixels, *cells), by switching on one after the other."""
    pixels = np.prod(size)
    images = np.zeros((pixels, channels, pixels), np.float32)
    images[np.arange(pixels), :, np.arange(pixels)] = 1
    with mg.no_grad():
        return model.eval()(mg.tensor(images.reshape(pixels, channels, *size))).numpy().any(1)


def region(reached, size):
    """(first, last) for each dimension of those pixels, None if there are none."""
    places = np.nonzero(reached.reshape(size))
    return tuple((int(p.min()), int(p.max())) for p in places) if len(places[0]) else None


pair = lambda low, high: st.tuples(st.integers(low, high), st.integers(low, high))  # noqa: E731


KINDS = "conv", "max", "avg", "transposed", "adaptive", "adaptive_max", "up", "crop", "pad", "skip"
CROPS = [slice(None), slice(1, None), slice(None, -1), slice(1, None, 2), slice(-4, None)]


@st.composite
def layers(draw):
    kind = draw(st.sampled_from(KINDS))
    kernel, stride, dilation = draw(pair(1, 4)), draw(pair(1, 3)), draw(pair(1, 2))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    if kind == "conv":
        mode = draw(st.sampled_from(["zeros", "replicate", "reflect"]))
        return nn.Conv2d(1, 1, kernel, stride, padding, dilation, padding_mode=mode)
    if kind == "max":
        return nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=draw(st.booleans()))
    if kind == "avg":
        return nn.AvgPool2d(kernel, stride, padding)
    if kind == "transposed":
        return nn.ConvTranspose2d(1, 1, kernel, stride)
    if kind == "adaptive":
        return nn.AdaptiveAvgPool2d(draw(pair(1, 6)))
    if kind == "adaptive_max":
        return nn.AdaptiveMaxPool2d(draw(pair(1, 6)))
    if kind == "up":
        return nn.Upsample(scale_factor=2, mode="nearest")
    if kind == "crop":
        rows, columns = draw(st.sampled_from(CROPS)), draw(st.sampled_from(CROPS))
        return Lambda(lambda x: x[..., rows, columns])
    if kind == "pad":
        return Lambda(lambda x: F.pad(x, (1, 2, 0, 1)).transpose(2, 3))
    return Residual(nn.Conv2d(1, 1, 3, padding=1, dilation=1), draw(st.booleans()))


@given(st.lists(layers(), min_size=1, max_size=4), st.data())
def test_the_region_is_that_of_the_pixels_that_change_the_cell(chain, data):
    model = positive(nn.Sequential(*[part for layer in chain for part in (layer, nn.BatchNorm2d(1), nn.ReLU())]))
    image = mg.zeros(1, 1, SIZE, SIZE)
    try:
        sizes = model.eval()(image).shape[2:]
    except RuntimeError:
        assume(False)  # the image has become too small
    assume(min(sizes) > 0)
    cell = tuple(data.draw(st.integers(0, n - 1)) for n in sizes)
    reached = influence(model, (SIZE, SIZE))[(slice(None), *cell)]
    if not reached.any():
        return  # padding alone: asked for below
    assert receptive_field(model, image, cell=cell).region == region(reached, (SIZE, SIZE))


@given(pair(0, 2), pair(1, 3), pair(1, 2), st.integers(1, 3))
def test_size_stride_and_start_follow_the_recursion_of_araujo_and_others(padding, stride, dilation, depth):
    kernel = 3, 2
    chain = [nn.Conv2d(1, 1, kernel, stride, padding, dilation) for _ in range(depth)]
    size, jump, start = [1, 1], [1, 1], [0, 0]
    for _ in chain:
        for axis in (0, 1):
            size[axis] += (kernel[axis] - 1) * dilation[axis] * jump[axis]
            start[axis] -= padding[axis] * jump[axis]
            jump[axis] *= stride[axis]
    sizes = 90, 91
    field = receptive_field(nn.Sequential(*chain), mg.zeros(1, 1, *sizes), cell=(0, 0))
    assert (field.size, field.stride, field.start) == (tuple(size), tuple(jump), tuple(start))
    assert field.padding == tuple((-first, max(first + n - whole, 0)) for first, n, whole in zip(start, size, sizes))
    assert field.cell == (0, 0) and field.image == sizes


def test_published_sizes():
    resnet, image = models.resnet18(), mg.zeros(1, 3, 224, 224)
    found = {name: receptive_field(resnet, image, name) for name in ("conv1", "maxpool", "layer1", "layer2", "layer4")}
    assert {name: field.size[0] for name, field in found.items()} == {
        "conv1": 7, "maxpool": 11, "layer1": 43, "layer2": 99, "layer4": 435,
    }  # fmt: skip
    assert {name: field.stride for name, field in found.items()} == {
        "conv1": (2, 2), "maxpool": (4, 4), "layer1": (4, 4), "layer2": (8, 8), "layer4": (32, 32),
    }  # fmt: skip


def test_lenet_reads_exactly_its_image():
    model, image = models.LeNet5(), mg.zeros(1, 1, 32, 32)
    assert receptive_field(model, image, "s2", (3, 4)).region == ((6, 11), (8, 13))
    whole = receptive_field(model, image)
    assert (whole.cell, whole.size, whole.start, whole.region) == ((), (32, 32), (0, 0), ((0, 31), (0, 31)))


@pytest.mark.parametrize("spatial", [1, 3])
def test_sequences_and_volumes(spatial):
    conv, pool = (getattr(nn, f"{kind}{spatial}d") for kind in ("Conv", "AvgPool"))
    model = positive(nn.Sequential(conv(2, 3, 2, dilation=2), nn.Tanh(), pool(2)))
    sizes = (9, 8, 7)[:spatial]
    cell = (1,) * spatial
    reached = influence(model, sizes, channels=2)[(slice(None), *cell)]
    field = receptive_field(model, mg.zeros(1, 2, *sizes), cell=cell)
    assert field.region == region(reached, sizes) == ((2, 5),) * spatial and field.size == (4,) * spatial


def test_layers_that_see_everything_say_so():
    image = mg.zeros(2, 4, 6, 5)
    everything = (0, 5), (0, 4)
    wide = [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.LayerNorm([4, 6, 5])]
    for layer in wide:
        assert receptive_field(layer, image, cell=(0, 0)).region == everything
    for function in (lambda x: x.mean((2, 3)), lambda x: x.flatten(1) @ mg.ones(120, 3), lambda x: x.amax((-1, -2))):
        assert receptive_field(Lambda(function), image).region == everything
    rows = receptive_field(Lambda(lambda x: x.softmax(3)), image, cell=(2, 1))
    assert rows.region == ((2, 2), (0, 4))
    channels_last = Lambda(lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2))
    assert receptive_field(channels_last, image, cell=(2, 1)).region == ((2, 2), (1, 1))


def test_slices_read_what_they_name():
    image = mg.zeros(1, 2, 7, 8)
    for index, cell, expected in (
        ((..., slice(2, None, 2), slice(1, -1)), (1, 3), ((4, 4), (4, 4))),
        ((slice(None), slice(1), slice(-3, None)), (2, 0), ((6, 6), (0, 0))),
        ((slice(None), slice(None), 5), (6,), ((5, 5), (6, 6))),
        ((slice(None), slice(None), -2, None, slice(3)), (0, 2), ((5, 5), (2, 2))),
    ):
        assert receptive_field(Lambda(lambda x, index=index: x[index]), image, cell=cell).region == expected


def test_weights_that_are_computed_from_the_image_see_all_of_it():
    image = mg.rand(1, 1, 6, 5)
    everything = (0, 5), (0, 4)
    for layer in (
        lambda x: F.conv2d(x.detach(), x[..., :3, :3].exp() + x.mean()),
        lambda x: F.conv_transpose2d(x.detach(), x.sum((2, 3), keepdim=True)),
        lambda x: F.group_norm(x.detach(), 1, x.sum((0, 2, 3))),
        lambda x: F.linear(x.detach(), x[0, 0]),
    ):
        assert receptive_field(Lambda(layer), image, cell=(0, 0)).region == everything


def test_pixels_that_are_shuffled_keep_their_place():
    model = positive(nn.Sequential(nn.Conv2d(1, 4, 3), nn.PixelShuffle(2)))
    field = receptive_field(model, mg.zeros(1, 1, 8, 8), cell=(5, 2))
    assert field.region == region(influence(model, (8, 8))[:, 5, 2], (8, 8)) == ((2, 4), (1, 3))


def test_a_cell_of_padding_alone_sees_nothing():
    model = nn.Conv2d(1, 1, 1, padding=2)
    field = receptive_field(model, mg.zeros(1, 1, 4, 4), cell=(0, 3))
    assert field.region is None and field.start == (-2, 1) and field.padding == ((2, 0), (0, 0))


LEARNED = nn.Parameter(mg.ones(1, 1, 3, 3))


class Twice(mg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, dy):
        return dy * 2


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"layer": "c9"}, ValueError, "LeNet5 has no layer 'c9'\nhint: its layers are c1, s2, c3"),
        ({"layer": "s2", "cell": (14, 0)}, ValueError, r"the cell \(14, 0\) lies outside of the result.*\(14, 14\)"),
        ({"layer": "s2", "cell": (3,)}, ValueError, "a cell of a result of size .* is 2 numbers"),
        ({"images": mg.zeros(32, 32)}, ValueError, r"images must be \(N, C, ...\), but the shape is \(32, 32\)"),
        ({"images": mg.zeros(0, 1, 32, 32)}, ValueError, "there are no images"),
        ({"images": mg.zeros(1, 1, 32, 32, dtype=mg.uint8)}, TypeError, "tensor of floats.* not a tensor of uint8"),
        ({"images": np.zeros((1, 1, 32, 32))}, TypeError, "not a ndarray"),
        ({"model": Lambda(lambda x: mg.ones(1, 1, 3, 3))}, ValueError, "the result does not depend on the image"),
        ({"model": Lambda(lambda x: LEARNED * 2)}, ValueError, "the result does not depend on the image"),
        ({"model": Lambda(lambda x: x.sum())}, ValueError, r"the result must be \(N, C, ...\), but its shape is \(\)"),
        ({"model": Lambda(lambda x: (x, x))}, TypeError, "the result of the model is a tuple, not a tensor"),
    ],
)
@pytest.mark.parametrize("function", [receptive_field, effective_receptive_field])
def test_misuse(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(**{"model": models.LeNet5(), "images": mg.zeros(1, 1, 32, 32), **arguments})


def test_what_is_not_known_is_an_error_and_can_be_measured():
    model = Lambda(lambda x: Twice.apply(x))
    beside = Lambda(lambda x: F.max_pool2d(x, 2) + Twice.apply(LEARNED).mean())
    assert receptive_field(beside, mg.zeros(1, 1, 4, 4), cell=(0, 1)).region == ((0, 1), (2, 3))
    with pytest.raises(ValueError, match=r"what Twice reads of its arguments is not known.*\nhint: effective"):
        receptive_field(model, mg.zeros(1, 1, 3, 3))
    assert effective_receptive_field(model, mg.zeros(1, 1, 3, 3), cell=(0, 1)).tolist() == [[0, 2, 0], [0] * 3, [0] * 3]


def test_the_measured_field_is_pytorchs_gradient_and_leaves_the_model_alone():
    mg.manual_seed(0)
    ours = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3)
    )
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(4, 5, 3),
    )  # fmt: skip
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    ours[1].eval()
    images = np.random.default_rng(0).normal(size=(6, 3, 12, 10)).astype(np.float32)
    x = torch.tensor(images, requires_grad=True)
    (slope,) = torch.autograd.grad(theirs.eval()(x)[:, :, 1, 2].sum(), x)
    found = effective_receptive_field(ours, mg.tensor(images), cell=(1, 2))
    np.testing.assert_allclose(found, slope.abs().sum(1).mean(0).numpy(), rtol=1e-4, atol=1e-6)
    assert [module.training for module in ours.modules()] == [True, True, False, True, True, True]
    assert all(parameter.grad is None for parameter in ours.parameters())
    exact = receptive_field(ours, mg.tensor(images), cell=(1, 2)).region
    assert region(found > 0, (12, 10)) == exact == ((1, 8), (3, 10 - 1))
    with mg.no_grad():
        np.testing.assert_array_equal(effective_receptive_field(ours, mg.tensor(images), "4", (1, 2)), found)

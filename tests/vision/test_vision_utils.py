"""Grids of images and pictures of them, against plain NumPy."""

import io

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.vision.utils import make_grid, save_image

RANDOM = np.random.default_rng(0)


def tiled(images, nrow, padding, value):
    """What a grid is: each image gets a border above and left; the whole one below and right."""
    count, channels, height, width = images.shape
    columns = min(nrow, count)
    rows = -(-count // columns)
    full = np.full((rows * columns, channels, height + padding, width + padding), value, images.dtype)
    full[:count, :, padding:, padding:] = images
    full = full.reshape(rows, columns, channels, height + padding, width + padding).transpose(2, 0, 3, 1, 4)
    full = full.reshape(channels, rows * (height + padding), columns * (width + padding))
    return np.pad(full, ((0, 0), (0, padding), (0, padding)), constant_values=value)


@pytest.mark.parametrize(("count", "nrow", "padding"), [(5, 8, 2), (5, 3, 1), (9, 3, 0), (2, 1, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_make_grid(count, nrow, padding, dtype):
    images = (RANDOM.random((count, 3, 4, 6)) * 200).astype(dtype)
    grid = make_grid(mg.from_numpy(images.copy()), nrow=nrow, padding=padding, pad_value=7)
    np.testing.assert_array_equal(grid.numpy(), tiled(images, nrow, padding, 7))
    listed = make_grid([mg.from_numpy(image.copy()) for image in images], nrow, padding, pad_value=7)
    np.testing.assert_array_equal(listed.numpy(), grid.numpy())


def test_few_dimensions_and_one_channel():
    plane = mg.rand(4, 5)
    for image in (plane, plane[None], plane[None, None]):
        assert make_grid(image).tolist() == [plane.tolist()] * 3
    grey = mg.rand(4, 1, 3, 3)
    np.testing.assert_array_equal(make_grid(grey).numpy(), tiled(grey.numpy().repeat(3, 1), 8, 2, 0))


@pytest.mark.parametrize("value_range", [None, (-0.5, 0.5)])
@pytest.mark.parametrize("scale_each", [False, True])
def test_normalize(value_range, scale_each):
    images = RANDOM.standard_normal((4, 3, 2, 5))
    given = mg.from_numpy(images.copy())
    grid = make_grid(given, normalize=True, value_range=value_range, scale_each=scale_each, padding=0)
    axes = (1, 2, 3) if scale_each else None
    low, high = value_range or (images.min(axes, keepdims=True), images.max(axes, keepdims=True))
    expected = (np.clip(images, low, high) - low) / (np.asarray(high) - low)
    np.testing.assert_allclose(grid.numpy(), tiled(expected, 8, 0, 0), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(given.numpy(), images)  # as it was
    flat = make_grid(mg.full((2, 3, 2, 2), 5.0), normalize=True, padding=0)
    assert not flat.any()


def test_misuse():
    for wrong in (np.zeros((3, 4, 4)), (mg.zeros(3, 4, 4),), [np.zeros((3, 4, 4))]):
        with pytest.raises(TypeError, match="tensor or list of tensors expected, got"):
            make_grid(wrong)
    with pytest.raises(TypeError, match="value_range has to be a tuple"):
        make_grid(mg.zeros(2, 3, 4, 4), normalize=True, value_range=[0, 1])


def test_save_image(tmp_path):
    images = mg.rand(4, 3, 6, 5) * 1.4 - 0.2
    save_image(images, tmp_path / "grid.png", nrow=2, pad_value=1.0)
    expected = np.floor(tiled(images.numpy(), 2, 2, 1).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "grid.png")), expected.transpose(1, 2, 0))
    file = io.BytesIO()
    save_image(images[0].requires_grad_(), file, format="BMP")
    assert Image.open(file).format == "BMP"

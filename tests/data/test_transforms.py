"""Transforms: batches equal single images, random ones draw what they promise. Values of the functions that they call
are compared with torchvision's in tests/vision/test_transform_records.py."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import minigrad as mg
from minigrad import nn
from minigrad.utils.data import DataLoader
from minigrad.vision import transforms as T
from minigrad.vision.datasets import FakeData
from minigrad.vision.transforms import functional as F

RANDOM = np.random.default_rng(0)
COLOUR = Image.fromarray(RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8))
GREY = COLOUR.convert("L")
IMAGES = {"grey": GREY, "colour": COLOUR, "bytes": F.pil_to_tensor(COLOUR), "floats": F.to_tensor(COLOUR)}


def values(image):
    """The values of an image, an array (C, H, W)."""
    return np.asarray(image) if isinstance(image, mg.Tensor) else F.pil_to_tensor(image).numpy()


def same(ours, expected):
    assert type(ours) is type(expected)
    np.testing.assert_array_equal(values(ours), values(expected))


# arrays and tensors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3), (6, 5, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int64"])
def test_to_tensor_of_arrays(shape, dtype):
    image = (RANDOM.random(shape) * 200).astype(dtype)
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    tensor = T.ToTensor()(image)
    np.testing.assert_array_equal(tensor.numpy(), planes.astype(np.float32) / 255 if dtype == "uint8" else planes)
    assert str(tensor.dtype) == ("float32" if dtype == "uint8" else dtype)
    tensor[...] = 1  # memory of its own
    assert not (image == 1).all()


def test_to_tensor_refuses():
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        T.ToTensor()(mg.tensor([[1.0]]))
    with pytest.raises(ValueError, match=r"pic should be 2/3 dimensional\. Got 4 dimensions"):
        T.ToTensor()(np.zeros((1, 2, 3, 4)))
    with pytest.raises(TypeError, match="Got <class 'str'>"):
        T.ToTensor()("image.png")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "F", "I"])
def test_pictures_come_back(mode):
    image = COLOUR.convert(mode) if mode != "LA" else GREY.convert("LA")
    back = T.ToPILImage(None if mode in ("L", "LA", "RGB", "RGBA", "I") else mode)(T.PILToTensor()(image))
    assert back.mode == mode
    np.testing.assert_array_equal(back, image)


def test_arrays_are_no_images_elsewhere():
    array = np.zeros((4, 4, 3), np.uint8)
    for transform in (T.Pad(1), T.RandomHorizontalFlip(1.0), T.Resize(2), T.CenterCrop(2), T.ColorJitter(1.0)):
        with pytest.raises(TypeError, match=r"Unexpected type|img should be PIL Image"):
            transform(array)


def test_normalize_in_place_and_gradients():
    image = mg.rand(3, 2, 2)
    copy = image.clone()
    result = T.Normalize([0.5], [0.25])(image)
    assert (image == copy).all()
    assert T.Normalize([0.5], [0.25], inplace=True)(image) is image
    assert (image == result).all()
    copy.requires_grad_()
    T.Normalize([0.5], [0.25])(F.pad(F.resize(copy, [4, 4]), 1)).sum().backward()
    np.testing.assert_allclose(copy.grad.numpy(), 16.0, rtol=1e-5)  # each pixel became four, each times four


# random transforms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize(
    ("transform", "function"),
    [
        (T.RandomHorizontalFlip(1.0), F.hflip),
        (T.RandomVerticalFlip(1.0), F.vflip),
        (T.RandomHorizontalFlip(0.0), lambda x: x),
        (T.RandomRotation((30, 30), T.InterpolationMode.BILINEAR, True), lambda x: F.rotate(x, 30.0, 2, True, None, 0)),
        (T.RandomAffine((5, 5), None, (2, 2), (3, 3)), lambda x: F.affine(x, 5.0, (0, 0), 2.0, (3.0, 0.0), fill=0)),
        (T.RandomAffine(0, shear=(1, 1, 2, 2)), lambda x: F.affine(x, 0.0, (0, 0), 1.0, (1.0, 2.0), fill=0)),
        (T.RandomPerspective(0.0, 1.0, T.InterpolationMode.NEAREST), lambda x: x),
        (T.ElasticTransform(0.0, 0.5), lambda x: x),
        (T.ColorJitter(brightness=(1.5, 1.5)), lambda x: F.adjust_brightness(x, 1.5)),
        (T.ColorJitter(contrast=(0.5, 0.5)), lambda x: F.adjust_contrast(x, 0.5)),
        (T.ColorJitter(saturation=(0.3, 0.3)), lambda x: F.adjust_saturation(x, 0.3)),
        (T.ColorJitter(hue=(0.3, 0.3)), lambda x: F.adjust_hue(x, 0.3)),
        (T.RandomGrayscale(1.0), lambda x: F.rgb_to_grayscale(x, F.get_image_num_channels(x))),
        (T.GaussianBlur(3, 0.8), lambda x: F.gaussian_blur(x, [3, 3], 0.8)),
        (T.RandomInvert(1.0), F.invert),
        (T.RandomAdjustSharpness(2, 1.0), lambda x: F.adjust_sharpness(x, 2)),
        (T.RandomAutocontrast(1.0), F.autocontrast),
        (T.RandomSolarize(0.5, 1.0), lambda x: F.solarize(x, 0.5)),
        (T.RandomResizedCrop((4, 3), (1, 1), (5 / 6, 5 / 6)), lambda x: F.resize(x, [4, 3])),
        (T.RandomCrop((6, 5)), lambda x: x),
        (T.RandomApply([T.RandomInvert(1.0)], p=1.0), F.invert),
        (T.RandomOrder([T.RandomInvert(1.0)]), F.invert),
        (T.RandomChoice([T.RandomInvert(1.0), T.ToTensor()], p=[2, 0]), F.invert),
    ],
)
def test_without_chance_a_random_transform_is_its_function(transform, function, name):
    result, expected = transform(IMAGES[name]), function(IMAGES[name])
    if name == "floats" and not np.array_equal(values(result), values(expected)):
        np.testing.assert_allclose(values(result), values(expected), atol=1e-6)
    else:
        same(result, expected)


@pytest.mark.parametrize("name", ["posterize", "equalize"])
def test_transforms_of_bytes(name):
    for image in (GREY, COLOUR, IMAGES["bytes"]):
        if name == "posterize":
            same(T.RandomPosterize(2, 1.0)(image), F.posterize(image, 2))
        else:
            same(T.RandomEqualize(1.0)(image), F.equalize(image))


RANDOM_TRANSFORMS = [
    T.RandomCrop(4, padding=2),
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(),
    T.RandomResizedCrop(8),
    T.RandomRotation(40),
    T.RandomAffine(20, (0.3, 0.3), (0.5, 1.5), 20),
    T.RandomPerspective(),
    T.ElasticTransform(40.0, 1.0),
    T.ColorJitter(0.5, 0.5, 0.5, 0.5),
    T.RandomGrayscale(0.5),
    T.GaussianBlur(3),
    T.RandomApply([T.RandomVerticalFlip(1.0)]),
    T.RandomOrder([T.RandomCrop(5), T.Pad(1, 3), T.ColorJitter(0.3)]),
    T.RandomChoice([T.RandomVerticalFlip(1.0), T.Pad(1)]),
]


@pytest.mark.parametrize("transform", RANDOM_TRANSFORMS, ids=lambda transform: type(transform).__name__)
def test_the_seed_decides(transform):
    def results(seed):
        mg.manual_seed(seed)
        return [values(transform(image)).tolist() for _ in range(8) for image in IMAGES.values()]

    assert results(0) == results(0) != results(1)
    assert repr(pickle.loads(pickle.dumps(transform))) == repr(transform)  # processes get transforms by pickle


def test_random_crop_takes_every_window():
    image = F.to_pil_image(np.arange(20, dtype=np.uint8).reshape(4, 5))
    windows = {image.crop((j, i, j + 3, i + 3)).tobytes() for i in range(2) for j in range(3)}
    mg.manual_seed(0)
    assert {T.RandomCrop(3)(image).tobytes() for _ in range(200)} == windows


def test_random_crop_sizes():
    assert T.RandomCrop(8, pad_if_needed=True)(Image.new("L", (10, 3))).size == (8, 8)
    stack = T.RandomCrop(8, pad_if_needed=True, fill=3).batch(np.zeros((2, 3, 10), np.uint8))
    assert stack.shape == (2, 8, 8) and set(np.unique(stack)) == {0, 3}
    for image in (Image.new("L", (10, 3)), mg.ones(1, 3, 10)):
        with pytest.raises(ValueError, match=r"Required crop size \(8, 8\) is larger than input image size \(3, 10\)"):
            T.RandomCrop(8)(image)
    with pytest.raises(ValueError, match=r"Required crop size \(8, 8\) is larger than input image size \(3, 10\)"):
        T.RandomCrop(8).batch(np.ones((2, 3, 10), np.uint8))


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    scale=st.tuples(st.floats(0.01, 0.5), st.floats(0.5, 1.0)),
    ratio=st.tuples(st.floats(0.2, 1.0), st.floats(1.0, 5.0)),
)
@settings(max_examples=50)
def test_random_parts_are_parts(height, width, scale, ratio):
    image = mg.zeros(2, height, width)
    top, left, h, w = T.RandomResizedCrop.get_params(image, scale, ratio)
    assert 0 <= top <= top + h <= height and 0 <= left <= left + w <= width and h > 0 and w > 0
    top, left, h, w, value = T.RandomErasing.get_params(image, scale, ratio, [1.0])
    assert 0 <= top <= top + h <= height and 0 <= left <= left + w <= width
    assert value is image or tuple(value.shape) == (1, 1, 1)


def test_parts_have_the_size_and_proportions_asked_for():
    mg.manual_seed(0)
    image = mg.zeros(1, 300, 400)
    parts = np.array([T.RandomResizedCrop.get_params(image, (0.1, 0.4), (0.5, 2.0))[2:] for _ in range(300)])
    areas, aspects = parts.prod(1) / 120_000, parts[:, 1] / parts[:, 0]
    assert 0.09 < areas.min() < 0.15 and 0.35 < areas.max() < 0.41
    assert 0.49 < aspects.min() < 0.6 and 1.7 < aspects.max() < 2.02
    assert 0.9 < np.exp(np.log(aspects).mean()) < 1.1


def test_affine_parameters():
    mg.manual_seed(0)
    drawn = [T.RandomAffine.get_params([-9, 5], (0.1, 0.2), (0.5, 2), [1, 2, 3, 4], (100, 50)) for _ in range(300)]
    angle, move, scale, shear = (np.array(column) for column in zip(*drawn, strict=True))
    assert angle.min() < -8 and angle.max() > 4 and abs(move).max(0).tolist() == [10, 10]
    assert 0.5 <= scale.min() < 0.55 and 1.9 < scale.max() < 2
    assert shear.min(0).round().tolist() == [1, 3] and shear.max(0).round().tolist() == [2, 4]
    assert T.RandomAffine.get_params([0, 0], None, None, None, (9, 9)) == (0.0, (0, 0), 1.0, (0.0, 0.0))


@pytest.mark.parametrize("value", [0, 0.5, (0.1, 0.2, 0.3), "random"])
def test_random_erasing(value):
    mg.manual_seed(0)
    image = mg.full((3, 30, 20), 9.0)
    shares = []
    for _ in range(100):
        result = T.RandomErasing(1.0, (0.1, 0.2), value=value)(image).numpy()
        changed = result != 9
        assert (changed == changed[0]).all()
        rows, columns = changed[0].any(1).sum(), changed[0].any(0).sum()
        assert changed[0].sum() == rows * columns  # a rectangle
        shares.append(rows * columns / 600)
        if value != "random":
            painted = result[:, changed[0]]
            np.testing.assert_allclose(painted, np.broadcast_to(np.reshape(value, (-1, 1)), painted.shape), rtol=1e-6)
    assert min(shares) > 0.07 and max(shares) < 0.24
    assert (image == 9).all()
    assert T.RandomErasing(1.0, inplace=True)(image) is image and not (image == 9).all()
    with pytest.raises(ValueError, match="either a single value or 3"):
        T.RandomErasing(1.0, value=(1, 2))(image)
    with pytest.raises(TypeError, match="img should be Tensor Image"):
        F.erase(COLOUR, 0, 0, 1, 1, 0)


def test_probabilities():
    mg.manual_seed(0)
    image = mg.tensor([[[1, 2, 3]]])
    for transform in (T.RandomHorizontalFlip(0.25), T.RandomApply([T.Lambda(F.hflip)], 0.25)):
        assert 200 < sum(bool((transform(image) != image).any()) for _ in range(1000)) < 300
    stack = T.RandomHorizontalFlip(0.25).batch(np.tile(np.uint8([[1, 2, 3]]), (1000, 1, 1)))
    assert 200 < (stack[:, 0, 0] == 3).sum() < 300
    names = [T.RandomChoice([T.Lambda(lambda _, n=n: n) for n in "abc"], p=[1, 0, 3])(None) for _ in range(400)]
    assert set(names) == {"a", "c"} and 60 < names.count("a") < 140
    orders = {T.RandomOrder([T.Lambda(lambda x, n=n: x + n) for n in "abc"])("") for _ in range(100)}
    assert len(orders) == 6


# batches ------------------------------------------------------------------------------------------------------------

BATCHED = [
    T.ToTensor(),
    T.PILToTensor(),
    T.Pad((1, 2)),
    T.Pad((2, 0, 1, 3), 77),
    T.Pad(1, padding_mode="reflect"),
    T.Pad((-1, 2), padding_mode="edge"),
    T.Resize((9, 4)),
    T.Resize(3),
    T.Resize((4, 4), T.InterpolationMode.NEAREST),
    T.CenterCrop(4),
    T.CenterCrop((10, 3)),
    T.Grayscale(),
    T.Grayscale(3),
    T.Compose([T.PILToTensor(), T.ConvertImageDtype(mg.float64)]),
    T.Compose([T.Resize(9), T.ToTensor(), T.Pad(2), T.Resize((8, 8)), T.Normalize([0.5], [0.25])]),
    T.Compose([T.ToTensor(), T.Pad((1, 2), padding_mode="symmetric"), T.CenterCrop((4, 9)), T.Grayscale()]),
    T.Compose([T.ToTensor(), T.RandomVerticalFlip(1.0), T.RandomHorizontalFlip(1.0)]),
    T.Compose([T.RandomHorizontalFlip(1.0), T.RandomVerticalFlip(1.0), T.RandomCrop((6, 5)), T.ToTensor()]),
    T.Compose([T.ToTensor(), T.RandomCrop((8, 7), padding=1)]),
]


@pytest.mark.parametrize("transform", BATCHED, ids=lambda transform: repr(transform).replace("\n", " "))
@pytest.mark.parametrize("shape", [(7, 6, 5), (7, 6, 5, 3), (1, 6, 5)])
def test_batches_equal_single_images(transform, shape):
    images = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    before = images.copy()
    batch = T.batched(transform)(images)
    np.testing.assert_array_equal(images, before)
    for image, expected in zip(images, batch, strict=True):
        single = transform(Image.fromarray(image))
        np.testing.assert_array_equal(np.asarray(single), np.asarray(expected))
        assert not isinstance(expected, mg.Tensor) or single.dtype == expected.dtype


@pytest.mark.parametrize("tensors", [False, True])
def test_random_crops_of_a_batch_are_windows(tensors):
    images = np.arange(5 * 20, dtype=np.uint8).reshape(5, 4, 5)
    crop = T.RandomCrop((3, 2), padding=1, fill=200)
    given = mg.from_numpy(images[:, None].copy()) if tensors else images
    mg.manual_seed(0)
    seen = set()
    for _ in range(60):
        for image, part in zip(images, np.asarray(crop.batch(given)).reshape(5, 3, 2), strict=True):
            padded = np.pad(image, 1, constant_values=200)
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 2)).reshape(-1, 6)
            (which,) = np.nonzero((windows == part.ravel()).all(1))
            seen.add(int(which[0]))
    assert len(seen) == 4 * 6  # every place


@pytest.mark.parametrize("steps", [[], [T.ColorJitter(0.5), T.RandomRotation(30), T.RandomErasing(1.0)]])
def test_workers_change_nothing(steps):
    pictures = [step for step in steps if not isinstance(step, T.RandomErasing)]
    transform = T.Compose([T.RandomCrop(8, padding=2), *pictures, T.RandomHorizontalFlip(), T.ToTensor(), *steps[2:]])
    dataset = FakeData(20, (3, 8, 8), transform=transform)

    def epoch(workers):
        mg.manual_seed(3)
        loader = DataLoader(dataset, batch_size=6, shuffle=True, num_workers=workers)
        return [(images.tolist(), labels.tolist()) for images, labels in loader]

    assert epoch(0) == epoch(1) == epoch(3)


def test_only_some_transforms_are_batched():
    class Shifted(T.Pad):
        def forward(self, image):
            return F.invert(super().forward(image))

    class Called(T.Pad):
        def __call__(self, image):
            return F.invert(super().__call__(image))

    class Own(T.Compose):
        def forward(self, image):
            return image

    for transform in (T.Lambda(abs), Shifted(1), Called(1), Own([T.Pad(1)]), abs, T.ColorJitter(1), None):
        assert T.batched(transform) is None
        assert T.batched(T.Compose([T.ToTensor(), transform])) is None
        assert T.batched(T.Compose([T.Compose([transform]), T.ToTensor()])) is None
    for transform in (Shifted(1), Called(1)):
        assert transform(GREY).getpixel((0, 0)) == 255

    class Inverted(T.Transform):
        def batch(self, images):
            return 255 - images

    assert T.batched(T.Compose([Inverted(), T.ToTensor()])) is not None


def test_transforms_are_modules():
    steps = nn.Sequential(T.CenterCrop(4), T.ConvertImageDtype(mg.float32), T.Normalize([0.5], [0.5]))
    expected = F.normalize(F.center_crop(IMAGES["floats"], 4), [0.5], [0.5])
    np.testing.assert_array_equal(steps(IMAGES["bytes"]).numpy(), expected.numpy())


def test_linear_transformation():
    matrix, mean = mg.rand(12, 12), mg.rand(12)
    images = mg.rand(4, 3, 2, 2)
    expected = (images.numpy().reshape(4, 12) - mean.numpy()) @ matrix.numpy()
    result = T.LinearTransformation(matrix, mean)(images)
    np.testing.assert_allclose(result.numpy().reshape(4, 12), expected, rtol=1e-5)
    for wrong in ((matrix[:3], mean), (matrix, mean[:3]), (matrix, mean.double())):
        with pytest.raises(ValueError, match="should"):
            T.LinearTransformation(*wrong)
    with pytest.raises(ValueError, match=r"incompatible shape\.\[1 x 2 x 2\] != 12"):
        T.LinearTransformation(matrix, mean)(images[:, :1])


def test_resize_warns_of_what_pillow_ignores():
    with pytest.warns(UserWarning, match="Anti-alias option is always applied for PIL Image input"):
        T.Resize(3, antialias=False)(COLOUR)
    with pytest.warns(UserWarning, match=r"Scale and ratio should be of kind \(min, max\)"):
        T.RandomResizedCrop(3, scale=(1, 0.5))


def test_lambda():
    assert T.Lambda(lambda image: image * 2)(21) == 42

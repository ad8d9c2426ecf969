"""Transforms against torch's functions, on arrays, PIL images and tensors; batches equal single images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.vision.transforms import (
    Compose,
    InterpolationMode,
    Lambda,
    Normalize,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
    ToTensor,
    Transform,
    batched,
)

torch = pytest.importorskip("torch")

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 5), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8)
IMAGES = {
    "grey": GREY,
    "colour": COLOUR,
    "float": RANDOM.random((6, 5)).astype(np.float32),
    "strided": COLOUR[::-1, ::2],
}


def chw(image):
    """An array (H, W) or (H, W, C) as a torch tensor (C, H, W)."""
    return torch.from_numpy(np.array(image[None] if image.ndim == 2 else image.transpose(2, 0, 1), order="C"))


def same(ours, expected, **tolerance):
    """Equal values and dtypes; `ours` may be a tensor (C, H, W) or an array with channels last."""
    array = ours.numpy() if isinstance(ours, mg.Tensor) else chw(ours).numpy()
    assert array.dtype == expected.numpy().dtype
    if tolerance:
        np.testing.assert_allclose(array, expected.numpy(), **tolerance)
    else:
        np.testing.assert_array_equal(array, expected.numpy())


@pytest.mark.parametrize("name", IMAGES)
def test_to_tensor(name):
    image = IMAGES[name]
    expected = chw(image)
    same(ToTensor()(image), expected.to(torch.float32).div(255) if image.dtype == np.uint8 else expected)


def test_to_tensor_owns_its_memory():
    image = np.zeros((2, 2), np.float32)
    ToTensor()(image)[...] = 1
    assert not image.any()


def test_to_tensor_refuses():
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        ToTensor()(mg.tensor([[1.0]]))
    with pytest.raises(ValueError, match=r"pic should be 2/3 dimensional\. Got 4 dimensions"):
        ToTensor()(np.zeros((1, 2, 3, 4)))
    with pytest.raises(TypeError, match="Got <class 'str'>"):
        ToTensor()("image.png")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "F"])
def test_pil_images(mode):
    pil = pytest.importorskip("PIL.Image")
    picture = pil.fromarray(COLOUR).convert(mode)
    values = np.array(picture)
    if mode == "1":
        values = values.astype(np.uint8) * 255
    same(ToTensor()(picture), chw(values) if mode == "F" else chw(values).float().div(255))
    np.testing.assert_array_equal(Pad(1)(picture), Pad(1)(values))


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,), (0.25,)), ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)), (0.5, 0.3), ([0.1307], [0.3081])]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normalize(mean, std, dtype):
    values = RANDOM.random((2, 3, 4, 5)).astype(dtype)
    image = mg.tensor(values)
    mean_, std_ = (torch.tensor(number, dtype=getattr(torch, dtype)).reshape(-1, 1, 1) for number in (mean, std))
    same(Normalize(mean, std)(image), torch.from_numpy(values).sub(mean_).div(std_))
    np.testing.assert_array_equal(image.numpy(), values)


@pytest.mark.parametrize(
    ("image", "mean", "std", "error", "message"),
    [
        (GREY, 0.5, 0.5, TypeError, "img should be Tensor Image"),
        (mg.tensor([[[1]]]), 0.5, 0.5, TypeError, "should be a float tensor"),
        (mg.tensor([[1.0]]), 0.5, 0.5, ValueError, r"\(..., C, H, W\). Got tensor.size\(\) = \(1, 1\)"),
        (mg.tensor([[[1.0]]]), 0.5, 0.0, ValueError, "std evaluated to zero"),
        (mg.tensor([[[1.0]]]), (0.5, 0.5), 0.5, ValueError, "mean has 2 values for 1 channels"),
    ],
)
def test_normalize_refuses(image, mean, std, error, message):
    with pytest.raises(error, match=message):
        Normalize(mean, std)(image)


PADDINGS = [2, (1, 2), (0, 1, 2, 3), [3], 0]
SIDES = {2: (2, 2, 2, 2), (1, 2): (1, 1, 2, 2), (0, 1, 2, 3): (0, 2, 1, 3), (3,): (3, 3, 3, 3), 0: (0, 0, 0, 0)}


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("padding", PADDINGS, ids=str)
@pytest.mark.parametrize(("mode", "oracle"), [("constant", "constant"), ("edge", "replicate"), ("reflect", "reflect")])
def test_pad(name, padding, mode, oracle):
    image, sides = IMAGES[name][:5, :5], SIDES[tuple(padding) if isinstance(padding, list) else padding]
    if name == "strided" and mode == "reflect":
        sides, padding = (1, 1, 1, 1), 1  # torch reflects at most width - 1 pixels
    fill = 7 if mode == "constant" else 0
    expected = torch.nn.functional.pad(chw(image).double(), sides, oracle, **({"value": fill} if fill else {}))
    transform = Pad(padding, fill=fill, padding_mode=mode)
    same(transform(image), expected.to(chw(image).dtype))
    same(transform(mg.tensor(chw(image).numpy())), expected.to(chw(image).dtype))


def test_pad_symmetric_and_errors():
    assert Pad((2, 0), padding_mode="symmetric")(np.array([[1, 2, 3]])).tolist() == [[2, 1, 1, 2, 3, 3, 2]]
    for padding in ((1, 2, 3), (), -1, (1, -1)):
        with pytest.raises(ValueError, match="Padding must be an int"):
            Pad(padding)
    with pytest.raises(ValueError, match="Padding mode should be either"):
        Pad(1, padding_mode="mirror")


def interpolate(image, size, mode, antialias):
    """torch's interpolation of one image (C, H, W).

    In two steps, the second with each column twice: torch 2.13's antialiased interpolation of heights repeats one value
    when the image is one pixel wide.
    """
    options = {"align_corners": False, "antialias": antialias} if mode == "bilinear" else {}
    wide = torch.nn.functional.interpolate(image[None], size=(image.shape[1], size[1]), mode=mode, **options)
    wide = torch.cat([wide, wide], 3)
    return torch.nn.functional.interpolate(wide, size=(size[0], 2 * size[1]), mode=mode, **options)[0, :, :, : size[1]]


@given(
    sizes=st.tuples(*[st.integers(1, 40)] * 4),
    channels=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "float64"]),
    mode=st.sampled_from(["bilinear", "nearest"]),
    antialias=st.booleans(),
)
def test_resize(sizes, channels, dtype, mode, antialias):
    height, width, *wanted = sizes
    values = np.random.default_rng(height * 41 + width).standard_normal((channels, height, width)).astype(dtype)
    expected = interpolate(torch.from_numpy(values), wanted, mode, antialias)
    tolerance = {} if mode == "nearest" else {"rtol": 0, "atol": 2e-5 if dtype == "float32" else 1e-12}
    transform = Resize(wanted, mode, antialias=antialias)
    same(transform(mg.tensor(values)), expected, **tolerance)
    same(transform(np.ascontiguousarray(values.transpose(1, 2, 0))), expected, **tolerance)


def test_resize_of_digits_to_lenets_input():
    image = RANDOM.integers(0, 256, (8, 8), dtype=np.uint8)
    expected = torch.nn.functional.interpolate(chw(image)[None].float().div(255), (32, 32), mode="bilinear")[0]
    same(Compose([ToTensor(), Resize((32, 32))])(image), expected, rtol=0, atol=1e-6)
    whole = Resize((32, 32))(image)  # of uint8: rounded
    assert whole.dtype == np.uint8 and np.abs(whole - 255 * expected[0].numpy()).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize(
    ("size", "max_size", "shape", "expected"),
    [
        (4, None, (8, 12), (4, 6)),
        (4, None, (12, 8), (6, 4)),
        ([5], None, (3, 7), (5, 11)),
        (6, 8, (4, 8), (4, 8)),
        (6, 12, (4, 8), (6, 12)),
        ((3, 9), None, (4, 4), (3, 9)),
    ],
)
def test_resize_keeps_the_proportions(size, max_size, shape, expected, channels):
    assert Resize(size, max_size=max_size)(np.zeros((*shape, *channels), np.uint8)).shape == (*expected, *channels)


def test_resize_refuses():
    for options in ({"size": (1, 2, 3)}, {"size": 0}, {"size": 8, "max_size": 8}, {"size": (8, 8), "max_size": 9}):
        with pytest.raises(ValueError, match="size"):
            Resize(**options)
    with pytest.raises(ValueError, match="cubic"):
        Resize(8, interpolation="cubic")


# random transforms --------------------------------------------------------------------------------------------------


def test_random_crop_takes_every_window():
    image = np.arange(20).reshape(4, 5)
    windows = {Window.tobytes() for Window in (image[i : i + 3, j : j + 3] for i in range(2) for j in range(3))}
    mg.manual_seed(0)
    assert {RandomCrop(3)(image).tobytes() for _ in range(200)} == windows


@pytest.mark.parametrize("name", IMAGES)
def test_random_crop_of_every_kind_of_image(name):
    image = IMAGES[name]
    transform = RandomCrop((4, 2), padding=1, fill=9)
    mg.manual_seed(5)
    array = transform(image)
    mg.manual_seed(5)
    tensor = transform(mg.tensor(chw(image).numpy()))
    same(tensor, chw(array))
    padded = Pad(1, fill=9)(image)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 2), axis=(0, 1))
    windows = np.moveaxis(windows, (-2, -1), (2, 3)).reshape(-1, *array.shape)
    assert any(np.array_equal(array, window) for window in windows)


def test_random_crop_sizes():
    assert RandomCrop(8, pad_if_needed=True)(np.ones((3, 10), np.uint8)).shape == (8, 8)
    with pytest.raises(ValueError, match=r"Required crop size \(8, 8\) is larger than input image size \(3, 10\)"):
        RandomCrop(8)(np.ones((3, 10)))
    np.testing.assert_array_equal(RandomCrop((6, 5))(GREY), GREY)
    with pytest.raises(ValueError, match="only two dimensions"):
        RandomCrop((1, 2, 3))


@pytest.mark.parametrize("name", IMAGES)
def test_random_horizontal_flip(name):
    image, tensor = IMAGES[name], mg.tensor(chw(IMAGES[name]).numpy())
    np.testing.assert_array_equal(RandomHorizontalFlip(1.0)(image), image[:, ::-1])
    np.testing.assert_array_equal(RandomHorizontalFlip(0.0)(image), image)
    same(RandomHorizontalFlip(1.0)(tensor), chw(image).flip(-1))
    mg.manual_seed(0)
    flips = [bool((RandomHorizontalFlip(0.25)(image) != image).any()) for _ in range(1000)]
    assert 200 < sum(flips) < 300


# putting together ---------------------------------------------------------------------------------------------------

BATCHED = [
    ToTensor(),
    Pad((1, 2)),
    Pad(1, padding_mode="reflect"),
    Resize((9, 4)),
    Resize(3),
    Resize((4, 4), "nearest"),
    Compose([Resize(9), ToTensor(), Pad(2), Resize((8, 8)), Normalize(0.5, 0.25)]),
]


@pytest.mark.parametrize("transform", BATCHED, ids=lambda transform: repr(transform).replace("\n", " "))
@pytest.mark.parametrize("shape", [(7, 6, 5), (7, 6, 5, 3), (1, 6, 5)])
def test_batches_equal_single_images(transform, shape):
    images = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    before = images.copy()
    batch = batched(transform)(images)
    np.testing.assert_array_equal(images, before)
    for image, expected in zip(images, np.asarray(batch), strict=True):
        np.testing.assert_array_equal(np.asarray(transform(image)), expected)


def test_only_some_transforms_are_batched():
    class Shifted(Pad):
        def __call__(self, image):
            return super().__call__(image) + 1

    class Own(Compose):
        def __call__(self, image):
            return image

    for transform in (Lambda(abs), Shifted(1), Own([Pad(1)]), abs):
        assert batched(transform) is None
        assert batched(Compose([ToTensor(), transform])) is None
        assert batched(Compose([Compose([transform]), ToTensor()])) is None
    assert Shifted(1)(GREY).min() == 1

    class Inverted(Transform):
        def batch(self, images):
            return 255 - images

    assert batched(Compose([Inverted(), ToTensor()])) is not None


def test_repr():
    transform = Compose(
        [
            Resize((32, 32), InterpolationMode.NEAREST),
            RandomCrop(28, padding=4),
            RandomHorizontalFlip(),
            Lambda(abs),
            ToTensor(),
            Normalize((0.5,), (0.25,)),
        ]
    )
    assert repr(transform).splitlines() == [
        "Compose(",
        "    Resize(size=(32, 32), interpolation=nearest, max_size=None, antialias=True)",
        "    RandomCrop(size=(28, 28), padding=4)",
        "    RandomHorizontalFlip(p=0.5)",
        "    Lambda()",
        "    ToTensor()",
        "    Normalize(mean=(0.5,), std=(0.25,))",
        ")",
    ]


def test_lambda():
    assert Lambda(lambda image: image * 2)(GREY).tolist() == (GREY * 2).tolist()
    with pytest.raises(TypeError, match="Argument lambd should be callable"):
        Lambda(3)

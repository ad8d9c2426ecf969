"""Images, and calls of `torchvision.transforms.functional` and of the deterministic transforms on them.

`record_transforms.py` runs them under torchvision, `test_transform_records.py` under minigrad.
"""

import re

import numpy as np
from PIL import Image

_RANDOM = np.random.default_rng(7)
_SMOOTH = np.add.outer(np.arange(13) * 9, np.arange(17) * 7)[:, :, None] + [0, 20, 40]
PIXELS = ((_SMOOTH + _RANDOM.integers(0, 60, (13, 17, 3))) % 256).astype(np.uint8)


def images(tensor):
    """Name -> image; `tensor` makes a tensor of an array."""
    planes = PIXELS.transpose(2, 0, 1).copy()
    picture = Image.fromarray(PIXELS)
    return {
        "L": picture.convert("L"),
        "RGB": picture,
        "RGBA": picture.convert("RGBA"),
        "1": picture.convert("1"),
        "P": picture.quantize(16),
        "F": picture.convert("L").convert("F"),
        "I": picture.convert("L").convert("I"),
        "bytes": tensor(planes),
        "bytes of one": tensor(planes[:1]),
        "floats": tensor(planes.astype(np.float32) / np.float32(255)),
        "batch": tensor(np.stack([planes, planes[::-1]])[:, :, :9, :8].astype(np.float64) / 255),
    }


def cases(F, T, tensor, dtypes):
    """Name -> function of an image, for the functions F, the transforms T and a maker of tensors."""
    mode = T.InterpolationMode
    found = {
        "to_tensor": F.to_tensor,
        "pil_to_tensor": F.pil_to_tensor,
        "round trip": lambda x: F.to_pil_image(F.to_tensor(x)),
        "to_pil_image": lambda x: F.to_pil_image(x),
        "to_pil_image YCbCr": lambda x: F.to_pil_image(x, "YCbCr"),
        "to_pil_image F": lambda x: F.to_pil_image(x, "F"),
        "normalize": lambda x: F.normalize(x, [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]),
        "normalize one": lambda x: F.normalize(x, [0.4], [0.2]),
        "normalize by zero": lambda x: F.normalize(x, [0.4], [0.0]),
        "hflip": F.hflip,
        "vflip": F.vflip,
        "invert": F.invert,
        "posterize": lambda x: F.posterize(x, 3),
        "posterize 9": lambda x: F.posterize(x, 9),
        "solarize": lambda x: F.solarize(x, 0.5 if getattr(x, "is_floating_point", bool)() else 128),
        "autocontrast": F.autocontrast,
        "equalize": F.equalize,
        "grey": F.rgb_to_grayscale,
        "grey of three": lambda x: F.rgb_to_grayscale(x, 3),
        "grey of two": lambda x: F.rgb_to_grayscale(x, 2),
        "to_grayscale": lambda x: F.to_grayscale(x, 3),
        "blur": lambda x: F.gaussian_blur(x, [5, 3], [1.2, 0.7]),
        "blur by default": lambda x: F.gaussian_blur(x, 3),
        "blur even": lambda x: F.gaussian_blur(x, 4),
        "erase": lambda x: F.erase(x, 2, 3, 4, 5, 1),
        "dimensions": lambda x: np.array([*F.get_dimensions(x), *F.get_image_size(x), F.get_image_num_channels(x)]),
        "resized crop": lambda x: F.resized_crop(x, 1, 2, 6, 5, [9, 8]),
        "five_crop": lambda x: F.five_crop(x, 5)[4],
        "five_crop too large": lambda x: F.five_crop(x, (50, 5)),
        "ten_crop": lambda x: F.ten_crop(x, (4, 6))[8],
        "ten_crop vertical": lambda x: F.ten_crop(x, (4, 6), True)[6],
        "elastic": lambda x: F.elastic_transform(x, tensor(_field(x)), fill=[3.0]),
        "elastic nearest": lambda x: F.elastic_transform(x, tensor(_field(x)), mode.NEAREST),
        "elastic misfit": lambda x: F.elastic_transform(x, tensor(np.zeros((1, 2, 3, 2), np.float32))),
        "preset": lambda x: T._presets.ImageClassification(crop_size=8, resize_size=10)(x),
    }
    for dtype in dtypes:
        name = str(dtype).rpartition(".")[2]
        found[f"to {name}"] = lambda x, dtype=dtype: F.convert_image_dtype(x, dtype)
    for factor in (0.0, 0.6, 1.7, -1):
        for name in ("brightness", "contrast", "saturation", "gamma", "sharpness"):
            found[f"{name} {factor}"] = lambda x, name=name, factor=factor: getattr(F, f"adjust_{name}")(x, factor)
    for factor in (-0.5, -0.13, 0.0, 0.3, 0.7):
        found[f"hue {factor}"] = lambda x, factor=factor: F.adjust_hue(x, factor)
    for padding in (2, (1, 2), [3], (1, 2, 3, 4), (-1, 2, 0, -3), (1, 2, 3), "1"):
        for style in ("constant", "edge", "reflect", "symmetric", "mirror"):
            found[f"pad {padding} {style}"] = lambda x, p=padding, s=style: F.pad(x, p, 5, s)
    found["pad None"] = lambda x: F.pad(x, 1, None)
    found["pad of three"] = lambda x: F.pad(x, 1, (1, 2, 3))
    for box in ((2, 3, 5, 4), (-2, -1, 9, 30), (11, 14, 5, 6), (20, 30, 3, 2)):
        found[f"crop {box}"] = lambda x, box=box: F.crop(x, *box)
    for size in (6, [7], (4, 9), (21, 6), (30, 31)):
        found[f"center_crop {size}"] = lambda x, size=size: F.center_crop(x, size)
    for kind in mode:
        for size in ((7, 9), (26, 20), 6):
            found[f"resize {kind.value} {size}"] = lambda x, k=kind, s=size: F.resize(x, s, k)
        found[f"rotate {kind.value}"] = lambda x, k=kind: F.rotate(x, 25.0, k)
        found[f"affine {kind.value}"] = lambda x, k=kind: F.affine(x, 20, [2, -1], 1.2, [8, -5], k, fill=7)
        found[f"perspective {kind.value}"] = lambda x, k=kind: F.perspective(x, *_CORNERS, k)
    for kind in (mode.BILINEAR, mode.BICUBIC):
        found[f"resize {kind.value} aliased"] = lambda x, k=kind: F.resize(x, [6, 7], k, antialias=False)
    found["resize max_size"] = lambda x: F.resize(x, 10, max_size=12)
    found["resize max_size too small"] = lambda x: F.resize(x, 10, max_size=9)
    found["resize max_size of two"] = lambda x: F.resize(x, (9, 9), max_size=12)
    found["resize of three"] = lambda x: F.resize(x, (9, 9, 9))
    found["resize by number"] = lambda x: F.resize(x, 8, 3)
    found["resize by name"] = lambda x: F.resize(x, 8, "bilinear")
    found["rotate expand"] = lambda x: F.rotate(x, 30, mode.BILINEAR, expand=True, fill=[9.0])
    found["rotate 90 expand"] = lambda x: F.rotate(x, 90, expand=True)
    found["rotate center"] = lambda x: F.rotate(x, -10, mode.BILINEAR, center=(3, 4), fill=[1.0])
    found["rotate of three"] = lambda x: F.rotate(x, 10, fill=[1.0, 2.0])
    found["rotate by name"] = lambda x: F.rotate(x, "10")
    found["affine shear"] = lambda x: F.affine(x, 0.0, (0, 0), 0.8, 12.0, mode.BILINEAR, center=[2, 3])
    found["affine scale 0"] = lambda x: F.affine(x, 0.0, (0, 0), 0, 12.0)
    found["affine translate 1"] = lambda x: F.affine(x, 0.0, (0,), 1, 12.0)
    found["perspective fill"] = lambda x: F.perspective(x, *_CORNERS, mode.BILINEAR, fill=[9.0])
    found["perspective of three"] = lambda x: F.perspective(x, *_CORNERS[:1], _CORNERS[1][:3])
    return found


CONSTRUCTIONS = [
    "Compose([Resize(4),ToTensor(),Compose([Normalize([0.5],[0.5])])])",
    "Lambda(abs)",
    "Lambda(3)",
    "RandomApply([ToTensor()],0.3)",
    "RandomOrder([ToTensor(),PILToTensor()])",
    "RandomOrder(3)",
    "RandomChoice([ToTensor()])",
    "RandomChoice([ToTensor()],[1])",
    "RandomChoice([ToTensor()],1)",
    "ToPILImage()",
    'ToPILImage("L")',
    "PILToTensor()",
    "Normalize((0.5,),(0.25,),True)",
    "Resize((32,32),InterpolationMode.NEAREST)",
    "Resize([7],3,max_size=9)",
    'Resize("3")',
    "Resize((1,2,3))",
    "CenterCrop(3)",
    "CenterCrop([3])",
    "CenterCrop((1,2,3))",
    "Pad(2)",
    "Pad((1,2),(1,2,3))",
    'Pad([1,2,3,4],0,"edge")',
    "Pad((1,2,3))",
    'Pad("1")',
    'Pad(1,"1")',
    'Pad(1,0,"mirror")',
    "RandomCrop(4)",
    "RandomCrop((3,4),padding=(1,2))",
    "RandomCrop((1,2,3))",
    "RandomHorizontalFlip()",
    "RandomVerticalFlip(0.3)",
    "RandomResizedCrop(4)",
    "RandomResizedCrop((4,5),(0.123456,1),(0.5,2.0),0)",
    "RandomResizedCrop(4,1)",
    "RandomResizedCrop(4,(0.1,1),2)",
    "RandomResizedCrop((1,2,3))",
    "FiveCrop(3)",
    "TenCrop((3,4),True)",
    "FiveCrop((1,2,3))",
    "ColorJitter()",
    "ColorJitter(0.2,0.3,(0.5,1.5),0.1)",
    "ColorJitter(2)",
    "ColorJitter(-1)",
    'ColorJitter("1")',
    "ColorJitter(hue=0.6)",
    "ColorJitter(hue=(-0.1,0.3))",
    "ColorJitter((2,1))",
    "RandomRotation(30)",
    "RandomRotation((-5,10),2,True)",
    "RandomRotation(10,center=(1,2),fill=(1,2,3))",
    "RandomRotation(10,fill=None)",
    "RandomRotation(-1)",
    "RandomRotation((1,2,3))",
    'RandomRotation("1")',
    'RandomRotation(1,fill="1")',
    "RandomRotation(1,center=3)",
    "RandomAffine(10)",
    "RandomAffine(10,(0.1,0.2))",
    "RandomAffine((-1,2),(0.1,0.2),(0.8,1.2),5,InterpolationMode.BILINEAR,3,(1,2))",
    "RandomAffine(1,shear=(1,2,3,4))",
    "RandomAffine(1,(2,0))",
    "RandomAffine(1,3)",
    "RandomAffine(1,scale=(0,1))",
    "RandomAffine(1,scale=(1,))",
    "RandomAffine(1,shear=-1)",
    "RandomAffine(1,shear=(1,2,3))",
    'RandomAffine(1,fill="1")',
    "RandomAffine(1,center=(1,))",
    "RandomPerspective(0.3,0.2)",
    'RandomPerspective(fill="1")',
    "ElasticTransform()",
    "ElasticTransform(30.0,(3.0,4.0),0,(1,2))",
    "ElasticTransform(30)",
    "ElasticTransform((1,2))",
    "ElasticTransform((1.0,2.0,3.0))",
    'ElasticTransform(sigma="1")',
    "ElasticTransform(sigma=(1.0,))",
    'ElasticTransform(fill="1")',
    "Grayscale()",
    "Grayscale(3)",
    "RandomGrayscale()",
    "RandomErasing()",
    'RandomErasing(0.1,value="random")',
    'RandomErasing(value="1")',
    "RandomErasing(value=None)",
    "RandomErasing(scale=1)",
    "RandomErasing(ratio=1)",
    "RandomErasing(p=2)",
    "RandomErasing(scale=(-1,1))",
    "RandomErasing(scale=(0,2))",
    "GaussianBlur(3)",
    "GaussianBlur((3,5),1.5)",
    "GaussianBlur(4)",
    "GaussianBlur((1,2,3))",
    "GaussianBlur(3,-1)",
    "GaussianBlur(3,(2,1))",
    'GaussianBlur(3,"1")',
    "GaussianBlur(3,(1,2,3))",
    "RandomInvert()",
    "RandomPosterize(3)",
    "RandomSolarize(128,0.2)",
    "RandomAdjustSharpness(2)",
    "RandomAutocontrast()",
    "RandomEqualize(0.1)",
    "ConvertImageDtype(None)",
]


def published(models):
    """All published weights of networks for classification that minigrad knows, of `models`, which has them too."""
    return [member for name in NETWORKS for member in getattr(models, f"{name}_Weights")]


NETWORKS = [
    "AlexNet", "DenseNet121", "GoogLeNet", "Inception_V3", "MobileNet_V2", "ResNeXt50_32X4D", "ResNeXt101_64X4D",
    "ResNet18", "ResNet50", "SqueezeNet1_0", "VGG11_BN", "VGG16", "Wide_ResNet101_2",
]  # fmt: skip


def appearance(construction, T):
    """The `repr` of a transform, or the error of its constructor."""
    try:
        return repr(eval(construction, vars(T)))
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


_CORNERS = [[0, 0], [16, 0], [16, 12], [0, 12]], [[2, 1], [15, 0], [14, 11], [1, 12]]


def _field(image):
    width, height = image.size if isinstance(image, Image.Image) else tuple(image.shape[:-3:-1])
    y, x = np.mgrid[:height, :width]
    return np.stack([np.sin(y / 3) / 7 + 0.01, np.cos(x / 2) / 9.3], -1)[None].astype(np.float32)


def outcome(function, image, error_types=(Exception,)):
    """(kind, array): kind is a PIL mode, a dtype, or an error's type and first line."""
    try:
        result = function(image)
    except error_types as error:
        words = re.sub(r"\b(torch|minigrad(\.autograd\.tensor)?)\.", "", (str(error).splitlines() or [""])[0])
        words = re.sub("input type .* Should", "input type Should", words)  # torchvision prints a class of NumPy's
        return f"{type(error).__name__}: {words}", np.zeros(0)
    if isinstance(result, Image.Image):
        return result.mode, np.asarray(result)
    if isinstance(result, np.ndarray):
        return "array", result
    return str(result.dtype).rpartition(".")[2], result.numpy()

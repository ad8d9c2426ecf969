"""Interpolation, padding, shuffles and sampling at places against torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import agree, draw, same_error, torch

import minigrad as mg
from minigrad.nn import functional as F
from minigrad.testing import assert_close

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*deprecated"),
    pytest.mark.filterwarnings("ignore:Default grid_sample"),
    pytest.mark.filterwarnings("ignore:Since version 1.3.0"),
]

MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "trilinear": (3,),
    "bicubic": (2,),
}
FAST = {"float32": {"rtol": 1e-4, "atol": 2e-5}, "float64": {"rtol": 1e-8, "atol": 1e-9}}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode, rank", [(mode, rank) for mode, ranks in MODES.items() for rank in ranks])
def test_interpolation_agrees_with_torch(mode, rank, dtype):
    shape = (2, 3, 5, 4, 6)[: rank + 2]
    smooth = "linear" in mode or mode == "bicubic"
    sizes = [{"size": (2, 7, 6)[:rank]}, {"size": 1}, {"scale_factor": 2}, {"scale_factor": (0.6, 1.7, 2.3)[:rank]}]
    for settings in sizes:
        for more in (
            {},
            *[{"align_corners": True}] * smooth,
            *[{"recompute_scale_factor": True}] * ("size" not in settings),
        ):
            agree(
                lambda m, x, s=settings | more: m.nn.functional.interpolate(x, mode=mode, **s),
                draw(shape, dtype),
                **FAST[dtype],
            )


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_antialiasing_agrees_with_torch(mode):
    for settings in ({"size": (3, 12)}, {"size": (1, 2)}, {"scale_factor": 0.37}, {"scale_factor": (1.5, 0.8)}):
        agree(
            lambda m, x, s=settings: m.nn.functional.interpolate(x, mode=mode, antialias=True, **s), draw((2, 2, 7, 9))
        )


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(3, 4), (12, 20), (5, 20)])
def test_bytes_agree_with_torch_but_for_rounding(mode, size):
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 7, 9)).astype("uint8")
    ours, theirs = (m.nn.functional.interpolate(m.from_numpy(x), size, mode=mode).numpy() for m in (mg, torch))
    assert ours.dtype == theirs.dtype
    assert abs(ours.astype(int) - theirs).max() <= (0 if "nearest" in mode else 1)


@given(st.integers(1, 40), st.floats(0.05, 5), st.sampled_from(["linear", "nearest-exact"]))
def test_any_scale_chooses_the_neighbours_that_torch_chooses(size, scale, mode):
    if int(size * scale) > 0:
        agree(
            lambda m, x: m.nn.functional.interpolate(x, scale_factor=scale, mode=mode),
            np.arange(float(size), dtype="float32").reshape(1, 1, size),
            order=1,
            rtol=1e-4,
            atol=1e-3,
        )


def test_older_names_warn():
    x = draw((1, 2, 3, 4))
    agree(lambda m, x: m.nn.functional.upsample(x, scale_factor=2, mode="bilinear"), x)
    agree(lambda m, x: m.nn.functional.upsample_nearest(x, (5, 6)), x)
    agree(lambda m, x: m.nn.functional.upsample_bilinear(x, scale_factor=2), x)
    with pytest.warns(UserWarning, match="upsample` is deprecated"):
        F.upsample(mg.from_numpy(x), 2)


def test_interpolation_keeps_what_is_linear():
    x = mg.arange(5.0).reshape(1, 1, 5)
    finer = F.interpolate(x, 9, mode="linear", align_corners=True)[0, 0]
    assert_close(finer, np.arange(9, dtype="float32") / 2, atol=1e-6)
    ones = mg.ones(1, 1, 4, 5)
    for mode in ("bilinear", "bicubic"):
        resized = F.interpolate(ones, (7, 3), mode=mode, antialias=True)
        assert_close(resized, np.ones((1, 1, 7, 3), "float32"), atol=1e-6)


PADS = {
    "line": ((2, 5), (3, 1)),
    "lines": ((2, 3, 5), (0, 4)),
    "image": ((2, 4, 5), (1, 2, 3, 0)),
    "images": ((2, 3, 4, 5), (1, 2, 3, 0)),
    "cut": ((1, 2, 4, 5), (-1, 2, 1, -2)),
    "cut everywhere": ((1, 2, 4, 5), (-1, -2, -1, 0)),
    "volume": ((2, 3, 4, 5), (1, 0, 2, 1, 1, 1)),
    "volumes": ((1, 2, 3, 4, 5), (1, 0, 2, 1, 1, -1)),
    "no samples": ((0, 2, 4), (1, 1)),
}


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("shape, amounts", PADS.values(), ids=PADS)
def test_padding_agrees_with_torch(mode, shape, amounts):
    agree(lambda m, x: m.nn.functional.pad(x, amounts, mode), draw(shape))
    agree(lambda m, x: m.nn.functional.pad(x, amounts, mode), np.arange(np.prod(shape)).reshape(shape))


def test_constant_padding_of_other_dtypes():
    agree(lambda m, x: m.nn.functional.pad(x, (1, 2), value=1.7), np.arange(6).reshape(2, 3))
    agree(lambda m, x: m.nn.functional.pad(x, (1, 2), value=2.0), np.zeros((2, 3), bool))
    agree(lambda m, x: m.nn.functional.pad(x, (1, 2, 0, 1), value=-np.inf), draw((2, 3)), order=1)
    agree(lambda m, x: m.nn.functional.pad(x, ()), draw(()))


def test_shuffles_agree_with_torch():
    for shape in ((8, 2, 3), (2, 4, 3, 2), (2, 3, 4, 1, 2)):
        agree(lambda m, x: m.pixel_shuffle(x, 2), draw(shape))
    for shape in ((2, 4, 6), (2, 3, 4, 2), (2, 1, 3, 2, 2)):
        agree(lambda m, x: m.nn.functional.pixel_unshuffle(x, 2), draw(shape))
    agree(lambda m, x: m.pixel_shuffle(x, 2), draw((0, 4, 2, 2)), order=0)
    for shape in ((2, 6, 3), (1, 6, 2, 2), (0, 6, 3)):
        agree(lambda m, x: m.channel_shuffle(x, 3), draw(shape))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    "mode, rank", [("bilinear", 2), ("nearest", 2), ("bicubic", 2), ("bilinear", 3), ("nearest", 3)]
)
def test_grid_sampling_agrees_with_torch(mode, rank, padding_mode, align_corners):
    shape, places = (2, 3, 4, 5, 3)[: rank + 2], (2, 3, 2, 4)[: rank + 1]
    settings = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    for scale in (0.8, 3.0):
        agree(
            lambda m, x, grid: m.nn.functional.grid_sample(x, grid, **settings),
            draw(shape),
            draw((*places, rank), low=-scale, high=scale),
            order=1,  # PyTorch has no second derivative here
        )


def test_grid_sampling_of_nothing():
    for batch, height in ((0, 2), (1, 0)):
        agree(
            lambda m, x, grid: m.nn.functional.grid_sample(x, grid, align_corners=False),
            draw((batch, 2, 3, 3)),
            draw((batch, height, 2, 2)),
            order=0,
        )


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_places_that_are_no_numbers_do_no_harm(mode, padding_mode):
    x = mg.from_numpy(draw((1, 2, 3, 4))).requires_grad_()
    places = [[np.nan, 0.1], [0.1, np.inf], [-np.inf, np.nan], [1e30, 0.1], [0.2, 0.1]]
    grid = mg.from_numpy(np.array([[places]]))
    y = F.grid_sample(x, grid.requires_grad_(), mode, padding_mode, align_corners=False)
    y.sum().backward()
    assert np.isfinite(y.numpy(force=True)[..., 4]).all()
    if padding_mode != "zeros":
        assert np.isfinite(y.numpy(force=True)).all() and np.isfinite(x.grad.numpy()).all()
    elif mode == "bilinear":
        assert np.isnan(y.numpy(force=True)[..., :3]).all() and (y[..., 3] == 0).all()


def test_affine_grids_agree_with_torch():
    for align_corners in (False, True, None):
        for sizes in ((2, 1, 3, 4), (2, 5, 1, 4)):
            agree(lambda m, t, s=sizes, a=align_corners: m.nn.functional.affine_grid(t, s, a), draw((2, 2, 3)))
        agree(lambda m, t, a=align_corners: m.nn.functional.affine_grid(t, (2, 1, 2, 3, 4), a), draw((2, 3, 4)))


def test_the_identity_samples_every_cell_itself():
    x = mg.from_numpy(draw((2, 3, 4, 5)))
    theta = mg.tensor([[[1.0, 0, 0], [0, 1, 0]]] * 2, dtype=mg.float64)
    for align_corners in (False, True):
        grid = F.affine_grid(theta, x.shape, align_corners)
        for mode in ("bilinear", "nearest", "bicubic"):
            assert_close(F.grid_sample(x, grid, mode, align_corners=align_corners), x, atol=1e-12)


def call(name, shape, *args, **settings):
    return lambda m: getattr(m.nn.functional, name)(m.ones(shape), *args, **settings)


def sample(shape, grid, **settings):
    return lambda m: m.nn.functional.grid_sample(m.ones(shape), m.ones(grid), align_corners=False, **settings)


MISUSE = {
    "nothing said": call("interpolate", (1, 1, 4, 4)),
    "too much said": call("interpolate", (1, 1, 4, 4), 2, 2),
    "no size": call("interpolate", (1, 1, 4, 4), 0),
    "negative size": call("interpolate", (1, 1, 4), -1, mode="linear"),
    "scaled to nothing": call("interpolate", (1, 1, 4, 4), scale_factor=0.1),
    "sizes": call("interpolate", (1, 1, 4, 4), (2, 2, 2)),
    "scales": call("interpolate", (1, 1, 4, 4), scale_factor=(2.0,)),
    "size that is no int": call("interpolate", (1, 1, 4, 4), (2.5, 2)),
    "scale that is no number": call("interpolate", (1, 1, 4, 4), scale_factor=float("nan")),
    "infinite scale": call("interpolate", (1, 1, 4, 4), scale_factor=float("inf")),
    "rank": call("interpolate", (1, 4), 2),
    "linear image": call("interpolate", (1, 1, 4, 4), 2, mode="linear"),
    "bilinear line": call("interpolate", (1, 1, 4), 2, mode="bilinear"),
    "cubic line": call("interpolate", (1, 1, 4), 2, mode="bicubic"),
    "unknown interpolation": call("interpolate", (1, 1, 4, 4), 2, mode="sharp"),
    "corners of nearest": call("interpolate", (1, 1, 4, 4), 2, align_corners=True),
    "smooth nearest": call("interpolate", (1, 1, 4, 4), 2, antialias=True),
    "recompute a size": call("interpolate", (1, 1, 4, 4), 2, recompute_scale_factor=True),
    "no cells": call("interpolate", (1, 1, 0, 4), 2),
    "no channels": call("interpolate", (1, 0, 4, 4), 2),
    "odd padding": call("pad", (1, 4), (1,)),
    "more padding than dimensions": call("pad", (4,), (1, 1, 1, 1)),
    "unknown padding": call("pad", (1, 4), (1, 1), "mirror"),
    "reflect a vector": call("pad", (4,), (1, 1), "reflect"),
    "reflect one dimension of an image": call("pad", (1, 1, 4, 4), (1, 1), "reflect"),
    "replicate six dimensions": call("pad", (1, 1, 1, 2, 2, 2), (1,) * 6, "replicate"),
    "reflect too far": call("pad", (1, 1, 4), (4, 0), "reflect"),
    "reflect too far, images": call("pad", (1, 1, 4, 5), (0, 0, 1, 4), "reflect"),
    "wrap too far": call("pad", (1, 1, 4), (5, 0), "circular"),
    "cut too much": call("pad", (1, 1, 4), (-3, -2), "circular"),
    "replicate nothing": call("pad", (1, 1, 0), (1, 1), "replicate"),
    "reflect with a value": call("pad", (1, 1, 4), (1, 1), "reflect", 1.0),
    "reflect bools": lambda m: m.nn.functional.pad(m.ones(1, 1, 4).bool(), (1, 1), "reflect"),
    "shuffled channels": call("pixel_shuffle", (1, 3, 2, 2), 2),
    "shuffle factor": call("pixel_shuffle", (1, 4, 2, 2), 0),
    "huge shuffle factor": call("pixel_shuffle", (1, 4, 2, 2), 2**62),
    "shuffled matrix": call("pixel_shuffle", (4, 2), 2),
    "unshuffled height": call("pixel_unshuffle", (1, 1, 3, 4), 2),
    "unshuffled width": call("pixel_unshuffle", (1, 1, 4, 3), 2),
    "unshuffle factor": call("pixel_unshuffle", (1, 1, 4, 4), -1),
    "channel groups": call("channel_shuffle", (1, 3, 2, 2), 2),
    "no channel groups": call("channel_shuffle", (1, 4, 2, 2), 0),
    "channels of a matrix": call("channel_shuffle", (4, 2), 2),
    "grid's batch": sample((1, 1, 4, 4), (2, 2, 2, 2)),
    "grid's coordinates": sample((1, 1, 4, 4), (1, 2, 2, 3)),
    "cubic volume": sample((1, 1, 2, 2, 2), (1, 1, 1, 1, 3), mode="bicubic"),
    "unknown sampling": sample((1, 1, 4, 4), (1, 2, 2, 2), mode="sharp"),
    "unknown border": sample((1, 1, 4, 4), (1, 2, 2, 2), padding_mode="mirror"),
    "sampling of nothing": sample((1, 1, 0, 4), (1, 2, 2, 2)),
    "affine size": call("affine_grid", (1, 2, 3), (1, 2, 2)),
    "affine volume": call("affine_grid", (1, 2, 3), (1, 1, 2, 2, 2)),
    "affine nothing": call("affine_grid", (1, 2, 3), (1, 1, 0, 2)),
    "affine batch": call("affine_grid", (1, 2, 3), (2, 1, 2, 2)),
    "affine ints": lambda m: m.nn.functional.affine_grid(m.ones(1, 2, 3).long(), (1, 1, 2, 2)),
}
OTHER_WORDS = {"affine volume", "affine ints", "affine size"}


@pytest.mark.parametrize("name", MISUSE)
def test_same_error_as_torch(name):
    same_error(MISUSE[name], "Expected" if name in OTHER_WORDS - {"affine size"} else None)

"""Layer, group, instance, root-mean-square and local response normalisation against torch, and what defines them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_oracle import agree, draw, named, same_error, same_program

import minigrad as mg
from minigrad.nn import functional as F
from minigrad.testing import assert_close
from minigrad.testing.strategies import arrays

LAYOUTS = ("contiguous", "permuted", "strided", "negative", "fortran")


def parameters(shape):
    return draw(shape, seed=1), draw(shape, seed=2)


@pytest.mark.parametrize("shape, last", [((4, 5), 1), ((2, 3, 4), 2), ((3,), 1), ((0, 4), 1), ((2, 0), 1)])
def test_layer_and_rms_norm_agree_with_torch(shape, last):
    normalized = shape[len(shape) - last :]
    w, b = parameters(normalized)
    agree(lambda m, x, w, b: m.nn.functional.layer_norm(x, normalized, w, b), draw(shape), w, b)
    agree(lambda m, x, b: m.nn.functional.layer_norm(x, list(normalized), bias=b, eps=0.1), draw(shape), b, order=1)
    agree(lambda m, x, w: m.nn.functional.rms_norm(x, normalized, w, 1e-3), draw(shape), w)
    agree(lambda m, x: m.rms_norm(x, normalized), draw(shape))


@pytest.mark.parametrize("shape, groups", [((2, 4, 3), 2), ((3, 6), 3), ((2, 3, 2, 2), 1), ((0, 4), 2)])
def test_group_norm_agrees_with_torch(shape, groups):
    w, b = parameters((shape[1],))
    agree(lambda m, x, w, b: m.nn.functional.group_norm(x, groups, w, b), draw(shape), w, b)
    agree(lambda m, x: m.nn.functional.group_norm(x, groups, eps=0.01), draw(shape))


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 2, 3), (1, 2, 2, 2, 2), (2, 3, 0)])
@pytest.mark.parametrize("use_input_stats", [True, False])
def test_instance_norm_agrees_with_torch(shape, use_input_stats):
    w, b = parameters(shape[1:2])
    mean, var = draw(shape[1:2], seed=3), draw(shape[1:2], seed=4, low=0.5)

    def fn(m, x, w, b):
        running = m.from_numpy(mean.copy()), m.from_numpy(var.copy())
        y = m.nn.functional.instance_norm(x, *running, w, b, use_input_stats, 0.3, 1e-3)
        return y, *running

    agree(fn, draw(shape), w, b)
    if use_input_stats:
        agree(lambda m, x: m.nn.functional.instance_norm(x), draw(shape))


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 4, 3, 2), (1, 6, 2, 2, 2), (5, 0, 3)])
@pytest.mark.parametrize("size", [1, 2, 5, 20])
def test_local_response_norm_agrees_with_torch(shape, size):
    agree(lambda m, x: m.nn.functional.local_response_norm(x, size, 0.7, 0.6, 1.2), draw(shape))


def test_a_window_beyond_all_channels_is_no_larger_array():
    y = F.local_response_norm(mg.ones(1, 2, 3), 2**40, alpha=2.0**40, beta=1.0, k=0.0)
    assert_close(y, mg.full((1, 2, 3), 0.5))


@settings(max_examples=15)
@given(st.data(), st.sampled_from(["float32", "float64"]))
def test_any_layout_agrees_with_torch(data, dtype):
    shape = data.draw(st.tuples(st.integers(1, 4), st.just(4), st.integers(2, 5)))
    x = data.draw(arrays(shape, dtype, layouts=LAYOUTS))
    w, b = (data.draw(arrays((4,), dtype)) for _ in range(2))
    tolerance = {"rtol": 1e-3, "atol": 2e-3} if dtype == "float32" else {"rtol": 1e-6, "atol": 1e-6}
    agree(lambda m, x, w, b: m.nn.functional.group_norm(x, 2, w, b, 0.1), x, w, b, order=1, **tolerance)
    agree(lambda m, x: m.nn.functional.layer_norm(x, x.shape[1:], eps=0.1), x, order=1, **tolerance)


def test_layer_norm_does_not_see_scale_and_shift():
    x = mg.from_numpy(draw((6, 8)))
    assert_close(F.layer_norm(x * 7 + 100, (8,)), F.layer_norm(x, (8,)), rtol=1e-4, atol=1e-4)


def test_instance_norm_is_batch_norm_of_each_sample():
    x = mg.from_numpy(draw((3, 2, 5)))
    for i in range(3):
        alone = F.batch_norm(x[i : i + 1], None, None, training=True)
        assert_close(F.instance_norm(x)[i : i + 1], alone, atol=1e-12)


def test_group_norm_of_one_group_is_layer_norm():
    x = mg.from_numpy(draw((3, 4, 5)))
    assert_close(F.group_norm(x, 1), F.layer_norm(x, (4, 5)), atol=1e-12)


def test_rms_norm_converts_its_weight():
    same_program(lambda m: m.rms_norm(m.ones(2, 3), (3,), m.ones(3, dtype=m.float64)))


def test_empty_batches_leave_the_running_statistics():
    def program(m):
        mean, var = m.full((3,), 5.0), m.full((3,), 7.0)
        m.nn.functional.batch_norm(m.ones(0, 3), mean, var, training=True)
        m.nn.functional.batch_norm(m.ones(2, 3, 0), mean, var, training=True)
        return mean, var

    same_program(program)


def test_an_infinite_value_has_an_infinite_mean():
    x = np.ones((40, 2, 3), "float32")
    x[3, 0, 1] = np.inf

    def program(m):
        mean, var = m.zeros(2), m.ones(2)
        m.nn.functional.batch_norm(m.from_numpy(x.copy()), mean, var, training=True)
        return mean, var

    same_program(program)


def call(name, shape, *args, **settings):
    return lambda m: getattr(m.nn.functional, name)(
        m.ones(*shape),
        *[a(m) if callable(a) else a for a in args],
        **{k: v(m) if callable(v) else v for k, v in settings.items()},
    )


def ones(*shape):
    return lambda m: m.ones(*shape)


def doubles(*shape):
    return lambda m: m.ones(*shape, dtype=m.float64)


def integers(name, *args):
    return lambda m: getattr(m.nn.functional, name)(m.ones(2, 4, 3, dtype=m.int64), *args)


MISUSE = {
    "weight of another shape": call("layer_norm", (2, 3), (3,), ones(2)),
    "bias of another shape": call("layer_norm", (2, 3), (3,), None, ones(2)),
    "other last dimensions": call("layer_norm", (2, 3, 4), (2, 4)),
    "too many dimensions": call("layer_norm", (2, 3), [3, 3, 3]),
    "no dimension": call("layer_norm", (2, 3), ()),
    "a number of dimensions": call("layer_norm", (2, 3), 3),
    "a broken number": call("layer_norm", (2, 3), (3.0,)),
    "layer_norm of integers": integers("layer_norm", (3,)),
    "layer_norm of two dtypes": call("layer_norm", (2, 3), (3,), doubles(3)),
    "rms_norm, other dimensions": call("rms_norm", (2, 3, 4), (2, 4)),
    "rms_norm, no dimension": call("rms_norm", (2, 3), ()),
    "rms_norm, weight": call("rms_norm", (2, 3), (3,), ones(2)),
    "rms_norm of integers": integers("rms_norm", (3,)),
    "groups that do not divide": call("group_norm", (2, 4, 3), 3),
    "no groups": call("group_norm", (2, 4), 0),
    "negative groups": call("group_norm", (2, 4), -2),
    "groups of a vector": call("group_norm", (4,), 2),
    "groups of one number": call("group_norm", (1, 4), 4),
    "group_norm, weight": call("group_norm", (2, 4), 2, ones(3)),
    "group_norm of integers": integers("group_norm", 2),
    "group_norm of two dtypes": call("group_norm", (2, 4), 2, doubles(4)),
    "one place": call("instance_norm", (2, 3)),
    "one pixel": call("instance_norm", (2, 3, 1, 1)),
    "instance_norm, statistics": call("instance_norm", (2, 3, 4), ones(2), ones(2)),
    "instance_norm, weight": call("instance_norm", (2, 3, 4), None, None, ones(2)),
    "instance_norm without statistics": call("instance_norm", (2, 3, 4), use_input_stats=False),
    "instance_norm, half of the statistics": call("instance_norm", (2, 3, 4), ones(3)),
    "instance_norm of integers": integers("instance_norm"),
    "batch_norm, half of the statistics": call("batch_norm", (2, 3), ones(3), None, training=True),
    "batch_norm of integers": lambda m: m.nn.functional.batch_norm(m.ones(2, 3, dtype=m.int64), m.ones(3), m.ones(3)),
    "batch_norm of a vector": call("batch_norm", (3,), ones(3), ones(3)),
    "batch_norm, eps": call("batch_norm", (2, 3), ones(3), ones(3), eps=-1),
    "batch_norm, eps in training": call("batch_norm", (2, 3), None, None, training=True, eps=0),
    "local response of a matrix": call("local_response_norm", (2, 3), 2),
    "local response of nothing": call("local_response_norm", (2, 3, 4), 0),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_errors_are_those_of_torch(misuse):
    same_error(misuse)


@named(F.layer_norm, F.rms_norm)
def test_a_float32_input_gives_float32(function):
    assert function(mg.ones(2, 3), (3,)).dtype == mg.float32

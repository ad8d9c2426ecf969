"""Hypothesis strategies: shapes that broadcast, arrays in odd memory, geometries of convolution and pooling.

Elements come from a drawn seed rather than being drawn one by one, which keeps examples fast; what shrinks is the
shape, the layout and the geometry.
"""

from typing import NamedTuple

import numpy as np

try:
    from hypothesis import strategies as st
    from hypothesis.extra.numpy import mutually_broadcastable_shapes
except ImportError as error:
    raise ImportError("minigrad.testing.strategies needs hypothesis\nhint: pip install hypothesis") from error

from .layouts import LAYOUTS, lay_out


class Conv2dGeometry(NamedTuple):
    """A valid call of conv2d: shapes of input and weight, and the keyword arguments."""

    input_shape: tuple
    weight_shape: tuple
    settings: dict


class Pool2dGeometry(NamedTuple):
    """A valid call of max_pool2d: shape of the input, and the keyword arguments (`dilation` is not for avg_pool2d)."""

    input_shape: tuple
    settings: dict


def broadcastable_shapes(count=2, max_dims=3, max_side=4, min_side=0):
    """`count` shapes that broadcast together: of different ranks, with sizes 1 and `min_side` among them.

    >>> from hypothesis import given
    >>> import minigrad as mg
    >>> @given(broadcastable_shapes(2))
    ... def a_sum_has_the_broadcast_shape(shapes):
    ...     x, y = (mg.zeros(shape) for shape in shapes)
    ...     assert tuple((x + y).shape) == np.broadcast_shapes(*shapes)
    >>> a_sum_has_the_broadcast_shape()
    """
    drawn = mutually_broadcastable_shapes(
        num_shapes=count, max_dims=max_dims, max_side=max_side, min_side=min_side, base_shape=()
    )
    return drawn.map(lambda shapes: tuple(shapes.input_shapes))


@st.composite
def arrays(draw, shape, dtype="float64", low=-2.0, high=2.0, layouts=("contiguous", *LAYOUTS)):
    """An array of `shape` with elements drawn evenly from [low, high), in one of `layouts`.

    >>> from hypothesis import given
    >>> import minigrad as mg
    >>> @given(arrays((2, 3), low=0.5))
    ... def the_root_squared_is_the_number(array):
    ...     assert np.allclose(mg.from_numpy(array).sqrt().square(), array)
    >>> the_root_squared_is_the_number()
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    array = np.asarray(rng.uniform(low, high, shape)).astype(dtype)
    layout = draw(st.sampled_from(layouts))
    return array if layout == "contiguous" else lay_out(array, layout)


def _pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def conv2d_geometries(draw, max_kernel=3, max_groups=3):
    """A `Conv2dGeometry`: rectangular kernels, strides, paddings and dilations, "same" padding, groups, sizes of 0
    samples.

    The input is large enough for one window, and rarely a multiple of the stride.

    >>> from hypothesis import given, settings
    >>> import minigrad as mg
    >>> @settings(deadline=None)
    ... @given(conv2d_geometries())
    ... def the_result_has_a_channel_per_filter(geometry):
    ...     x, weight = mg.zeros(geometry.input_shape), mg.zeros(geometry.weight_shape)
    ...     assert mg.nn.functional.conv2d(x, weight, **geometry.settings).shape[1] == len(weight)
    >>> the_result_has_a_channel_per_filter()
    """
    kernel, dilation = draw(_pairs(1, max_kernel)), draw(_pairs(1, 2))
    stride, padding = draw(_pairs(1, 3)), draw(_pairs(0, 2))
    groups = draw(st.integers(1, max_groups))
    if draw(st.booleans()) and stride == (1, 1):
        padding = draw(st.sampled_from(("same", "valid")))
    pads = padding if isinstance(padding, tuple) else (0, 0)
    smallest = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, pads)]
    size = tuple([n + draw(st.integers(0, 4)) for n in smallest])
    batch, channels, filters = draw(st.integers(0, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    return Conv2dGeometry(
        (batch, groups * channels, *size),
        (groups * filters, channels, *kernel),
        {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
    )


@st.composite
def pool2d_geometries(draw, max_kernel=3, dilated=True):
    """A `Pool2dGeometry`: overlapping, disjoint and gapped windows, padding up to half a window, `ceil_mode`. Every
    window sees the input, not only padding.

    >>> from hypothesis import given, settings
    >>> import minigrad as mg
    >>> @settings(deadline=None)
    ... @given(pool2d_geometries())
    ... def the_channels_stay(geometry):
    ...     y = mg.nn.functional.max_pool2d(mg.zeros(geometry.input_shape), **geometry.settings)
    ...     assert y.shape[:2] == geometry.input_shape[:2]
    >>> the_channels_stay()
    """
    kernel, stride = draw(_pairs(1, max_kernel)), draw(_pairs(1, 3))
    dilation = draw(_pairs(1, 2)) if dilated else (1, 1)
    padding = tuple([draw(st.integers(0, k // 2)) for k in kernel])
    smallest = [max(d, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding)]
    size = tuple([n + draw(st.integers(0, 4)) for n in smallest])
    shape = (draw(st.integers(0, 2)), draw(st.integers(1, 3)), *size)
    settings = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": draw(st.booleans())}
    return Pool2dGeometry(shape, settings | ({"dilation": dilation} if dilated else {}))

"""Arrays with the same values in every memory order that a kernel must cope with."""

import numpy as np
from hypothesis import strategies as st

LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "channels-last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "negative": lambda x: np.ascontiguousarray(x[::-1, ..., ::-1])[::-1, ..., ::-1],
    "offset": lambda x: np.concatenate([x[..., :1], x], axis=-1)[..., 1:],
}


def read_only(x):
    x.flags.writeable = False
    return x


@st.composite
def arrays(draw, shape, dtype):
    """Normally distributed values in a random memory order, read-only, at times broadcast along the first axis."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.standard_normal(shape).astype(dtype)
    if len(shape) < 2:
        return read_only(values)
    if 0 not in shape and draw(st.integers(0, 7)) == 0:
        return np.broadcast_to(values[:1], shape)
    return read_only(LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](values))

"""Every differentiable operation, one family a file: forward, derivative and formula side by side.

Importing this package registers the operations as methods of `Tensor`; `functions` maps the public names of `minigrad`
and `minigrad.nn.functional` to their definitions.
"""

import warnings

from . import (  # noqa: F401
    activation,
    adaptive_pooling,
    arithmetic,
    attention,
    bitwise,
    choice,
    comparison,
    contraction,
    conversion,
    convolution,
    counting,
    creation,
    ctc,
    cumulative,
    decompositions,
    diagonals,
    distance,
    division,
    dropout,
    elementary,
    embedding,
    exchange,
    extrema,
    grid_sampling,
    index,
    inplace,
    joining,
    least_squares,
    legacy,
    linear_systems,
    loss,
    margin_loss,
    masks,
    matrix,
    maxima,
    memory,
    normalization,
    norms,
    order_statistics,
    out,
    padding,
    picking,
    pointwise_loss,
    pooling,
    powers,
    queries,
    random,
    rearranging,
    recurrent,
    reduction,
    resampling,
    rounding,
    row_normalization,
    sampling,
    scatter,
    sequences,
    shape,
    shuffling,
    similarity,
    softmax,
    sorting,
    splitting,
    statistics,
    strided,
    unfolding,
    views,
    windows,
)
from .inplace import functions as inplace_functions
from .random import Generator, default_generator
from .registry import functions

inplace.register()
out.register()

# Infinities and NaN are values like others, as in PyTorch; `np.errstate` would cost more than a small addition.
warnings.filterwarnings(
    "ignore", "(divide by zero|overflow|underflow|invalid value) encountered", RuntimeWarning, module=r"minigrad\."
)

__all__ = ["Generator", "default_generator", "functions", "inplace_functions"]

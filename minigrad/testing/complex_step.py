"""Derivatives without subtraction: a step in the imaginary direction has no rounding error to speak of.

For a function that is analytic and runs on complex arrays, f(x + i h) = f(x) + i h f'(x) + O(h²), so the imaginary part
over h is the derivative to the last digits, for h as small as 1e-20 (Squire and Trapp 1998,
https://doi.org/10.1137/S003614459631241X).
"""

import numpy as np

STEP = 1e-20


def complex_step(function, x, direction=None):
    """The derivative of a NumPy function at `x` along `direction` (ones by default), exact to rounding.

    `function` maps an array to an array by analytic operations that take complex numbers: no abs, maximum or
    comparison. `x` and `direction` are real arrays of one shape; the result has the shape of the function's.

    >>> complex_step(np.exp, np.array([0.0, 1.0]))
    array([1.        , 2.71828183])
    """
    x = np.asarray(x, np.float64)
    direction = np.ones_like(x) if direction is None else np.asarray(direction, np.float64)
    result = np.asarray(function(x + 1j * STEP * direction))
    if result.dtype.kind != "c":
        raise TypeError(
            f"the function returned {result.dtype} for complex numbers\nhint: a complex step needs a function that "
            "keeps the imaginary part"
        )
    return result.imag / STEP

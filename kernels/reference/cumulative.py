"""Running sums along one axis, element by element. The fast version lives in `kernels/cpu/cumulative.py`."""

import numpy as np


def running_total(x, axis, reverse):
    """y[k] = the sum of x[i] over i <= k along the axis, or over i >= k with `reverse`, added in float64.

    x is of float32 or float64, of rank 1 or more; y is like it. PyTorch's `torch.cumsum`.

    >>> running_total(np.array([1.0, 2.0, 3.0]), 0, False)
    array([1., 3., 6.])
    """
    y = np.empty(x.shape, x.dtype.newbyteorder("="))
    lines, results = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    for at in np.ndindex(lines.shape[:-1]):
        total = 0.0
        for i in range(x.shape[axis]):
            place = (*at, x.shape[axis] - 1 - i if reverse else i)
            total += float(lines[place])
            results[place] = total
    return y

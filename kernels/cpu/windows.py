"""What the pooling kernels share: the windows of an axis, positions in a row, and channels-first memory as planes."""

import numpy as np

LONG = 16  # pixels of a row that are worth the start of a loop
FEW_CHANNELS = 16  # below, the loop over a pixel's channels is too short to be worth its start


def volume(sizes, unit):
    """One value per spatial axis, with `unit` for the missing ones of three."""
    return (unit,) * (3 - len(sizes)) + tuple(sizes)


def are_planes(x):
    """Whether x, (N, C, *spatial), lies channels-first, so that its rows of pixels are contiguous, and long enough."""
    return x.shape[1] > 1 and x.flags.c_contiguous and x.ndim > 2 and x.shape[-1] >= LONG


def planes(x):
    """x, (N, C, *spatial), as images of one channel."""
    return x.reshape(-1, 1, *x.shape[2:])


def adaptive_windows(spatial, output_size):
    """For each axis the (2, outputs) first and stop coordinates of windows that divide the input evenly."""
    windows = []
    for size, outputs in zip(spatial, output_size):
        cuts = np.arange(outputs + 1) * size
        windows.append(np.stack([cuts[:-1] // outputs, -(-cuts[1:] // outputs)]))
    return windows


def positions_of(pixels, channels):
    """Positions in a row of memory of every channel of the given (taps, pixels)."""
    positions = pixels[:, :, None] * channels + np.arange(channels)
    return positions.reshape(len(pixels), pixels.shape[1] * channels).astype(np.uintp)

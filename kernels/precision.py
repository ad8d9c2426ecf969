"""What callers may choose between speed and the last digits."""

import threading

__all__ = ["winograd"]


class _Chosen(threading.local):
    """The calling thread's choices."""

    winograd = True


chosen = _Chosen()


class winograd:
    """Allow (the default) or forbid Winograd's algorithm in the calling thread's float32 convolutions.

    It computes a 3x3 convolution of stride 1 with fewer multiplications and rounds a little more: the error stays below
    2e-5 of the largest output (2e-6 is typical, where the direct sum has 1e-6). The choice holds from the call on; as a
    context manager it is undone at the end of the block.

    >>> with winograd(False):
    ...     chosen.winograd
    False
    >>> chosen.winograd
    True
    """

    def __init__(self, enabled):
        self._previous = chosen.winograd
        chosen.winograd = bool(enabled)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        chosen.winograd = self._previous

"""What callers may choose between speed and the last digits.

Winograd's algorithm, of the CPU, is chosen by thread. What the GPU may compute float32 in, "ieee" or "tf32", is chosen
for the process, as in PyTorch, in a tree: an operation for which nothing was chosen ("none") asks the GPU's entry, and
that one the entry of all devices. `minigrad.backends` is the face of it.
"""

import threading

__all__ = ["fp32_precision", "set_fp32_precision", "tf32_allowed", "winograd"]

_ABOVE = {"matmul": "cuda", "conv": "cuda", "rnn": "cuda", "cuda": "all"}
_fp32 = dict.fromkeys([*_ABOVE, "all"], "none")
_HINT = 'hint: "ieee" is float32, "tf32" allows factors of ten binary places, "none" leaves it to the entry above'


def fp32_precision(place):
    """What holds for "matmul", "conv", "rnn", "cuda" or "all": "ieee", "tf32", or "none", which means "ieee".

    >>> set_fp32_precision("matmul", "ieee")
    >>> fp32_precision("matmul")
    'ieee'
    >>> set_fp32_precision("matmul", "none")
    """
    while _fp32[place] == "none" and place in _ABOVE:
        place = _ABOVE[place]
    return _fp32[place]


def set_fp32_precision(place, precision):
    """Choose for one place of the tree. A RuntimeError for a word that is none of the three.

    >>> set_fp32_precision("matmul", "none")
    >>> set_fp32_precision("cuda", "tf32")
    >>> fp32_precision("matmul")
    'tf32'
    >>> set_fp32_precision("cuda", "none")
    """
    if not isinstance(precision, str):
        raise TypeError(f"fp32_precision must be a string, not {type(precision).__name__}\n{_HINT}")
    if precision == "bf16":
        raise RuntimeError(f"backend 'cuda' does not support precision 'bf16'\n{_HINT}")
    if precision not in ("none", "ieee", "tf32"):
        raise RuntimeError(f"Unknown precision: {precision}\n{_HINT}")
    _fp32[place] = precision


def tf32_allowed(operation):
    """Whether "matmul" or "conv" may round float32 factors to TF32.

    >>> set_fp32_precision("conv", "tf32")
    >>> tf32_allowed("conv")
    True
    >>> set_fp32_precision("conv", "none")
    """
    return fp32_precision(operation) == "tf32"


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

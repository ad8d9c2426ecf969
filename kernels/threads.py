"""On how many threads the kernels work."""

from importlib import import_module

__all__ = ["get_num_threads", "set_num_threads"]


def set_num_threads(number):
    """Let the kernels that this Python thread calls work on `number` threads (`torch.set_num_threads`).

    Results do not depend on it, to the bit. The pool has as many threads as the process may use processors (or
    `NUMBA_NUM_THREADS` of them), and a larger number means all of these. Raises RuntimeError for what is no positive
    int.

    >>> import minigrad
    >>> before = minigrad.get_num_threads()
    >>> minigrad.set_num_threads(1)
    >>> minigrad.get_num_threads()
    1
    >>> minigrad.set_num_threads(before)
    """
    if not isinstance(number, int) or isinstance(number, bool):
        raise RuntimeError(f"set_num_threads expects an int, but got {type(number).__name__}")
    if number < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer\nhint: got {number}; 1 is the least")
    import_module(".jit", __package__).use_threads(number)  # imports Numba, which takes half a second


def get_num_threads():
    """On how many threads the kernels that this Python thread calls work (`torch.get_num_threads`).

    >>> import minigrad
    >>> minigrad.get_num_threads() >= 1
    True
    """
    return import_module(".jit", __package__).threads_in_use()

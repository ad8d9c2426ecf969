"""Sums over the threads of a block, in an order that depends on nothing but their number."""

from ._numba import cuda, inlined

__all__ = ["block_largest", "block_sum"]


@inlined
def block_sum(value, shared, *, THREADS):
    """The sum of every thread's value, to all of them; `shared` has room for a number each."""
    thread = cuda.threadIdx.x
    shared[thread] = value
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if thread < half:
            shared[thread] += shared[thread + half]
        cuda.syncthreads()
        half //= 2
    total = shared[0]
    cuda.syncthreads()
    return total


@inlined
def block_largest(value, shared, *, THREADS):
    """The largest of every thread's value, NaN left out, to all of them."""
    thread = cuda.threadIdx.x
    shared[thread] = value
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if thread < half and shared[thread + half] > shared[thread]:
            shared[thread] = shared[thread + half]
        cuda.syncthreads()
        half //= 2
    largest = shared[0]
    cuda.syncthreads()
    return largest

"""A GPU of Python: the kernels run as they are written, one thread at a time, on NumPy's memory.

`cuda` offers the few names of `numba.cuda` that the kernels use. A kernel without barriers is called once for every
thread. With barriers each thread of a block is a thread of Python, but only one of them runs until it ends or waits at
the barrier, then the next one; so a debugger steps through one thread after the other. From barrier to barrier the
order is reversed, which shows a missing barrier by wrong results; shared memory starts out as NaN; a barrier that only
some threads of a block reach is an error. Where the 32 threads of a warp compute together, each hands in its values and
waits for the others; if one does not come, that is an error too. Pointers are memoryviews of flat arrays: they read and
write Python's numbers, and a place beyond the end is an IndexError.
"""

import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from types import FunctionType, SimpleNamespace

__all__ = ["cuda", "run"]

WARP = 32  # threads that compute in step


class _Index:
    """Three coordinates, as of a thread in its block."""

    __slots__ = ("x", "y", "z")

    def __init__(self, x=0, y=0, z=0):
        self.x, self.y, self.z = x, y, z


class _Aborted(BaseException):
    """Ends the threads of a block when one of them has failed."""


class _Cuda:
    """Stands for the module `numba.cuda` within kernels."""

    def __init__(self):
        self.threadIdx, self.blockIdx, self.blockDim, self.gridDim = _Index(), _Index(), _Index(), _Index()
        self.shared = SimpleNamespace(array=self._shared_array)
        self.local = SimpleNamespace(array=self._local_array)
        self._block = None

    def syncthreads(self):
        """Wait until every thread of the block is here."""
        self._block.wait(self.threadIdx.x)

    def exchange(self, together, values):
        """This thread's entry of `together(list)`, where the list holds the values of all 32 threads of its warp."""
        return self._block.exchange(self.threadIdx.x, together, values)

    def _shared_array(self, size, dtype, alignment=None):
        return self._block.shared(self.threadIdx.x, size)

    def _local_array(self, size, dtype, alignment=None):
        return [math.nan] * size


cuda = _Cuda()


class _Block:
    """The threads of a block, of which one holds the baton. They live for all blocks of a launch, one after another."""

    def __init__(self, function, args, grid, threads):
        self.function, self.args, self.threads = function, args, threads
        self.blocks = list(product(*map(range, reversed(grid))))
        self.gates = [threading.Semaphore(0) for _ in range(threads)]
        self.back = threading.Semaphore(0)
        self.arrays, self.taken = [], [0] * threads
        self.given, self.received = {}, {}
        self.ended, self.failed = 0, False
        self.trace = sys.gettrace()

    def shared(self, thread, size):
        """The block's array that its threads ask for at this point: the same for the n-th request of each."""
        number = self.taken[thread]
        self.taken[thread] += 1
        if number == len(self.arrays):
            self.arrays.append([math.nan] * size)
        return self.arrays[number]

    def wait(self, thread):
        """Hand the baton back, until it comes again."""
        self.back.release()
        self.gates[thread].acquire()
        if self.failed:
            raise _Aborted

    def exchange(self, thread, together, values):
        """Hand in what a thread gives to its warp, and wait for what it gets."""
        self.given[thread] = together, values
        self.wait(thread)
        return self.received.pop(thread)

    def exchanged(self):
        """The threads, in order, of the warps that have come together, which got their results by this."""
        for warp in sorted({thread // WARP for thread in self.given}):
            lanes = [thread for thread in range(WARP * warp, WARP * (warp + 1)) if thread in self.given]
            operations = {self.given[thread][0] for thread in lanes}
            if len(lanes) < WARP or len(operations) > 1:
                raise RuntimeError(
                    f"{len(lanes)} of the {WARP} threads of warp {warp} came to {len(operations)} of its operations"
                )
            (together,) = operations
            self.received.update(zip(lanes, together([self.given[thread][1] for thread in lanes]), strict=True))
        threads = sorted(self.given)
        self.given.clear()
        return threads

    def work(self, thread):
        """What one thread does: the kernel, for one block after the other."""
        self.gates[thread].acquire()
        if self.trace is not None:
            sys.settrace(self.trace)  # a debugger's breakpoints hold in all threads
        for number in range(len(self.blocks)):
            if number:
                self.wait(thread)
            self.function(*self.args)
            self.ended += 1

    def run(self):
        """Pass the baton around until all blocks have ended."""
        with ThreadPoolExecutor(self.threads) as pool:
            workers = [pool.submit(self.work, thread) for thread in range(self.threads)]
            for worker in workers:
                worker.add_done_callback(lambda worker: self.back.release())
            try:
                for number in range(len(self.blocks)):
                    self.run_block(number, workers)
            finally:
                self.failed = True  # unless all have ended
                for gate in self.gates:
                    gate.release()

    def run_block(self, number, workers):
        """From barrier to barrier each thread in turn, then in the reverse order."""
        z, y, x = self.blocks[number]
        cuda.blockIdx = _Index(x, y, z)
        self.arrays, self.taken, self.ended = [], [0] * self.threads, 0
        order = turn = list(range(self.threads))
        while self.ended < self.threads:
            for thread in turn:
                cuda.threadIdx = _Index(thread)
                self.gates[thread].release()
                self.back.acquire()
                if workers[thread].done() and (error := workers[thread].exception()):
                    error.add_note(f"in thread {thread} of block {(x, y, z)}")
                    raise error
            if self.given:
                turn = self.exchanged()
                continue
            if 0 < self.ended < self.threads:
                raise RuntimeError(f"{self.threads - self.ended} threads wait at a barrier, the others ended")
            order = turn = order[::-1]


def _has_barriers(function):
    """Whether a function, or one that it calls, waits for other threads or shares memory."""
    names = function.__code__.co_names
    if not {"syncthreads", "shared", "exchange"}.isdisjoint(names):
        return True
    called = [function.__globals__.get(name) for name in names] + list((function.__kwdefaults__ or {}).values())
    return any(_has_barriers(other) for other in called if isinstance(other, FunctionType) and other is not function)


def run(function, grid, threads, args):
    """Run `function` as a kernel on a grid (x, y, z) of blocks of so many threads, a number."""
    if len(grid) != 3 or not isinstance(threads, int):
        raise TypeError(f"a grid is (x, y, z) and the threads of a block a number, not {grid} and {threads}")
    cuda.gridDim, cuda.blockDim = _Index(*grid), _Index(threads, 1, 1)
    if _has_barriers(function):
        cuda._block = _Block(function, args, grid, threads)
        cuda._block.run()
        return
    for z, y, x in product(*map(range, reversed(grid))):
        cuda.blockIdx = _Index(x, y, z)
        for thread in range(threads):
            cuda.threadIdx = _Index(thread)
            function(*args)

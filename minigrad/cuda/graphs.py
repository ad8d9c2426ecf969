"""CUDA graphs: a step's work on the GPU, captured once and launched again as a whole, without Python in between.

A replay works on the memory that the capture worked on: new inputs are copied into the old tensors, results are read
from the tensors that the captured code made. Memory made during a capture comes from the graph's own pool, so that
nobody else gets it. What the host must wait for (`.item()`, a mask as an index) cannot be captured.

In the simulator a capture is a tape of the calls, which a replay makes again on the same memory. As on a GPU nothing
has been computed before the first replay.
"""

import contextlib

from minigrad.autograd import present
from minigrad.kernels.device import Tape, capturing, library, simulated
from minigrad.ops.random import gpu_generator

from .streams import Stream, current_stream, default_stream

__all__ = ["CUDAGraph", "graph", "graph_pool_handle", "is_current_stream_capturing"]


class CUDAGraph:
    """Captured work, to be launched as often as wanted (`torch.cuda.CUDAGraph`); `graph` captures it.

    >>> import minigrad
    >>> if minigrad.cuda.is_available():
    ...     x, g = minigrad.ones(2, device="cuda"), CUDAGraph()
    ...     with graph(g):
    ...         y = x + 1
    ...     _ = x.fill_(5)
    ...     g.replay()
    ...     assert y.tolist() == [6, 6]
    """

    def __init__(self, keep_graph=False):
        present("cuda")
        self._graph = self._stream = self._held = None
        self._memory = self._allocator = None

    def capture_begin(self, pool=None, capture_error_mode="global"):
        """Capture what goes into the current stream from now on, which must not be the default one.

        `pool` is another graph's `pool()`, whose memory this one may use too if the two are replayed in that order.
        """
        if self._graph is not None:
            raise RuntimeError("This CUDAGraph instance already owns a captured graph\nhint: call reset() first")
        if capturing():
            raise RuntimeError(
                "CUDA error: operation not permitted when stream is capturing\nhint: captures do not nest"
            )
        if current_stream() == default_stream():
            raise RuntimeError(
                "CUDA graphs must be captured on a non-default stream. (However, after capture, it's ok to replay them "
                "on the default stream.)\nhint: `with cuda.graph(g):` takes a stream of its own"
            )
        gpu_generator()  # a stream of random numbers that began in the graph would begin again at every replay
        Tape.holding = self._held = []
        if simulated():
            self._graph = Tape()
            self._graph.begin()
            return
        cuda = library().module.cuda
        self._memory = cuda.MemoryPool() if pool is None else pool
        self._allocator = cuda.get_allocator()
        cuda.set_allocator(self._memory.malloc)
        self._stream = current_stream().queue
        self._stream.begin_capture()

    def capture_end(self):
        """End the capture; the graph can be replayed from now on."""
        Tape.holding = None
        if simulated():
            self._graph.end()
            return
        try:
            self._graph = self._stream.end_capture()
        finally:
            library().module.cuda.set_allocator(self._allocator)

    def replay(self):
        """Launch the captured work once more."""
        if self._graph is None:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        if simulated():
            self._graph.replay()
        else:
            self._graph.launch(current_stream().queue)

    def reset(self):
        """Forget the captured work and let go of its memory."""
        self._graph = self._memory = self._held = None

    def pool(self):
        """The graph's memory, to be shared with another graph."""
        return self._memory


class graph(contextlib.AbstractContextManager):
    """A context that captures what is done inside into a `CUDAGraph` (`torch.cuda.graph`).

    Run the step a few times before, so that kernels are compiled and optimizers have made their state; gradients set to
    None before the capture are then made in the graph's memory. `pool` and `stream` as for `capture_begin`.

    >>> import minigrad
    >>> if minigrad.cuda.is_available():
    ...     g = CUDAGraph()
    ...     with graph(g):
    ...         y = minigrad.zeros(2, device="cuda")
    ...     g.replay()
    """

    def __init__(self, cuda_graph, pool=None, stream=None, capture_error_mode="global"):
        self._graph, self._pool = cuda_graph, pool
        self._stream = Stream() if stream is None else stream

    def __enter__(self):
        self._stream.wait_stream(current_stream())
        self._stream.__enter__()
        try:
            self._graph.capture_begin(self._pool)
        except BaseException:
            self._stream.__exit__()
            raise

    def __exit__(self, *error):
        try:
            self._graph.capture_end()
        finally:
            self._stream.__exit__()
        current_stream().wait_stream(self._stream)


def graph_pool_handle():
    """A pool of memory for several graphs, to be given to `graph(..., pool=)` (`torch.cuda.graph_pool_handle`).

    >>> from minigrad import cuda
    >>> pool = graph_pool_handle() if cuda.is_available() else None
    """
    present("cuda")
    return None if simulated() else library().module.cuda.MemoryPool()


def is_current_stream_capturing():
    """Whether work is being captured at the moment (`torch.cuda.is_current_stream_capturing`).

    >>> is_current_stream_capturing()
    False
    """
    return capturing()

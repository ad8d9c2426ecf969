"""Tables of addresses: how a kernel gets at arrays whose number is not known when it is compiled.

On a device a table is an array of whole numbers, made once for the same addresses; in the simulator, where addresses
mean nothing, it is a list of the arrays' memory. `pointer` makes of an entry what a kernel gets for an array argument.
"""

import functools

import numpy as np

from ..device import held, uploaded
from ._numba import SIMULATED
from .memory import address, memory_order

__all__ = ["pointer", "table"]

if SIMULATED:

    def pointer(kind, addresses, i):
        """The array at entry i of a table, whose elements are of a kind."""
        return addresses[i]

else:
    from llvmlite import ir

    from ._numba import cuda, types

    _GLOBAL = 1  # the address space of the device's memory

    @cuda.extending.intrinsic
    def pointer(typing_context, kind, addresses, i):
        """The array at entry i of a table, whose elements are of a kind."""
        result = types.CPointer(kind.instance_type)

        def generate(context, builder, signature, args):
            number = builder.load(builder.gep(args[1], [args[2]]))
            element = context.get_data_type(result.dtype)
            place = builder.inttoptr(number, ir.PointerType(element, _GLOBAL))  # said, loads are of global memory
            return builder.addrspacecast(place, ir.PointerType(element))

        return result(kind, addresses, types.int64), generate


@functools.lru_cache(256)
def _on_device(addresses):
    return uploaded(np.array(addresses, np.int64))


def table(arrays):
    """The addresses of arrays, each dense in some order of its dimensions, for `pointer`."""
    if SIMULATED:
        return [memoryview(array.transpose(memory_order(array)).reshape(-1)) for array in arrays]
    return held(_on_device(tuple([address(array) for array in arrays])))

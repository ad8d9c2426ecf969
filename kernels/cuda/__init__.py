"""The kernels of the GPU: arrays on the device in, arrays on the device out; written with Numba, for CUDA.

They run on a device, or with NUMBA_ENABLE_CUDASIM=1 in a simulator, where one can step through them. `_numba` is the
door to both, `specialization` makes kernels of templates, `product` holds the tiles of matrix products and convolutions.
"""

from .conv import conv_forward, conv_input_grad, conv_weight_grad
from ._numba import SIMULATED
from .matmul import matmul

__all__ = [
    "conv_forward",
    "conv_input_grad",
    "conv_weight_grad",
    "matmul",
]

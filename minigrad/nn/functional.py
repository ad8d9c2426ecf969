"""Functions of neural networks, under `torch.nn.functional`'s names: operations of `minigrad.ops`."""

from minigrad.ops.activation import log_softmax, relu, sigmoid, softmax, tanh
from minigrad.ops.convolution import conv2d
from minigrad.ops.creation import one_hot
from minigrad.ops.loss import cross_entropy, mse_loss, nll_loss
from minigrad.ops.matrix import linear
from minigrad.ops.normalization import batch_norm
from minigrad.ops.padding import pad
from minigrad.ops.pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from minigrad.ops.random import dropout

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "conv2d",
    "cross_entropy",
    "dropout",
    "linear",
    "log_softmax",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pad",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]

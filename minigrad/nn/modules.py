"""PyTorch's own division of `nn` into rooms, for programs that import from there.

`torch.nn.modules.batchnorm._BatchNorm` is `minigrad.nn.modules.batchnorm._BatchNorm`, and so on: the same objects as in
minigrad's rooms, under PyTorch's names for rooms and for the bases that programs ask for with `isinstance`.
"""

import functools
import sys
import types

from . import (
    activation,
    adaptive,
    attention,
    containers,
    convolution,
    distance,
    dropout,
    embedding,
    hooks,
    layer,
    lazy,
    linear,
    losses,
    module,
    normalization,
    padding,
    parallel,
    parameter,
    parameter_containers,
    pooling,
    recurrent,
    shape,
    transformer,
)
from .module import Module

_ROOMS = {
    "activation": (activation, attention),
    "adaptive": (adaptive,),
    "batchnorm": (normalization, lazy),
    "channelshuffle": (shape,),
    "container": (containers, parameter_containers),
    "conv": (convolution, lazy),
    "distance": (distance,),
    "dropout": (dropout,),
    "flatten": (shape,),
    "fold": (shape,),
    "instancenorm": (normalization, lazy),
    "lazy": (lazy,),
    "linear": (linear, lazy, shape, attention),
    "loss": (losses,),
    "module": (module, hooks, parameter),
    "normalization": (normalization,),
    "padding": (padding,),
    "pixelshuffle": (shape,),
    "pooling": (pooling,),
    "rnn": (recurrent,),
    "sparse": (embedding,),
    "transformer": (transformer,),
    "upsampling": (shape,),
}
_PYTORCH_NAMES = {
    "batchnorm": {"_NormBase": normalization._ChannelNorm},
    "conv": {
        "_ConvNd": convolution._ConvolutionBase,
        "_ConvTransposeNd": convolution._TransposedConvolution,
    },
    "dropout": {"_DropoutNd": dropout._Dropout},
    "loss": {"_Loss": losses._Plain, "_WeightedLoss": losses._Weighted},
    "utils": {
        "_ntuple": lambda count, name="parse": functools.partial(layer.as_tuple, count=count),
        **{
            name: functools.partial(layer.as_tuple, count=count)
            for count, name in enumerate(("_single", "_pair", "_triple", "_quadruple"), 1)
        },
    },
}


def _room(name):
    room = types.ModuleType(f"{__name__}.{name}", f"What `torch.nn.modules.{name}` has.")
    for source in _ROOMS.get(name, ()):
        own = {key: value for key, value in vars(source).items() if getattr(value, "__module__", "") == source.__name__}
        vars(room).update(own)
    vars(room).update(_PYTORCH_NAMES.get(name, {}))
    sys.modules[room.__name__] = room  # so that `import minigrad.nn.modules.conv` finds it
    return room


globals().update({name: _room(name) for name in (*_ROOMS, "utils")})
for _source in (*[source for sources in _ROOMS.values() for source in sources], parallel):
    for _key, _value in list(vars(_source).items()):
        if isinstance(_value, type) and issubclass(_value, Module) and not _key.startswith("_"):
            globals()[_key] = _value

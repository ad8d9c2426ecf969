"""PyTorch's own rooms of `nn`: what programs import from them is there, and the same objects."""

import importlib
import inspect

import pytest
from torch_oracle import torch

import minigrad as mg

ROOMS = [
    "activation",
    "adaptive",
    "batchnorm",
    "channelshuffle",
    "container",
    "conv",
    "distance",
    "dropout",
    "flatten",
    "fold",
    "instancenorm",
    "lazy",
    "linear",
    "loss",
    "module",
    "normalization",
    "padding",
    "pixelshuffle",
    "pooling",
    "rnn",
    "sparse",
    "transformer",
    "upsampling",
]
ABSENT = {"SyncBatchNorm", "CrossMapLRN2d", "FractionalMaxPool2d", "FractionalMaxPool3d", "Container"}
ABSENT |= {"LinearCrossEntropyLoss"}


@pytest.mark.parametrize("name", ROOMS)
def test_every_room_has_the_layers_of_torchs(name):
    ours, theirs = (importlib.import_module(f"{m.__name__}.nn.modules.{name}") for m in (mg, torch))
    wanted = {key for key in getattr(theirs, "__all__", ()) if inspect.isclass(getattr(theirs, key))} - ABSENT
    assert wanted <= set(vars(ours))
    assert all(getattr(ours, key) is getattr(mg.nn, key, getattr(ours, key)) for key in wanted)


def test_bases_that_programs_ask_for():
    modules = mg.nn.modules
    assert isinstance(mg.nn.BatchNorm2d(1), modules.batchnorm._BatchNorm)
    assert isinstance(mg.nn.InstanceNorm1d(1), modules.batchnorm._NormBase)
    assert isinstance(mg.nn.ConvTranspose2d(1, 1, 1), modules.conv._ConvNd)
    assert isinstance(mg.nn.Dropout2d(), modules.dropout._DropoutNd)
    assert (
        modules.Linear is mg.nn.Linear and modules.Module is mg.nn.Module and modules.DataParallel is mg.nn.DataParallel
    )
    assert modules.utils._pair(3) == (3, 3) and modules.utils._triple((1, 2, 3)) == (1, 2, 3)
    assert modules.utils._ntuple(4)(2) == (2, 2, 2, 2)


def test_losses_of_ones_own():
    class Scaled(mg.nn.modules.loss._WeightedLoss):
        def __init__(self, weight=None, reduction="mean", scale=2.0):
            super().__init__(weight, reduction=reduction)
            self.scale = scale

        def forward(self, input, target):
            return mg.nn.functional.cross_entropy(input, target, self.weight, reduction=self.reduction) * self.scale

    loss = Scaled(mg.ones(3))
    assert list(loss.state_dict()) == ["weight"]
    assert loss(mg.zeros(2, 3), mg.tensor([0, 1])).item() == pytest.approx(2 * 1.0986, rel=1e-3)


def test_older_and_rarer_places():
    with pytest.warns(FutureWarning, match="`NLLLoss2d` has been deprecated"):
        loss = mg.nn.NLLLoss2d(size_average=True)
    assert isinstance(loss, mg.nn.NLLLoss) and loss.reduction == "mean"
    assert mg.nn.parallel.data_parallel(mg.nn.ReLU(), (mg.tensor([-1.0, 1.0]),), [0, 1]).tolist() == [0, 1]
    assert {name for name in vars(torch.nn.common_types) if name.endswith("_t")} <= set(vars(mg.nn.common_types))

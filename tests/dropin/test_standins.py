"""`import torch` means minigrad: names, submodules, what is missing."""

import importlib
import sys

import pytest

import minigrad
from minigrad import dropin


@pytest.fixture
def torch():
    dropin.install()
    yield importlib.import_module("torch")
    dropin.uninstall()


def test_names_are_minigrads(torch):
    assert torch.Tensor is minigrad.Tensor and torch.nn.Linear is minigrad.nn.Linear
    assert torch.utils.data.DataLoader is minigrad.utils.data.DataLoader
    assert torch.__version__.startswith("2.13.0") and torch.__name__ == "torch"
    assert "relu" in dir(torch.nn.functional)


@pytest.mark.parametrize(
    "statement",
    [
        "import torch.nn.functional as F; F.relu",
        "from torch.nn.modules.conv import Conv2d, _ConvNd as Missing; Conv2d",
        "from torch.nn.modules import Module",
        "from torch.optim.lr_scheduler import StepLR",
        "from torch.optim.optimizer import Optimizer",
        "from torch.optim.adamw import AdamW",
        "from torch.utils.data.dataset import Dataset, random_split",
        "from torch.utils.data.sampler import SubsetRandomSampler",
        "from torch.utils.data.dataloader import default_collate",
        "from torch.autograd import Variable, grad; from torch.autograd.variable import Variable",
        "from torch.nn.parameter import Parameter; from torch.nn import init; init.normal_",
        "import torch.backends.cudnn as cudnn; cudnn.benchmark = True",
        "import torch, torchvision; torchvision.datasets.MNIST, torchvision.transforms.ToTensor",
        "from torchvision.transforms import Compose; from torchvision.datasets.mnist import MNIST",
        "from torch import nn, optim; from torch.nn import *; Linear; optim.SGD",
        "from torch.cuda.amp import autocast, GradScaler; from torch.amp import autocast",
        "import torch.utils.checkpoint as c; c.checkpoint",
        "import torch; torch.special.expit if hasattr(torch.special, 'expit') else torch.special.erf",
    ],
)
def test_every_way_to_import(torch, statement):
    exec(statement, {})


def test_what_a_program_sets_reaches_minigrad(torch):
    before = minigrad.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = not before
    assert minigrad.backends.cudnn.deterministic is (not before)
    torch.backends.cudnn.deterministic = before


def test_importing_submodules_leaves_minigrads_own_in_place(torch):
    before = {name: getattr(minigrad, name) for name in ("nn", "optim", "autograd", "utils", "cuda")}
    exec("import torch.nn, torch.optim, torch.autograd, torch.utils.data, torch.cuda, torch.fx, torchvision.ops", {})
    for name, module in before.items():
        assert vars(minigrad)[name] is module and module.__name__ == f"minigrad.{name}"
    assert not hasattr(minigrad, "fx") and not hasattr(minigrad.vision, "ops")


def test_a_missing_name_is_an_error_where_it_is_used(torch):
    with pytest.raises(AttributeError, match=r"minigrad has no torch\.nn\.Conv2D\nhint: near it: torch\.nn\.Conv2d"):
        torch.nn.Conv2D(1, 2, 3)
    assert not hasattr(torch, "no_such_thing")
    assert getattr(torch, "no_such_thing", None) is None
    names = {}
    exec("from torch import no_such_thing, fx\nfrom torch.fx import Graph", names)  # importing is no use
    for use in (
        lambda: names["no_such_thing"](1),
        lambda: names["no_such_thing"].attribute,
        lambda: exec("class Mine(no_such_thing): pass", names),
        lambda: [*names["no_such_thing"]],
        lambda: names["Graph"](),
    ):
        with pytest.raises(dropin.MissingName, match=r"minigrad has no torch\.(no_such_thing|fx)"):
            use()
    assert not isinstance(3, names["no_such_thing"])


def test_modules_of_minigrads_own_imports_are_not_names(torch):
    with pytest.raises(AttributeError):
        torch.importlib  # noqa: B018


def test_a_program_without_a_gpu_is_told_the_truth(torch):
    assert not torch.cuda.is_available() and torch.cuda.device_count() == 0
    assert not torch.backends.mps.is_available() and not torch.accelerator.is_available()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert torch.zeros(2, device=device).to(device).device == device
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        torch.nn.Linear(1, 1).to(torch.device("cuda:0"))
    torch.cuda.manual_seed_all(1)
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        torch.cuda.synchronize()


def test_uninstall_gives_back_what_there_was(torch):
    dropin.uninstall()
    assert sys.modules.get("torch") is not torch
    real = importlib.import_module("torch")
    dropin.install()
    assert importlib.import_module("torch").Tensor is minigrad.Tensor
    dropin.uninstall()
    assert importlib.import_module("torch") is real

"""Which module of minigrad stands for which of PyTorch's, and what a name that is missing may have meant."""

import difflib
import importlib
import types

# A module not named here stands for the one with the same path below its parent's: torch.nn.init is minigrad.nn.init.
MODULES = {
    "torch": "minigrad",
    "torchvision": "minigrad.vision",
    "torch.autograd.profiler": "minigrad.profiler",
    "torch.autograd.variable": "minigrad.autograd",
    "torch.autograd.grad_mode": "minigrad.autograd",
    "torch.optim.optimizer": "minigrad.optim",
    "torch.utils.data.dataset": "minigrad.utils.data",
    "torch.utils.data.dataloader": "minigrad.utils.data",
    "torch.utils.data.sampler": "minigrad.utils.data",
    "torch.utils.data._utils.collate": "minigrad.utils.data",
    "torch.distributions.distribution": "minigrad.distributions",
    "torch.distributions.kl": "minigrad.distributions",
    "torch._functorch.apis": "minigrad.func",
    "torch.nn.utils.clip_grad": "minigrad.nn.utils",
    "torch.multiprocessing": "multiprocessing",
    "torch.serialization": "minigrad",
    "torch.random": "minigrad",
    "torch.functional": "minigrad",
    "torch._tensor": "minigrad",
    "torch.types": "minigrad",
    "torchvision.transforms.transforms": "minigrad.vision.transforms",
}
ABSENT = ("torchvision.transforms.v2",)  # the same names there mean other functions
# Modules whose parts are modules in PyTorch and not in minigrad: whatever the part, its names are the whole's.
WHOLES = (
    "torch.nn.modules",
    "torch.distributions",
    "torch.optim",
    "torchvision.models",
    "torchvision.datasets",
    "torchvision.transforms",
)


def counterpart(name):
    """The module (or namespace) of minigrad that stands for PyTorch's module `name`, or None.

    >>> counterpart("torch.nn.functional").__name__
    'minigrad.nn.functional'
    >>> counterpart("torch.optim.adam").__name__
    'minigrad.optim.adam'
    >>> counterpart("torch.fx") is None
    True
    """
    if name in MODULES:
        return importlib.import_module(MODULES[name])
    parent, _, last = name.rpartition(".")
    above = counterpart(parent) if parent else None
    if above is None or last.startswith("__") or name in ABSENT:
        return None
    member = getattr(above, last, None)
    if isinstance(member, (types.ModuleType, types.SimpleNamespace)):
        return member
    if not isinstance(above, types.ModuleType):
        return None
    try:
        return importlib.import_module(f"{above.__name__}.{last}")
    except ModuleNotFoundError as error:
        if error.name != f"{above.__name__}.{last}":
            raise
    return above if parent in WHOLES and member is None and last.islower() else None


def lookup(module, name):
    """What minigrad has as `name` in PyTorch's module `module`; AttributeError if nothing.

    >>> lookup("torch.optim", "SGD").__name__
    'SGD'
    """
    found = getattr(counterpart(module), name)
    if isinstance(found, types.ModuleType) and not found.__name__.startswith("minigrad"):
        raise AttributeError(name)  # what a module of minigrad has imported for itself
    return found


def near(module, name):
    """Full names that `module`.`name` may have meant: the same name elsewhere, and similar ones in the module.

    >>> near("torch.nn", "Conv2D")
    ['torch.nn.Conv2d', 'torch.nn.Conv3d', 'torch.nn.Conv1d']
    >>> near("torch", "Linear")[0]
    'torch.nn.Linear'
    """
    here = counterpart(module)
    known = [] if here is None else [known for known in dir(here) if not known.startswith("_")]
    folded = {known.lower(): known for known in known}
    similar = [folded[match] for match in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.75)]
    elsewhere = [
        f"{other}.{name}"
        for other in ("torch", "torch.nn", "torch.nn.functional", "torch.linalg", "torch.optim", "torch.utils.data")
        if other != module and hasattr(counterpart(other), name)
    ]
    return elsewhere + [f"{module}.{match}" for match in similar]


def describe_missing(name):
    """The message about a name that minigrad lacks.

    >>> print(describe_missing("torch.nn.Conv2D"))
    minigrad has no torch.nn.Conv2D
    hint: near it: torch.nn.Conv2d, torch.nn.Conv3d, torch.nn.Conv1d
    """
    module, _, last = name.rpartition(".")
    others = near(module, last) if module else []
    hint = f"near it: {', '.join(others)}" if others else "`minigrad run --check SCRIPT` lists what a script would miss"
    return f"minigrad has no {name}\nhint: {hint}"

"""Pruning: a mask over a parameter, which a hook applies before each forward (`torch.nn.utils.prune`).

The parameter `weight` becomes `weight_orig`, the mask the buffer `weight_mask`, and `weight` their product. Whoever
prunes again prunes what is left.
"""

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable

from minigrad.ops import functions

from .convert_parameters import parameters_to_vector


class BasePruningMethod(ABC):
    """Base of ways to prune: a subclass says what it keeps with `compute_mask(t, default_mask)`.

    PRUNING_TYPE is "unstructured" (it sees the elements that are left, as a vector), "structured" (it sees the channels
    along `dim` that are left) or "global" (it sees everything). Source: `torch.nn.utils.prune.BasePruningMethod`.
    """

    PRUNING_TYPE: str
    _tensor_name: str

    @abstractmethod
    def compute_mask(self, t, default_mask):
        """The mask, like `default_mask`, by the importance of the elements, `t`."""

    def __call__(self, module, inputs):
        setattr(module, self._tensor_name, self.apply_mask(module))

    def apply_mask(self, module):
        """The parameter times its mask."""
        original = getattr(module, f"{self._tensor_name}_orig")
        return getattr(module, f"{self._tensor_name}_mask").to(original.dtype) * original

    @classmethod
    def apply(cls, module, name, *args, importance_scores=None, **kwargs):
        """Prune the parameter `name` of a module; the arguments are the method's."""
        handle, earlier = _pruning_of(module, name)
        method = cls(*args, **kwargs)
        method._tensor_name = name
        present = getattr(module, name)
        scores = present if importance_scores is None else importance_scores
        if scores.shape != present.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}, got {scores.shape} vs "
                f"{present.shape}"
            )
        if earlier is None:
            mask = method.compute_mask(scores.detach(), functions["ones_like"](present.detach()))
            delattr(module, name)
            module.register_parameter(f"{name}_orig", present)
        else:
            chain = earlier if isinstance(earlier, PruningContainer) else PruningContainer(earlier)
            chain.add_pruning_method(method)
            method = chain
            mask = chain.compute_mask(scores.detach(), getattr(module, f"{name}_mask").detach().clone())
            handle.remove()
        module.register_buffer(f"{name}_mask", mask)
        method(module, ())
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t, default_mask=None, importance_scores=None):
        """A tensor times the mask that this method gives it."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as tensor t, got {importance_scores.shape} vs {t.shape}"
            )
        mask = functions["ones_like"](t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=mask)

    def remove(self, module):
        """Let the parameter be an ordinary one again, with zeros where it was pruned."""
        name = self._tensor_name
        weight, original = self.apply_mask(module), getattr(module, f"{name}_orig")
        for doomed in (name, f"{name}_orig", f"{name}_mask"):
            delattr(module, doomed)
        original.data = weight.detach()
        setattr(module, name, original)


def _pruning_of(module, name=None):
    """(handle, method) of the hook that prunes the parameter `name`, or any."""
    for handle, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and name in (None, hook._tensor_name):
            return handle, hook
    return None, None


class PruningContainer(BasePruningMethod):
    """Ways to prune one after another: the history of a parameter (`torch.nn.utils.prune.PruningContainer`)."""

    def __init__(self, *methods):
        self._pruning_methods = ()
        if len(methods) == 1:
            self._tensor_name = methods[0]._tensor_name
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method):
        """Add the latest method, for the same parameter."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method._tensor_name != self._tensor_name:
            raise ValueError(
                f"Can only add pruning methods acting on the parameter named '{self._tensor_name}' to PruningContainer "
                f"{self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self):
        return len(self._pruning_methods)

    def __iter__(self):
        return iter(self._pruning_methods)

    def __getitem__(self, index):
        return self._pruning_methods[index]

    def compute_mask(self, t, default_mask):
        """The mask of the latest method on what the earlier ones left."""
        method, mask = self._pruning_methods[-1], default_mask.to(t.dtype)
        if method.PRUNING_TYPE == "unstructured":
            left = default_mask == 1
        elif method.PRUNING_TYPE == "structured":
            dim = method.dim % t.ndim
            kept = default_mask.sum(dim=[d for d in range(t.ndim) if d != dim]) != 0
            left = (*[slice(None)] * dim, kept)
        elif method.PRUNING_TYPE == "global":
            left = (slice(None),) * t.ndim
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        mask[left] = method.compute_mask(t[left], default_mask=default_mask[left]).to(mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """Prunes nothing, but has a mask (`torch.nn.utils.prune.Identity`)."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """The mask there is."""
        return default_mask


class _Amount(BasePruningMethod):
    """What prunes a number of elements or channels, given as an int, or as a float that is a part of all."""

    def __init__(self, amount):
        if not isinstance(amount, numbers.Real):
            raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        whole = isinstance(amount, numbers.Integral)
        if amount < 0 or (amount > 1 and not whole):
            raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer")
        self.amount = amount

    def _count(self, size):
        whole = isinstance(self.amount, numbers.Integral)
        count = self.amount if whole else round(self.amount * size)
        if count > size:
            raise ValueError(f"amount={count} should be smaller than the number of parameters to prune={size}")
        return count

    def _without_lowest(self, scores, default_mask):
        """The mask without the elements of the lowest scores."""
        mask, count = default_mask.clone().reshape(-1), self._count(scores.numel())
        if count:
            mask[scores.reshape(-1).topk(count, largest=False).indices] = 0
        return mask.reshape(default_mask.shape)

    def _without_lowest_channels(self, t, scores, default_mask):
        """The mask without the channels along `dim` of the lowest scores."""
        kept = self._without_lowest(scores(t), functions["ones"](t.shape[self.dim], dtype=t.dtype))
        shape = [1] * t.ndim
        shape[self.dim] = -1
        return default_mask.to(t.dtype) * kept.reshape(shape)

    def _check(self, t):
        if t.ndim <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
                f"{t.shape} with {t.ndim} dims"
            )
        if self.dim >= t.ndim:
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")


class RandomUnstructured(_Amount):
    """Prunes elements at random (`torch.nn.utils.prune.RandomUnstructured`)."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """The mask without `amount` random elements."""
        return self._without_lowest(functions["rand_like"](t), default_mask)


class L1Unstructured(_Amount):
    """Prunes the elements nearest to 0 (`torch.nn.utils.prune.L1Unstructured`)."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """The mask without the `amount` smallest elements."""
        return self._without_lowest(t.abs(), default_mask)


class RandomStructured(_Amount):
    """Prunes channels along `dim` at random (`torch.nn.utils.prune.RandomStructured`)."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount, dim=-1):
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t, default_mask):
        """The mask without `amount` random channels."""
        self._check(t)
        return self._without_lowest_channels(t, lambda t: functions["rand"](t.shape[self.dim]), default_mask)


class LnStructured(_Amount):
    """Prunes the channels along `dim` of the smallest n-norms (`torch.nn.utils.prune.LnStructured`)."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount, n, dim=-1):
        super().__init__(amount)
        self.n, self.dim = n, dim

    def compute_mask(self, t, default_mask):
        """The mask without the `amount` smallest channels."""
        self._check(t)
        return self._without_lowest_channels(t, self._norms, default_mask)

    def _norms(self, t):
        return t.norm(p=self.n, dim=[d for d in range(t.ndim) if d != self.dim % t.ndim])


class CustomFromMask(BasePruningMethod):
    """Prunes by a given mask (`torch.nn.utils.prune.CustomFromMask`)."""

    PRUNING_TYPE = "global"

    def __init__(self, mask):
        self.mask = mask

    def compute_mask(self, t, default_mask):
        """The given mask, on what is left."""
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape {self.mask.shape}"
            )
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module, name):
    """Give the parameter a mask of ones; returns the module (`torch.nn.utils.prune.identity`).

    >>> import minigrad
    >>> identity(minigrad.nn.Linear(2, 1), "weight").weight_mask
    tensor([[1., 1.]])
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module, name, amount):
    """Prune elements at random, so many or such a part; returns the module (`torch.nn.utils.prune`).

    >>> import minigrad
    >>> int(random_unstructured(minigrad.nn.Linear(5, 2), "weight", amount=0.3).weight_mask.sum())
    7
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module, name, amount, importance_scores=None):
    """Prune the elements nearest to 0, or of the lowest scores; returns the module (`torch.nn.utils.prune`).

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(3, 1)
    >>> layer.weight.data = minigrad.tensor([[1.0, -0.1, -2.0]])
    >>> l1_unstructured(layer, "weight", amount=1).weight_mask
    tensor([[1., 0., 1.]])
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module, name, amount, dim):
    """Prune channels along `dim` at random; returns the module (`torch.nn.utils.prune`).

    >>> import minigrad
    >>> int(random_structured(minigrad.nn.Linear(5, 4), "weight", amount=2, dim=0).weight_mask.sum())
    10
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module, name, amount, n, dim, importance_scores=None):
    """Prune the channels along `dim` of the smallest n-norms; returns the module (`torch.nn.utils.prune`).

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(2, 2)
    >>> layer.weight.data = minigrad.tensor([[1.0, 1.0], [2.0, 2.0]])
    >>> ln_structured(layer, "weight", amount=1, n=2, dim=0).weight_mask
    tensor([[0., 0.],
            [1., 1.]])
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module, name, mask):
    """Prune by a given mask; returns the module (`torch.nn.utils.prune.custom_from_mask`).

    >>> import minigrad
    >>> layer = custom_from_mask(minigrad.nn.Linear(2, 1), "weight", minigrad.tensor([[0, 1]]))
    >>> layer.weight_mask
    tensor([[0., 1.]])
    """
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters, pruning_method, importance_scores=None, **kwargs):
    """Prune several parameters, (module, name) pairs, as if they were one (`torch.nn.utils.prune.global_unstructured`).

    >>> import minigrad
    >>> net = minigrad.nn.Sequential(minigrad.nn.Linear(3, 2), minigrad.nn.Linear(2, 1))
    >>> global_unstructured([(layer, "weight") for layer in net], L1Unstructured, amount=0.5)
    >>> int(sum(layer.weight_mask.sum() for layer in net))
    4
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    parameters = list(parameters)
    tensors = [getattr(module, name).detach() for module, name in parameters]
    masks = [
        getattr(module, f"{name}_mask", functions["ones_like"](t)) for (module, name), t in zip(parameters, tensors)
    ]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method {pruning_method} of '
            f"type {method.PRUNING_TYPE}"
        )
    method._tensor_name = "all"
    given = parameters_to_vector([scores.get(pair, tensor) for pair, tensor in zip(parameters, tensors)])
    mask = PruningContainer(method).compute_mask(given, parameters_to_vector(masks))
    start = 0
    for (module, name), tensor in zip(parameters, tensors):
        stop = start + tensor.numel()
        custom_from_mask(module, name, mask[start:stop].view_as(tensor))
        start = stop


def remove(module, name):
    """Let the pruned parameter be an ordinary one, with zeros; returns the module (`torch.nn.utils.prune.remove`).

    >>> import minigrad
    >>> layer = remove(random_unstructured(minigrad.nn.Linear(2, 2), "weight", 2), "weight")
    >>> int((layer.weight == 0).sum())
    2
    """
    handle, method = _pruning_of(module, name)
    if method is None:
        raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")
    method.remove(module)
    handle.remove()
    return module


def is_pruned(module):
    """Whether a parameter of the module, or of one below it, is pruned (`torch.nn.utils.prune.is_pruned`).

    >>> import minigrad
    >>> is_pruned(minigrad.nn.Linear(2, 2))
    False
    """
    return any(_pruning_of(submodule)[1] is not None for submodule in module.modules())

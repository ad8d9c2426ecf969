"""Parametrisation: a parameter that is computed from others by modules (`torch.nn.utils.parametrize`).

`module.weight` becomes a property that runs `module.parametrizations.weight`, a list of modules, on the tensors they
start from: its `original`, or `original0`, `original1`, ... where the inverse gives several.
"""

import contextlib
import copy
from collections.abc import Sequence

from minigrad.autograd import Tensor, no_grad

from ..containers import ModuleDict, ModuleList
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_cache: dict = {"users": 0, "tensors": {}}


@contextlib.contextmanager
def cached():
    """Inside, each parametrised tensor is computed once and kept (`torch.nn.utils.parametrize.cached`).

    >>> import minigrad
    >>> layer = minigrad.nn.utils.parametrizations.weight_norm(minigrad.nn.Linear(2, 2))
    >>> with cached():
    ...     layer.weight is layer.weight
    True
    """
    _cache["users"] += 1
    try:
        yield
    finally:
        _cache["users"] -= 1
        if not _cache["users"]:
            _cache["tensors"].clear()


def _register(module, name, tensor):
    (module.register_parameter if isinstance(tensor, Parameter) else module.register_buffer)(name, tensor)


class ParametrizationList(ModuleList):
    """The modules that compute a tensor one after another, and the tensors they start from.

    Registered by `register_parametrization`; source: `torch.nn.utils.parametrize.ParametrizationList`.

    >>> import minigrad
    >>> layer = minigrad.nn.utils.parametrizations.weight_norm(minigrad.nn.Linear(2, 2))
    >>> [name for name, _ in layer.parametrizations.weight.named_parameters()]
    ['original0', 'original1']
    """

    def __init__(self, modules, original, unsafe=False):
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with no_grad():
            new = original
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with contextlib.suppress(NotImplementedError):
                        new = module.right_inverse(new)
        if not isinstance(new, Tensor | Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got "
                f"{type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if new.dtype != dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\noriginal.dtype: "
                    f"{dtype}\nright_inverse(original).dtype: {new.dtype}"
                )
            original.data = new.detach()
            _register(self, "original", original)
        else:
            for number, tensor in enumerate(new):
                if not isinstance(tensor, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got element "
                        f"{number} of the sequence with type {type(tensor).__name__}."
                    )
                is_parameter = isinstance(original, Parameter)
                tensor = Parameter(tensor, original.requires_grad) if is_parameter else tensor.detach()
                _register(self, f"original{number}", tensor)
        if not unsafe:
            _check(
                self(),
                shape,
                dtype,
                "Registering a parametrization may not change the {} of the tensor, unless "
                "`unsafe` flag is enabled.\nunparametrized {}: {}\nparametrized {}: {}",
            )

    def _originals(self):
        return [self.original] if self.is_tensor else [getattr(self, f"original{n}") for n in range(self.ntensors)]

    def right_inverse(self, value):
        """Let the tensors be such that the parametrised one is `value`."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                value = module.right_inverse(value)
        if self.is_tensor and not isinstance(value, Tensor):
            raise ValueError(f"`right_inverse` should return a tensor. Got {type(value).__name__}")
        if not self.is_tensor and not isinstance(value, Sequence):
            raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {type(value).__name__}.")
        values = [value] if self.is_tensor else value
        if len(values) != self.ntensors:
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of "
                f"length {len(values)}."
            )
        for original, new in zip(self._originals(), values):
            if new.dtype != original.dtype:
                raise ValueError(
                    f"The tensor returned by `right_inverse` has dtype {new.dtype} while `original` has dtype "
                    f"{original.dtype}"
                )
            original.data = new.detach()

    def forward(self):
        first, *others = self
        tensor = first(*self._originals())
        for module in others:
            tensor = module(tensor)
        return tensor


def _check(tensor, shape, dtype, message):
    """Errors for a parametrised tensor that is another kind of thing than the plain one was."""
    if not isinstance(tensor, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(tensor).__name__}.")
    for what, expected, got in (("dtype", dtype, tensor.dtype), ("shape", shape, tensor.shape)):
        if got != expected:
            raise ValueError(message.format(what, what, expected, what, got))


class _Parametrized:
    """What the class of a parametrised module has before that of the module."""

    def __getstate__(self):
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    def __deepcopy__(self, memo):
        replica = object.__new__(type(self))
        memo[id(self)] = replica
        replica.__dict__.update(copy.deepcopy(self.__dict__, memo))
        replica.__class__ = _class_like(type(self))
        return replica


def _class_like(cls):
    """A class of its own for another module with the properties of `cls`."""
    return type(cls.__name__, cls.__bases__, {n: v for n, v in vars(cls).items() if isinstance(v, property)})


def _add_property(cls, name):
    def parametrized(self):
        parametrization = self.parametrizations[name]
        if not _cache["users"]:
            return parametrization()
        key = id(self), name
        if key not in _cache["tensors"]:
            _cache["tensors"][key] = parametrization()
        return _cache["tensors"][key]

    def assign(self, value):
        self.parametrizations[name].right_inverse(value)

    setattr(cls, name, property(parametrized, assign))


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Let the parameter or buffer `tensor_name` be what `parametrization`, a module, makes of it; returns `module`.

    If the parametrisation has a `right_inverse`, the tensor keeps its value, and values can be assigned to it. Dtype
    and shape must stay, unless `unsafe`. A second one applies to the first one's result. Source:
    `torch.nn.utils.parametrize.register_parametrization`.

    >>> import minigrad
    >>> class Symmetric(minigrad.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = register_parametrization(minigrad.nn.Linear(3, 3), "weight", Symmetric())
    >>> minigrad.equal(layer.weight, layer.weight.T)
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            present = getattr(module, tensor_name)
            message = (
                "Registering a parametrization may not change the {} of the tensor, unless the `unsafe` flag is "
                f"enabled.\nmodule.{tensor_name}.{{}}: {{}}\nparametrization(module.{tensor_name}).{{}}: {{}}"
            )
            _check(parametrization(present), present.shape, present.dtype, message)
        chain = module.parametrizations[tensor_name]
        chain.append(parametrization)
        chain.unsafe |= unsafe
        return module
    if tensor_name not in module._buffers and tensor_name not in module._parameters:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    chain = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        cls = type(module)
        module.__class__ = type(f"Parametrized{cls.__name__}", (_Parametrized, cls), {})
        module.parametrizations = ModuleDict()
    _add_property(type(module), tensor_name)
    module.parametrizations[tensor_name] = chain
    return module


def is_parametrized(module, tensor_name=None):
    """Whether a module has parametrised tensors, or one of that name (`torch.nn.utils.parametrize.is_parametrized`).

    >>> import minigrad
    >>> is_parametrized(minigrad.nn.Linear(2, 2))
    False
    """
    chains = getattr(module, "parametrizations", None)
    if not isinstance(chains, ModuleDict):
        return False
    return len(chains) > 0 if tensor_name is None else tensor_name in chains


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Let the tensor be an ordinary one again: of the computed value, or of the original; returns `module`.

    Source: `torch.nn.utils.parametrize.remove_parametrizations`.

    >>> import minigrad
    >>> layer = minigrad.nn.utils.parametrizations.weight_norm(minigrad.nn.Linear(2, 2))
    >>> remove_parametrizations(layer, "weight")
    Linear(in_features=2, out_features=2, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    chain = module.parametrizations[tensor_name]
    if not chain.is_tensor and not leave_parametrized:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    tensor = getattr(module, tensor_name)
    if not chain.is_tensor:
        tensor = Parameter(tensor) if tensor.requires_grad else tensor
    else:
        if leave_parametrized:
            chain.original.data = tensor.detach()
        tensor = chain.original
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, tensor)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[1]
    return module


def type_before_parametrizations(module):
    """The class that a module has without its parametrisations.

    Source: `torch.nn.utils.parametrize.type_before_parametrizations`.

    >>> import minigrad
    >>> layer = minigrad.nn.utils.parametrizations.weight_norm(minigrad.nn.Linear(2, 2))
    >>> type(layer).__name__, type_before_parametrizations(layer).__name__
    ('ParametrizedLinear', 'Linear')
    """
    return type(module).__bases__[1] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module, to_module, tensor_name=None):
    """Give another module the parametrisations of one, on the same tensors; returns the other module.

    Source: `torch.nn.utils.parametrize.transfer_parametrizations_and_params`.

    >>> import minigrad
    >>> layer = minigrad.nn.utils.parametrizations.weight_norm(minigrad.nn.Linear(2, 2))
    >>> other = transfer_parametrizations_and_params(layer, minigrad.nn.Linear(2, 2))
    >>> other.parametrizations.weight.original0 is layer.parametrizations.weight.original0
    True
    """
    if is_parametrized(from_module):
        for name in from_module.parametrizations if tensor_name is None else [tensor_name]:
            if not hasattr(to_module, name):
                setattr(to_module, name, Parameter(getattr(from_module, name)))
            chain = from_module.parametrizations[name]
            for parametrization in chain:
                register_parametrization(to_module, name, parametrization, unsafe=chain.unsafe)
            target = to_module.parametrizations[name]
            for own, tensor in {**chain._parameters, **chain._buffers}.items():
                setattr(target, own, tensor)
    return to_module

"""Weight normalisation in PyTorch's older form: a hook computes the weight before each forward.

Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868.
"""

import warnings

from ..parameter import Parameter, UninitializedTensor


def norm_except_dim(v, dim):
    """The norms of v over all dimensions but `dim` (which is kept), or over all if that is -1."""
    if dim == -1:
        return v.norm()
    shape = [1] * v.ndim
    shape[dim] = -1
    return v.transpose(0, dim).flatten(1).norm(dim=1).reshape(shape) if v.ndim > 1 else v.abs()


class WeightNorm:
    """The hook of `weight_norm`: weight = g · v / ‖v‖."""

    def __init__(self, name, dim):
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module):
        """The weight from its length and direction."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / norm_except_dim(v, self.dim))

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module))


def _hook(module, kind, name):
    """(handle, hook) of a module's forward pre-hook of that kind for the parameter `name`."""
    for handle, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            return handle, hook
    return None, None


def weight_norm(module, name="weight", dim=0):
    """Let the parameter `name` be `name_g` · `name_v` / ‖`name_v`‖, its length and direction learned apart.

    Norms are over all dimensions but `dim`, or over all if that is None. Source: `torch.nn.utils.weight_norm`, which
    recommends `parametrizations.weight_norm` by now.

    >>> import minigrad, warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     layer = weight_norm(minigrad.nn.Linear(3, 2))
    >>> [(name, tuple(p.shape)) for name, p in layer.named_parameters()]
    [('bias', (2,)), ('weight_g', (2, 1)), ('weight_v', (2, 3))]
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    if _hook(module, WeightNorm, name)[1] is not None:
        raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
    weight, hook = getattr(module, name), WeightNorm(name, dim)
    if isinstance(weight, UninitializedTensor):
        raise ValueError(
            "The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to run the dummy forward "
            "before applying weight normalization"
        )
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(norm_except_dim(weight, hook.dim).detach()))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    hook(module, ())
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module, name="weight"):
    """Let the parameter `name` be one again (`torch.nn.utils.remove_weight_norm`).

    >>> import minigrad, warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     layer = remove_weight_norm(weight_norm(minigrad.nn.Linear(3, 2)))
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'weight']
    """
    handle, hook = _hook(module, WeightNorm, name)
    if hook is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    weight = hook.compute_weight(module)
    for doomed in (name, f"{name}_g", f"{name}_v"):
        delattr(module, doomed)
    setattr(module, name, Parameter(weight.detach()))
    handle.remove()
    return module

"""Spectral normalisation in PyTorch's older form: a hook computes the weight before each forward.

Miyato et al. 2018, https://arxiv.org/abs/1802.05957.
"""

from minigrad.autograd import no_grad

from .. import functional as F
from ..parameter import Parameter, UninitializedTensor
from .weight_norm import _hook


class SpectralNorm:
    """The hook of `spectral_norm`: weight = original / σ, σ estimated by power iteration along with training."""

    _version = 1

    def __init__(self, name="weight", n_power_iterations=1, dim=0, eps=1e-12):
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def compute_weight(self, module, do_power_iteration):
        """The weight over its largest singular value."""
        weight, u, v = (getattr(module, f"{self.name}{end}") for end in ("_orig", "_u", "_v"))
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix.mv(v), dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()  # a second forward must not change what the first one's backward needs
        return weight / u.dot(matrix.mv(v))

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module, module.training))


def as_matrix(weight, dim):
    """A weight as the matrix whose rows are along `dim`."""
    if dim != 0:
        weight = weight.permute(dim, *[d for d in range(weight.ndim) if d != dim])
    return weight.reshape(weight.shape[0], -1)


def output_dim(module):
    """The dimension of a layer's weight that counts its outputs."""
    return 1 if getattr(module, "transposed", False) else 0


class _NotesVersion:
    """The hook that says in a state_dict's metadata in which form the norm is."""

    def __init__(self, name):
        self.name = name

    def __call__(self, module, state_dict, prefix, local_metadata):
        notes = local_metadata.setdefault("spectral_norm", {})
        key = f"{self.name}.version"
        if key in notes:
            raise RuntimeError(f"Unexpected key in metadata['spectral_norm']: {key}")
        notes[key] = SpectralNorm._version


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide the parameter `name` by its largest singular value (`torch.nn.utils.spectral_norm`).

    The parameter becomes `name_orig`; buffers `name_u` and `name_v` keep the power iteration, of which each forward in
    training takes `n_power_iterations` steps. `dim` counts the outputs: 0, but 1 for transposed convolutions.

    >>> import minigrad
    >>> layer = spectral_norm(minigrad.nn.Linear(3, 2))
    >>> sorted(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    dim = output_dim(module) if dim is None else dim
    if _hook(module, SpectralNorm, name)[1] is not None:
        raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
    hook, weight = SpectralNorm(name, n_power_iterations, dim, eps), module._parameters[name]
    if weight is None:
        raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    if isinstance(weight, UninitializedTensor):
        raise ValueError(
            "The module passed to `SpectralNorm` can't have uninitialized parameters. Make sure to run the dummy "
            "forward before applying spectral normalization"
        )
    with no_grad():
        sizes = as_matrix(weight, dim).shape
        u, v = (F.normalize(weight.new_empty(size).normal_(0, 1), dim=0, eps=eps) for size in sizes)
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.data)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    module.register_forward_pre_hook(hook)
    module._register_state_dict_hook(_NotesVersion(name))
    return module


def remove_spectral_norm(module, name="weight"):
    """Let the parameter `name` be an ordinary one again, of the value it has (`torch.nn.utils.remove_spectral_norm`).

    >>> import minigrad
    >>> layer = remove_spectral_norm(spectral_norm(minigrad.nn.Linear(3, 2)))
    >>> sorted(layer.state_dict())
    ['bias', 'weight']
    """
    handle, hook = _hook(module, SpectralNorm, name)
    if hook is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    with no_grad():
        weight = hook.compute_weight(module, do_power_iteration=False)
    for doomed in (name, f"{name}_u", f"{name}_v", f"{name}_orig"):
        delattr(module, doomed)
    module.register_parameter(name, Parameter(weight.detach()))
    handle.remove()
    for key, (note, _) in list(module._state_dict_hooks.items()):
        if isinstance(note, _NotesVersion) and note.name == name:
            del module._state_dict_hooks[key]
    return module

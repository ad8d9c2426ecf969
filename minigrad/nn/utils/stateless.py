"""Calling a module with other parameters than its own."""

import contextlib

__all__ = ["functional_call"]


@contextlib.contextmanager
def _swapped(module, tensors):
    """The module with these tensors, by their full names, in the place of its own."""
    before = []
    try:
        for name, tensor in tensors.items():
            path, _, last = name.rpartition(".")
            owner = module.get_submodule(path)
            place = owner._parameters if last in owner._parameters else owner._buffers
            if last not in place:
                raise AttributeError(f"{type(owner).__name__} has no attribute `{last}`")
            before.append((place, last, place[last]))
            place[last] = tensor
        yield
    finally:
        for place, last, tensor in reversed(before):
            place[last] = tensor


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """module(*args, **kwargs) with the tensors of a dict (or of several) in the place of parameters and buffers.

    What is not in the dict stays the module's own, unless `strict`; a parameter with several names is replaced under
    all of them with `tie_weights`. Gradients flow to the tensors given. Source: `torch.func.functional_call`.

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(2, 1)
    >>> tensors = {"weight": minigrad.ones(1, 2), "bias": minigrad.zeros(1)}
    >>> functional_call(layer, tensors, minigrad.tensor([3.0, 4.0]))
    tensor([7.])
    """
    dicts = parameter_and_buffer_dicts
    dicts = [dicts] if isinstance(dicts, dict) else dicts
    given = {name: tensor for part in dicts for name, tensor in part.items()}
    own = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    if strict:
        missing, unexpected = own.keys() - given.keys(), given.keys() - own.keys()
        if missing or unexpected:
            raise RuntimeError(f"Unexpected key(s): {sorted(unexpected)}. Missing key(s): {sorted(missing)}.")
    if tie_weights:
        tied = {id(own[name]): tensor for name, tensor in given.items() if own.get(name) is not None}
        given |= {name: tied[id(tensor)] for name, tensor in own.items() if name not in given and id(tensor) in tied}
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, given):
        return module(*args, **(kwargs or {}))

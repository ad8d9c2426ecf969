"""A module as a function of its parameters (`torch.nn.utils.stateless`, `torch.func.functional_call`)."""

import contextlib
from collections.abc import Mapping


@contextlib.contextmanager
def _holding(module, tensors):
    """Inside, the module's parameters and buffers of those paths are the given tensors."""
    before = []
    try:
        for path, tensor in tensors.items():
            owner, _, name = path.rpartition(".")
            owner = module.get_submodule(owner)
            kind = owner._parameters if name in owner._parameters else owner._buffers
            before.append((kind, name, kind[name]))
            kind[name] = tensor
        yield
    finally:
        for kind, name, tensor in reversed(before):
            kind[name] = tensor


def functional_call(module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """`module(*args, **kwargs)` with other tensors, by path, in the place of its parameters and buffers.

    Several dicts may be given, in a tuple or list. With `tie_weights` a parameter that the module has under several
    paths is replaced under all of them; with `strict` every path must be given. Source: `torch.func.functional_call`.

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(2, 1)
    >>> weights = {"weight": minigrad.ones(1, 2), "bias": minigrad.zeros(1)}
    >>> functional_call(layer, weights, minigrad.ones(2))
    tensor([2.])
    """
    dicts = [parameters_and_buffers] if isinstance(parameters_and_buffers, Mapping) else parameters_and_buffers
    given = {path: tensor for part in dicts for path, tensor in part.items()}
    own = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    unexpected, missing = [path for path in given if path not in own], [path for path in own if path not in given]
    if strict and (unexpected or missing):
        lists = (("Unexpected", unexpected), ("Missing", missing))
        problems = [f"\n\t{kind} key(s): {', '.join(map(repr, paths))}." for kind, paths in lists if paths]
        raise RuntimeError(f"Error(s) in reparametrizing for {type(module).__name__}:" + "".join(problems))
    given = {path: tensor for path, tensor in given.items() if path in own}
    if tie_weights:
        _check_ties(own, given)
        named = {id(own[path]): tensor for path, tensor in given.items()}
        given |= {path: named[id(own[path])] for path in missing if id(own[path]) in named}
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _holding(module, given):
        return module(*args, **({} if kwargs is None else kwargs))


def _check_ties(own, given):
    """An error if a tensor that the module has under several paths is given several values."""
    for tensor in own.values():
        paths = [path for path, other in own.items() if other is tensor]
        if len({id(given[path]) for path in paths if path in given}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(paths)}, which are tied. Consider using "
                "tie_weights=False"
            )

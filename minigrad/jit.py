"""PyTorch's compiler decorators under `torch.jit`'s names: modules and functions stay as they are.

What `script` returns computes what the scripted object would. There is no `trace` (which forgets branches) and no
`save`: there is no other program that could load a script of minigrad's.
"""

__all__ = ["export", "ignore", "is_scripting", "script", "unused"]


def script(obj, optimize=None, _frames_up=0, _rcb=None, example_inputs=None):
    """`obj`, a module or function, as it is (`torch.jit.script`, also a decorator).

    >>> script(abs) is abs
    True
    """
    return obj


def ignore(drop=False, **kwargs):
    """A decorator that changes nothing, with and without arguments (`torch.jit.ignore`).

    >>> ignore(abs) is abs and ignore(drop=True)(abs) is abs
    True
    """
    return drop if callable(drop) else lambda function: function


unused = export = ignore


def is_scripting():
    """Whether this code is being compiled: never (`torch.jit.is_scripting`).

    >>> is_scripting()
    False
    """
    return False

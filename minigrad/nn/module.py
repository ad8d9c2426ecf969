"""The module: a function with parameters, made of other modules."""

from minigrad.autograd import Scope, Tensor, state
from minigrad.autograd.dtypes import TORCH_NAMES

from .hooks import Hooked
from .parameter import Buffer, Parameter
from .placement import Placed
from .state import Stateful

_KINDS = ("_parameters", "_buffers", "_modules")


class Module(Hooked, Stateful, Placed):
    """Base of all layers and networks (`torch.nn.Module`).

    A subclass calls `super().__init__()`, assigns parameters and submodules as attributes and defines `forward`.
    Calling the module runs `forward` between its hooks.

    >>> import minigrad
    >>> class Net(minigrad.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = minigrad.nn.Linear(4, 3)
    ...     def forward(self, x):
    ...         return self.hidden(x).relu()
    >>> Net()(minigrad.ones(2, 4)).shape
    minigrad.Size([2, 3])
    """

    training: bool

    def __init__(self):
        for name, value in (
            ("training", True),
            ("_parameters", {}),
            ("_buffers", {}),
            ("_non_persistent_buffers_set", set()),
            ("_modules", {}),
        ):
            object.__setattr__(self, name, value)
        self._without_hooks()
        self._without_state_hooks()

    def forward(self, *input):
        """Compute the module's result; every subclass defines this."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args, **kwargs):
        outer = state.scope
        state.scope = Scope(self, outer)
        try:
            if self._has_hooks():
                return self._forward_between_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            if not getattr(error, "_module_noted", False):
                error._module_noted = True
                error.add_note(f"in module {scope_path(state.scope)}")
            raise
        finally:
            state.scope = outer

    # attributes -----------------------------------------------------------------------------------------------------

    def __setattr__(self, name, value):
        if "_parameters" not in self.__dict__:
            if isinstance(value, (Parameter, Module)):
                raise AttributeError(
                    f"cannot assign {'parameters' if isinstance(value, Parameter) else 'module'} before "
                    "Module.__init__() "
                    "call\nhint: call super().__init__() first"
                )
            object.__setattr__(self, name, value)
            return
        if isinstance(value, Parameter):
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
        elif name in self._parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                    "\nhint: wrap it in nn.Parameter, or write into it under no_grad() with .copy_()"
                )
            self._parameters[name] = None
        elif isinstance(value, Module):
            self._forget(name, "_modules")
            self._modules[name] = value
        elif name in self._modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            self._modules[name] = None
        elif isinstance(value, Buffer):
            self._forget(name, "_buffers")
            self.register_buffer(name, value, value.persistent)
        elif name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None "
                    "expected)"
                )
            self._buffers[name] = value
        else:
            object.__setattr__(self, name, value)

    def _forget(self, name, kind):
        """Let the attribute `name` be free for something of this kind."""
        self.__dict__.pop(name, None)
        for other in _KINDS:
            if other != kind:
                self.__dict__[other].pop(name, None)
        if kind != "_buffers":
            self._non_persistent_buffers_set.discard(name)

    def __getattr__(self, name):
        for kind in _KINDS:
            found = self.__dict__.get(kind)
            if found is not None and name in found:
                return found[name]
        forgotten = "" if "_modules" in self.__dict__ else "\nhint: call super().__init__() first in __init__"
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{forgotten}")

    def __delattr__(self, name):
        for kind in _KINDS:
            if name in self.__dict__[kind]:
                del self.__dict__[kind][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        return sorted({*object.__dir__(self), *self._parameters, *self._buffers, *self._modules})

    def _check_name(self, name, kind):
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if "." in name or name == "":
            got = f", got: {name}" if kind == "module" else ""
            problem = f'contain "."{got}' if name else 'be empty string ""'
            raise KeyError(f"{kind} name can't {problem}")
        if hasattr(self, name) and not any(name in self.__dict__[k] for k in _KINDS):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name, param):
        """Make `param` (a Parameter or None) the parameter `name`."""
        self._check_name(name, "parameter")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type(param).__name__}' object to parameter '{name}' (torch.nn.Parameter or None "
                "required)"
            )
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        """Make `tensor` (or None) state that is not trained; persistent buffers are in the `state_dict`."""
        self._check_name(name, "buffer")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = tensor
        transient = self._non_persistent_buffers_set
        (transient.discard if persistent else transient.add)(name)

    def register_module(self, name, module):
        """Make `module` (or None) the submodule `name`."""
        self._check_name(name, "module")
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        self._modules[name] = module

    add_module = register_module

    # what is in it --------------------------------------------------------------------------------------------------

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """(path, module) of this module and all below it, each module once."""
        memo = set() if memo is None else memo
        if self not in memo:
            if remove_duplicate:
                memo.add(self)
            yield prefix, self
            for name, child in self._modules.items():
                if child is not None:
                    yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate=True):
        """This module and all below it, each once unless told otherwise."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self):
        """(name, module) of the direct submodules."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self):
        """The direct submodules."""
        return (child for _, child in self.named_children())

    def _named(self, kind, prefix, recurse, remove_duplicate=True):
        seen = set()
        for path, module in (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        ):
            for name, tensor in getattr(module, kind).items():
                if tensor is not None and tensor not in seen:
                    if remove_duplicate:
                        seen.add(tensor)
                    yield f"{path}.{name}" if path else name, tensor

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """(path, parameter) of this module and all below it, each parameter once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """The parameters of this module and all below it."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """(path, buffer) of this module and all below it."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """The buffers of this module and all below it."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target):
        """The module at the dotted path `target`."""
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target, module, strict=False):
        """Put `module` at the dotted path `target`, whose parent exists; with `strict` it replaces one."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            parent.get_submodule(name)
        setattr(parent, name, module)

    def get_parameter(self, target):
        """The parameter at the dotted path `target`."""
        return self._get(target, lambda module, name, value: isinstance(value, Parameter), "nn.Parameter")

    def get_buffer(self, target):
        """The buffer at the dotted path `target`."""
        return self._get(target, lambda module, name, value: name in module._buffers, "buffer")

    def _get(self, target, fits, kind):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        value = getattr(module, name)
        if not fits(module, name, value):
            raise AttributeError(f"`{name}` is not {'a' if kind == 'buffer' else 'an'} {kind}")
        return value

    # changing it ----------------------------------------------------------------------------------------------------

    def train(self, mode=True):
        """Set training mode (dropout drops, batch norm uses the batch) here and below; returns the module."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Set evaluation mode; `train(False)`."""
        return self.train(False)

    def apply(self, fn):
        """Call `fn(module)` on everything below and then on this module; returns the module."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad=True):
        """Set whether the parameters require grad; returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = parameter.grad.detach().zero_()

    # seen from outside ----------------------------------------------------------------------------------------------

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        """What stands between the parentheses of this module's own repr."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._modules.items()]
        if len(lines) + len(children) == len(lines) < 2:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join([*lines, *children]) + "\n)"

    def __setstate__(self, state):
        Module.__init__(self)  # what an older pickle may lack
        self.__dict__.update(state)


def _type_name(value):
    """PyTorch's name of a type: "torch.FloatTensor" for a tensor."""
    return f"torch.{TORCH_NAMES[value.dtype]}Tensor" if type(value) is Tensor else type(value).__name__


def scope_path(scope):
    """The module of a frame by its path from the outermost module being called: "LeNet5.c1 (Conv2d)"."""
    root = scope
    while root.parent is not None:
        root = root.parent
    path = next((name for name, module in root.module.named_modules() if module is scope.module), "")
    kind = type(scope.module).__name__
    return f"{type(root.module).__name__}.{path} ({kind})" if path else kind

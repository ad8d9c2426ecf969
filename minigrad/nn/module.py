"""The module: a function with parameters, made of other modules."""

from collections import OrderedDict, namedtuple
from itertools import chain

from minigrad.autograd import HookHandle, Scope, Tensor, no_grad, state
from minigrad.autograd.dtypes import as_dtype

from .parameter import Parameter

_KINDS = ("_parameters", "_buffers", "_modules")


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` could not match: paths without an entry, and entries without a path."""

    __slots__ = ()

    def __repr__(self):
        return super().__repr__() if any(self) else "<All keys matched successfully>"


class Module:
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
            ("_non_persistent", set()),
            ("_modules", {}),
            ("_forward_hooks", {}),
            ("_forward_pre_hooks", {}),
        ):
            object.__setattr__(self, name, value)

    def forward(self, *input):
        """Compute the module's result; every subclass defines this."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args, **kwargs):
        outer = state.scope
        state.scope = Scope(self, outer)
        try:
            for hook in tuple(self._forward_pre_hooks.values()):
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
            result = self.forward(*args, **kwargs)
            for hook in tuple(self._forward_hooks.values()):
                changed = hook(self, args, result)
                if changed is not None:
                    result = changed
            return result
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
        kind = "_parameters" if isinstance(value, Parameter) else "_modules" if isinstance(value, Module) else None
        if kind is not None:
            self.__dict__.pop(name, None)
            for other in _KINDS:
                if other != kind:
                    self.__dict__[other].pop(name, None)
            self.__dict__[kind][name] = value
        elif name in self._parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as parameter '{name}' (torch.nn.Parameter or None "
                    "expected)"
                    "\nhint: wrap it in nn.Parameter, or write into it under no_grad() with .copy_()"
                )
            self._parameters[name] = None
        elif name in self._modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as child module '{name}' (torch.nn.Module or None "
                    "expected)"
                )
            self._modules[name] = None
        elif name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None "
                    "expected)"
                )
            self._buffers[name] = value
        else:
            object.__setattr__(self, name, value)

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
                self._non_persistent.discard(name)
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
        (self._non_persistent.discard if persistent else self._non_persistent.add)(name)

    def register_module(self, name, module):
        """Make `module` (or None) the submodule `name`."""
        self._check_name(name, "module")
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._modules[name] = module

    add_module = register_module

    def register_forward_hook(self, hook):
        """Call `hook(module, args, result)` after each forward; what it returns (unless None) replaces the result."""
        return HookHandle(self._forward_hooks, hook)

    def register_forward_pre_hook(self, hook):
        """Call `hook(module, args)` before each forward; what it returns (unless None) replaces the arguments."""
        return HookHandle(self._forward_pre_hooks, hook)

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

    def modules(self):
        """This module and all below it."""
        return (module for _, module in self.named_modules())

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
            if name not in module._modules:
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = module._modules[name]
        return module

    # state ----------------------------------------------------------------------------------------------------------

    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        """All parameters and persistent buffers by path, on the module's own memory (`torch.nn.Module.state_dict`)."""
        destination = OrderedDict() if destination is None else destination
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return destination

    def _own_state(self):
        items = chain(
            self._parameters.items(), ((n, b) for n, b in self._buffers.items() if n not in self._non_persistent)
        )
        return {name: tensor for name, tensor in items if tensor is not None}

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy the tensors of `state_dict` into the parameters and buffers of the same paths.

        All missing, unexpected and mis-shaped keys are reported in one RuntimeError before anything is changed;
        `strict=False` ignores missing and unexpected ones and returns them. `assign=True` takes the tensors themselves.
        """
        modules = dict(self.named_modules(remove_duplicate=False))
        targets = {
            f"{path}.{name}" if path else name: (module, name, tensor)
            for path, module in modules.items()
            for name, tensor in module._own_state().items()
        }
        missing = [key for key in targets if key not in state_dict]
        unexpected = [key for key in state_dict if key not in targets]
        problems = []
        if strict and unexpected:
            problems.append("Unexpected key(s) in state_dict: " + ", ".join(f'"{key}"' for key in unexpected) + ". ")
        if strict and missing:
            problems.insert(0, "Missing key(s) in state_dict: " + ", ".join(f'"{key}"' for key in missing) + ". ")
        for key, (_, _, tensor) in targets.items():
            if key in state_dict and tuple(state_dict[key].shape) != tuple(tensor.shape):
                problems.append(
                    f"size mismatch for {key}: copying a param with shape {state_dict[key].shape} from checkpoint, "
                    "the shape in "
                    f"current model is {tensor.shape}."
                )
        if problems:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(problems))
        with no_grad():
            for key, (module, name, tensor) in targets.items():
                if key not in state_dict:
                    continue
                if not assign:
                    tensor.copy_(state_dict[key])
                elif isinstance(tensor, Parameter):
                    module._parameters[name] = Parameter(state_dict[key], tensor.requires_grad)
                else:
                    module._buffers[name] = state_dict[key]
        return IncompatibleKeys(missing, unexpected)

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

    def to(self, *args, **kwargs):
        """Convert floating-point parameters and buffers to a dtype, in place; returns the module."""
        for tensor in chain(self.parameters(), self.buffers()):
            converted = tensor.detach().to(*args, **kwargs)
            if tensor.is_floating_point():
                if not converted.is_floating_point():
                    raise TypeError(
                        "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                        f"dtype={converted.dtype}"
                    )
                tensor.data = converted
                if tensor.grad is not None:
                    tensor.grad = tensor.grad.detach().to(*args, **kwargs)
        return self

    def float(self):
        """Convert floating-point parameters and buffers to float32, in place; returns the module."""
        return self.to(as_dtype("float32"))

    def double(self):
        """Convert floating-point parameters and buffers to float64, in place; returns the module."""
        return self.to(as_dtype("float64"))

    def cpu(self):
        """Move to the CPU, where it already is; returns the module."""
        return self

    # seen from outside ----------------------------------------------------------------------------------------------

    def extra_repr(self):
        """What stands between the parentheses of this module's own repr."""
        return ""

    def __repr__(self):
        children = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._modules.items()]
        extra = self.extra_repr()
        if not children:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(\n  " + "\n  ".join([*extra.splitlines(), *children]) + "\n)"


def scope_path(scope):
    """The module of a frame by its path from the outermost module being called: "LeNet5.c1 (Conv2d)"."""
    root = scope
    while root.parent is not None:
        root = root.parent
    path = next((name for name, module in root.module.named_modules() if module is scope.module), "")
    kind = type(scope.module).__name__
    return f"{type(root.module).__name__}.{path} ({kind})" if path else kind

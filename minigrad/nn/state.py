"""The state of a module: parameters, persistent buffers and whatever else it saves, by their paths.

A module may save and load more than its tensors: `get_extra_state` and `set_extra_state`, hooks before and after, or a
`_load_from_state_dict` of its own, all of them PyTorch's.
"""

from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from itertools import chain

import numpy as np

from minigrad.autograd import HookHandle, Tensor, no_grad
from minigrad.ops import functions

from .parameter import Parameter, UninitializedTensor

HOOKS = (
    "_state_dict_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
_EXTRA = "_extra_state"


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` could not match: paths without an entry, and entries without a path."""

    __slots__ = ()

    def __repr__(self):
        return f"_{super().__repr__()}" if any(self) else "<All keys matched successfully>"


class Stateful:
    """The part of a module that is saved and loaded."""

    _version = 1  # saved beside the state: a module whose state changes its form counts up

    def _without_state_hooks(self):
        for kind in HOOKS:
            object.__setattr__(self, kind, OrderedDict())

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """All parameters and persistent buffers by path, on the module's own memory (`torch.nn.Module.state_dict`)."""
        for name, value in zip(("destination", "prefix", "keep_vars"), args):  # PyTorch's older form
            destination = value if name == "destination" else destination
            prefix = value if name == "prefix" else prefix
            keep_vars = value if name == "keep_vars" else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook, replaces in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, metadata)
            if result is not None:
                if not replaces:
                    raise RuntimeError("state_dict post-hook must return None")
                destination = result
        return destination

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """Put this module's own entries, those of its children excepted, into `destination`."""
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + _EXTRA] = self.get_extra_state()

    def _own_state(self):
        persistent = ((n, b) for n, b in self._buffers.items() if n not in self._non_persistent_buffers_set)
        items = chain(self._parameters.items(), persistent)
        return {name: tensor for name, tensor in items if tensor is not None}

    def get_extra_state(self):
        """What else belongs to the state; a module that defines this and `set_extra_state` saves it."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
            f"\nhint: {type(self).__name__} defines no get_extra_state"
        )

    def set_extra_state(self, state):
        """Take what `get_extra_state` gave when the state was saved."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
            f"\nhint: {type(self).__name__} defines no set_extra_state"
        )

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy the tensors of `state_dict` into the parameters and buffers of the same paths.

        All missing, unexpected and mis-shaped keys are reported in one RuntimeError before anything is changed;
        `strict=False` ignores missing and unexpected ones and returns them. `assign=True` takes the tensors themselves.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata
        missing, unexpected, problems, writes = [], [], [], []

        def load(module, state_dict, prefix):
            local = {} if metadata is None else dict(metadata.get(prefix[:-1], {}))
            local |= {"assign_to_params_buffers": assign, "writes": writes}
            module._load_from_state_dict(state_dict, prefix, local, True, missing, unexpected, problems)
            for name, child in module._modules.items():
                if child is not None:
                    path = f"{prefix}{name}."
                    load(child, {key: value for key, value in state_dict.items() if key.startswith(path)}, path)
            incompatible = IncompatibleKeys(missing, unexpected)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, incompatible) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are notexpected to return new "
                        "values, if incompatible_keys need to be modified,it should be done inplace."
                    )

        load(self, state_dict, "")
        if strict:
            for kind, keys in (("Unexpected", unexpected), ("Missing", missing)):
                if keys:
                    quoted = ", ".join([f'"{key}"' for key in keys])
                    problems.insert(0, f"{kind} key(s) in state_dict: {quoted}. ")
        if problems:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(problems))
        for write in writes:
            write()
        return IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """Take this module's own entries from `state_dict`, those of its children excepted; note what does not fit.

        What there is to write waits in `local_metadata["writes"]` until the whole network is known to fit; without such
        a list it is written at once.
        """
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        own, writes = self._own_state(), []
        for name, tensor in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            value = state_dict[key]
            if not isinstance(value, Tensor) and hasattr(value, "__array__"):  # PyTorch's own tensors, for example
                value = functions["as_tensor"](np.asarray(value))
            if not isinstance(value, Tensor):
                error_msgs.append(
                    f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
                    f"checkpoint but received {type(value)}"
                )
                continue
            if isinstance(tensor, UninitializedTensor):  # a lazy module's tensor takes the shape that comes
                if not isinstance(value, UninitializedTensor):
                    tensor.materialize(value.shape)
                else:
                    continue
            elif tensor.ndim == 0 and value.ndim == 1 and len(value) == 1:
                value = value[0]  # what a scalar was to PyTorch 0.3
            if tuple(value.shape) != tuple(tensor.shape):
                error_msgs.append(
                    f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the shape in "
                    f"current model is {tensor.shape}."
                )
                continue
            writes.append((name, tensor, value, assign))
        self._load_extra_state(state_dict, prefix + _EXTRA, strict, missing_keys, unexpected_keys, writes)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != prefix + _EXTRA:
                    name, *rest = key[len(prefix) :].split(".", 1)
                    if name not in (self._modules if rest else own):
                        unexpected_keys.append(key)
        waiting = [lambda arguments=arguments: self._write_state(*arguments) for arguments in writes]
        if "writes" in local_metadata:
            local_metadata["writes"].extend(waiting)
        else:
            for write in waiting:
                write()

    def _load_extra_state(self, state_dict, key, strict, missing_keys, unexpected_keys, writes):
        if type(self).set_extra_state is not Stateful.set_extra_state:
            if key in state_dict:
                writes.append((_EXTRA, None, state_dict[key], False))
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)

    def _write_state(self, name, tensor, value, assign):
        if tensor is None:
            self.set_extra_state(value)
        elif not assign:
            with no_grad():
                tensor.copy_(value)
        elif isinstance(tensor, Parameter):
            same = isinstance(value, Parameter) and value.requires_grad == tensor.requires_grad
            self._parameters[name] = value if same else Parameter(value, tensor.requires_grad)
        else:
            self._buffers[name] = value

    def register_state_dict_pre_hook(self, hook):
        """Call `hook(module, prefix, keep_vars)` before each `state_dict`."""
        return HookHandle(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata)` after each `state_dict`, to change it in place."""
        return HookHandle(self._state_dict_hooks, (hook, False))

    def _register_state_dict_hook(self, hook):
        """The older form of `register_state_dict_post_hook`, which may return another dict."""
        return HookHandle(self._state_dict_hooks, (hook, True))

    def register_load_state_dict_pre_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected, errors)` before this
        module's entries are loaded; it may change all of them in place.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        """The older form, whose hook does not get the module."""
        call = (lambda *arguments: hook(self, *arguments)) if with_module else hook
        return HookHandle(self._load_state_dict_pre_hooks, call)

    def register_load_state_dict_post_hook(self, hook):
        """Call `hook(module, incompatible_keys)` when this module and those below are matched; it may change the keys.

        Tensors are written after all hooks, once nothing is known to be wrong.
        """
        return HookHandle(self._load_state_dict_post_hooks, hook)

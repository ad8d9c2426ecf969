"""What all optimizers share: parameter groups, state, the loop of `step`, hooks, `zero_grad`, `state_dict`."""

import functools
import warnings
from collections import OrderedDict, defaultdict
from copy import deepcopy
from itertools import chain

from minigrad.autograd import HookHandle, Tensor, enable_grad, get_default_dtype, no_grad
from minigrad.kernels.device import capturing, missing
from minigrad.ops import functions


def _hooked(step):
    """`step` between the hooks of its optimizer."""

    @functools.wraps(step)
    def call(*args, **kwargs):  # the hooks see the optimizer among the arguments
        self = args[0]
        for hook in tuple(self._step_pre_hooks.values()):
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"{step} must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                args, kwargs = changed
        if "_opt_called" in self.__dict__:  # a schedule wants to know
            self._opt_called = True
        result = step(*args, **kwargs)
        for hook in tuple(self._step_post_hooks.values()):
            hook(self, args, kwargs)
        return result

    return call


class Optimizer:
    """Base of the optimizers (`torch.optim.Optimizer`).

    `params` is an iterable of tensors, of (name, tensor) pairs, or of dicts: groups with `params` and settings of their
    own; `defaults` are the settings of groups that have none. A subclass defines `update(parameters, group)`, which
    changes parameters in place, or `step` itself.

    >>> import minigrad
    >>> class SignDescent(Optimizer):
    ...     def __init__(self, params, lr):
    ...         super().__init__(params, {"lr": lr})
    ...
    ...     def update(self, parameters, group):
    ...         for p in parameters:
    ...             p -= group["lr"] * p.grad.sign()
    >>> p = minigrad.nn.Parameter(minigrad.tensor([1.0, -1.0]))
    >>> (p * p).sum().backward()
    >>> SignDescent([p], lr=0.25).step()
    >>> p.data
    tensor([ 0.7500, -0.7500])
    """

    _warned_capturable_if_run_uncaptured = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _hooked(cls.step)

    def __init__(self, params, defaults):
        self.defaults = defaults
        self._make_hooks()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{_type_name(params)}\nhint: pass a list, [tensor]"
            )
        if callable(params):
            raise TypeError(
                f"'{type(params).__name__}' object is not iterable\nhint: pass model.parameters(), with the parentheses"
            )
        if defaults.get("differentiable"):
            raise NotImplementedError(
                f"{type(self).__name__} does not support differentiable=True\nhint: write the update with operations "
                "on tensors, and differentiate through these"
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        params = list(params)
        if not params:
            raise ValueError(
                "optimizer got an empty parameter list\nhint: modules in a plain list are not found (use "
                "nn.ModuleList), and an iterator such as model.parameters() can be used only once"
            )
        for group in params if isinstance(params[0], dict) else [{"params": params}]:
            self.add_param_group(group)
        if defaults.get("fused") and defaults.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")

    def _make_hooks(self):
        self._step_pre_hooks = OrderedDict()
        self._step_post_hooks = OrderedDict()
        self._state_dict_pre_hooks = OrderedDict()
        self._state_dict_post_hooks = OrderedDict()
        self._load_state_dict_pre_hooks = OrderedDict()
        self._load_state_dict_post_hooks = OrderedDict()

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._make_hooks()

    def __repr__(self):
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
        return text + ")"

    # groups ---------------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group):
        """Add a dict with `params` and settings; settings left out take the optimizer's defaults.

        The group is this very dict. Raises TypeError for what are no tensors, or have no order, and ValueError for
        tensors that are computed, or in a group already.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        names = [p[0] for p in params if isinstance(p, tuple)]
        params = [p[1] if isinstance(p, tuple) else p for p in params]
        if names and len(names) != len(params):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {_type_name(p)}")
            if not (p.is_leaf or p.retains_grad):
                raise ValueError(
                    "can't optimize a non-leaf Tensor\nhint: optimize the tensor that this one was computed from, or "
                    ".detach().requires_grad_() it"
                )
        if len(params) != len(set(params)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for key, value in self.defaults.items():
            param_group.setdefault(key, value)
        if any(("param_names" in group) != bool(names) for group in self.param_groups):
            raise ValueError(
                "all optimizer param groups should be with/without names. cannot add param group "
                f"{'with' if names else 'without'} names to the optimizer"
            )
        if not set(params).isdisjoint(chain.from_iterable(group["params"] for group in self.param_groups)):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p.grad is None:
                    p.grad = None
                else:
                    p.grad = p.grad.detach().zero_()

    # the step -------------------------------------------------------------------------------------------------------

    @_hooked
    def step(self, closure=None):
        """Change every parameter that has a gradient; `closure`, if given, computes the loss first and is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if "capturable" in self.defaults:
            self._check_capture()
        with no_grad():
            for group in self.param_groups:
                for parameters in _batches(group["params"]):
                    self.update(parameters, group)
                    for p in parameters:
                        p.storage.version += 1
        return loss

    def _check_capture(self):
        """PyTorch's error for a capture of what counts on the host, and its one warning for the contrary."""
        capturable = all(group["capturable"] for group in self.param_groups)
        if capturing() and not capturable:
            raise RuntimeError(
                f"Attempting CUDA graph capture of step() for an instance of {type(self).__name__} but param_groups' "
                "capturable is False.\nhint: the count of steps is the host's, and a replay would not see it grow; "
                f"{type(self).__name__}(..., capturable=True) keeps it on the GPU"
            )
        if capturable and not capturing() and not missing() and not self._warned_capturable_if_run_uncaptured:
            warnings.warn(
                "This instance was constructed with capturable=True or some of all the param_groups came with "
                "capturable=True, but step() is running without CUDA graph capture. If you never intend to "
                "graph-capture this instance, capturable=True can impair performance, and you should set "
                "capturable=False.",
                stacklevel=4,
            )
            self._warned_capturable_if_run_uncaptured = True

    def update(self, parameters, group):
        """Change some of the group's parameters, of one dtype, by their gradients; every subclass defines this."""
        raise NotImplementedError(f"{type(self).__name__} needs update(parameters, group)")

    # state ----------------------------------------------------------------------------------------------------------

    def state_dict(self):
        """State and settings, parameters replaced by their numbers (`torch.optim.Optimizer.state_dict`).

        The tensors are those of the optimizer, and change with it.
        """
        for hook in tuple(self._state_dict_pre_hooks.values()):
            hook(self)
        numbers = {}
        groups, start = [], 0
        for group in self.param_groups:
            for number, p in enumerate(group["params"], start):
                numbers.setdefault(p, number)
            start += len(group["params"])
            settings = {key: value for key, value in group.items() if key != "params"}
            groups.append({**settings, "params": [numbers[p] for p in group["params"]]})
        state = {numbers[key] if isinstance(key, Tensor) else key: value for key, value in self.state.items()}
        state_dict = {"state": state, "param_groups": groups}
        for hook in tuple(self._state_dict_post_hooks.values()):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        return state_dict

    def load_state_dict(self, state_dict):
        """Take over a copy of the state and settings of a `state_dict` made by an optimizer of the same parameters."""
        state_dict = dict(state_dict)
        for hook in tuple(self._load_state_dict_pre_hooks.values()):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        groups = deepcopy(state_dict["param_groups"])
        if len(groups) != len(self.param_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups"
                f"\nhint: it has {len(groups)}, this optimizer {len(self.param_groups)}"
            )
        for own, loaded in zip(self.param_groups, groups):
            if len(own["params"]) != len(loaded["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
                    f"\nhint: it has {len(loaded['params'])} parameters, this optimizer {len(own['params'])}"
                )
        parameters = {
            number: (p, loaded.get("capturable", False))
            for own, loaded in zip(self.param_groups, groups)
            for number, p in zip(loaded["params"], own["params"])
        }
        self.state = defaultdict(dict)
        for number, state in state_dict["state"].items():
            if number in parameters:
                parameter, capturable = parameters[number]
                self.state[parameter] = _fitted(state, parameter, capturable)
            else:
                self.state[number] = state
        for own, loaded in zip(self.param_groups, groups):
            names = {"param_names": own["param_names"]} if "param_names" in own else {}
            missing = {key: value for key, value in self.defaults.items() if key not in loaded}  # by an older version
            loaded.update({**missing, **names, **loaded, "params": own["params"]})
        self.param_groups = groups
        for hook in tuple(self._load_state_dict_post_hooks.values()):
            hook(self)

    # hooks ----------------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` before each step; it may return other (args, kwargs)."""
        return HookHandle(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return HookHandle(self._step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Call `hook(optimizer)` before each `state_dict`; the first of all if `prepend`."""
        return _register(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Call `hook(optimizer, state_dict)` on each `state_dict`; what it returns (unless None) replaces it."""
        return _register(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Call `hook(optimizer, state_dict)` on what is to be loaded; what it returns (unless None) replaces it."""
        return _register(self._load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Call `hook(optimizer)` after each `load_state_dict`."""
        return _register(self._load_state_dict_post_hooks, hook, prepend)


def _register(hooks, hook, prepend):
    handle = HookHandle(hooks, hook)
    if prepend:
        hooks.move_to_end(handle, last=False)
    return handle


def _type_name(thing):
    """How PyTorch names the type of a value in its messages."""
    kind = type(thing)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _batches(params):
    """The parameters that have a gradient, in lists that one update can take: of one dtype, and none of them twice."""
    parameters = [p for p in params if p._grad is not None]
    if len(set(parameters)) != len(parameters):
        return [[p] for p in parameters]
    kinds = {}  # by the array's type, which says the device, and its dtype
    for p in parameters:
        kinds.setdefault((type(p._array), p._array.dtype), []).append(p)
    return list(kinds.values())


_NUMBERS = ("step", "eta", "mu", "mu_product")  # 0-d entries of states, which keep their dtype


def _fitted(value, parameter, capturable, key=None):
    """A copy of a state on the parameter's device and in its dtype; numbers keep theirs, and their place if it is not
    to be captured.
    """
    if isinstance(value, Tensor):
        value = value.detach()
        if key in _NUMBERS:
            return value.to(parameter.device, copy=True) if capturable else value.clone()
        return value.to(parameter.device, parameter.dtype, copy=True)
    if isinstance(value, dict):
        return {name: _fitted(entry, parameter, capturable, name) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_fitted(entry, parameter, capturable) for entry in value)
    return scalar(float(value), parameter, capturable) if key in _NUMBERS else value  # PyTorch's older checkpoints


# for the optimizers -------------------------------------------------------------------------------------------------


def check(name, value, high=float("inf")):
    """A setting from 0 to below `high`, or PyTorch's ValueError."""
    if not value >= 0.0 or not (value < high or high == float("inf")):
        raise ValueError(f"Invalid {name}: {value}")


def check_rate(lr, foreach=None, capturable=True):
    """A learning rate, a number or a tensor of one element, or PyTorch's ValueError."""
    if isinstance(lr, Tensor):
        if foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        if lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
    check("learning rate", lr)


def check_betas(betas):
    """Two numbers from 0 to below 1, or PyTorch's ValueError."""
    for index in range(2):
        check(f"beta parameter at index {index}", betas[index], high=1.0)


def scalar(value, parameter, capturable):
    """A number that is part of a parameter's state: a 0-d tensor of the default dtype, on the CPU unless it is to be
    captured.
    """
    device = parameter.device if capturable else "cpu"
    return functions["full"]((), value, dtype=get_default_dtype(), device=device)


def arrays(tensors):
    """The arrays of tensors."""
    return [tensor._array for tensor in tensors]


def gradients(parameters):
    """The arrays of the parameters' gradients."""
    return [p._grad._array for p in parameters]


def buffers(states, name):
    """The arrays of one entry of all states."""
    return [state[name]._array for state in states]


def rate(group):
    """The learning rate: a number, or the tensor on the GPU that holds it, whose changes a captured step sees."""
    lr = group["lr"]
    return lr.reshape(()) if isinstance(lr, Tensor) and lr.is_cuda else float(lr)


def bare(value):
    """A number, or the array of a tensor that holds it."""
    return value._array if isinstance(value, Tensor) else value


def count(state, group):
    """Count a step in a state; its number, from 1: if it is capturable a float64 tensor on the GPU, for its powers."""
    if group.get("capturable"):
        return counter(state).add_(1).double()
    if capturing():
        raise RuntimeError(
            "Attempting CUDA graph capture of step() for an optimizer that counts its steps\nhint: the count is the "
            "host's, and a replay would not see it grow; Adam and its family have capturable=True"
        )
    step = state["step"]._array
    number = step.item() + 1.0
    step[()] = number
    return number


def counter(state):
    """The tensor on the GPU that counts the steps of a capturable optimizer."""
    if not state["step"].is_cuda:
        raise AssertionError(
            "If capturable=True, params and state_steps must be on supported devices: ['cuda'].\nhint: move the module "
            'with .to("cuda") before its optimizer is made; on the CPU there is nothing to capture'
        )
    return state["step"]


def number(value, group):
    """An entry of a state in formulas: the tensor if it is capturable, else the number."""
    return value if group["capturable"] else value.item()


def descent(parameter, group):
    """The gradient with the group's `maximize` and `weight_decay` (if it is not decoupled) applied, a tensor."""
    grad = -parameter.grad if group["maximize"] else parameter.grad
    decayed = group.get("weight_decay", 0) != 0 and not group.get("decoupled_weight_decay")
    return grad.add(parameter, alpha=group["weight_decay"]) if decayed else grad


def decay(parameter, group):
    """Shrink the parameter by the group's weight decay, if that is decoupled from the gradient."""
    if group["decoupled_weight_decay"] and group["weight_decay"] != 0:
        parameter.mul_(1 - rate(group) * group["weight_decay"])

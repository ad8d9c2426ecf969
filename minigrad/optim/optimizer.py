"""What all optimizers share: parameter groups, state, `zero_grad`, `state_dict`."""

from collections import defaultdict

from minigrad.autograd import Tensor, enable_grad, no_grad


class Optimizer:
    """Base of the optimizers (`torch.optim.Optimizer`).

    `params` is an iterable of tensors, of (name, tensor) pairs, or of dicts: groups with `params` and settings of their
    own. A subclass defines `update(parameter, state, group)`, which changes one parameter in place.
    """

    def __init__(self, params, defaults):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a Tensor"
                "\nhint: pass a list, [tensor]"
            )
        self.defaults, self.param_groups, self.state = defaults, [], defaultdict(dict)
        if callable(params):
            raise TypeError(
                f"params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{type(params).__name__}\nhint: pass model.parameters(), with the parentheses"
            )
        params = list(params)
        if not params:
            raise ValueError(
                "optimizer got an empty parameter list\nhint: modules in a plain list are not found (use "
                "nn.ModuleList), and an iterator such as model.parameters() can be used only once"
            )
        for group in params if isinstance(params[0], dict) else [{"params": params}]:
            self.add_param_group(group)

    def add_param_group(self, param_group):
        """Add a dict with `params` and settings; settings left out take the optimizer's defaults."""
        group = dict(param_group)
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        params = [p[1] if isinstance(p, tuple) else p for p in params]
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(
                    "can't optimize a non-leaf Tensor\nhint: optimize the tensor that this one was computed from, or "
                    ".detach().requires_grad_() it"
                )
        known = {id(p) for g in self.param_groups for p in g["params"]}
        if len({id(p) for p in params}) != len(params) or any(id(p) in known for p in params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append({**self.defaults, **group, "params": params})

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p.grad is None:
                    p.grad = None
                else:
                    p.grad = p.grad.detach().zero_()

    def step(self, closure=None):
        """Change every parameter that has a gradient; `closure`, if given, computes the loss first and is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self.update(p, self.state[p], group)
                        p.storage.version += 1
        return loss

    def update(self, parameter, state, group):
        """Change `parameter` in place by its gradient; every subclass defines this."""
        raise NotImplementedError(f"{type(self).__name__} needs update(parameter, state, group)")

    def state_dict(self):
        """State and settings, parameters replaced by their numbers (`torch.optim.Optimizer.state_dict`)."""
        numbers = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[id(p)]: dict(state) for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Take over the state and settings of a `state_dict` made by an optimizer of the same parameters."""
        groups = state_dict["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for own, loaded in zip(self.param_groups, groups):
            if len(own["params"]) != len(loaded["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
                    f"\nhint: it has {len(loaded['params'])} parameters, this optimizer {len(own['params'])}"
                )
        parameters = {
            number: p
            for own, loaded in zip(self.param_groups, groups)
            for number, p in zip(loaded["params"], own["params"])
        }
        for own, loaded in zip(self.param_groups, groups):
            own.update({key: value for key, value in loaded.items() if key != "params"})
        self.state = defaultdict(dict)
        for number, state in state_dict["state"].items():
            self.state[parameters[int(number)]] = {
                key: value.detach().clone() if isinstance(value, Tensor) else value for key, value in state.items()
            }

    def __repr__(self):
        lines = []
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


def check(name, value, low=0.0, high=float("inf"), *, open_end=False):
    """A setting within its range, or PyTorch's ValueError."""
    if not low <= value <= high or (open_end and value >= high):
        raise ValueError(f"Invalid {name}: {value}")

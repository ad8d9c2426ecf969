"""Adagrad."""

from minigrad.kernels import kernels_for
from minigrad.ops import functions

from .optimizer import Optimizer, arrays, buffers, check, check_rate, count, gradients, scalar


class Adagrad(Optimizer):
    """Steps by the gradient over the root of the sum of its squares so far (`torch.optim.Adagrad`).

    s = s + g², θ = θ - lr / (1 + (t - 1) · lr_decay) · g / (√s + eps). Duchi et al. 2011,
    https://jmlr.org/papers/v12/duchi11a.html. `foreach` and `fused` choose among PyTorch's implementations and change
    nothing here.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> Adagrad([p], lr=0.1).step()
    >>> p.data
    tensor([0.9000])
    """

    def __init__(
        self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *,
        maximize=False, differentiable=False, fused=None,
    ):  # fmt: skip
        check_rate(lr)
        check("lr_decay value", lr_decay)
        check("weight_decay value", weight_decay)
        check("initial_accumulator_value value", initial_accumulator_value)
        check("epsilon value", eps)
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self._start(p)

    def _start(self, p):
        self.state[p]["step"] = scalar(0.0, p, False)
        self.state[p]["sum"] = functions["full_like"](p, self.defaults["initial_accumulator_value"])

    def update(self, parameters, group):
        """One step of some parameters."""
        for p in parameters:
            if not self.state[p]:
                self._start(p)
        states = [self.state[p] for p in parameters]
        kernels_for(parameters[0]._array).adagrad_update(
            arrays(parameters),
            gradients(parameters),
            buffers(states, "sum"),
            [count(state, group) for state in states],
            float(group["lr"]),
            float(group["lr_decay"]),
            float(group["eps"]),
            float(group["weight_decay"]),
            group["maximize"],
        )

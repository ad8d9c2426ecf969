"""Averaged stochastic gradient descent."""

from minigrad.ops import functions

from .optimizer import Optimizer, check, check_rate, count, descent, number, rate, scalar


class ASGD(Optimizer):
    """Gradient descent that also keeps the average of its parameters, `state[p]["ax"]` (`torch.optim.ASGD`).

    θ = (1 - lambd · η) · θ - η · g, ax = ax + μ · (θ - ax), then η = lr / (1 + lambd · lr · t)^alpha and
    μ = 1 / max(1, t - t0). Polyak and Juditsky 1992, https://doi.org/10.1137/0330046. `foreach` chooses among
    PyTorch's implementations and changes nothing here; `capturable` keeps t, η and μ on the GPU.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> ASGD([p], lr=0.1, lambd=0.0).step()
    >>> p.data
    tensor([0.8000])
    """

    def __init__(
        self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None, maximize=False,
        differentiable=False, capturable=False,
    ):  # fmt: skip
        check_rate(lr)
        check("weight_decay value", weight_decay)
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        lr, lambd, capturable = rate(group), group["lambd"], group["capturable"]
        for p in parameters:
            state = self.state[p]
            if not state:
                state["step"], state["mu"] = scalar(0.0, p, capturable), scalar(1.0, p, capturable)
                state["eta"] = scalar(0.0, p, capturable).fill_(lr)
                state["ax"] = functions["zeros_like"](p)
            step, grad, ax = count(state, group), descent(p, group), state["ax"]
            eta, mu = number(state["eta"], group), number(state["mu"], group)
            p.mul_(1 - lambd * eta).sub_(grad * eta)
            ax.copy_(p if not capturable and mu == 1 else ax + (p - ax) * mu)
            state["eta"].fill_(lr / (1 + lambd * lr * step) ** group["alpha"])
            since = step - group["t0"]
            state["mu"].fill_(1 / (since.clamp(min=1) if capturable else max(1, since)))

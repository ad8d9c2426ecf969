"""Adadelta."""

from minigrad.ops import functions

from .optimizer import Optimizer, check, check_rate, count, descent, rate, scalar


class Adadelta(Optimizer):
    """Steps by the gradient, scaled by the running sizes of steps over those of gradients (`torch.optim.Adadelta`).

    v = ρ · v + (1 - ρ) · g², d = g · √(u + eps) / √(v + eps), u = ρ · u + (1 - ρ) · d², θ = θ - lr · d. Zeiler 2012,
    https://arxiv.org/abs/1212.5701. `foreach` chooses among PyTorch's implementations and changes nothing here;
    `capturable` counts the steps on the GPU.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> Adadelta([p], lr=100.0).step()
    >>> p.data
    tensor([0.6838])
    """

    def __init__(
        self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *, capturable=False, maximize=False,
        differentiable=False,
    ):  # fmt: skip
        check_rate(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check("epsilon value", eps)
        check("weight_decay value", weight_decay)
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        rho, eps = group["rho"], group["eps"]
        for p in parameters:
            state = self.state[p]
            if not state:
                state["step"] = scalar(0.0, p, group["capturable"])
                state["square_avg"], state["acc_delta"] = functions["zeros_like"](p), functions["zeros_like"](p)
            count(state, group)
            grad, square_avg, acc_delta = descent(p, group), state["square_avg"], state["acc_delta"]
            square_avg.mul_(rho).addcmul_(grad, grad, value=1 - rho)
            delta = (acc_delta + eps).sqrt() / (square_avg + eps).sqrt() * grad
            acc_delta.mul_(rho).addcmul_(delta, delta, value=1 - rho)
            p.sub_(delta * rate(group))

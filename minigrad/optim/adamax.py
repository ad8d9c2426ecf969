"""Adamax: Adam by the largest instead of the mean square."""

from minigrad.ops import functions

from .optimizer import Optimizer, check, check_betas, check_rate, count, descent, rate, scalar


class Adamax(Optimizer):
    """Steps by the gradient's running mean over its running maximum (`torch.optim.Adamax`).

    m = β₁ · m + (1 - β₁) · g, u = max(β₂ · u, |g| + eps), θ = θ - lr / (1 - β₁ᵗ) · m / u. Kingma and Ba 2015, section
    7.1, https://arxiv.org/abs/1412.6980. `foreach` chooses among PyTorch's implementations and changes nothing here;
    `capturable` counts the steps on the GPU.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> Adamax([p], lr=0.1).step()
    >>> p.data
    tensor([0.9000])
    """

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False,
        differentiable=False, capturable=False,
    ):  # fmt: skip
        check_rate(lr)
        check("epsilon value", eps)
        check_betas(betas)
        check("weight_decay value", weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        beta1, beta2 = group["betas"]
        for p in parameters:
            state = self.state[p]
            if not state:
                state["step"] = scalar(0.0, p, group["capturable"])
                state["exp_avg"], state["exp_inf"] = functions["zeros_like"](p), functions["zeros_like"](p)
            step, grad = count(state, group), descent(p, group)
            exp_avg, exp_inf = state["exp_avg"], state["exp_inf"]
            exp_avg.lerp_(grad, 1 - beta1)
            exp_inf.copy_(functions["maximum"](exp_inf * beta2, grad.abs() + group["eps"]))
            p.sub_(exp_avg / exp_inf * (rate(group) / (1 - beta1**step)))

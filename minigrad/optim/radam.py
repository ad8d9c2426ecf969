"""RAdam: Adam that waits until its variance is known."""

from math import sqrt

from minigrad.ops import functions

from .optimizer import Optimizer, check, check_betas, check_rate, count, decay, descent, scalar


class RAdam(Optimizer):
    """Adam whose adaptive rate is rectified by how well it is known yet (`torch.optim.RAdam`).

    m and v as in Adam. With ρ = 2 / (1 - β₂) - 1 and ρₜ = ρ - 2t · β₂ᵗ / (1 - β₂ᵗ): where ρₜ ≤ 5,
    θ = θ - lr · m̂; else θ = θ - lr · r · m̂ · √(1 - β₂ᵗ) / (√v + eps) with r² = (ρₜ - 4)(ρₜ - 2)ρ / ((ρ - 4)(ρ - 2)ρₜ).
    Liu et al. 2020, https://arxiv.org/abs/1908.03265. `foreach` and `capturable` choose among PyTorch's implementations
    and change nothing here.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> RAdam([p], lr=0.1).step()
    >>> p.data
    tensor([0.8000])
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        check_rate(lr)
        check("epsilon value", eps)
        check_betas(betas)
        check("weight_decay value", weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        (beta1, beta2), lr = group["betas"], float(group["lr"])
        for p in parameters:
            state = self.state[p]
            if not state:
                state["step"] = scalar(0.0)
                state["exp_avg"], state["exp_avg_sq"] = functions["zeros_like"](p), functions["zeros_like"](p)
            step, grad, exp_avg, exp_avg_sq = count(state), descent(p, group), state["exp_avg"], state["exp_avg_sq"]
            decay(p, group)
            exp_avg.lerp_(grad, 1 - beta1)
            exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
            mean, left = exp_avg / (1 - beta1**step), 1 - beta2**step
            longest = 2 / (1 - beta2) - 1
            length = longest - 2 * step * beta2**step / left
            if length > 5:
                r = sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
                p.addcdiv_(mean, exp_avg_sq.sqrt() + group["eps"], value=-lr * r * sqrt(left))
            else:
                p.add_(mean, alpha=-lr)

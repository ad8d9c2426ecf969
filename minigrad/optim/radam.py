"""RAdam: Adam that waits until its variance is known."""

from minigrad.ops import functions

from .optimizer import Optimizer, check, check_betas, check_rate, count, decay, descent, rate, scalar


class RAdam(Optimizer):
    """Adam whose adaptive rate is rectified by how well it is known yet (`torch.optim.RAdam`).

    m and v as in Adam. With ρ = 2 / (1 - β₂) - 1 and ρₜ = ρ - 2t · β₂ᵗ / (1 - β₂ᵗ): where ρₜ ≤ 5,
    θ = θ - lr · m̂; else θ = θ - lr · r · m̂ · √(1 - β₂ᵗ) / (√v + eps) with r² = (ρₜ - 4)(ρₜ - 2)ρ / ((ρ - 4)(ρ - 2)ρₜ).
    Liu et al. 2020, https://arxiv.org/abs/1908.03265. `foreach` chooses among PyTorch's implementations and
    changes nothing here; `capturable` counts the steps on the GPU.

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
        (beta1, beta2), capturable = group["betas"], group["capturable"]
        longest = 2 / (1 - beta2) - 1
        for p in parameters:
            state = self.state[p]
            if not state:
                state["step"] = scalar(0.0, p, capturable)
                state["exp_avg"], state["exp_avg_sq"] = functions["zeros_like"](p), functions["zeros_like"](p)
            step, grad = count(state, group), descent(p, group)
            exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
            decay(p, group)
            exp_avg.lerp_(grad, 1 - beta1)
            exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
            mean, left = exp_avg / (1 - beta1**step), 1 - beta2**step
            length = longest - 2 * step * beta2**step / left
            factor = 1.0
            if capturable or length > 5:
                square = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
                factor = (square * left) ** 0.5 / (exp_avg_sq.sqrt() + group["eps"])
            if capturable:
                factor = functions["where"](length > 5, factor, 1.0)
            p.sub_(mean * (rate(group) * factor))

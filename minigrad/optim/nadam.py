"""NAdam: Adam with Nesterov's momentum."""

from minigrad.ops import functions

from .optimizer import Optimizer, check, check_betas, check_rate, count, decay, descent, number, rate, scalar


class NAdam(Optimizer):
    """Adam that looks ahead along its momentum (`torch.optim.NAdam`).

    m = β₁ · m + (1 - β₁) · g and v = β₂ · v + (1 - β₂) · g² as in Adam, but with a momentum that grows,
    μₜ = β₁ · (1 - 0.96^(t · momentum_decay) / 2): θ = θ - lr · ((1 - μₜ) / (1 - μ₁…μₜ) · g + μₜ₊₁ / (1 - μ₁…μₜ₊₁) · m)
    / (√(v / (1 - β₂ᵗ)) + eps). Dozat 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. `foreach`
    chooses among PyTorch's implementations and changes nothing here; `capturable` keeps t and μ₁…μₜ on the GPU.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> NAdam([p], lr=0.1).step()
    >>> p.data
    tensor([0.8944])
    """

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
        decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        check_rate(lr)
        check("epsilon value", eps)
        check_betas(betas)
        check("weight_decay value", weight_decay)
        check("momentum_decay value", momentum_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        (beta1, beta2), lr, capturable = group["betas"], rate(group), group["capturable"]
        for p in parameters:
            state = self.state[p]
            if not state:
                state["step"], state["mu_product"] = scalar(0.0, p, capturable), scalar(1.0, p, capturable)
                state["exp_avg"], state["exp_avg_sq"] = functions["zeros_like"](p), functions["zeros_like"](p)
            step, grad = count(state, group), descent(p, group)
            exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
            decay(p, group)
            mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
            state["mu_product"] *= mu
            product = number(state["mu_product"], group)
            exp_avg.lerp_(grad, 1 - beta1)
            exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
            size = (exp_avg_sq / (1 - beta2**step)).sqrt() + group["eps"]
            p.addcdiv_(grad * (-lr * (1 - mu) / (1 - product)), size)
            p.addcdiv_(exp_avg * (-lr * mu_next / (1 - product * mu_next)), size)

"""Adam and its variant with decoupled weight decay."""

from minigrad.autograd import Tensor
from minigrad.kernels import kernels_for
from minigrad.ops import functions

from .optimizer import (
    Optimizer,
    arrays,
    bare,
    buffers,
    check,
    check_betas,
    check_rate,
    count,
    counter,
    gradients,
    rate,
    scalar,
)


class Adam(Optimizer):
    """Adam: steps by the gradient's running mean over the root of its running square (`torch.optim.Adam`).

    m = β₁ · m + (1 - β₁) · g, v = β₂ · v + (1 - β₂) · g², θ = θ - lr · m̂ / (√v̂ + eps) with m̂ = m / (1 - β₁ᵗ),
    v̂ = v / (1 - β₂ᵗ); `amsgrad` takes the largest v so far. Kingma and Ba 2015, https://arxiv.org/abs/1412.6980; Reddi
    et al. 2018, https://openreview.net/forum?id=ryQu7f-RZ. `foreach` and `fused` choose among PyTorch's
    implementations and change nothing here; `capturable` counts the steps on the GPU, so that a CUDA graph of a step
    goes on counting, and sees the changes of an `lr` that is a tensor there.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> Adam([p], lr=0.1).step()
    >>> p.data
    tensor([0.9000])
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None,
        maximize=False, capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False,
    ):  # fmt: skip
        check_rate(lr, foreach, capturable)
        check("epsilon value", eps)
        check_betas(betas)
        check("weight_decay value", weight_decay)
        if {isinstance(beta, float) for beta in betas} != {True} and {isinstance(b, Tensor) for b in betas} != {True}:
            raise ValueError("betas must be either both floats or both Tensors")
        for index, beta in enumerate(betas):
            if isinstance(beta, Tensor) and foreach and not capturable:
                raise ValueError(f"betas[{index}] as a Tensor is not supported for capturable=False and foreach=True")
        defaults = {
            "lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        states = [self.state[p] for p in parameters]
        capturable = group["capturable"]
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")
        for p, state in zip(parameters, states):
            if not state:
                state["step"] = scalar(0.0, p, capturable)
                for name in names:
                    state[name] = functions["zeros_like"](p)
        beta1, beta2 = group["betas"]
        kernels_for(parameters[0]._array).adam_update(
            arrays(parameters),
            gradients(parameters),
            buffers(states, "exp_avg"),
            buffers(states, "exp_avg_sq"),
            buffers(states, "max_exp_avg_sq") if group["amsgrad"] else None,
            [counter(state)._array if capturable else count(state, group) for state in states],
            bare(rate(group)),
            float(beta1),
            float(beta2),
            float(group["eps"]),
            float(group["weight_decay"]),
            group["decoupled_weight_decay"],
            group["maximize"],
        )


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly (`torch.optim.AdamW`).

    θ = θ · (1 - lr · weight_decay), then a step of Adam. Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> AdamW([p], lr=0.1, weight_decay=0.5).step()
    >>> p.data
    tensor([0.8500])
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
        foreach=None, capturable=False, differentiable=False, fused=None,
    ):  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip

    def load_state_dict(self, state_dict):
        """Take over a `state_dict`, one of Adam too: the weight decay stays decoupled."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True

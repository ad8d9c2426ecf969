"""Adam and its variant with decoupled weight decay."""

from minigrad.kernels import kernels_for
from minigrad.ops import functions

from .optimizer import Optimizer, check


class Adam(Optimizer):
    """Adam: steps by the gradient's running mean over the root of its running square (`torch.optim.Adam`).

    Kingma and Ba 2015, https://arxiv.org/abs/1412.6980; `amsgrad`: Reddi et al. 2018, https://openreview.net/forum?id=ryQu7f-RZ.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> Adam([p], lr=0.1).step()
    >>> p.data
    tensor([0.9000])
    """

    decoupled = False

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, maximize=False):
        check("learning rate", lr)
        check("epsilon value", eps)
        check("beta parameter at index 0", betas[0], high=1.0, open_end=True)
        check("beta parameter at index 1", betas[1], high=1.0, open_end=True)
        check("weight_decay value", weight_decay)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def update(self, parameter, state, group):
        """One step of one parameter."""
        if not state:
            state["step"] = functions["tensor"](0.0)
            for name in ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else [])):
                state[name] = functions["zeros_like"](parameter)
        state["step"] += 1
        largest = state["max_exp_avg_sq"]._array if group["amsgrad"] else None
        beta1, beta2 = group["betas"]
        kernels_for(parameter._array).adam_update(
            parameter._array,
            parameter.grad._array,
            state["exp_avg"]._array,
            state["exp_avg_sq"]._array,
            largest,
            state["step"].item(),
            float(group["lr"]),
            float(beta1),
            float(beta2),
            float(group["eps"]),
            float(group["weight_decay"]),
            self.decoupled,
            bool(group["maximize"]),
        )


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly (`torch.optim.AdamW`).

    Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> AdamW([p], lr=0.1, weight_decay=0.5).step()
    >>> p.data
    tensor([0.8500])
    """

    decoupled = True

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

"""RMSprop, plain, centered and with momentum."""

from minigrad.kernels import kernels_for
from minigrad.ops import functions

from .optimizer import Optimizer, arrays, bare, buffers, check, check_rate, count, gradients, rate, scalar


class RMSprop(Optimizer):
    """Steps by the gradient over the root of its running square (`torch.optim.RMSprop`).

    v = α · v + (1 - α) · g², θ = θ - lr · d with d = g / (√v + eps). `centered` puts the running variance v - m² in v's
    place, with m = α · m + (1 - α) · g; with momentum μ, θ follows b = μ · b + d. Tieleman and Hinton 2012, "Lecture
    6.5: rmsprop", https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf; centered: Graves 2013,
    https://arxiv.org/abs/1308.0850. `foreach` chooses among PyTorch's implementations and changes nothing here;
    `capturable` counts the steps on the GPU.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> RMSprop([p], lr=0.1, alpha=0.75).step()
    >>> p.data
    tensor([0.8000])
    """

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False,
        foreach=None, maximize=False, differentiable=False,
    ):  # fmt: skip
        check_rate(lr)
        check("epsilon value", eps)
        check("momentum value", momentum)
        check("weight_decay value", weight_decay)
        check("alpha value", alpha)
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        states = [self.state[p] for p in parameters]
        for p, state in zip(parameters, states):
            if not state:
                state["step"] = scalar(0.0, p, group["capturable"])
                state["square_avg"] = functions["zeros_like"](p)
                if group["momentum"] > 0:
                    state["momentum_buffer"] = functions["zeros_like"](p)
                if group["centered"]:
                    state["grad_avg"] = functions["zeros_like"](p)
            count(state, group)
        kernels_for(parameters[0]._array).rmsprop_update(
            arrays(parameters),
            gradients(parameters),
            buffers(states, "square_avg"),
            buffers(states, "grad_avg") if group["centered"] else None,
            buffers(states, "momentum_buffer") if group["momentum"] > 0 else None,
            bare(rate(group)),
            float(group["alpha"]),
            float(group["eps"]),
            float(group["weight_decay"]),
            float(group["momentum"]),
            group["maximize"],
        )

"""Stochastic gradient descent with momentum."""

from minigrad.kernels import kernels_for
from minigrad.ops import functions

from .optimizer import Optimizer, arrays, bare, buffers, check, check_rate, gradients, rate


class SGD(Optimizer):
    """Gradient descent with momentum, Nesterov's variant and weight decay (`torch.optim.SGD`).

    With momentum μ: v = μ · v + (1 - dampening) · g (v = g at first), θ = θ - lr · v; Nesterov: θ = θ - lr · (g + μ ·
    v). Sutskever et al. 2013, http://www.cs.toronto.edu/~hinton/absps/momentum.pdf. `foreach` and `fused` choose among
    PyTorch's implementations and change nothing here.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> SGD([p], lr=0.1).step()
    >>> p.data
    tensor([0.8000])
    """

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False, foreach=None,
        differentiable=False, fused=None,
    ):  # fmt: skip
        check_rate(lr)
        check("momentum value", momentum)
        check("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        if not group["momentum"]:
            self._update(parameters, None, 0.0, group)
            return
        first = [p for p in parameters if self.state[p].get("momentum_buffer") is None]
        for p in first:
            self.state[p]["momentum_buffer"] = functions["zeros_like"](p)
        later = [p for p in parameters if p not in set(first)] if first else parameters
        for some, dampening in ((first, 0.0), (later, group["dampening"])):  # the first gradient is not dampened
            self._update(some, buffers([self.state[p] for p in some], "momentum_buffer"), dampening, group)

    def _update(self, parameters, momentum_buffers, dampening, group):
        if parameters:
            kernels_for(parameters[0]._array).sgd_update(
                arrays(parameters),
                gradients(parameters),
                momentum_buffers,
                bare(rate(group)),
                float(group["momentum"]),
                float(dampening),
                float(group["weight_decay"]),
                group["nesterov"],
                group["maximize"],
            )

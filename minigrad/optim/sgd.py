"""Stochastic gradient descent with momentum."""

from minigrad.kernels import kernels_for

from .optimizer import Optimizer, check


class SGD(Optimizer):
    """Gradient descent with momentum, Nesterov's variant and weight decay (`torch.optim.SGD`).

    With momentum μ: v = μ · v + (1 - dampening) · g (v = g at first), θ = θ - lr · v; Nesterov: θ = θ - lr · (g + μ ·
    v). Sutskever et al. 2013, http://www.cs.toronto.edu/~hinton/absps/momentum.pdf.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> SGD([p], lr=0.1).step()
    >>> p.data
    tensor([0.8000])
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False):
        check("learning rate", lr)
        check("momentum value", momentum)
        check("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def update(self, parameter, state, group):
        """One step of one parameter."""
        dampening, buffer = float(group["dampening"]), None
        if group["momentum"]:
            if state.get("momentum_buffer") is None:  # the first buffer is the gradient itself, undampened
                state["momentum_buffer"], dampening = parameter.detach().clone().zero_(), 0.0
            buffer = state["momentum_buffer"]._array
        kernels_for(parameter._array).sgd_update(
            parameter._array,
            parameter.grad._array,
            buffer,
            float(group["lr"]),
            float(group["momentum"]),
            dampening,
            float(group["weight_decay"]),
            bool(group["nesterov"]),
            bool(group["maximize"]),
        )

"""Muon: momentum whose matrices are made orthogonal."""

import math

from minigrad.ops import functions

from .optimizer import Optimizer

RATES = {
    None: lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}


class Muon(Optimizer):
    """Steps along the orthogonal matrix nearest to the momentum, for matrices alone (`torch.optim.Muon`).

    m = momentum · m + (1 - momentum) · g, or further along it with `nesterov`; `ns_steps` rounds of the Newton-Schulz
    iteration X = a · X + (b · XXᵀ + c · (XXᵀ)²) · X bring its singular values near 1; and θ = θ · (1 - lr ·
    weight_decay) - lr · factor · X, where `adjust_lr_fn` ("original" or "match_rms_adamw") makes the factor of the
    shape. Jordan 2024, https://kellerjordan.github.io/posts/muon/. PyTorch iterates in bfloat16, minigrad in the
    parameter's dtype. Parameters that are no matrices, and settings out of range, are a ValueError.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.zeros(2, 2))
    >>> (p * minigrad.tensor([[3.0, 0.0], [0.0, 5.0]])).sum().backward()
    >>> Muon([p], lr=0.1).step()
    >>> bool((p.diagonal() < -0.05).all()), p[0, 1].item()
    (True, 0.0)
    """

    def __init__(
        self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True,
        ns_coefficients=(3.4445, -4.7750, 2.0315), eps=1e-7, ns_steps=5, adjust_lr_fn=None,
    ):  # fmt: skip
        for name, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if not value >= 0.0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in RATES:
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        if ns_steps >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(ns_coefficients) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        defaults = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}"
                        "\nhint: give biases and other vectors to an optimizer of their own, AdamW for instance"
                    )

    def update(self, parameters, group):
        """One step of some parameters."""
        lr, momentum = float(group["lr"]), group["momentum"]
        for p in parameters:
            state = self.state[p]
            if not state:
                state["momentum_buffer"] = functions["zeros_like"](p)
            mean = state["momentum_buffer"].lerp_(p.grad, 1 - momentum)
            direction = p.grad.lerp(mean, momentum) if group["nesterov"] else mean
            p.mul_(1 - lr * group["weight_decay"])
            p.add_(_orthogonal(direction, group), alpha=-lr * RATES[group["adjust_lr_fn"]](*p.shape))


def _orthogonal(matrix, group):
    """A matrix with the singular vectors of `matrix` and singular values near 1."""
    a, b, c = group["ns_coefficients"]
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # the smaller of the two products of x with itself
    x = x / x.norm().clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x

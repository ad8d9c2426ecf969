"""Adafactor: second moments kept as one number for each row and column of a matrix."""

from minigrad.autograd.dtypes import finfo
from minigrad.ops import functions

from .optimizer import Optimizer, count, descent, scalar


class Adafactor(Optimizer):
    """Descent by g / √v with a v of rank 1, steps in proportion to the parameter (`torch.optim.Adafactor`).

    With 1 - β₂ = t^beta2_decay, rows r and columns c are running means of g² over a matrix's columns and rows, and
    v = r · c / mean(r); parameters of fewer dimensions keep all of v. u = g / √max(v, eps₁²) is divided by
    max(1, rms(u) / d), and θ = θ · (1 - lr · weight_decay) - max(eps₂, rms(θ)) · min(lr, 1 / √t) · u. Shazeer and Stern
    2018, arXiv:1804.04235. An eps₁ of None is the dtype's. `foreach` chooses among PyTorch's implementations and
    changes nothing here. Settings out of range are a ValueError.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(2, 2))
    >>> (p * 2).sum().backward()
    >>> Adafactor([p], lr=0.1).step()
    >>> p.data
    tensor([[0.9000, 0.9000],
            [0.9000, 0.9000]])
    """

    def __init__(
        self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *, foreach=None,
        maximize=False,
    ):  # fmt: skip
        for text, value, sound in (
            ("Learning rate should be >= 0", lr, lr >= 0.0),
            ("beta2_decay should be <= 0", beta2_decay, beta2_decay <= 0.0),
            ("epsilon1 should be >= 0", eps[0], eps[0] is None or eps[0] >= 0.0),
            ("epsilon2 should be >= 0", eps[1], eps[1] >= 0.0),
            ("Clipping threshold d should be >= 1", d, d >= 1.0),
            ("weight_decay should be >= 0", weight_decay, weight_decay >= 0.0),
        ):
            if not sound:
                raise ValueError(f"{text} but is: {value}")
        defaults = {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        lr, (tiny, least) = float(group["lr"]), group["eps"]
        for p in parameters:
            state = self.state[p]
            if not state:
                state["step"] = scalar(0.0, p, False)
                if p.ndim > 1:
                    state["row_var"] = functions["zeros_like"](p[..., :1])
                    state["col_var"] = functions["zeros_like"](p[..., :1, :])
                else:
                    state["variance"] = functions["zeros_like"](p)
            step = count(state, group)
            fresh, floor = step ** group["beta2_decay"], finfo(p.dtype).eps if tiny is None else tiny
            grad = descent(p, {"maximize": group["maximize"]})  # the decay is decoupled from the gradient
            size = max(least, _root_mean_square(p)) * min(lr, step**-0.5)
            p.mul_(1 - lr * group["weight_decay"])
            square = grad * grad
            if p.ndim > 1:
                rows = state["row_var"].lerp_(square.mean(-1, keepdim=True), fresh)
                columns = state["col_var"].lerp_(square.mean(-2, keepdim=True), fresh)
                variance = rows * columns / rows.mean(-2, keepdim=True).clamp(min=floor)
            else:
                variance = state["variance"].lerp_(square, fresh)
            direction = grad * variance.clamp(min=floor**2).rsqrt()
            p.add_(direction, alpha=-size / max(1.0, _root_mean_square(direction) / group["d"]))


def _root_mean_square(tensor):
    return (tensor.norm() / max(1, tensor.numel()) ** 0.5).item()

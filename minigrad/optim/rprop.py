"""Resilient backpropagation."""

from minigrad.ops import functions

from .optimizer import Optimizer, check_rate, count, descent, rate, scalar


class Rprop(Optimizer):
    """Steps by the gradient's sign, each element by a size of its own (`torch.optim.Rprop`).

    The size is multiplied by etas[1] where the sign is that of the step before, by etas[0] where it has changed, and
    stays within step_sizes; where it has changed, there is no step. Riedmiller and Braun 1993,
    https://doi.org/10.1109/ICNN.1993.298623. `foreach` chooses among PyTorch's implementations and changes
    nothing here; `capturable` counts the steps on the GPU.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.ones(1))
    >>> (p * 2).backward()
    >>> Rprop([p], lr=0.1).step()
    >>> p.data
    tensor([0.9000])
    """

    def __init__(
        self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False, foreach=None,
        maximize=False, differentiable=False,
    ):  # fmt: skip
        check_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, parameters, group):
        """One step of some parameters."""
        where, (shrink, grow), (least, most) = functions["where"], group["etas"], group["step_sizes"]
        for p in parameters:
            state = self.state[p]
            if not state:
                state["step"] = scalar(0.0, p, group["capturable"])
                state["prev"] = functions["zeros_like"](p)
                state["step_size"] = functions["zeros_like"](p).fill_(rate(group))
            count(state, group)
            grad, prev, step_size = descent(p, group), state["prev"], state["step_size"]
            change = grad * prev
            sizes = where(change > 0, step_size * grow, where(change < 0, step_size * shrink, step_size))
            step_size.copy_(sizes.clamp(least, most))
            prev.copy_(where(change < 0, 0.0, grad))
            p.addcmul_(prev.sign(), step_size, value=-1)

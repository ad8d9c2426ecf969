"""L-BFGS: a quasi-Newton method that remembers some last steps, with a line search by the strong Wolfe conditions."""

from math import sqrt
from typing import NamedTuple

from minigrad.autograd import Tensor, enable_grad, no_grad
from minigrad.ops import functions

from .optimizer import Optimizer, check_rate


class LBFGS(Optimizer):
    """The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno (`torch.optim.LBFGS`).

    One `step` makes up to `max_iter` iterations and `max_eval` evaluations (5/4 of that if None) of the closure, which
    is required: it clears the gradients, computes the loss, calls `backward` and returns the loss. It ends where no
    gradient is larger than `tolerance_grad`, or no step and no improvement than `tolerance_change`. `line_search_fn` is
    None, for steps of length lr, or "strong_wolfe". All parameters must be in one group. Nocedal and Wright 2006,
    "Numerical Optimization", algorithms 7.4 and 7.5; its search is their algorithms 3.5 and 3.6.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.tensor([3.0, -1.0]))
    >>> optimizer = LBFGS([p], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((p - 1) ** 2 * minigrad.tensor([1.0, 10.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    44.0
    >>> minigrad.allclose(p, minigrad.ones(2), atol=1e-4)
    True
    """

    def __init__(
        self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
        line_search_fn=None,
    ):  # fmt: skip
        check_rate(lr)
        defaults = {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @no_grad()
    def step(self, closure):
        """Minimise the loss that `closure` computes; returns the loss before."""
        group = self.param_groups[0]
        lr, most, search = float(group["lr"]), group["max_eval"], group["line_search_fn"]
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate():
            with enable_grad():
                loss = closure()
            return loss, self._gradient()

        first_loss, grad = evaluate()
        loss, evaluations, iteration = float(first_loss), 1, 0
        state["func_evals"] += 1
        if _largest(grad) <= group["tolerance_grad"]:
            return first_loss
        while iteration < group["max_iter"]:
            iteration += 1
            state["n_iter"] += 1
            d = state["d"] = self._direction(state, grad, group["history_size"])
            state["prev_flat_grad"], state["prev_loss"] = grad, loss
            t = state["t"] = min(1.0, 1.0 / float(grad.abs().sum())) * lr if state["n_iter"] == 1 else lr
            slope = float(grad.dot(d))
            if slope > -group["tolerance_change"]:
                break
            used = 0
            if search is not None:
                if search != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                start = [p.clone() for p in group["params"]]

                def at(t, d=d, start=start):
                    self._move(t, d)
                    loss, grad = evaluate()
                    for p, value in zip(group["params"], start):
                        p.copy_(value)
                    return _Point(t, float(loss), grad, float(grad.dot(d)))

                point, used = _search(at, _Point(0.0, loss, grad, slope), t, _largest(d), most - evaluations)
                t, loss, grad = point.t, point.loss, point.grad
                state["t"] = t
                self._move(t, d)
            else:
                self._move(t, d)
                if iteration != group["max_iter"]:
                    new_loss, grad = evaluate()
                    loss, used = float(new_loss), 1
            evaluations += used
            state["func_evals"] += used
            if (
                evaluations >= most
                or _largest(grad) <= group["tolerance_grad"]
                or _largest(d * t) <= group["tolerance_change"]
                or abs(loss - state["prev_loss"]) < group["tolerance_change"]
            ):
                break
        return first_loss

    def _direction(self, state, grad, history_size):
        """-H · grad, H the inverse Hessian as the last steps have it (algorithm 7.4); notes that in `state`."""
        if state["n_iter"] == 1:
            state["old_dirs"], state["old_stps"], state["ro"], state["H_diag"] = [], [], [], 1
            return -grad
        changes, steps, ro = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = grad - state["prev_flat_grad"], state["d"] * state["t"]
        ys = y.dot(s)
        if ys > 1e-10:
            if len(changes) == history_size:
                for memory in (changes, steps, ro):
                    memory.pop(0)
            changes.append(y)
            steps.append(s)
            ro.append(1.0 / ys)
            state["H_diag"] = ys / y.dot(y)
        al = state.setdefault("al", [None] * history_size)
        q = -grad
        for i in reversed(range(len(changes))):
            al[i] = steps[i].dot(q) * ro[i]
            q = q - al[i] * changes[i]
        r = q * state["H_diag"]
        for i in range(len(changes)):
            r = r + (al[i] - changes[i].dot(r) * ro[i]) * steps[i]
        return r

    def _gradient(self):
        """The gradients of all parameters in one vector."""
        params = self.param_groups[0]["params"]
        return functions["cat"](
            [(functions["zeros_like"](p) if p.grad is None else p.grad).reshape(-1) for p in params]
        )

    def _move(self, t, d):
        """Move all parameters by t · d."""
        params = self.param_groups[0]["params"]
        for p, part in zip(params, d.split([p.numel() for p in params])):
            p.add_(part.reshape(p.shape), alpha=t)


def _largest(x):
    return float(x.abs().max())


class _Point(NamedTuple):
    """What is known at the distance t along the direction of a line search; slope is grad · direction."""

    t: float
    loss: float
    grad: Tensor
    slope: float


def _search(at, start, t, size, most, c1=1e-4, c2=0.9, tolerance=1e-9):
    """(a point that meets the strong Wolfe conditions, number of evaluations).

    `at(t)` evaluates a point, t is the first to try, `size` the largest element of the direction, `most` how many
    further points may be tried. First the steps grow until a pair of points encloses a good one, then that shrinks.
    """

    def too_high(point, other):
        return point.loss > start.loss + c1 * point.t * start.slope or (other is not None and point.loss >= other.loss)

    previous, point, tried, bracket = start, at(t), 0, None
    while bracket is None and tried < most:
        if too_high(point, previous if tried > 1 else None):
            bracket = [previous, point]
        elif abs(point.slope) <= -c2 * start.slope:
            return point, tried + 1
        elif point.slope >= 0:
            bracket = [previous, point]
        else:
            span = point.t + 0.01 * (point.t - previous.t), point.t * 10
            previous, point = point, at(_lowest(previous, point, span))
            tried += 1
    bracket = bracket or [start, point]
    low, stuck = int(bracket[0].loss > bracket[1].loss), False
    while tried < most and abs(bracket[1].t - bracket[0].t) * size >= tolerance:
        left, right = sorted(end.t for end in bracket)
        t, margin = _lowest(*bracket, (left, right)), 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stuck or t >= right or t <= left):
            t, near = (right - margin if abs(t - right) < abs(t - left) else left + margin), False
        stuck = near
        point = at(t)
        tried += 1
        if too_high(point, bracket[low]):
            bracket[1 - low] = point
            low = int(bracket[0].loss > bracket[1].loss)
            continue
        enough = abs(point.slope) <= -c2 * start.slope
        if not enough and point.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = point
        if enough:
            break
    return bracket[low], tried + 1


def _lowest(a, b, span):
    """Where in the span the cubic through two points, with their slopes, is lowest; the middle if it is nowhere."""
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (span[0] + span[1]) / 2
    left, right = (a, b) if a.t <= b.t else (b, a)
    d2 = sqrt(square)
    t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2))
    return min(max(t, span[0]), span[1])

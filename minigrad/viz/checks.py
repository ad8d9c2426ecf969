"""Is an operation's derivative right? Its backward against finite differences, on the inputs it really had.

The quotient is (f(x + hv) - f(x - hv)) / 2h in float64, h = 1e-6. Of small tensors the whole Jacobian is compared, of
larger ones one random direction v of each input through one random cotangent. Where the quotients from the left and
from the right differ the function has a kink (relu at 0, a tie of maxima), and what it gives there is left out; so is
whatever is NaN or infinite, in which every derivative is as right as any other.

The relative error that a `Check` gives is no smaller than the rounding of the quotient lets it be known, and rounded to
one digit: what lies below differs from run to run, as sums do whose terms a library adds in another order.
"""

from dataclasses import asdict, dataclass

import numpy as np

from minigrad.autograd import Function
from minigrad.nn.hooks import Entrance, Exit
from minigrad.ops.ctc import CTC
from minigrad.ops.decompositions import Cholesky, Eigh
from minigrad.ops.embedding import Embedding

from . import formulas
from .replay import ERRORS, Replay

STEP = 1e-6
TOLERANCE = 1e-5  # relative; a correct derivative comes within about 1e-8
FULL = 36  # elements up to which the whole Jacobian is compared
MOST = 1 << 22  # elements of arguments and results up to which an operation is checked
_EPS = np.finfo(np.float64).eps
_KINK = "its results are at a kink (equal maxima, relu at 0, a rounding), where there is no derivative to compare with"
_NONFINITE = "its value or derivative is NaN or infinite"
_HOOKS = "its gradient is what the module's hooks make of it"
_OTHERWISE = {
    CTC: "its gradient is, as in PyTorch, the one for log-probabilities that come from log_softmax",
    Entrance: _HOOKS,
    Exit: _HOOKS,
}


@dataclass(slots=True)
class Check:
    """What a comparison found: "agrees", "disagrees" or "not checked", the worst relative error, and a sentence."""

    state: str
    worst: float | None
    text: str

    def to_dict(self):
        """As a dict, ready for JSON."""
        return asdict(self)


def check(operation, args, sources, outputs=None):
    """Compare the backward of `operation.apply(*args)` with finite differences of its forward, in float64.

    `sources` are the places in `args` of the tensors that need a gradient; `outputs`, if given, are the arrays of the
    results there were, by which an operation that does not repeat itself is found out. Returns a `Check`, and the same
    one every time.

    >>> import minigrad
    >>> from minigrad.ops.activation_operations import Tanh
    >>> check(Tanh, (minigrad.tensor([0.5, -1.0]),), [0]).state
    'agrees'
    """
    if operation in _OTHERWISE:
        return _unchecked(_OTHERWISE[operation])
    sources = [i for i in sources if args[i].dtype.kind == "f"]
    if not sources:
        return _unchecked("no argument needs a gradient")
    elements = sum(getattr(a, "size", 0) for a in _arrays(args))
    elements += sum(np.size(y) for y in outputs or ())
    if elements > MOST:
        return _unchecked(f"it is too large: {elements:,} elements, and the limit is {MOST:,}")
    try:
        with np.errstate(all="ignore"):
            replay = Replay(operation, args, sources)
            if outputs is not None and (reason := _strayed(replay, outputs)):
                return _unchecked(reason)
            return _compare(replay, formulas.arguments(operation, args))
    except ERRORS as error:
        first = str(error).partition("\n")[0]
        if "invalid gradient" in first or "incorrect number of gradients" in first:
            return Check("disagrees", None, f"its backward returns what does not fit: {first}")
        return _unchecked(f"it cannot be computed again in float64: {type(error).__name__}: {first}")


def _unchecked(reason):
    return Check("not checked", None, f"not checked: {reason}")


def _arrays(args):
    return [getattr(arg, "_array", arg) for arg in args if isinstance(getattr(arg, "_array", arg), np.ndarray)]


def _strayed(replay, outputs):
    """Why the replay is of another computation than the one there was; None if it is of the same."""
    if len(outputs) <= max(replay.outputs, default=-1):
        return "it has other results when computed again"
    for i, now in zip(replay.outputs, replay.results):
        then = np.asarray(outputs[i], np.float64)
        if then.shape != now.shape:
            return "it has other results when computed again"
        finite = np.isfinite(then) & np.isfinite(now)
        if not np.linalg.norm((then - now)[finite]) <= 1e-2 * (np.linalg.norm(now[finite]) + 1e-30):
            return "it gives another result when computed again: it is random, or its inputs were written since"
    return None


def _compare(replay, arguments):
    if not replay.results:
        return _unchecked("no result needs a gradient")
    if not sum(x.size for x in replay.points) or not sum(y.size for y in replay.results):
        return _unchecked("there is nothing in it: its tensors are empty")
    rng = np.random.default_rng(0)
    cotangents = [rng.standard_normal(y.shape) for y in replay.results]
    gradients = replay.pull(cotangents)
    steps = [np.where(np.isfinite(g), v, 0.0) for g, v in zip(gradients, _directions(replay, rng))]
    small = all(x.size <= FULL for x in replay.points) and sum(y.size for y in replay.results) <= FULL
    compared = _jacobians(replay, steps) if small else _projections(replay, steps, cotangents, gradients)
    lost = sum(int(np.size(g) - np.isfinite(g).sum()) for g in gradients)
    if compared is None or not any(np.any(step) for step in steps):
        return _unchecked(_NONFINITE if lost or not _all_finite(replay.results) else _KINK)
    names = [arguments[i][0] for i in replay.sources]
    how = "the whole Jacobian" if small else "along a random direction"
    worst, errors, left_out, faint = 0.0, [], compared.left_out, []
    for name, (error, scale, noise) in zip(names, compared.found):
        if noise > 1e-2 * scale and error <= noise and scale > 0:
            faint.append(name)
            continue
        relative = error / scale if scale else 0.0 if error <= noise else np.inf
        worst = max(worst, relative, noise / scale if scale else 0.0)
        if not (relative <= TOLERANCE or error <= noise):
            errors.append((name, relative))
    where = "at a kink" if _all_finite(replay.results) else "at a kink, NaN or infinite"
    kinks = f"; {left_out:,} of {compared.count:,} results left out, which are {where}" if left_out else ""
    kinks += f"; {lost:,} element{'s' * (lost != 1)} left out, whose derivative is NaN or infinite" if lost else ""
    if errors:
        wrong = ", ".join(f"d{name} is off by {_percent(relative)}" for name, relative in errors)
        users = issubclass(replay.operation, Function)
        meant = "; if that is meant, as in a straight-through estimator, all is well" if users else ""
        return Check("disagrees", worst, f"differs from finite differences, {how}: {wrong}{kinks}{meant}")
    if len(faint) == len(names):
        return _unchecked("its derivative is so small beside its result that a difference cannot show it")
    worst = float(f"{worst:.0e}")
    return Check("agrees", worst, f"agrees with finite differences, {how}: to a relative error of {worst:.0e}{kinks}")


def _all_finite(arrays):
    return all(np.isfinite(array).all() for array in arrays)


def _percent(relative):
    return f"{100 * relative:.3g} %" if np.isfinite(relative) else "more than any number"


def _directions(replay, rng):
    """For each source a random direction with steps in proportion to its elements, but of at most 1."""
    directions = []
    for x in replay.points:
        size = np.abs(np.where(np.isfinite(x), x, 0.0))
        usual = min(1.0, float(np.sqrt(np.mean(size * size)))) or 1.0
        size = np.where(size == 0, usual, np.clip(size, 1e-3 * usual, 1.0))
        v = np.where(np.isfinite(x), rng.standard_normal(x.shape) * size, 0.0)
        if replay.operation in (Cholesky, Eigh):
            v = (v + v.swapaxes(-1, -2)) / 2  # they take their argument for symmetric
        if replay.operation is Embedding and (padding := replay.args[2]) is not None and padding >= 0:
            v[padding] = 0.0  # whose gradient is kept 0 on purpose
        directions.append(v)
    return directions


@dataclass(slots=True)
class _Compared:
    found: list  # (absolute error, scale of the derivative, noise of the quotient) for each source
    left_out: int
    count: int


def _quotients(replay, source, step):
    """(the difference quotients of the results, where they do not settle) along a step of one source."""
    x = replay.points[source]
    above, below = (replay.moved(source, x + sign * STEP * step) for sign in (1, -1))
    quotients, unsettled = [], []
    for up, middle, down in zip(above, replay.results, below):
        right, left = (up - middle) / STEP, (middle - down) / STEP
        finite = np.isfinite(right) & np.isfinite(left)
        usual = np.sqrt(np.mean(np.square(right[finite]))) if finite.any() else 0.0
        noise = 1e2 * _EPS * np.max(np.abs(middle[finite]), initial=0.0) / STEP
        settled = np.abs(right - left) <= 1e-3 * (np.abs(right) + np.abs(left)) + 1e-5 * usual + noise
        unsettled.append(~(settled & finite))
        quotients.append((up - down) / (2 * STEP))
    return quotients, unsettled


def _projections(replay, steps, cotangents, gradients):
    """One random direction of each source, seen through one random cotangent; None if all is left out.

    `gradients` are those of the `cotangents`; where results are left out, both are made anew.
    """
    probes = [_quotients(replay, source, step) for source, step in enumerate(steps)]
    unsettled = [np.logical_or.reduce([masks[i] for _, masks in probes]) for i in range(len(replay.results))]
    left_out, count = (sum(int(part) for part in parts) for parts in zip(*[(m.sum(), m.size) for m in unsettled]))
    if left_out == count:
        return None
    if left_out:
        cotangents = [np.where(mask, 0.0, c) for c, mask in zip(cotangents, unsettled)]
        gradients = replay.pull(cotangents)
    noise = sum(np.sum(np.square(np.where(m, 0, c * y))) for c, y, m in zip(cotangents, replay.results, unsettled))
    noise = 20 * _EPS * np.sqrt(noise) / STEP
    found = []
    for g, step, (quotients, _) in zip(gradients, steps, probes):
        terms = [np.where(mask, 0.0, c * q) for c, q, mask in zip(cotangents, quotients, unsettled)]
        analytic = np.where(step == 0, 0.0, g * step)
        scale = max(float(np.linalg.norm(analytic)), *[float(np.linalg.norm(t)) for t in terms])
        found.append((abs(float(analytic.sum()) - float(sum(t.sum() for t in terms))), scale, noise))
    return _Compared(found, left_out, count)


def _jacobians(replay, steps):
    """Every derivative of every result, one by one; None if all is left out."""
    count = sum(y.size for y in replay.results)
    rows = jacobian(replay)
    noise = 20 * _EPS * max(np.max(np.abs(y[np.isfinite(y)]), initial=0.0) for y in replay.results) / STEP
    found, left_out, seen = [], np.zeros(count, bool), False
    for source, (step, analytic) in enumerate(zip(steps, rows)):
        error = scale = 0.0
        for column in np.flatnonzero(step):
            one = np.zeros(step.size)
            one[column] = step.flat[column]
            one = one.reshape(step.shape)
            if replay.operation in (Cholesky, Eigh):
                one = (one + one.swapaxes(-1, -2)) / 2
            quotients, unsettled = (np.concatenate([q.ravel() for q in qs]) for qs in _quotients(replay, source, one))
            settled = ~unsettled
            left_out |= unsettled
            moved = np.flatnonzero(one)  # the others are no part of the sum, in which 0 · inf would be NaN
            exact = analytic[:, moved] @ one.ravel()[moved]
            if settled.any():
                seen = True
                difference = np.abs(exact - quotients)[settled]
                error = max(error, float(np.max(np.where(np.isnan(difference), np.inf, difference))))
                scale = max(scale, float(np.max(np.abs(quotients[settled]))), float(np.max(np.abs(exact[settled]))))
        found.append((error, scale, noise))
    return _Compared(found, int(left_out.sum()), count) if seen else None


def jacobian(replay):
    """For each source the derivatives of all results, (results, elements of the source), one backward a row."""
    rows = [[] for _ in replay.points]
    for i, y in enumerate(replay.results):
        for element in range(y.size):
            cotangents = [np.zeros(z.shape) for z in replay.results]
            cotangents[i].flat[element] = 1.0
            for row, g in zip(rows, replay.pull(cotangents)):
                row.append(g.reshape(-1))
    return [np.array(row).reshape(-1, x.size) for row, x in zip(rows, replay.points)]

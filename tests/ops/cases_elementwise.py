"""Arithmetic, elementary and special functions, limits and choices: element by element."""

from gradient_cases import Mask, X, case

import minigrad as mg

N, AB, B, ONE = ("b",), ("a", 2), (2,), ("a", 1)  # small: every element is probed
POSITIVE, INSIDE = X(N, 0.3, 2.5), X(N, -0.9, 0.9)
WHOLE = (-3, -2, -1, 0, 1, 2, 3)
HALVES = (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)

# function of one operand: the intervals on which it is smooth
UNARY = {
    "abs neg positive exp exp2 expm1 sin cos atan sinh cosh asinh erf erfc sgn square": X(N, away=(0,)),
    "log log2 log10 log1p sqrt rsqrt reciprocal lgamma digamma": POSITIVE,
    "tan asin acos atanh erfinv": INSIDE,
    "acosh": X(N, 1.2, 3),
    "sign floor ceil trunc frac": X(N, -3.4, 3.4, away=WHOLE),
    "round": X(N, -2.9, 2.9, away=HALVES),
    "sinc": X(N, 0.1, 3),
    "nan_to_num": X(N),
}
BINARY = {
    "add sub rsub mul": (X(AB), X(B)),
    "div true_divide": (X(AB), X(B, 0.5, 2)),
    "maximum minimum fmax fmin": (X(AB, away=(0.3,)), X(ONE, 0.29, 0.31)),
    "atan2 hypot logaddexp logaddexp2": (X(AB, 0.2, 2), X(ONE, 0.2, 2)),
    "xlogy": (X(AB), X(B, 0.5, 3)),
    "pow float_power": (X(AB, 0.4, 2), X(B)),
    "copysign": (X(AB, away=(0,)), X(ONE, away=(0,))),
}

CASES = [
    *[case(name, getattr(mg, name), x) for names, x in UNARY.items() for name in names.split()],
    *[case(name, getattr(mg, name), x, y) for names, (x, y) in BINARY.items() for name in names.split()],
    case("neg", lambda x: -x, X(()), linear=True),
    case("frac", mg.frac, X(N, 0.1, 0.9)),
    case("polygamma", lambda x: mg.polygamma(2, x), POSITIVE),
    case("polygamma", lambda x: mg.polygamma(1, x), X(N, -0.8, -0.2)),
    case("lgamma", mg.lgamma, X(N, -0.8, -0.2)),
    case("logit", mg.logit, X(N, 0.1, 0.9)),
    case("logit", lambda x: mg.logit(x, 0.3), X(N, -0.5, 1.5, away=(0.3, 0.7))),
    case("add", lambda x, y: mg.add(x, y, alpha=-2), X(AB), X(())),
    case("sub", lambda x, y: mg.sub(x, y, alpha=3), X(()), X(AB)),
    case("mul", lambda x: x * 2.5, X(AB), linear=True),
    case("div", lambda x: x / 2.5, X(AB), linear=True),
    case("div", lambda y: 3 / y, POSITIVE),
    case("div", lambda x, y: mg.div(x, y, rounding_mode="floor") + x, X(AB, 0.1, 0.9), X(B, 1.1, 1.9)),
    case("remainder", lambda x, y: x % y, X(AB, 1.1, 1.9), X(B, 0.93, 1.05)),
    case("remainder", lambda x, y: x % y, X(AB, -0.9, -0.3), X(B, 1.1, 1.5)),
    case("fmod", mg.fmod, X(AB, -1.9, -1.1), X(B, 0.93, 1.05)),
    *[case("pow", lambda x, p=p: x**p, POSITIVE) for p in (0, 0.5, 1, 2, 3, -1, -0.5, -2, 1.7)],
    case("pow", lambda x: 2**x, X(AB)),
    case("clamp", lambda x: x.clamp(-1, 0.5), X(AB, away=(-1, 0.5))),
    case("clamp", mg.clamp, X(AB, away=(-0.5, 0.5)), X(B, -0.51, -0.49), X((), 0.49, 0.51)),
    case("clamp", lambda x, y: x.clamp(max=y), X(AB, away=(0.5,)), X(B, 0.49, 0.51)),
    case("clamp_min", mg.clamp_min, X(AB, away=(0.5,)), X(B, 0.49, 0.51)),
    case("clamp_max", lambda x: mg.clamp_max(x, 0.25), X(AB, away=(0.25,))),
    case("where", mg.where, Mask(AB), X(AB), X(B)),
    case("where", lambda c, x: mg.where(c, 0.0, x), Mask(B), X(AB), linear=True),
    case("lerp", lambda x: mg.lerp(x, mg.zeros_like(x), 0.3), X(AB), linear=True),
    case("lerp", mg.lerp, X(AB), X(B), X(ONE)),
    case("addcmul", lambda x, a, b: mg.addcmul(x, a, b, value=-1.5), X(B), X(AB), X(ONE)),
    case("addcdiv", lambda x, a, b: mg.addcdiv(x, a, b, value=0.5), X(B), X(AB), X(ONE, 0.5, 2)),
    case("add_", lambda x, y: x.clone().add_(y).mul_(y).div_(2).pow_(2), X(AB), X(B)),
    case("exp_", lambda x: x.clone().exp_().log1p().sqrt_(), X(AB)),
]

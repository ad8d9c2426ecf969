"""Element-wise functions of every dtype, at special values, as operators, in place, and PyTorch's errors."""

import operator

import numpy as np
import pytest
from torch_oracle import agree, error_of, first_line, same, same_error, same_program, tensor, torch

import minigrad as mg

UNARY_NAMES = (
    "abs absolute neg negative positive exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal sin cos tan "
    "asin arcsin acos arccos atan arctan sinh cosh tanh asinh arcsinh acosh arccosh atanh arctanh sigmoid erf erfc "
    "erfinv sign sgn floor ceil round trunc fix frac nan_to_num logit sinc lgamma digamma"
)
BINARY_NAMES = (
    "add sub subtract mul multiply div divide true_divide floor_divide remainder fmod pow float_power maximum minimum "
    "fmax fmin atan2 arctan2 hypot logaddexp logaddexp2 xlogy copysign clamp_min clamp_max heaviside"
)
UNARY, BINARY = UNARY_NAMES.split(), BINARY_NAMES.split()
TENSORS_ONLY = {
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "atan2",
    "arctan2",
    "hypot",
    "logaddexp",
    "logaddexp2",
    "heaviside",
}
DTYPES = ["float32", "float64", "int64", "int32", "int8", "uint8", "bool"]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 2.5, np.inf, -np.inf, np.nan, 1e-30, 1e5, -1e5, 88.8, 710.0]


def compare_calls(call):
    """The same result, or the same type and first line of error, from both libraries."""
    try:
        theirs = call(torch)
    except Exception as error:
        ours = error_of(call, mg)
        assert isinstance(ours, type(error)) and first_line(ours) == first_line(error)
    else:
        same(call(mg), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_dtypes_of_one_operand(name, dtype):
    x = np.array([0, 1, 2, 3, 5]).astype(dtype)
    compare_calls(lambda m: getattr(m, name)(tensor(m, x)))
    compare_calls(lambda m: getattr(tensor(m, x[:0]), name)())


@pytest.mark.parametrize("name", BINARY)
def test_dtypes_of_two_operands(name):
    for left in DTYPES:
        for right in DTYPES:
            x, y = np.array([0, 1, 2, 3, 5]).astype(left), np.array([1, 2, 1, 3, 2]).astype(right)
            compare_calls(lambda m, x=x, y=y: getattr(m, name)(tensor(m, x), tensor(m, y)))
            compare_calls(lambda m, x=x, y=y: getattr(m, name)(tensor(m, x), tensor(m, y[:1].reshape(()))))


@pytest.mark.parametrize("name", [name for name in BINARY if name not in TENSORS_ONLY])
def test_numbers_beside_every_dtype(name):
    for dtype in DTYPES:
        for number in (2, 2.5, True):
            x = np.array([0, 1, 2, 3, 5]).astype(dtype)
            compare_calls(lambda m, x=x, number=number: getattr(m, name)(tensor(m, x), number))


@pytest.mark.parametrize("name", UNARY)
def test_special_values_of_one_operand(name):
    agree(lambda m, x: getattr(m, name)(x), np.array(SPECIAL), order=1)
    agree(lambda m, x: getattr(m, name)(x), np.array(np.nan), order=1)


@pytest.mark.parametrize("name", sorted(set(BINARY) - {"heaviside", "floor_divide"}))
def test_special_values_of_two_operands(name):
    x, y = (a.reshape(-1) for a in np.meshgrid(SPECIAL, SPECIAL))
    agree(lambda m, x, y: getattr(m, name)(x, y), x, y, order=1)


@pytest.mark.parametrize("number", [-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3])
def test_powers_with_special_numbers(number):
    agree(lambda m, x: x**number, np.array(SPECIAL), order=1)
    agree(lambda m, x: number**x, np.array(SPECIAL), order=1)


OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow,
}  # fmt: skip
IN_PLACE = {
    "+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv, "//=": operator.ifloordiv,
    "%=": operator.imod, "**=": operator.ipow,
}  # fmt: skip


@pytest.mark.parametrize("symbol", OPERATORS)
def test_operators_on_both_sides(symbol):
    run = OPERATORS[symbol]
    for x in (np.array([1.5, -2.0, 0.5]), np.array([1, 2, 5])):
        compare_calls(lambda m, x=x: run(tensor(m, x), 2))
        compare_calls(lambda m, x=x: run(2, tensor(m, x)))
        compare_calls(lambda m, x=x: run(2.5, tensor(m, x)))
        compare_calls(lambda m, x=x: run(tensor(m, x), tensor(m, x[::-1].copy())))
    if symbol not in ("//", "%"):  # PyTorch has no derivatives there
        agree(lambda m, x: run(x, 2) + run(2, x), np.array([1.5, 2.7, 0.5]))


@pytest.mark.parametrize("symbol", sorted(set(IN_PLACE) - {"//="}))  # PyTorch has no derivative there
def test_operators_in_place(symbol):
    def program(m):
        x = m.tensor([1.5, 2.7, 0.4], requires_grad=True)
        y = x * 1
        z = y
        y = IN_PLACE[symbol](y, 2)
        z.sum().backward()
        return y, y is z, x.grad

    same_program(program)


class Scalable:
    """A class that knows tensors, which do not know it."""

    def __radd__(self, other):
        return "radd"

    def __rpow__(self, other):
        return "rpow"

    def __mul__(self, other):
        return "mul"


def test_foreign_operands_may_answer():
    x = mg.ones(2)
    assert (x + Scalable(), x ** Scalable(), Scalable() * x) == ("radd", "rpow", "mul")
    for name in (*OPERATORS, "<"):
        with pytest.raises(TypeError):
            OPERATORS.get(name, operator.lt)(x, "1")
    with pytest.raises(TypeError):
        x += object()


def test_numpy_operands():
    for run in OPERATORS.values():
        x = np.array([1.0, 2.0])
        same(run(mg.ones(2), x), run(torch.ones(2), torch.from_numpy(x)))
        same(run(x, mg.ones(2)), run(torch.from_numpy(x), torch.ones(2)))
        same(run(np.float64(2), mg.ones(2)), run(2.0, torch.ones(2)))
        same(run(mg.ones(2), np.ones(2, "float16")), np.asarray(run(np.ones(2), np.ones(2)), "float32"))


WIDE = "m.tensor(0.1, dtype=m.float64)"  # without dimensions, where NumPy makes scalars of arrays
PROGRAMS = [
    f"{WIDE}.clamp(0.01, 1.1), m.addcmul({WIDE}, {WIDE}, {WIDE}, value=0.1), m.lerp({WIDE}, {WIDE}, {WIDE})",
    f"m.addcdiv({WIDE}, {WIDE}, {WIDE}, value=0.3), m.where(m.tensor(True), {WIDE}, 0.3), m.xlogy({WIDE}, 0.7)",
    f"m.logit({WIDE}, 0.2), m.sinc({WIDE}), m.polygamma(1, {WIDE}), m.lgamma({WIDE}), m.round({WIDE}, decimals=1)",
    f"{WIDE} ** 0.3, 0.3 ** {WIDE}, {WIDE} / 3, 3 / {WIDE}, {WIDE} % 0.3, m.copysign({WIDE}, -0.3), m.frac({WIDE})",
    f"m.float_power({WIDE}, 0.3), m.nan_to_num({WIDE}), {WIDE}.sign(), m.heaviside({WIDE}, {WIDE})",
    "m.add(m.tensor([1.5]), m.tensor([2]), alpha=2)",
    "m.sub(5, m.tensor([1]), alpha=2), m.rsub(m.tensor([1]), 5, alpha=2)",
    "m.add(m.tensor([True]), m.tensor([True])), m.tensor([True]) * True, m.tensor([True]) + 2, m.add(1, 2)",
    "m.tensor([255], dtype=m.uint8) + 300, -m.tensor([1], dtype=m.uint8), abs(m.tensor([-128], dtype=m.int8))",
    "m.clamp(m.arange(3), 0.5), m.clamp(m.arange(3), min=m.tensor(0.5)), m.clip(m.ones(2), 2), m.ones(2).clip(max=0.5)",
    "m.ones(2).clamp(float('nan')), m.tensor([1.0]).clamp(min=m.tensor([2.0], dtype=m.float64)), m.ones(2).clamp(2, 1)",
    "m.ones(2, 1).clamp(m.zeros(3), m.ones(3) * 0.5), m.arange(4).clamp_(1, 2), m.ones(2).clamp_min_(3)",
    "m.where(m.tensor(True), 1, 2.0)",
    "m.where(m.tensor([True, False]), m.tensor([1, 2]), 0.5), m.where(m.tensor(True), 1, 2)",
    "m.where(m.tensor([0.0, 2.0, 3.0]))[0], m.where(m.tensor(1.0))[0], m.ones(2).where(m.tensor([True, False]), 0)",
    "m.where(m.tensor([1, 0], dtype=m.uint8), 1.0, 2.0), m.where(m.ones(2, 1) > 0, m.zeros(3), m.ones(1))",
    "m.lerp(m.zeros(2), m.ones(2, 1), 0.7)",
    "m.lerp(m.zeros(2), m.ones(2), m.tensor([0.2, 0.8])), m.zeros(2).lerp_(m.ones(2), 0.5)",
    "m.addcmul(m.tensor([1]), m.tensor([2]), m.tensor([3]), value=0.5)",
    "m.addcmul(m.tensor([1]), m.tensor([2.0]), m.tensor([3]))",
    "m.addcmul(m.tensor([1.0]), m.tensor([2]), m.tensor([3]), value=0.5)",
    "m.addcdiv(m.ones(2), m.ones(2), m.ones(2, 1))",
    "m.ones(2).addcdiv_(m.ones(2), m.ones(2) * 2, value=3), m.ones(2).addcmul_(m.ones(2), m.ones(2))",
    "m.round(m.tensor([2.5, 3.456]), decimals=2)",
    "m.round(m.tensor([2.5, 3456.0]), decimals=-2), m.tensor([1.55]).round_(decimals=1)",
    "m.logit(m.tensor([-0.1, 0, 0.5, 1, 1.1]), 0.2), m.logit(m.tensor([-0.1, 0, 0.5, 1, 1.1]), eps=0.7)",
    "m.nan_to_num(m.tensor([float('nan'), float('inf'), -float('inf')]))",
    "m.nan_to_num(m.tensor([float('nan')]), nan=2.0)",
    "m.nan_to_num(m.tensor([float('inf'), -float('inf')]), posinf=1, neginf=-1)",
    "m.tensor([float('nan')]).nan_to_num_(5)",
    "m.polygamma(0, m.tensor([1.0])), m.polygamma(3, m.tensor([0.3, -0.4])), m.tensor([1.0]).polygamma(2)",
    "m.float_power(2, m.tensor([2])), m.tensor([2]).float_power(0.5), m.ones(2, dtype=m.float64).float_power_(2)",
    "m.xlogy(2, m.tensor([0.0, 3.0])), m.xlogy(m.tensor([0.0, 2.0]), 3), m.tensor([2.0]).xlogy_(m.tensor([3.0]))",
    "m.tensor([2]) ** m.tensor([-1]), 2 ** m.tensor([-1])",
    "m.tensor([True]) ** 2, m.tensor([2]) ** True, (-1) ** m.arange(-3, 3)",
    "m.div(m.tensor([7, -7]), 2, rounding_mode='trunc')",
    "m.tensor([7.5, -7.5]).div_(2, rounding_mode='floor'), m.tensor([1]) / 0",
    "m.tensor(2.0).__rdiv__(3), m.tensor([2]).__rtruediv__(3)",
    "m.tensor([2]).__rfloordiv__(7), m.tensor([4]).__rmod__(7)",
    "m.ones(0, 3) + m.ones(3), m.ones(0) * 2, m.maximum(m.ones(0), m.ones(1))",
    "m.ones(2, 0).clamp(0, 1), m.ones(0).erfinv()",
    "m.tensor(2.0) + m.tensor([1, 2]), m.tensor(2.0, dtype=m.float64) * m.ones(2)",
    "m.tensor(2) + m.tensor([1], dtype=m.int8)",
]  # fmt: skip
ERRORS = [
    "m.ones(2) + '1'",
    "m.ones(2) - True",
    "True - m.ones(2)",
    "m.tensor([True]) - 1",
    "m.tensor([True]) - m.tensor([True])",
    "+m.tensor([True])",
    "m.add(m.tensor([1]), 1, alpha=0.5)",
    "m.add(m.ones(2), 1, alpha=True)",
    "m.tensor([True]) // m.tensor([True])",
    "m.tensor([1]).fmod(m.tensor(0))",
    "m.tensor([1]).remainder(0)",
    "m.tensor([True]) ** m.tensor([True])",
    "m.tensor([1, 2]).exp_()",
    "m.tensor([1, 2]).div_(2)",
    "m.ones(2).add_(m.ones(2, 2))",
    "m.ones(2).clamp_(m.ones(2, 2))",
    "m.arange(3).clamp_(0.5)",
    "m.clamp(m.arange(3, dtype=m.uint8), -1, 300)",
    "m.clamp(m.ones(2))",
    "m.where(m.ones(2), 1.0, 2.0)",
    "m.where(m.tensor([True, False]), m.ones(3), 1.0)",
    "m.where(m.tensor([True]), m.ones(3), m.ones(2))",
    "m.maximum(m.ones(2), 1.0)",
    "m.hypot(m.tensor([1]), m.tensor([2]))",
    "m.lerp(m.tensor([1]), m.tensor([2]), 0.5)",
    "m.lerp(m.ones(2), m.ones(2), m.ones(3))",
    "m.addcdiv(m.tensor([1]), m.tensor([2]), m.tensor([3]))",
    "m.addcmul(m.tensor([True]), m.tensor([True]), m.tensor([True]))",
    "m.heaviside(m.ones(1), m.tensor([1]))",
    "m.ones(2).float_power_(2)",
    "m.polygamma(-1, m.ones(1))",
    "m.tensor([1]).round(decimals=1)",
    "m.tensor([1]) + 2**70",
    "m.div(m.ones(2), 2, rounding_mode='up')",
]
LOOSE = {
    "m.where(m.ones(2), 1.0, 2.0)": "where expected condition to be a boolean tensor, but got a tensor with dtype",
    "m.tensor([1]) + 2**70": "",
    "m.arange(3).clamp_(0.5)": "result type Float can't be cast to the desired output type",
    "m.maximum(m.ones(2), 1.0)": "",
    "m.lerp(m.ones(2), m.ones(2), m.ones(3))": "The size of tensor a",
}


@pytest.mark.filterwarnings("ignore:where received a uint8 condition")
@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program):
    same_program(lambda m: eval(program, {"m": m}))


@pytest.mark.parametrize("program", ERRORS)
def test_errors(program):
    same_error(lambda m: eval(program, {"m": m}), LOOSE.get(program))


# those that PyTorch cannot differentiate in place
NO_TWIN = {"positive", *(f"{prefix}{name}" for prefix in ("a", "arc") for name in ("sinh", "cosh", "tanh"))}


@pytest.mark.parametrize("name", sorted(set(UNARY) - NO_TWIN))
def test_in_place_twins_of_one_operand(name):
    def program(m):
        x = m.tensor([0.2, 0.7], requires_grad=True)
        y = x * 1.1
        z = getattr(y, f"{name}_")()
        z.sum().backward()
        return y, z is y, x.grad

    same_program(program)

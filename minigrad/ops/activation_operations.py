"""The operations of activations, all alike but for the mathematics, which `kernels/scalars.py` holds.

An activation is three functions of numbers there: itself, its gradient and its curvature. `activation` makes operations
of them, whose formulas are the functions' docstrings; any kernel backend applies them to arrays. Higher derivatives run
the curvature's code on tensors.
"""

import functools
from types import FunctionType

import numpy as np

from minigrad.autograd import Operation, is_grad_enabled
from minigrad.kernels import kernels_for, scalars

from .choice import where
from .creation import full_like
from .elementary import exp


class Activation(Operation):
    """y = f(x), element by element"""

    formula = "dx = dy · f'(x)"
    scalar: staticmethod  # f, of `kernels.scalars`
    gradient: type  # the operation dy · f'
    of_result = False  # whether that is a function of y rather than of x

    @staticmethod
    def forward(ctx, x, *parameters):
        y = kernels_for(x).elementwise(ctx.scalar, parameters, x)
        ctx.parameters = parameters
        ctx.save_for_backward(y if ctx.of_result else x)
        return y

    @staticmethod
    def backward(ctx, dy):
        (v,) = ctx.saved_tensors
        return ctx.gradient.apply(dy, v, *ctx.parameters)


class ActivationGrad(Operation):
    """dy · f', with f' a function of v, the argument or the result of f"""

    formula = "ddy = ddx · f', dv = ddx · dy · ∂f'/∂v"
    scalar: staticmethod
    curvature: type | None = None  # the operation ddx · dy · ∂f'/∂v, unless that is 0

    @staticmethod
    def forward(ctx, dy, v, *parameters):
        ctx.parameters = parameters
        ctx.save_for_backward(dy if ctx.curvature else None, v)
        return kernels_for(v).elementwise(ctx.scalar, parameters, dy, v)

    @staticmethod
    def backward(ctx, ddx):
        dy, v = ctx.saved_tensors
        ddy = type(ctx).apply(ddx, v, *ctx.parameters) if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return ddy, None
        if ctx.curvature is None:
            return ddy, full_like(v, 0)  # not None: a slope that is constant by parts is a function of v all the same
        if is_grad_enabled():
            return ddy, _on_tensors(ctx.curvature.scalar)(ddx * dy, v, *ctx.parameters)
        return ddy, ctx.curvature.apply(ddx * dy, v, *ctx.parameters)


class ActivationCurve(Operation):
    """g · ∂f'/∂v in one kernel, where no third derivative is asked for"""

    formula = ActivationGrad.formula
    scalar: staticmethod

    @staticmethod
    def forward(ctx, g, v, *parameters):
        return kernels_for(v).elementwise(ctx.scalar, parameters, g, v)


def activation(name, scalar):
    """The operation called `name` of a function of `kernels.scalars`, with its gradient and its curvature."""
    gradient, curve = (getattr(scalars, f"{scalar.__name__}_{kind}", None) for kind in ("grad", "curve"))
    v = gradient.__code__.co_varnames[1]
    formula = f"ddy = {gradient.__doc__.replace('dy', 'ddx')}"
    if curve is not None:
        formula += f", d{v} = {curve.__doc__} with g = ddx · dy"
    operation = _operation(f"{name}Grad", ActivationGrad, gradient, formula)
    if curve is not None:
        operation.curvature = _operation(f"{name}Curve", ActivationCurve, curve, formula)
    result = _operation(name, Activation, scalar, f"dx = {gradient.__doc__}")
    result.gradient, result.of_result = operation, v == "y"
    return result


def _operation(name, base, scalar, formula):
    return type(name, (base,), {"__doc__": scalar.__doc__, "formula": formula, "scalar": staticmethod(scalar)})


ReLU = activation("ReLU", scalars.relu)
LeakyReLU = activation("LeakyReLU", scalars.leaky_relu)
Hardtanh = activation("Hardtanh", scalars.hardtanh)
Hardsigmoid = activation("Hardsigmoid", scalars.hardsigmoid)
Hardswish = activation("Hardswish", scalars.hardswish)
Hardshrink = activation("Hardshrink", scalars.hardshrink)
Softshrink = activation("Softshrink", scalars.softshrink)
Threshold = activation("Threshold", scalars.threshold)
Sigmoid = activation("Sigmoid", scalars.sigmoid)
LogSigmoid = activation("LogSigmoid", scalars.logsigmoid)
Tanh = activation("Tanh", scalars.tanh)
ELU = activation("ELU", scalars.elu)
SELU = activation("SELU", scalars.elu)
CELU = activation("CELU", scalars.elu)
GELU = activation("GELU", scalars.gelu)
TanhGELU = activation("TanhGELU", scalars.gelu_tanh)
SiLU = activation("SiLU", scalars.silu)
Mish = activation("Mish", scalars.mish)
Softplus = activation("Softplus", scalars.softplus)

VOCABULARY = {
    scalars.where: where,
    scalars.real: lambda x: x,
    scalars.absolute: abs,
    scalars.exp: exp,
    scalars.sigmoid: Sigmoid.apply,
    scalars.tanh: Tanh.apply,
}


@functools.cache
def _on_tensors(scalar):
    """A function of `kernels.scalars` as a differentiable function of tensors."""
    if scalar in VOCABULARY:
        return VOCABULARY[scalar]
    names = {name: scalar.__globals__.get(name) for name in scalar.__code__.co_names}
    names = {name: _on_tensors(value) if callable(value) else value for name, value in names.items()}
    return FunctionType(scalar.__code__, names, scalar.__name__)


class PReLU(Operation):
    """y = x where x > 0, else slope · x, with a tensor of slopes"""

    formula = "dx = dy where x > 0, else slope · dy; dslope = x · dy where x ≤ 0, else 0"
    fused = True

    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x, slope)
        return np.where(x > 0, x, slope * x)

    @staticmethod
    def backward(ctx, dy):
        x, slope = ctx.saved_tensors
        needs_x, needs_slope = ctx.needs_input_grad
        dx = PReLUGrad.apply(dy, x, slope) if needs_x else None
        return dx, (where(x > 0, 0.0, x * dy) if needs_slope else None)


class PReLUGrad(Operation):
    """dx = dy where x > 0, else slope · dy"""

    formula = "ddy = ddx where x > 0, else slope · ddx; dx = 0; dslope = ddx · dy where x ≤ 0, else 0"

    @staticmethod
    def forward(ctx, dy, x, slope):
        ctx.save_for_backward(dy, x, slope)
        return np.where(x > 0, dy, slope * dy)

    @staticmethod
    def backward(ctx, ddx):
        dy, x, slope = ctx.saved_tensors
        needs_dy, needs_x, needs_slope = ctx.needs_input_grad
        return (
            PReLUGrad.apply(ddx, x, slope) if needs_dy else None,
            full_like(x, 0.0) if needs_x else None,
            where(x > 0, 0.0, ddx * dy) if needs_slope else None,
        )

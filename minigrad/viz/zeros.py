"""Which operations can end a gradient in zeros, and how each says so."""

import numpy as np

from .wording import at, named

_DEAD = {"ReLU": "relu", "PReLU": "prelu", "Threshold": "the threshold", "Hardshrink": "hardshrink"}
_FLAT_ENDS = (
    "Sigmoid",
    "Tanh",
    "Softmax",
    "LogSoftmax",
    "SafeSoftmax",
    "GELU",
    "TanhGELU",
    "SiLU",
    "Mish",
    "ELU",
    "Softplus",
)
_LIMITED = "Clamp", "Hardtanh", "Hardsigmoid", "Hardswish", "NanToNum"
_CHOOSING = {
    "MaxPool": "none of its elements is the largest of a window",
    "AdaptiveMaxPool": "none of its elements is the largest of a window",
    "MedianPool": "none of its elements is the median of a window",
    "Extreme": "none of its elements is the extreme one",
    "ExtremeOfAll": "none of its elements is the extreme one",
    "Select": "none of its elements is the extreme one",
    "Middle": "none of its elements is the median",
    "Extremum": "the other operand won everywhere",
    "NumericExtremum": "the other operand won everywhere",
    "Where": "the condition chose the other operand everywhere",
    "Embedding": "no row of it but the padding was looked up where a gradient arrived",
    "NLL": "every sample is ignored, or has weight 0",
    "Triangle": "all of it lies outside the triangle",
}
_PARTS = "Cat", "Stack", "Slice", "Pick", "Gather", "Expand", "Permute", "Reshape"
_OVERWRITTEN = "CopySlices", "Overwrite", "PutAt", "Replace", "Scatter"
_STEPS = "Step", "Rounded", "Sample", "Heaviside"
_LINEAR = "Softmax", "LogSoftmax", "BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm"

_STOPPING = {
    *_DEAD,
    *_FLAT_ENDS,
    *_LIMITED,
    *_CHOOSING,
    *_OVERWRITTEN,
    *_STEPS,
    "Dropout",
    "AlphaDropout",
    "Mul",
    "MatMul",
}


def _activation(operation):
    """The name of the activation that a normalisation ends in as one operation with it; None for other operations."""
    fused = getattr(operation, "activation", None)
    return fused and fused.__name__


def stops(node):
    """Whether a gradient can end at an operation that ran."""
    return (_activation(node.operation) or node.name()) in _STOPPING


def why_zero(step, leaving, made_by):
    """(key, words): why an operation made zeros of a gradient that was not zero.

    `step` is its turn in a backward pass, `leaving` the zeros; `made_by` are the operations that what arrived is from.
    """
    node, name = step.node, _activation(step.node.operation) or step.node.title
    arrived = [array for _, array in step.arriving if array is not None]
    count = sum(int(np.count_nonzero(array)) for array in arrived)
    if name in _DEAD:
        return (
            "dead_relu",
            f"none of the {count:,} results that a gradient arrived at is positive (a dead {_DEAD[name]})",
        )
    if name == "Dropout" or name == "AlphaDropout":
        return "dropout", "dropout had switched off every element that a gradient arrived at"
    if name in _LIMITED:
        return "clamped", "every element that a gradient arrived at is outside the limits"
    if name in _CHOOSING:
        return "not_chosen", _CHOOSING[name]
    if name in _OVERWRITTEN:
        return "overwritten", "what a gradient arrived at had been overwritten with other values"
    if name in _PARTS:
        whence = f" by {made_by[0].name()}{at(made_by[0])}" if made_by else ""
        return "not_chosen", f"of the gradient that arrived{whence}, the part that belongs to it is zero"
    if name in _STEPS:
        return "flat", f"its derivative is 0 everywhere (“{node.operation.formula}”)"
    others = [value for place, value in enumerate(node.inputs) if value is not None and place != leaving.input]
    for other in others:
        if other.array is not None and other.array.size and not np.any(other.array):
            return "multiplied_by_zero", f"it is multiplied by {named(other)}, which is zero everywhere"
    number = next((a for a in node.arguments if isinstance(a, (int, float)) and a == 0 and a is not False), None)
    if name in ("Mul", "MatMul", "WeightedSum") and number is not None:
        return "multiplied_by_zero", "it is multiplied by 0"
    if name in _LINEAR and all(np.ptp(array) <= 1e-6 * np.abs(array).max() for array in arrived if array.size):
        return (
            "invariant",
            "the same gradient arrived everywhere, and it does not change when all its inputs move alike",
        )
    if name in _FLAT_ENDS:
        return "saturated", "its results are so close to where it is flat that the derivative is 0 in this dtype"
    if name in ("Mul", "Div"):
        return "multiplied_by_zero", "wherever a gradient arrived, the other factor is 0"
    return "flat", f"its derivative is 0 at these values (“{node.operation.formula}”)"

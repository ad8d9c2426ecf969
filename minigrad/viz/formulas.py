"""What an operation computes, in formulas: its result, its derivative, its settings, and the shapes filled in.

Nothing is written twice. The derivative is the operation's `formula`, the result its docstring's first line, and the
names of arguments and settings are those of its `forward`. A derivative is written in the names of the arguments:
`dx` is the gradient of x, and the one name with a d that no argument explains is the gradient that arrives, so its rest
names the result.
"""

import functools
import inspect
import re

import numpy as np

from minigrad.autograd import Function, Operation, Tensor

_COTANGENT = re.compile(r"(?<![^\W_])d(d*[^\W\d_]\w*)")
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀᴴᵖ'"
_SUBSCRIPTS = "ᵢⱼₖ₀₁₂"
_INDEX = r"(\[(?:[^][]|\[[^]]*\])*\])?"
_FEW = 8  # numbers of an array that are written out


def derivative(operation):
    """The derivative of an operation's class, as text: what it makes of the gradient that arrives.

    >>> import minigrad
    >>> derivative(type((minigrad.ones(2, requires_grad=True) * 2).grad_fn))
    'dx = dz · y, dy = dz · x'
    """
    return operation.formula


def forward(operation):
    """What an operation's class computes, as text: the first line of its docstring, with a name for the result.

    >>> import minigrad
    >>> forward(type((minigrad.ones(2, requires_grad=True) * 2).grad_fn))
    'z = x · y'
    """
    own = next((cls.__doc__ for cls in operation.__mro__ if cls.__doc__), "")
    if issubclass(operation, Function) and own == Function.__doc__:
        return f"y = {operation.__name__}({', '.join(_names(operation))})"
    words = own.strip().partition("\n")[0]
    words = re.sub(r" \(`torch\.[^`]*`\)", "", words).rstrip(".")
    result = result_name(operation)
    if re.match(rf"[^\s[]+{_INDEX} = ", words) or re.match(rf"{re.escape(result)}\b", words):
        return words
    if re.match(r"[A-Z]([a-z]| [a-z]{2})", words):
        words = words[0].lower() + words[1:]
    return f"{result} = {words}"


def result_name(operation):
    """What an operation's formula calls the result: the gradient that arrives, without its d.

    >>> from minigrad.ops.matrix import MatMul
    >>> result_name(MatMul)
    'Z'
    """
    left, right = _cotangents(operation)
    arriving = [name for name in dict.fromkeys(right) if name not in left]
    return arriving[0] if arriving else "z" if "y" in left else "y"


def symbol(operation, name):
    """What an operation's derivative calls the argument `name`.

    >>> from minigrad.ops.matrix import MatMul
    >>> symbol(MatMul, "x")
    'X'
    """
    return next((symbol for symbol in _cotangents(operation)[0] if _means(symbol, name)), name)


def arguments(operation, args):
    """[(name, value), ...] of what `operation.apply(*args)` was given, named as in its forward.

    >>> from minigrad.ops.activation_operations import LeakyReLU
    >>> arguments(LeakyReLU, (1.0, 0.01))
    [('x', 1.0), ('slope', 0.01)]
    """
    names, rest = _names(operation), _rest(operation)
    fixed = names[: len(names) - (rest is not None)]
    more = args[len(fixed) :]
    if rest is not None:
        views = [a for a in args if isinstance(a, type) and issubclass(a, Operation)]
        if hasattr(operation, "scalar"):
            known = list(inspect.signature(operation.scalar).parameters)[-len(more) :]
        elif views:
            known = _names(views[0])[1:]
        else:
            known = []
        fixed += known if len(known) == len(more) else [f"{rest}[{i}]" for i in range(len(more))]
    return list(zip(fixed, args))


def settings(operation, args):
    """[(name, text), ...] of the arguments of `operation.apply(*args)` that are no tensors.

    >>> import minigrad
    >>> from minigrad.ops.convolution import Convolution, Geometry
    >>> weight = minigrad.ones(1, 1, 3, 3)
    >>> settings(Convolution, (weight, weight, None, Geometry((1, 1), ((2, 2), (2, 2)), (1, 1), 1)))
    [('bias', 'None'), ('stride', '(1, 1)'), ('padding', '((2, 2), (2, 2))'), ('dilation', '(1, 1)'), ('groups', '1')]
    """
    found = []
    for name, value in arguments(operation, args):
        if isinstance(value, Tensor):
            continue
        if type(value).__name__ == "Geometry":
            found += [(part, setting(getattr(value, part))) for part in ("stride", "padding", "dilation", "groups")]
        else:
            found.append((name, setting(value)))
    return found


def with_shapes(operation, args, outputs):
    """(what is computed, the derivative) with the shapes of arguments and results filled in.

    `args` are what `operation.apply` was given, `outputs` the shapes of the results.

    >>> import minigrad
    >>> from minigrad.ops.matrix import MatMul
    >>> for text in with_shapes(MatMul, (minigrad.ones(2, 3), minigrad.ones(3, 4)), [(2, 4)]):
    ...     print(text)
    Z (2, 4) = X (2, 3) · Y (3, 4) for matrices, or for equally long batches of them
    dX (2, 3) = dZ (2, 4) · Yᵀ (4, 3), dY (3, 4) = Xᵀ (3, 2) · dZ (2, 4)
    """
    shapes = {}
    for name, value in arguments(operation, args):
        shape = getattr(value, "shape", None)
        if shape is not None and not isinstance(value, type):
            shapes[symbol(operation, name)] = tuple(shape)
    if "a" not in _cotangents(operation)[0]:
        shapes.pop("a", None)  # it is a word, then
    if len(outputs) == 1:
        shapes.setdefault(result_name(operation), tuple(outputs[0]))
    shapes |= {f"d{name}": shape for name, shape in shapes.items()}
    computed, axes = forward(operation), dict(arguments(operation, args)).get("axes")
    if axes is not None:
        computed = computed.replace("the given axes", f"axes {setting(axes)}")
    return _annotated(computed, shapes), _annotated(derivative(operation), shapes)


def _annotated(text, shapes):
    """`text` with each symbol's shape behind it: behind a gradient wherever one is defined, else the first time."""
    known = "|".join(sorted(map(re.escape, shapes), key=len, reverse=True))
    if not known:
        return text
    pattern = re.compile(rf"(?<![\w'])({known})([{_SUBSCRIPTS}]*)([{_SUPERSCRIPTS}]*)(?![\w'(\u0302])")
    seen = set()

    def annotate(match):
        symbol, _, raised = match.groups()
        defined = re.match(rf"{_INDEX} [+-]?= ", text[match.end() :])
        clause = text.rfind(", d", 0, match.start()) if symbol.startswith("d") else 0
        if not defined and (symbol, clause) in seen:
            return match[0]
        seen.add((symbol, clause))
        shape = shapes[symbol]
        if "ᵀ" in raised and len(shape) > 1:
            shape = (*shape[:-2], shape[-1], shape[-2])
        space = " " if text[match.end() :].startswith("[") else ""
        return f"{match[0]} {_shape(shape)}{space}"

    return pattern.sub(annotate, text)


def _shape(shape):
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


@functools.lru_cache(1024)
def _names(operation):
    """The names of forward's arguments without ctx."""
    names = list(inspect.signature(operation.forward).parameters)
    plain = issubclass(operation, Function) and operation.setup_context is not None
    return names if plain else names[1:]


def _rest(operation):
    """The name of forward's `*arguments`; None if it has none."""
    parameters = inspect.signature(operation.forward).parameters.values()
    return next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)


@functools.lru_cache(1024)
def _cotangents(operation):
    """The names whose gradients the formula defines, and those of all gradients in it."""
    names, formula = _names(operation), operation.formula
    left, every = [], []
    for match in _COTANGENT.finditer(formula):
        symbol = match[1].rstrip(_SUBSCRIPTS)
        bare = symbol.lstrip("d") or symbol[-1]
        if len(bare) > 1 and not any(_means(symbol, name) or _means(bare, name) for name in names):
            continue
        every.append(symbol)
        if re.match(rf"{_INDEX}'? [+-]?= ", formula[match.end() :]):
            left.append(symbol)
    return left, every


def _means(symbol, name):
    """Whether a formula's symbol stands for an argument: its name, in any case, or the first letter of a longer one."""
    return symbol.lower() == name.lower() or (
        name.startswith(symbol.lower()) and (len(symbol) > 2 or len(name) > 2) and not name.startswith("d")
    )


def setting(value):
    """A setting in a few words."""
    if isinstance(value, np.ndarray):
        if value.size <= _FEW:
            return str(value.tolist())
        return f"{value.dtype} array {_shape(value.shape)}"
    if isinstance(value, Tensor):
        return f"tensor {_shape(value.shape)}"
    if isinstance(value, (tuple, list)):
        parts = [setting(part) for part in value]
        inside = ", ".join(parts if len(parts) <= _FEW else [*parts[:_FEW], "..."])
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(parts) == 1)})"
    if isinstance(value, slice):
        start, stop = ("" if bound is None else str(bound) for bound in (value.start, value.stop))
        return f"{start}:{stop}" + ("" if value.step is None else f":{value.step}")
    if value is Ellipsis:
        return "..."
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (bool, int, str, np.generic, np.dtype)) or value is None:
        return str(value)
    return getattr(value, "__name__", None) or getattr(value, "name", None) or type(value).__name__

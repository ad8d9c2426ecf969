"""PyTorch as the oracle: the same function run by both libraries, results, derivatives and errors compared.

A case is a function `fn(m, *tensors)` of the library `m`, `minigrad` or `torch`; so both run the same text.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad.testing import assert_close

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # the tests are small, and run in as many processes as there are cores

TOLERANCE = {"float32": {"rtol": 1e-4, "atol": 1e-5}, "float64": {"rtol": 1e-9, "atol": 1e-10}}
TORCH_DTYPES = {
    name: getattr(torch, name) for name in ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
}


def tensor(m, array, requires_grad=False):
    """A tensor of library `m` with the array's values: minigrad's on the array itself, torch's on a plain copy."""
    result = mg.from_numpy(array) if m is mg else torch.from_numpy(array.copy())
    return result.requires_grad_() if requires_grad else result


def array_of(result):
    """The values of a tensor of either library."""
    return result.numpy(force=True)


def as_tuple(results):
    return (results,) if hasattr(results, "backward") else tuple(results)


def same(ours, theirs, msg="", **tolerance):
    """Values, shape and dtype of a minigrad tensor equal those of a torch tensor."""
    theirs = array_of(theirs) if isinstance(theirs, torch.Tensor) else theirs
    tolerance = tolerance or TOLERANCE.get(str(theirs.dtype), {})
    assert_close(ours, theirs, equal_nan=True, msg=msg, **tolerance)


def draw(shape, dtype="float64", seed=0, low=-2.0, high=2.0):
    """An array drawn evenly from [low, high)."""
    return np.asarray(np.random.default_rng([seed, *shape]).uniform(low, high, shape)).astype(dtype)


def _derivatives(m, fn, arrays, order, create_graph=True):
    """Results, then gradients of a random cotangent, then gradients of a random combination of those."""
    xs = [tensor(m, a, a.dtype.kind == "f") for a in arrays]
    sources = [x for x, a in zip(xs, arrays) if a.dtype.kind == "f"]
    results = as_tuple(fn(m, *xs))
    stages = [results]
    for stage in range(order):
        active = [y for y in stages[-1] if y is not None and y.requires_grad]
        if not active or not sources:
            break
        total = 0.0
        for i, y in enumerate(active):
            shape = tuple(y.shape)
            total = total + (y * tensor(m, draw(shape, str(y.dtype).split(".")[-1], 100 + 10 * stage + i))).sum()
        grads = m.autograd.grad(total, sources, create_graph=create_graph, allow_unused=True)
        stages.append([m.zeros_like(x) if g is None else g for g, x in zip(grads, sources)])
    return stages


def agree(fn, *arrays, order=2, **tolerance):
    """`fn(m, *tensors)` gives the same with both libraries: results and derivatives up to `order`."""
    ours, theirs = (_derivatives(m, fn, arrays, order) for m in (mg, torch))
    for stage in range(max(len(ours), len(theirs))):
        if stage >= min(len(ours), len(theirs)):  # one library knows that what follows is 0, the other computes it
            rest = max(ours, theirs, key=len)[stage]
            assert all(not array_of(g).any() for g in rest), f"derivative {stage} is not 0 in one of the libraries"
            continue
        for i, (a, b) in enumerate(zip(ours[stage], theirs[stage], strict=True)):
            same(a, b, f"derivative {stage}, part {i}", **tolerance)
    if len(ours) > 1:  # where no second derivative is asked for, a kernel may do what operations do above
        for i, (a, b) in enumerate(zip(_derivatives(mg, fn, arrays, 1, create_graph=False)[1], ours[1], strict=True)):
            same(a, b.detach(), f"derivative without a graph, part {i}", **tolerance)


def same_program(program):
    """`program(m)`, a function of the library that returns tensors and plain values, gives the same with both."""
    ours, theirs = program(mg), program(torch)
    if not isinstance(theirs, tuple | list):
        ours, theirs = (ours,), (theirs,)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if isinstance(b, torch.Tensor):
            same(a, b, f"value {i}")
            assert a.requires_grad == b.requires_grad, f"value {i}: requires_grad is {a.requires_grad}"
        else:
            assert a == b, f"value {i}"


def error_of(function, *args):
    """The error that a call raises; a failure if it raises none."""
    with pytest.raises(Exception) as raised:
        function(*args)
    return raised.value


def first_line(error):
    """The first line of the message, without the library's name."""
    return str(error).split("\n")[0].replace("torch.", "").replace("minigrad.", "").strip()


def same_error(fn, beginning=None):
    """`fn(m)` raises the same type of error with both libraries, and the same first line or at least `beginning`."""
    ours, theirs = error_of(fn, mg), error_of(fn, torch)
    assert type(ours) is type(theirs), f"minigrad raises {ours!r}, torch {theirs!r}"
    if beginning is None:
        assert first_line(ours) == first_line(theirs)
    else:
        assert first_line(ours).startswith(beginning)
        assert first_line(theirs).startswith(beginning)


def named(*functions):
    """A parametrisation by functions, under their names."""
    return pytest.mark.parametrize("function", functions, ids=[f.__name__ for f in functions])

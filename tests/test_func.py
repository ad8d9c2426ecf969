"""torch.func against PyTorch's: values and structures."""

import numpy as np
import pytest

import minigrad
import minigrad.func

torch = pytest.importorskip("torch")


def weights(m):
    return {"weight": m.tensor([[1.0, -2.0, 0.5]]), "bias": m.tensor([0.25])}


def rows(m):
    return m.tensor([[1.0, 2.0, 3.0], [0.5, -1.0, 4.0]])


def loss(m):
    layer = m.nn.Linear(3, 1)
    return lambda parameters, x: (m.func.functional_call(layer, parameters, (x,)) ** 2).sum()


PROGRAMS = {
    "grad": lambda m: m.func.grad(lambda x: (x**3).sum())(rows(m)),
    "grad twice": lambda m: m.func.grad(lambda x: m.func.grad(lambda y: y.sin())(x))(m.tensor(0.5)),
    "grad of several": lambda m: m.func.grad(lambda x, y: (x * y * y).sum(), argnums=(0, 1))(rows(m), rows(m)),
    "grad of a dict": lambda m: m.func.grad(loss(m))(weights(m), rows(m))["weight"],
    "aux": lambda m: m.func.grad(lambda x: ((x**2).sum(), x + 1), has_aux=True)(rows(m)),
    "grad_and_value": lambda m: m.func.grad_and_value(lambda x: (x**2).sum())(rows(m)),
    "of nothing": lambda m: m.func.grad(lambda x: m.ones(()))(rows(m)),
    "vjp": lambda m: m.func.vjp(m.sin, rows(m))[1](rows(m))[0],
    "jvp": lambda m: m.func.jvp(m.sin, (rows(m),), (rows(m),)),
    "jacrev": lambda m: m.func.jacrev(lambda x: x.sum(0) ** 2)(rows(m)),
    "jacfwd": lambda m: m.func.jacfwd(lambda x: x.exp())(rows(m)[0]),
    "hessian": lambda m: m.func.hessian(lambda x: (x**3).prod())(rows(m)[0]),
    "vmap": lambda m: m.func.vmap(m.dot)(rows(m), rows(m)),
    "vmap of one": lambda m: m.vmap(lambda a, b: a * b, in_dims=(1, None), out_dims=1)(rows(m), m.ones(2)),
    "vmap of a pair": lambda m: m.vmap(lambda a: (a.sum(), {"x": a * 2}))(rows(m))[1]["x"],
    "vmap of vmap": lambda m: m.vmap(m.vmap(lambda a: a * 2))(rows(m)),
    "per sample": lambda m: m.vmap(m.func.grad(loss(m)), in_dims=(None, 0))(weights(m), rows(m))["weight"],
    "gradients through vmap": lambda m: m.func.grad(lambda x: m.vmap(lambda a: (a**2).sum())(x).prod())(rows(m)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_like_pytorch(name):
    ours, theirs = PROGRAMS[name](minigrad), PROGRAMS[name](torch)
    for a, b in zip(*[(x,) if hasattr(x, "shape") else x for x in (ours, theirs)], strict=True):
        assert a.shape == tuple(b.shape) and a.requires_grad == b.requires_grad
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_a_module_is_itself_again_after_a_functional_call():
    layer = minigrad.nn.Linear(3, 1)
    before = layer.weight
    with pytest.raises(RuntimeError):
        minigrad.func.functional_call(layer, weights(minigrad), (minigrad.ones(4),))
    assert layer.weight is before
    with pytest.raises(RuntimeError, match="Missing"):
        minigrad.func.functional_call(layer, {"weight": before}, (minigrad.ones(3),), strict=True)


def test_an_ensemble():
    models = [minigrad.nn.Linear(3, 2) for _ in range(4)]
    parameters, buffers = minigrad.func.stack_module_state(models)
    call = minigrad.vmap(lambda p, b, x: minigrad.func.functional_call(models[0], (p, b), (x,)), in_dims=(0, 0, None))
    together = call(parameters, buffers, rows(minigrad))
    for part, model in zip(together, models):
        np.testing.assert_allclose(part.detach().numpy(), model(rows(minigrad)).detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda m: m.func.grad(lambda x: x)(rows(m)),
        lambda m: m.vmap(m.dot)(rows(m), m.ones(3, 3)),
        lambda m: m.vmap(m.dot, in_dims=(0,))(rows(m), rows(m)),
        lambda m: m.func.stack_module_state([]),
    ],
)
def test_misuse(misuse):
    with pytest.raises(Exception) as theirs:
        misuse(torch)
    with pytest.raises(type(theirs.value)):
        misuse(minigrad)

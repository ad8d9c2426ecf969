"""Hooks of modules, of one and of all, before and after forward and backward: as torch runs them."""

import warnings
from collections import namedtuple

import pytest
from torch_oracle import named, same_error, same_program, torch

import minigrad as mg


def linear(m):
    """A layer of known weights."""
    layer = m.nn.Linear(2, 2)
    layer.weight.data = m.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer.bias.data = m.tensor([0.5, -0.5])
    return layer


def keep(log, value):
    """Tensors as lists, so that both libraries' logs can be compared."""
    if isinstance(value, tuple | list):
        return [keep(log, v) for v in value]
    if isinstance(value, dict):
        return {k: keep(log, v) for k, v in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


# forward hooks ------------------------------------------------------------------------------------------------------


def forward_hooks_in_order(m):
    layer, log = linear(m), []
    for name in "ab":
        layer.register_forward_hook(lambda mod, args, out, name=name: log.append(name))
        layer.register_forward_pre_hook(lambda mod, args, name=name: log.append(name.upper()))
    layer.register_forward_hook(lambda mod, args, out: log.append("first"), prepend=True)
    last = layer.register_forward_pre_hook(lambda mod, args: log.append("FIRST"), prepend=True)
    layer(m.ones(2))
    last.remove()
    last.remove()
    layer(m.ones(2))
    return log


def forward_hooks_that_change(m):
    layer = linear(m)
    layer.register_forward_pre_hook(lambda mod, args: args[0] * 2)
    layer.register_forward_pre_hook(lambda mod, args: (args[0] + 1,))
    layer.register_forward_hook(lambda mod, args, out: out - args[0])
    return layer(m.ones(2))


def forward_hooks_with_keywords(m):
    class Scaled(m.nn.Module):
        def forward(self, x, scale=1):
            return x * scale

    module, log = Scaled(), []
    module.register_forward_pre_hook(lambda mod, args, kwargs: (args, {"scale": kwargs["scale"] * 2}), with_kwargs=True)
    module.register_forward_hook(lambda mod, args, kwargs, out: log.append(dict(kwargs)), with_kwargs=True)
    return module(m.ones(2), scale=3), log


def hooks_that_always_run(m):
    class Failing(m.nn.Module):
        def forward(self, x):
            raise ValueError("as planned")

    module, log = Failing(), []
    module.register_forward_hook(lambda mod, args, out: log.append("never"))
    module.register_forward_hook(lambda mod, args, out: log.append(out), always_call=True)
    try:
        module(m.ones(1))
    except ValueError as error:
        log.append(str(error))
    return log


def failing_hooks_that_always_run(m):
    def fail(mod, args, out):
        raise KeyError("in the hook")

    module = m.nn.Linear(2, 2)
    module.register_forward_hook(fail, always_call=True)
    module.register_forward_pre_hook(lambda mod, args: m.ones(3))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            module(m.ones(2))
        except Exception as error:
            kind = type(error).__name__
    return kind, [str(w.message).split("\n")[0] for w in caught]


def global_hooks(m):
    place, log = (m.nn.modules.module if m is torch else m.nn.hooks), []
    handles = [
        place.register_module_forward_pre_hook(lambda mod, args: log.append("pre " + type(mod).__name__)),
        place.register_module_forward_hook(lambda mod, args, out: log.append("post " + type(mod).__name__)),
        place.register_module_full_backward_pre_hook(lambda mod, g: log.append(("before", keep(log, g)))),
        place.register_module_full_backward_hook(lambda mod, gi, go: log.append((keep(log, gi), keep(log, go)))),
    ]
    net = m.nn.Sequential(linear(m), m.nn.ReLU())
    net(m.ones(1, 2)).sum().backward()
    for handle in handles:
        handle.remove()
    net(m.ones(1, 2))
    return log


# backward hooks -----------------------------------------------------------------------------------------------------


def backward_hooks_see_gradients(m):
    net, log = m.nn.Sequential(linear(m), m.nn.Tanh(), linear(m)), []
    for module in net:
        module.register_full_backward_hook(lambda mod, gi, go: log.append((keep(log, gi), keep(log, go))))
        module.register_full_backward_pre_hook(lambda mod, go: log.append(keep(log, go)))
    x = m.tensor([[1.0, -1.0]], requires_grad=True)
    net(x).sum().backward()
    return [len(log), x.grad, *[p.grad for p in net.parameters()], *_rounded(log)]


def _rounded(log):
    if isinstance(log, list | tuple):
        return [_rounded(part) for part in log]
    return round(log, 4) if isinstance(log, float) else log


def backward_hooks_that_change(m):
    layer, x = linear(m), m.tensor([1.0, -1.0], requires_grad=True)
    layer.register_full_backward_hook(lambda mod, gi, go: (gi[0] * 10,))
    layer.register_full_backward_pre_hook(lambda mod, go: (go[0] * 2,))
    layer.register_full_backward_hook(lambda mod, gi, go: (gi[0] + 1,), prepend=True)
    layer(x).sum().backward()
    return x.grad, layer.weight.grad


def backward_hooks_of_several_inputs_and_results(m):
    class Mixed(m.nn.Module):
        def forward(self, a, number, b, c):
            return a * b, number, b.detach(), c + a

    module, log = Mixed(), []
    module.register_full_backward_hook(lambda mod, gi, go: log.append((keep(log, gi), keep(log, go))))
    a, c = m.tensor([2.0], requires_grad=True), m.tensor([5.0], requires_grad=True)
    results = module(a, 3, m.tensor([4.0]), c)
    results[0].sum().backward()
    return a.grad, [len(log), log[0][0][:3]], results[1]


def backward_hooks_without_gradients_of_the_input(m):
    layer, log = linear(m), []
    layer.register_full_backward_hook(lambda mod, gi, go: log.append((keep(log, gi), keep(log, go))))
    layer(m.ones(2)).sum().backward()
    with m.no_grad():
        layer(m.ones(2))
    return log, layer.weight.grad


def backward_hooks_of_a_second_derivative(m):
    layer, x = linear(m), m.tensor([1.0, -1.0], requires_grad=True)
    layer.register_full_backward_hook(lambda mod, gi, go: (gi[0] * 2,))
    (g,) = m.autograd.grad(layer(x).pow(3).sum(), x, create_graph=True)
    (h,) = m.autograd.grad(g.sum(), x)
    return g, h


def backward_hooks_with_inplace_layers(m):
    log = []
    if m is torch:  # there the in-place layer is an error: what ours computes is what an ordinary one does
        net = m.nn.Sequential(linear(m), m.nn.ReLU(), linear(m))
    else:
        net = m.nn.Sequential(linear(m), m.nn.ReLU(inplace=True), linear(m))
    for module in net:
        module.register_full_backward_hook(lambda mod, gi, go: log.append(keep(log, go)))
    x = m.tensor([1.0, -1.0], requires_grad=True)
    net(x).sum().backward()
    return x.grad, log


FORWARD = [forward_hooks_in_order, forward_hooks_that_change, forward_hooks_with_keywords, hooks_that_always_run]
BACKWARD = [backward_hooks_see_gradients, backward_hooks_that_change, backward_hooks_of_several_inputs_and_results]
BACKWARD += [backward_hooks_without_gradients_of_the_input, backward_hooks_of_a_second_derivative]


@named(*FORWARD, failing_hooks_that_always_run, global_hooks, *BACKWARD, backward_hooks_with_inplace_layers)
def test_hooks_as_in_torch(function):
    same_program(function)


def test_backward_hooks_warn_where_no_input_has_a_gradient():
    layer = linear(mg)
    layer.register_full_backward_hook(lambda mod, gi, go: None)
    with pytest.warns(UserWarning, match="Full backward hook is firing when gradients are computed with respect to"):
        layer(mg.ones(2)).sum().backward()


def test_results_of_a_hooked_module_keep_their_type():
    pair = namedtuple("pair", "first second")

    class Two(mg.nn.Module):
        def forward(self, x):
            return pair(x, x * 2)

    module = Two()
    module.register_full_backward_hook(lambda mod, gi, go: None)
    assert isinstance(module(mg.ones(1, requires_grad=True)), pair)


def _register_backward(m, hook, pre=False):
    layer = linear(m)
    (layer.register_full_backward_pre_hook if pre else layer.register_full_backward_hook)(hook)
    layer(m.ones(2, requires_grad=True)).sum().backward()


def _with_pre_hook(m, hook):
    layer = linear(m)
    layer.register_forward_pre_hook(hook, with_kwargs=True)
    layer(m.ones(2))


ERRORS = {
    "a pre-hook that returns too little": lambda m: _with_pre_hook(m, lambda mod, args, kwargs: (1, 2, 3)),
    "too many gradients": lambda m: _register_backward(m, lambda mod, gi, go: (None, None)),
    "too many gradients of results": lambda m: _register_backward(m, lambda mod, go: (None, None), pre=True),
}


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_same_error_as_torch(make):
    same_error(make)

"""Lazy modules, the adaptive softmax and DataParallel against torch's."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from torch_oracle import draw, named, same, same_error, same_program, torch

import minigrad as mg

LAZY = {
    "LazyLinear": (lambda m: m.nn.LazyLinear(3), (2, 4)),
    "LazyLinear without bias": (lambda m: m.nn.LazyLinear(3, bias=False), (4,)),
    **{
        f"{kind}{n}d": (
            lambda m, kind=kind, n=n: getattr(m.nn, f"{kind}{n}d")(6, 2, groups=2),
            (2, 4, 5, 4, 3)[: n + 2],
        )
        for kind in ("LazyConv", "LazyConvTranspose")
        for n in (1, 2, 3)
    },
    "unbatched": (lambda m: m.nn.LazyConv2d(6, 2, bias=False), (4, 5, 6)),
    **{
        f"{kind}{n}d": (lambda m, kind=kind, n=n: getattr(m.nn, f"{kind}{n}d")(), (2, 4, 5, 4, 3)[: n + 2])
        for kind in ("LazyBatchNorm", "LazyInstanceNorm")
        for n in (1, 2, 3)
    },
    "norm without bias": (lambda m: m.nn.LazyBatchNorm2d(bias=False), (2, 4, 5, 4)),
}


@pytest.fixture(autouse=True)
def quiet():
    """PyTorch warns that lazy modules are a new thing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("make, shape", LAZY.values(), ids=LAZY)
def test_lazy_modules_become_those_of_torch(make, shape):
    x = draw(shape, "float32")
    ours, theirs = make(mg), make(torch)
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    kinds = [[type(t).__name__ for t in n.state_dict(keep_vars=True).values()] for n in (ours, theirs)]
    assert kinds[0] == kinds[1]
    ours(mg.from_numpy(x)), theirs(torch.from_numpy(x))
    assert repr(ours) == repr(theirs) and type(ours).__name__ == type(theirs).__name__
    ours.load_state_dict({name: mg.from_numpy(t.numpy().copy()) for name, t in theirs.state_dict().items()})
    same(ours(mg.from_numpy(x)), theirs(torch.from_numpy(x)), rtol=1e-4, atol=1e-5)


def test_lazy_parameters_are_drawn_as_usual():
    layer = mg.nn.LazyLinear(200)
    layer(mg.ones(1, 400))
    assert 0.99 < layer.weight.abs().max().item() * 20 <= 1


def a_loaded_lazy_module(m):
    layer, trained = m.nn.LazyLinear(3), m.nn.Linear(4, 3)
    trained.weight.data.fill_(0.5), trained.bias.data.fill_(1)
    layer.load_state_dict(trained.state_dict())
    before = repr(layer)
    return before, layer(m.ones(2, 4)), repr(layer), layer.weight


def a_lazy_network(m):
    net = m.nn.Sequential(m.nn.LazyConv2d(2, 3), m.nn.LazyBatchNorm2d(), m.nn.Flatten(), m.nn.LazyLinear(5))
    net.double()
    shape = tuple(net(m.ones(2, 1, 5, 5, dtype=m.float64)).shape)
    return shape, repr(net), str(net[0].weight.dtype).split(".")[-1], [tuple(p.shape) for p in net.parameters()]


def a_lazy_module_of_ones_own(m):
    class Scale(m.nn.modules.lazy.LazyModuleMixin if m is torch else m.nn.lazy.LazyModuleMixin, m.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = m.nn.UninitializedParameter()

        def initialize_parameters(self, x):
            self.scale.materialize(x.shape[-1:])
            m.nn.init.ones_(self.scale)

        def forward(self, x):
            return x * self.scale

    module = Scale()
    return module.has_uninitialized_params(), module(m.ones(2, 3)), module.has_uninitialized_params(), module.scale


def uninitialized_tensors(m):
    parameter, buffer = m.nn.UninitializedParameter(requires_grad=False), m.nn.UninitializedBuffer(dtype=m.float64)
    texts = repr(parameter), repr(buffer), parameter.requires_grad, m.nn.parameter.is_lazy(parameter)
    parameter.materialize((2,)), buffer.materialize((3,), dtype=m.float32)
    return *texts, tuple(parameter.shape), type(parameter).__name__, tuple(buffer.shape), parameter.requires_grad


# adaptive softmax ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"div_value": 2.0, "head_bias": True}])
def test_adaptive_softmax_agrees_with_torch(settings):
    ours, theirs = (m.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10, 15], **settings) for m in (mg, torch))
    assert repr(ours) == repr(theirs)
    ours.load_state_dict({name: mg.from_numpy(t.numpy().copy()) for name, t in theirs.state_dict().items()})
    x, target = draw((6, 16), "float32"), np.array([0, 4, 7, 19, 12, 5])
    results = []
    for layer, m in ((ours, mg), (theirs, torch)):
        leaf = m.from_numpy(x.copy()).requires_grad_()
        output, loss = layer(leaf, m.from_numpy(target))
        (loss + output.square().sum()).backward()
        alone = layer(leaf[0], m.from_numpy(target)[0])
        results.append(
            [
                output,
                loss,
                leaf.grad,
                *[p.grad for p in layer.parameters()],
                *alone,
                layer.log_prob(leaf),
                layer.predict(leaf * 9),
            ]
        )
    for a, b in zip(*results, strict=True):
        same(a, b, rtol=1e-4, atol=1e-5)


def data_parallel(m):
    model = m.nn.DataParallel(m.nn.Linear(3, 2))
    m.nn.init.ones_(model.module.weight), m.nn.init.zeros_(model.module.bias)
    return model(m.ones(4, 3)), list(model.state_dict()), repr(model), model.device_ids


@named(a_loaded_lazy_module, a_lazy_network, a_lazy_module_of_ones_own, uninitialized_tensors, data_parallel)
def test_same_as_torch(function):
    same_program(function)


def test_lazy_modules_are_copied_and_pickled():
    for layer in (copy.deepcopy(mg.nn.LazyLinear(3)), pickle.loads(pickle.dumps(mg.nn.LazyLinear(3)))):
        assert layer(mg.ones(2, 4)).shape == (2, 3) and repr(layer) == repr(mg.nn.Linear(4, 3))


ERRORS = {
    "the shape of what has none": lambda m: m.nn.LazyLinear(3).weight.shape,
    "input of another rank": lambda m: m.nn.LazyConv2d(3, 2)(m.ones(2, 3)),
    "channels that do not divide": lambda m: m.nn.LazyConv2d(4, 2, groups=2)(m.ones(1, 3, 4, 4)),
    "no cutoffs": lambda m: m.nn.AdaptiveLogSoftmaxWithLoss(16, 20, []),
    "cutoffs out of order": lambda m: m.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 3]),
    "cutoffs beyond the end": lambda m: m.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 20]),
    "class beyond the end": lambda m: m.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5])(m.ones(1, 16), m.tensor([20])),
    "sizes that differ": lambda m: m.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5])(m.ones(2, 16), m.tensor([2])),
    "several targets": lambda m: m.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5])(m.ones(2, 16), m.tensor([[2]])),
}


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_same_error_as_torch(make):
    same_error(make)


def test_what_is_uninitialized_cannot_be_computed_with():
    with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter"):
        mg.nn.LazyLinear(3).weight + 1
    with pytest.raises(RuntimeError, match="an uninitialized parameter or buffer"):
        mg.nn.Linear(4, 3).load_state_dict(mg.nn.LazyLinear(3).state_dict())

"""`nn.utils` against torch's: clipping, vectors of parameters, norms of weights, parametrisations, fusion."""

import copy
import pickle
import warnings

import pytest
from torch_oracle import draw, named, same_error, same_program, torch

import minigrad as mg


@pytest.fixture(autouse=True)
def quiet():
    """The older forms warn of being old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fill(module, m, seed=0):
    """Give a module drawn parameters and buffers, the same in both libraries."""
    for i, tensor in enumerate([*module.parameters(), *module.buffers()]):
        if tensor.is_floating_point():
            tensor.data = m.from_numpy(draw(tuple(tensor.shape), "float32", seed=seed + i, low=0.1, high=2.0))
    return module


def parameters_with_grads(m, scale=1.0):
    parameters = [m.nn.Parameter(m.zeros(*shape)) for shape in ((3,), (2, 2), (1,))]
    for i, p in enumerate(parameters[:2]):
        p.grad = m.from_numpy(scale * draw(tuple(p.shape), "float32", seed=i))
    return parameters


# gradients ----------------------------------------------------------------------------------------------------------


def clipped_norms(m):
    results = []
    for norm_type in (2, 1, 3.5, "inf", float("inf"), 0):
        for bound in (0.5, 100.0):
            parameters = parameters_with_grads(m)
            results.append(m.nn.utils.clip_grad_norm_(parameters, bound, norm_type, foreach=False))
            results += [p.grad for p in parameters[:2]]
    return results


def clipped_values(m):
    parameters = parameters_with_grads(m)
    m.nn.utils.clip_grad_value_(iter(parameters), 0.5)
    m.nn.utils.clip_grad_value_(parameters[0], 0.1)
    return [p.grad for p in parameters[:2]]


def one_parameter_and_none(m):
    utils, p = m.nn.utils, parameters_with_grads(m)[0]
    total = utils.clip_grad_norm_(p, 0.1)
    return total, p.grad, utils.clip_grad_norm_([], 1.0), utils.clip_grad_norm_([m.nn.Parameter(m.ones(1))], 1.0)


def norm_of_everything(m):
    parameters = parameters_with_grads(m)
    grads = [p.grad for p in parameters[:2]]
    total = m.nn.utils.get_total_norm(grads, norm_type=1.0)
    m.nn.utils.clip_grads_with_norm_(parameters, 0.5, total)
    return total, *grads, m.nn.utils.get_total_norm(grads[0])


def not_finite(m):
    parameters = parameters_with_grads(m, float("inf"))
    return m.nn.utils.clip_grad_norm_(parameters, 1.0), parameters[0].grad


def test_an_empty_generator_is_reported():
    with pytest.warns(UserWarning, match="`parameters` is an empty generator"):
        mg.nn.utils.clip_grad_norm_((p for p in ()), 1.0)


# vectors ------------------------------------------------------------------------------------------------------------


def vectors(m):
    net = fill(m.nn.Sequential(m.nn.Linear(2, 3), m.nn.Linear(3, 1)), m)
    vector = m.nn.utils.parameters_to_vector(net.parameters())
    m.nn.utils.vector_to_parameters(vector.detach() * 2, net.parameters())
    vector.sum().backward()
    return vector, *net.parameters(), net[0].bias.grad


# norms of weights ---------------------------------------------------------------------------------------------------


def _trained(net, m, shape):
    x = m.from_numpy(draw(shape, "float32"))
    results = []
    for _ in range(2):
        y = net(x)
        y.square().sum().backward()
        results += [y, *[p.grad for p in net.parameters()]]
        with m.no_grad():
            for p in net.parameters():
                p -= 1e-3 * p.grad
        net.zero_grad()
    net.eval()
    return *results, net(x), *net.state_dict().values()


def _weight_norm(form):
    def program(m):
        norm = form(m)
        net = m.nn.Sequential(fill(m.nn.Conv1d(2, 3, 2), m), m.nn.ReLU(), fill(m.nn.Linear(4, 2), m))
        norm(net[0])
        norm(net[2], dim=None)
        return list(net.state_dict()), repr(net), *_trained(net, m, (2, 2, 5))

    return program


def _spectral_norm(form):
    def program(m):
        norm = form(m)
        net = m.nn.Sequential(m.nn.Conv1d(2, 3, 2), m.nn.ReLU(), m.nn.ConvTranspose1d(3, 2, 2))
        norm(net[0])
        norm(net[2], n_power_iterations=2)
        fill(net, m)
        return list(net.state_dict()), repr(net), *_trained(net, m, (2, 2, 5))

    return program


older_weight_norm = _weight_norm(lambda m: m.nn.utils.weight_norm)
weight_norm = _weight_norm(lambda m: m.nn.utils.parametrizations.weight_norm)
older_spectral_norm = _spectral_norm(lambda m: m.nn.utils.spectral_norm)
spectral_norm = _spectral_norm(lambda m: m.nn.utils.parametrizations.spectral_norm)
for _name in ("older_weight_norm", "weight_norm", "older_spectral_norm", "spectral_norm"):
    globals()[_name].__name__ = _name


def norms_removed(m):
    utils, results = m.nn.utils, []
    for add, remove in (
        (utils.weight_norm, utils.remove_weight_norm),
        (utils.spectral_norm, utils.remove_spectral_norm),
        (utils.parametrizations.weight_norm, lambda net: utils.parametrize.remove_parametrizations(net, "weight")),
    ):
        net = fill(add(fill(m.nn.Linear(3, 2), m)), m, 5).eval()
        expected = net(m.ones(3))
        remove(net)
        results += [repr(net), list(net.state_dict()), bool((net(m.ones(3)) - expected).abs().max() < 1e-5), net.weight]
    return results


def older_states_load(m):
    older = fill(m.nn.utils.weight_norm(m.nn.Linear(3, 2)), m)
    newer = m.nn.utils.parametrizations.weight_norm(m.nn.Linear(3, 2))
    newer.load_state_dict(older.state_dict())
    return newer(m.ones(3)), older(m.ones(3))


# parametrisations ---------------------------------------------------------------------------------------------------


def _symmetric(m):
    class Symmetric(m.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, x):
            return x.triu()

    return Symmetric()


def _exponential(m):
    class Exponential(m.nn.Module):
        def forward(self, x):
            return x.exp()

    return Exponential()


def parametrised(m):
    register, layer = m.nn.utils.parametrize.register_parametrization, fill(m.nn.Linear(3, 3), m)
    register(layer, "weight", _symmetric(m))
    register(layer, "weight", _exponential(m))
    register(layer, "bias", _exponential(m))
    layer(m.ones(3)).sum().backward()
    parametrize = m.nn.utils.parametrize
    values = repr(layer), list(layer.state_dict()), layer.weight, layer.parametrizations.weight.original.grad
    flags = [parametrize.is_parametrized(layer, name) for name in ("weight", "bias", "other")]
    parametrize.remove_parametrizations(layer, "weight")
    parametrize.remove_parametrizations(layer, "bias", leave_parametrized=False)
    return *values, flags, repr(layer), layer.weight, layer.bias, parametrize.is_parametrized(layer)


def parametrised_buffers_and_assignment(m):
    module = m.nn.Module()
    module.register_buffer("table", m.from_numpy(draw((3, 3))))
    m.nn.utils.parametrize.register_parametrization(module, "table", _symmetric(m))
    before = module.table
    module.table = m.ones(3, 3, dtype=m.float64)
    with m.nn.utils.parametrize.cached():
        kept = module.table is module.table
    return before, module.table, module.parametrizations.table.original, kept, module.table is module.table


def copies_of_parametrised_modules(m):
    parametrize, layer = m.nn.utils.parametrize, fill(m.nn.Linear(3, 3), m)
    parametrize.register_parametrization(layer, "weight", _symmetric(m))
    other = copy.deepcopy(layer)
    third = parametrize.transfer_parametrizations_and_params(other, m.nn.Linear(3, 3))
    shared = third.parametrizations.weight.original is other.parametrizations.weight.original
    return repr(other), other.weight, shared, parametrize.type_before_parametrizations(other).__name__


def test_copies_of_a_parametrised_module_go_their_own_ways():
    parametrize, layer = mg.nn.utils.parametrize, fill(mg.nn.Linear(3, 3), mg)
    parametrize.register_parametrization(layer, "weight", _symmetric(mg))
    other = copy.deepcopy(layer)
    parametrize.remove_parametrizations(layer, "weight")  # in PyTorch this breaks the copy
    assert repr(layer) == "Linear(in_features=3, out_features=3, bias=True)"
    assert mg.equal(other.weight, layer.weight) and parametrize.is_parametrized(other, "weight")


def test_parametrised_modules_are_pickled_by_state_alone():
    layer = mg.nn.utils.parametrizations.weight_norm(mg.nn.Linear(3, 3))
    with pytest.raises(
        RuntimeError, match="Serialization of parametrized modules is only supported through state_dict"
    ):
        pickle.dumps(layer)


# fusion -------------------------------------------------------------------------------------------------------------


def fused(m):
    fusion, results = m.nn.utils, []
    for conv, bn, transpose in (
        (m.nn.Conv2d(2, 3, 2), m.nn.BatchNorm2d(3), False),
        (m.nn.Conv2d(2, 3, 2, bias=False), m.nn.BatchNorm2d(3, affine=False), False),
        (m.nn.ConvTranspose2d(2, 3, 2), m.nn.BatchNorm2d(3), True),
    ):
        fill(conv, m).eval(), fill(bn, m, 9).eval()
        x = m.from_numpy(draw((2, 2, 4, 4), "float32"))
        one = fusion.fuse_conv_bn_eval(conv, bn, transpose)
        results += [one(x), bool((one(x) - bn(conv(x))).abs().max() < 1e-3), one.weight, one.bias, repr(one)]
    linear, bn = fill(m.nn.Linear(2, 3), m).eval(), fill(m.nn.BatchNorm1d(3), m, 9).eval()
    return *results, fusion.fuse_linear_bn_eval(linear, bn)(m.ones(1, 2))


def skipped(m):
    layer = m.nn.utils.skip_init(m.nn.Linear, 3, 2, bias=False)
    return repr(layer), tuple(layer.weight.shape)


PROGRAMS = [
    clipped_norms,
    clipped_values,
    one_parameter_and_none,
    norm_of_everything,
    not_finite,
    vectors,
    fused,
    skipped,
]
NORMS = [older_weight_norm, weight_norm, older_spectral_norm, spectral_norm, norms_removed, older_states_load]
PARAMETRISATIONS = [parametrised, parametrised_buffers_and_assignment, copies_of_parametrised_modules]


@named(*PROGRAMS, *NORMS, *PARAMETRISATIONS)
def test_same_as_torch(function):
    same_program(function)


class _Broken:
    """Makers of parametrisations that cannot be."""

    @staticmethod
    def of(m, forward=None, inverse=None):
        module = m.nn.Module()
        module.forward = forward or (lambda x: x)
        if inverse is not None:
            module.right_inverse = inverse
        return module


def _register(m, forward=None, inverse=None, name="weight", times=1):
    layer = m.nn.Linear(2, 2)
    for _ in range(times):
        m.nn.utils.parametrize.register_parametrization(layer, name, _Broken.of(m, forward, inverse))
    return layer


ERRORS = {
    "norm that is not finite": lambda m: m.nn.utils.clip_grad_norm_(
        parameters_with_grads(m, float("nan")), 1.0, error_if_nonfinite=True
    ),
    "no vector": lambda m: m.nn.utils.vector_to_parameters([1.0], []),
    "weight norm twice": lambda m: m.nn.utils.weight_norm(m.nn.utils.weight_norm(m.nn.Linear(2, 2))),
    "spectral norm without steps": lambda m: m.nn.utils.spectral_norm(m.nn.Linear(2, 2), n_power_iterations=0),
    "spectral norm of nothing": lambda m: m.nn.utils.spectral_norm(m.nn.Linear(2, 2, bias=False), "bias"),
    "no weight norm": lambda m: m.nn.utils.remove_weight_norm(m.nn.Linear(2, 2)),
    "no spectral norm": lambda m: m.nn.utils.remove_spectral_norm(m.nn.Linear(2, 2)),
    "no such parameter": lambda m: _register(m, name="other"),
    "another shape": lambda m: _register(m, forward=lambda x: x[0]),
    "another dtype": lambda m: _register(m, forward=lambda x: x.double()),
    "no tensor": lambda m: _register(m, forward=lambda x: 3),
    "another shape, later": lambda m: m.nn.utils.parametrize.register_parametrization(
        _register(m), "weight", _Broken.of(m, lambda x: x[0])
    ),
    "an inverse that is no tensor": lambda m: _register(m, inverse=lambda x: 3),
    "no inverse": lambda m: setattr(_register(m), "weight", m.ones(2, 2)),
    "not parametrised": lambda m: m.nn.utils.parametrize.remove_parametrizations(m.nn.Linear(2, 2), "weight"),
    "several originals": lambda m: m.nn.utils.parametrize.remove_parametrizations(
        m.nn.utils.parametrizations.weight_norm(m.nn.Linear(2, 2)), "weight", leave_parametrized=False
    ),
    "spectral norm of no tensor": lambda m: m.nn.utils.parametrizations.spectral_norm(m.nn.Linear(2, 2), "other"),
    "spectral norm of no dimension": lambda m: m.nn.utils.parametrizations.spectral_norm(m.nn.Linear(2, 2), dim=5),
    "fusion in training": lambda m: m.nn.utils.fuse_conv_bn_eval(m.nn.Conv2d(1, 1, 1), m.nn.BatchNorm2d(1)),
    "initialisation of no module": lambda m: m.nn.utils.skip_init(int, 3),
    "initialisation without a device": lambda m: m.nn.utils.skip_init(m.nn.ReLU),
}


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_same_error_as_torch(make):
    same_error(make)


# modules as functions -----------------------------------------------------------------------------------------------


def called_with_other_weights(m):
    call = m.func.functional_call if m is not mg else m.nn.utils.stateless.functional_call
    net = m.nn.Sequential(fill(m.nn.Linear(2, 2), m), m.nn.BatchNorm1d(2), m.nn.Linear(2, 2))
    net[2].weight = net[0].weight
    weight = m.from_numpy(draw((2, 2), "float32", seed=9)).requires_grad_()
    fill(net[2], m)
    x = m.from_numpy(draw((4, 2), "float32"))
    y = call(net, {"0.weight": weight}, (x,))
    y.square().sum().backward()
    apart = call(net, ({"0.weight": weight}, {"2.weight": weight * 2}), x, {}, tie_weights=False)
    untied = call(net, {"0.weight": weight}, x, tie_weights=False)
    return y, weight.grad, apart, untied, net[0].weight, net[0].weight is net[2].weight, net[0].weight.grad is None


def test_functional_calls_as_in_torch():
    same_program(called_with_other_weights)
    for m in (mg, torch):
        call = m.func.functional_call if m is not mg else m.nn.utils.stateless.functional_call
        assert (
            call(m.nn.Linear(2, 2), {"other": m.ones(1), "weight": m.zeros(2, 2), "bias": m.ones(2)}, m.ones(2)).sum()
            == 2
        )
        with pytest.raises(RuntimeError, match=r"in reparametrizing for Linear:\n\tUnexpected key.*\n\tMissing"):
            call(m.nn.Linear(2, 2), {"weight": m.ones(2, 2), "a": m.ones(1)}, m.ones(2), strict=True)
        net = m.nn.Sequential(m.nn.Linear(2, 2), m.nn.Linear(2, 2))
        net[1].weight = net[0].weight
        with pytest.raises(ValueError, match="functional_call got multiple values for keys"):
            call(net, {"0.weight": m.ones(2, 2), "1.weight": m.zeros(2, 2)}, m.ones(2))

"""Recurrent layers and packed sequences against torch's: text, state, results, gradients and errors."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from torch_oracle import array_of, draw, named, same, same_error, same_program, torch

import minigrad as mg

KINDS = {
    "RNN": {},
    "RNN relu": {"nonlinearity": "relu"},
    "GRU": {},
    "LSTM": {},
    "LSTM projected": {"proj_size": 2},
}
FORMS = [
    {"num_layers": layers, "bidirectional": both, "batch_first": first, "bias": bias}
    for layers, both, first, bias in itertools.product((1, 2), (False, True), (False, True), (True, False))
]
LENGTHS = [2, 5, 1, 4]


def twins(kind, **form):
    """The layer of both libraries with the same weights."""
    settings = {**KINDS[kind], **form}
    theirs = getattr(torch.nn, kind.split()[0])(3, 4, **settings)
    ours = getattr(mg.nn, kind.split()[0])(3, 4, **settings)
    ours.load_state_dict({name: mg.from_numpy(t.numpy().copy()) for name, t in theirs.state_dict().items()})
    return ours, theirs


def flat(result):
    """The tensors in nested tuples, packed sequences among them."""
    return [result] if hasattr(result, "backward") else [x for part in result if part is not None for x in flat(part)]


def step(layer, m, x, wrap=lambda m, x: x, states=None):
    """Results, gradients of the input, the states and the weights."""
    x = m.from_numpy(x.copy()).requires_grad_()
    states = None if states is None else [m.from_numpy(s.copy()).requires_grad_() for s in states]
    hx = () if states is None else (states[0] if len(states) == 1 else tuple(states),)
    results = flat(layer(wrap(m, x), *hx))
    cotangents = [m.from_numpy(draw(tuple(y.shape), "float32", seed=7)) for y in results if y.requires_grad]
    sum((y * c).sum() for y, c in zip([y for y in results if y.requires_grad], cotangents)).backward()
    grads = [p.grad for p in layer.parameters()]
    layer.zero_grad()
    return [*results, x.grad, *[s.grad for s in states or ()], *grads]


def equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        same(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_agree_with_torch(kind):
    for form in FORMS:
        ours, theirs = twins(kind, **form)
        assert repr(ours) == repr(theirs)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for shape in ((5, 2, 3), (5, 3)):
            x = draw(shape, "float32")
            equal(step(ours, mg, x), step(theirs, torch, x))


@pytest.mark.parametrize("kind", KINDS)
def test_given_states_agree_with_torch(kind):
    ours, theirs = twins(kind, num_layers=2, bidirectional=True)
    widths = [2 if "projected" in kind else 4, 4][: 2 if "LSTM" in kind else 1]
    for batch in ((2,), ()):
        x, states = draw((5, *batch, 3), "float32"), [draw((4, *batch, w), "float32", seed=w) for w in widths]
        equal(step(ours, mg, x, states=states), step(theirs, torch, x, states=states))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "given states"])
def test_packed_sequences_agree_with_torch(kind, given):
    ours, theirs = twins(kind, num_layers=2, bidirectional=True)
    widths = [2 if "projected" in kind else 4, 4][: 2 if "LSTM" in kind else 1]
    states = [draw((4, 4, w), "float32", seed=w) for w in widths] if given else None
    x = draw((5, 4, 3), "float32")

    def pack(m, x):
        return m.nn.utils.rnn.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)

    equal(step(ours, mg, x, pack, states), step(theirs, torch, x, pack, states))


def test_packing_saves_the_padding():
    layer, x = mg.nn.LSTM(3, 4), mg.from_numpy(draw((5, 4, 3), "float32"))
    rnn = mg.nn.utils.rnn
    packed = rnn.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    output, lengths = rnn.pad_packed_sequence(layer(packed)[0])
    assert lengths.tolist() == LENGTHS
    for sample, length in enumerate(LENGTHS):
        alone, _ = layer(x[:length, sample])
        same(output[:length, sample], alone.detach().numpy(), rtol=1e-5, atol=1e-6)
        assert not output[length:, sample].any()


def test_second_derivatives_of_a_layer():
    def program(m):
        layer = m.nn.LSTM(3, 4, bidirectional=True).double()
        for i, p in enumerate(layer.parameters()):
            p.data = m.from_numpy(draw(tuple(p.shape), seed=i))
        x = m.from_numpy(draw((4, 2, 3))).requires_grad_()
        (dx,) = m.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
        dx.square().sum().backward()
        return [x.grad, *[p.grad for p in layer.parameters()]]

    same_program(program)


def test_dropout_stands_between_layers_in_training_only():
    layer, x = mg.nn.GRU(3, 50, num_layers=2, dropout=0.5), mg.ones(4, 2, 3)
    assert not mg.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert mg.equal(layer(x)[0], layer(x)[0])
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        mg.nn.GRU(3, 4, dropout=0.5)


def test_layers_are_copied_pickled_and_converted():
    layer, x = mg.nn.LSTM(3, 4, bidirectional=True), mg.ones(2, 1, 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert mg.equal(other(x)[0], layer(x)[0])
        assert other.weight_ih_l0 is not layer.weight_ih_l0
    layer.weight_hh_l0 = mg.nn.Parameter(mg.zeros(16, 4))
    assert layer.all_weights[0][1] is layer.weight_hh_l0
    assert layer.double()(x.double())[0].dtype == mg.float64
    assert layer.flatten_parameters() is None


def test_weights_are_drawn_from_the_bounds_of_torch():
    weights = np.concatenate([array_of(p).reshape(-1) for p in mg.nn.LSTM(30, 100).parameters()])
    assert 0.099 < np.abs(weights).max() <= 0.1 and abs(weights.mean()) < 1e-3


# sequences ----------------------------------------------------------------------------------------------------------


def sequences(m, rest=()):
    return [m.from_numpy(draw((length, *rest), seed=i)) for i, length in enumerate((2, 4, 1))]


def padded(m):
    rnn, a, b = m.nn.utils.rnn, sequences(m), sequences(m, (2,))
    left = rnn.pad_sequence(a, batch_first=True, padding_value=-1.0, padding_side="left")
    return rnn.pad_sequence(a), rnn.pad_sequence(b, batch_first=True), left, rnn.pad_sequence(b[:1])


def packed(m):
    rnn = m.nn.utils.rnn
    sequence = rnn.pack_sequence(sequences(m, (2,)), enforce_sorted=False)
    return tuple(sequence)


def packed_in_order(m):
    rnn = m.nn.utils.rnn
    x = m.from_numpy(draw((3, 4, 2)))
    sequence = rnn.pack_padded_sequence(x, m.tensor([4, 2, 2]), batch_first=True)
    return sequence.data, sequence.batch_sizes, str(sequence.sorted_indices), str(sequence.unsorted_indices)


def there_and_back(m):
    rnn = m.nn.utils.rnn
    sequence = rnn.pack_sequence(sequences(m, (2,)), enforce_sorted=False)
    wide, lengths = rnn.pad_packed_sequence(sequence, batch_first=True, padding_value=9.0, total_length=6)
    return (*rnn.unpack_sequence(sequence), *rnn.unpad_sequence(wide, lengths, batch_first=True), wide, lengths)


def gradients_of_packing(m):
    rnn, x = m.nn.utils.rnn, m.from_numpy(draw((5, 4, 3))).requires_grad_()
    sequence = rnn.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    y, _ = rnn.pad_packed_sequence(sequence)
    (sequence.data.square().sum() + y.pow(3).sum()).backward()
    return x.grad


def converted(m):
    sequence = m.nn.utils.rnn.pack_sequence(sequences(m), enforce_sorted=False).float()
    return sequence.data, sequence.sorted_indices, sequence.to(m.float32) is sequence


@named(padded, packed, packed_in_order, there_and_back, gradients_of_packing, converted)
def test_same_as_torch(function):
    same_program(function)


# errors -------------------------------------------------------------------------------------------------------------

ERRORS = {
    "unsorted lengths": lambda m: m.nn.utils.rnn.pack_padded_sequence(m.ones(4, 2, 3), [2, 3]),
    "empty sample": lambda m: m.nn.utils.rnn.pack_padded_sequence(m.ones(4, 2, 3), [2, 0]),
    "too few lengths": lambda m: m.nn.utils.rnn.pack_padded_sequence(m.ones(4, 2, 3), [2]),
    "nothing to pack": lambda m: m.nn.utils.rnn.pack_padded_sequence(m.ones(4, 0, 3), []),
    "nothing to pad": lambda m: m.nn.utils.rnn.pad_sequence([]),
    "no sequence": lambda m: m.nn.utils.rnn.pad_sequence(3),
    "unknown side": lambda m: m.nn.utils.rnn.pad_sequence([m.ones(2)], padding_side="x"),
    "too short a total": lambda m: m.nn.utils.rnn.pad_packed_sequence(
        m.nn.utils.rnn.pack_sequence([m.ones(3)]), total_length=2
    ),
    "wide projection": lambda m: m.nn.LSTM(3, 4, proj_size=5),
    "negative projection": lambda m: m.nn.LSTM(3, 4, proj_size=-1),
    "projection of a GRU": lambda m: m.nn.GRU(3, 4, proj_size=2),
    "no width": lambda m: m.nn.GRU(3, 0),
    "no layers": lambda m: m.nn.GRU(3, 4, num_layers=0),
    "width of a wrong type": lambda m: m.nn.GRU(3, 4.0),
    "bias of a wrong type": lambda m: m.nn.GRU(3, 4, bias=1),
    "absurd dropout": lambda m: m.nn.GRU(3, 4, dropout=2),
    "unknown nonlinearity": lambda m: m.nn.RNN(3, 4, nonlinearity="x"),
    "input of four dimensions": lambda m: m.nn.GRU(3, 4)(m.ones(1, 1, 1, 3)),
    "input of four dimensions, RNN": lambda m: m.nn.RNN(3, 4)(m.ones(1, 1, 1, 3)),
    "input of another width": lambda m: m.nn.LSTM(3, 4)(m.ones(5, 2, 4)),
    "input of another dtype": lambda m: m.nn.RNN(3, 4)(m.ones(5, 2, 3, dtype=m.float64)),
    "state of another width": lambda m: m.nn.GRU(3, 4)(m.ones(5, 2, 3), m.ones(1, 2, 3)),
    "state of another batch": lambda m: m.nn.GRU(3, 4)(
        m.nn.utils.rnn.pack_padded_sequence(m.ones(4, 2, 3), [4, 2]), m.zeros(1, 3, 4)
    ),
    "state of a batch": lambda m: m.nn.GRU(3, 4)(m.ones(5, 3), m.ones(1, 2, 4)),
    "state of no batch": lambda m: m.nn.GRU(3, 4)(m.ones(5, 2, 3), m.ones(1, 4)),
    "states of a batch": lambda m: m.nn.LSTM(3, 4)(m.ones(5, 3), (m.ones(1, 2, 4), m.ones(1, 2, 4))),
    "states of no batch": lambda m: m.nn.LSTM(3, 4)(m.ones(5, 2, 3), (m.ones(1, 4), m.ones(1, 4))),
    "cell state of another width": lambda m: m.nn.LSTM(3, 4)(m.ones(5, 2, 3), (m.ones(1, 2, 4), m.ones(1, 2, 3))),
}


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_same_error_as_torch(make):
    same_error(make)

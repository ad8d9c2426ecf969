"""Attention of many heads and Transformers against torch's: text, state, results, gradients and errors."""

import copy
import itertools
import warnings

import numpy as np
import pytest
from torch_oracle import draw, named, same, same_error, same_program, torch

import minigrad as mg

HIDDEN = np.array([[False, False, False, True, True], [False] * 5, [False, True, True, True, True]])


@pytest.fixture(autouse=True)
def quiet():
    """PyTorch warns of nested tensors it will not use and of masks of two kinds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def pair(make):
    """The module of both libraries with the same drawn weights."""
    ours, theirs = make(mg), make(torch)
    for i, p in enumerate(theirs.parameters()):
        p.data = torch.from_numpy(draw(tuple(p.shape), "float32", seed=i, low=-0.5, high=0.5))
    ours.load_state_dict({name: mg.from_numpy(t.numpy().copy()) for name, t in theirs.state_dict().items()})
    assert repr(ours) == repr(theirs)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    return ours, theirs


def step(module, m, inputs, **settings):
    """Results, gradients of the inputs and of the parameters."""
    inputs = [m.from_numpy(x.copy()).requires_grad_() for x in inputs]
    settings = {n: m.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for n, v in settings.items()}
    results = module(*inputs, **settings)
    results = [y for y in (results if isinstance(results, tuple) else (results,)) if y is not None]
    sum((y * m.from_numpy(draw(tuple(y.shape), "float32", seed=7))).sum() for y in results).backward()
    grads = [p.grad for p in module.parameters()]
    module.zero_grad()
    return [*results, *[x.grad for x in inputs], *grads]


def agree(ours, theirs, inputs, **settings):
    for a, b in zip(step(ours, mg, inputs, **settings), step(theirs, torch, inputs, **settings), strict=True):
        if b is not None:
            same(a, b, rtol=1e-4, atol=2e-5)


ATTENTIONS = {
    "plain": {},
    "without bias": {"bias": False},
    "batch first": {"batch_first": True},
    "added keys": {"add_bias_kv": True, "add_zero_attn": True},
    "widths of their own": {"kdim": 5, "vdim": 6, "batch_first": True},
}


@pytest.mark.parametrize("settings", ATTENTIONS.values(), ids=ATTENTIONS)
def test_attention_agrees_with_torch(settings):
    ours, theirs = pair(lambda m: m.nn.MultiheadAttention(8, 2, **settings))
    first = settings.get("batch_first")
    widths = 8, settings.get("kdim", 8), settings.get("vdim", 8)
    lengths = 4, 5, 5
    shapes = [(3, n, w) if first else (n, 3, w) for n, w in zip(lengths, widths)]
    inputs = [draw(shape, "float32", seed=i) for i, shape in enumerate(shapes)]
    masks = {"attn_mask": draw((4, 5), "float32"), "key_padding_mask": HIDDEN}
    for chosen in ({}, {"attn_mask": np.triu(np.ones((4, 5), bool), 2)}, {"key_padding_mask": HIDDEN}, masks):
        for weights in ({}, {"need_weights": False}, {"average_attn_weights": False}):
            agree(ours, theirs, inputs, **chosen, **weights)
    agree(ours, theirs, inputs, attn_mask=draw((6, 4, 5), "float32"))
    agree(ours, theirs, [x[0] if first else x[:, 0] for x in inputs])


def test_self_attention_and_a_causal_hint():
    def program(m):
        module = m.nn.MultiheadAttention(8, 2, batch_first=True)
        for i, p in enumerate(module.parameters()):
            p.data = m.from_numpy(draw(tuple(p.shape), "float32", seed=i))
        x = m.from_numpy(draw((2, 4, 8), "float32"))
        mask = m.nn.Transformer.generate_square_subsequent_mask(4)
        return module(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)[0]

    same_program(program)


LAYERS = [
    {"norm_first": norm, "batch_first": first, "activation": activation, "bias": bias}
    for (norm, first, bias), activation in zip(
        itertools.product((False, True), repeat=3), itertools.cycle(["relu", "gelu"])
    )
]


@pytest.mark.parametrize("settings", LAYERS, ids=str)
def test_transformer_layers_agree_with_torch(settings):
    shape = (3, 5, 8) if settings["batch_first"] else (5, 3, 8)
    x, memory = draw(shape, "float32"), draw(shape, "float32", seed=1)
    causal = np.triu(np.full((5, 5), -np.inf, "float32"), 1)

    def make(kind):
        return lambda m: getattr(m.nn, kind)(8, 2, 12, dropout=0.0, **settings)

    ours, theirs = pair(make("TransformerEncoderLayer"))
    agree(ours, theirs, [x])
    agree(ours, theirs, [x], src_mask=causal, src_key_padding_mask=HIDDEN)
    agree(ours, theirs, [x[0]], is_causal=True, src_mask=causal[: len(x[0]), : len(x[0])])
    ours, theirs = pair(make("TransformerDecoderLayer"))
    agree(ours, theirs, [x, memory])
    agree(ours, theirs, [x, memory], tgt_mask=causal, memory_key_padding_mask=HIDDEN, tgt_is_causal=True)


def test_activations_may_be_functions_and_modules():
    for activation in ("silu", "relu"):
        x = draw((5, 3, 8), "float32")
        agree(
            *pair(lambda m, a=activation: m.nn.TransformerEncoderLayer(8, 2, 12, 0.0, getattr(m.nn.functional, a))), [x]
        )
    agree(*pair(lambda m: m.nn.TransformerEncoderLayer(8, 2, 12, 0.0, m.nn.GELU())), [x])


@pytest.mark.parametrize("first", [False, True])
def test_whole_transformers_agree_with_torch(first):
    ours, theirs = pair(lambda m: m.nn.Transformer(8, 2, 2, 2, 12, 0.0, batch_first=first))
    src, tgt = [draw((3, n, 8) if first else (n, 3, 8), "float32", seed=n) for n in (5, 4)]
    mask = np.triu(np.full((4, 4), -np.inf, "float32"), 1)
    agree(ours, theirs, [src, tgt])
    agree(ours, theirs, [src, tgt], tgt_mask=mask, src_key_padding_mask=HIDDEN, memory_key_padding_mask=HIDDEN)
    agree(ours, theirs, [src, tgt], tgt_mask=mask, tgt_is_causal=True, memory_mask=draw((4, 5), "float32"))
    agree(ours, theirs, [src[0] if first else src[:, 0], tgt[0] if first else tgt[:, 0]])


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("norm", [False, True])
def test_padding_in_evaluation_is_what_torch_makes_of_it(nested, norm):
    def make(m):
        layer = m.nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        return m.nn.TransformerEncoder(layer, 2, m.nn.LayerNorm(8) if norm else None, enable_nested_tensor=nested)

    ours, theirs = pair(make)
    ours.eval(), theirs.eval()
    x = draw((3, 5, 8), "float32")
    for padding in (HIDDEN, HIDDEN[:, ::-1].copy()):
        with mg.no_grad(), torch.no_grad():
            ys = [
                f(m.from_numpy(x), src_key_padding_mask=m.from_numpy(padding)) for f, m in ((ours, mg), (theirs, torch))
            ]
        same(*ys, rtol=1e-4, atol=2e-5)


def causal_masks(m):
    encoder = m.nn.TransformerEncoder(m.nn.TransformerEncoderLayer(8, 2, 12, 0.0), 1)
    for i, p in enumerate(encoder.parameters()):
        p.data = m.from_numpy(draw(tuple(p.shape), "float32", seed=i, low=-0.5, high=0.5))
    x = m.from_numpy(draw((4, 2, 8), "float32"))
    causal = m.nn.Transformer.generate_square_subsequent_mask(4)
    return encoder(x, causal), encoder(x, causal != 0), encoder(x, causal, is_causal=True), encoder(x, causal.T)


def masks_of_futures(m):
    make = m.nn.Transformer.generate_square_subsequent_mask
    return make(3), make(2, dtype=m.float64)


def drawn_weights(m):
    attention = m.nn.MultiheadAttention(400, 4, add_bias_kv=True)
    bound = attention.in_proj_weight.abs().max().item() / (6 / 1600) ** 0.5
    return 0.99 < bound <= 1, attention.in_proj_bias.any().item(), attention.out_proj.bias.any().item()


@named(causal_masks, masks_of_futures, drawn_weights)
def test_same_as_torch(function):
    same_program(function)


def test_layers_of_a_stack_are_copies():
    layer = mg.nn.TransformerEncoderLayer(8, 2, 12)
    stack = mg.nn.TransformerEncoder(layer, 2)
    assert stack.layers[0].linear1.weight is not layer.linear1.weight
    assert mg.equal(copy.deepcopy(stack).layers[1].linear1.weight, layer.linear1.weight)


def test_dropout_of_attention_is_for_training():
    x, attention = mg.ones(3, 2, 8), mg.nn.MultiheadAttention(8, 2, dropout=0.5)
    assert not mg.equal(attention(x, x, x)[1], attention(x, x, x)[1])
    attention.eval()
    same(attention(x, x, x)[1], np.full((2, 3, 3), 1 / 3, "float32"))


def x(m, *shape):
    return m.ones(*(shape or (4, 2, 8)))


ERRORS = {
    "no heads": lambda m: m.nn.MultiheadAttention(8, 0),
    "heads that do not divide": lambda m: m.nn.MultiheadAttention(8, 3),
    "query of another width": lambda m: m.nn.MultiheadAttention(8, 2)(x(m, 4, 2, 6), x(m), x(m)),
    "key of another length": lambda m: m.nn.MultiheadAttention(8, 2)(x(m), x(m), x(m, 5, 2, 8)),
    "mask of another shape": lambda m: m.nn.MultiheadAttention(8, 2)(x(m), x(m), x(m), attn_mask=x(m, 3, 3)),
    "padding of another shape": lambda m: m.nn.MultiheadAttention(8, 2)(x(m), x(m), x(m), key_padding_mask=x(m, 2, 3)),
    "padding of a wrong dtype": lambda m: m.nn.MultiheadAttention(8, 2)(
        x(m), x(m), x(m), key_padding_mask=m.ones(2, 4, dtype=m.int64)
    ),
    "query of four dimensions": lambda m: m.nn.MultiheadAttention(8, 2)(x(m, 1, 4, 2, 8), x(m), x(m)),
    "unknown activation": lambda m: m.nn.TransformerEncoderLayer(8, 2, activation="selu"),
    "causal hint without a mask": lambda m: m.nn.TransformerEncoderLayer(8, 2)(x(m), is_causal=True),
    "batches that differ": lambda m: m.nn.Transformer(8, 2, 1, 1, 4)(x(m), x(m, 4, 3, 8)),
    "width that differs": lambda m: m.nn.Transformer(8, 2, 1, 1, 4)(x(m), x(m, 4, 2, 6)),
}


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_same_error_as_torch(make):
    same_error(make)

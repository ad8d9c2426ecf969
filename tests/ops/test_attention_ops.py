"""Attention: PyTorch is the oracle."""

import itertools

import numpy as np
import pytest
from torch_oracle import agree, draw, same_error, tensor

import minigrad as mg

INF = np.inf


def attend(**settings):
    return lambda m, q, k, v: m.nn.functional.scaled_dot_product_attention(q, k, v, **settings)


def masked(mask):
    return lambda m, q, k, v: m.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=tensor(m, mask))


SHAPES = [((4, 3), (5, 3), (5, 2)), ((2, 4, 3), (2, 5, 3), (2, 5, 2)), ((2, 3, 4, 2), (2, 3, 5, 2), (2, 3, 5, 2))]


@pytest.mark.parametrize("shapes", [*SHAPES, ((2, 4, 3), (5, 3), (5, 2)), ((2, 4, 3), (1, 5, 3), (2, 5, 2))], ids=str)
def test_attention_agrees_with_torch(shapes):
    xs = [draw(shape, seed=i) for i, shape in enumerate(shapes)]
    for settings in ({}, {"scale": 0.3}, {"scale": -1.0}, {"is_causal": True}):
        agree(attend(**settings), *xs, order=2 if len(shapes[0]) < 4 else 1)  # torch's fused kernel has no second
    for mask in (np.tri(4, 5) > 0, draw((4, 5), seed=7), np.array([[True], [False], [True], [True]])):
        agree(masked(mask), *xs, order=1)
    agree(attend(), *[x.astype("float32") for x in xs], order=1)


def test_a_query_without_keys_gives_nothing():
    q, k, v = (draw(shape, seed=i) for i, shape in enumerate(SHAPES[0]))
    mask = np.ones((4, 5), bool)
    mask[2] = False
    agree(masked(mask), q, k, v)
    agree(masked(np.where(mask, 0.0, -INF)), q, k, v)


def test_attention_to_a_mask_with_a_gradient():
    q, k, v = (draw(shape, seed=i) for i, shape in enumerate(SHAPES[1]))
    agree(
        lambda m, q, k, v, b: m.nn.functional.scaled_dot_product_attention(q, k, v, b), q, k, v, draw((4, 5)), order=1
    )


@pytest.mark.parametrize("heads", [(4, 2, 2), (4, 1, 4), (6, 3, 2)], ids=str)
def test_groups_of_queries_share_heads(heads):
    xs = [draw((2, h, 3, 2), seed=i) for i, h in enumerate(heads)]
    agree(attend(enable_gqa=True), *xs, order=1)
    agree(attend(enable_gqa=True), *[x[0] for x in xs], order=1)


@pytest.mark.parametrize("shapes", [((2, 0), (4, 0), (4, 2)), ((2, 3), (0, 3), (0, 2)), ((0, 3), (4, 3), (4, 2))])
def test_attention_of_nothing(shapes):
    agree(attend(), *[np.zeros(shape) for shape in shapes], order=1)


def test_dropout_drops_weights():
    mg.manual_seed(0)
    q, k = mg.zeros(1, 50, 2), mg.zeros(1, 40, 2)
    y = mg.nn.functional.scaled_dot_product_attention(q, k, mg.ones(1, 40, 1), dropout_p=0.5)
    assert 0.8 < y.mean().item() < 1.2
    assert y.var().item() > 1e-4
    assert not mg.nn.functional.scaled_dot_product_attention(q, k, mg.ones(1, 40, 1), dropout_p=1.0).numpy().any()


# multi-head ---------------------------------------------------------------------------------------------------------

LENGTH, SOURCE, WIDTH, HEADS = 3, 4, 4, 2


def multi_head(kind, batch, bias=False, zero=False, mask=None, padding=False, static=False, in_bias=True, **settings):
    """(fn, arrays) of a call: `kind` says which of query, key and value are one tensor."""
    source = LENGTH if kind == "self" else SOURCE
    lead = lambda n: (n, batch) if batch else (n,)  # noqa: E731
    rows = max(batch, 1) * HEADS
    shapes = {"query": (*lead(LENGTH), WIDTH)}
    if kind != "self":
        shapes["key"] = (*lead(source), 3 if kind == "apart" else WIDTH)
    if kind in ("three", "apart"):
        shapes["value"] = (*lead(source), 2 if kind == "apart" else WIDTH)
    if kind == "apart":
        shapes |= {"q_proj_weight": (WIDTH, WIDTH), "k_proj_weight": (WIDTH, 3), "v_proj_weight": (WIDTH, 2)}
    else:
        shapes["in_proj_weight"] = (3 * WIDTH, WIDTH)
    shapes |= {"in_proj_bias": (3 * WIDTH,)} if in_bias else {}
    shapes |= {"bias_k": (1, 1, WIDTH), "bias_v": (1, 1, WIDTH)} if bias else {}
    shapes |= {"static_k": (rows, source, 2), "static_v": (rows, source, 2)} if static else {}
    shapes |= {"out_proj_weight": (3, WIDTH), "out_proj_bias": (3,)}
    rng = np.random.default_rng(5)
    masks = {
        None: None,
        "bool": rng.random((LENGTH, source)) < 0.3,
        "float": rng.standard_normal((LENGTH, source)),
        "heads": rng.random((rows, LENGTH, source)) < 0.3,
    }
    ignored = np.arange(source) == 1

    def fn(m, *xs):
        given = dict(zip(shapes, xs))
        given.setdefault("key", given["query"])
        given.setdefault("value", given["key"])
        for name in ("in_proj_weight", "in_proj_bias", "bias_k", "bias_v"):
            given.setdefault(name, None)
        if masks[mask] is not None:
            given["attn_mask"] = tensor(m, masks[mask])
        if padding:
            given["key_padding_mask"] = tensor(m, np.tile(ignored, (batch, 1)) if batch else ignored)
        return m.nn.functional.multi_head_attention_forward(
            embed_dim_to_check=WIDTH, num_heads=HEADS, add_zero_attn=zero, dropout_p=0.5, training=False,
            use_separate_proj_weight=kind == "apart", **given, **settings,
        )[: 1 + settings.get("need_weights", True)]  # fmt: skip

    return fn, [draw(shape, seed=i) for i, shape in enumerate(shapes.values())]


CALLS = [
    *[{"kind": kind, "batch": batch} for kind, batch in itertools.product(["self", "kv", "three", "apart"], [0, 2])],
    {"kind": "kv", "batch": 2, "bias": True, "zero": True, "mask": "bool", "padding": True},
    {"kind": "self", "batch": 0, "bias": True, "mask": "heads", "average_attn_weights": False},
    {"kind": "three", "batch": 2, "mask": "float", "need_weights": False},
    {"kind": "three", "batch": 2, "zero": True, "padding": True, "need_weights": False, "in_bias": False},
    {"kind": "apart", "batch": 2, "mask": "heads", "in_bias": False},
    {"kind": "kv", "batch": 2, "static": True, "need_weights": False},
    {"kind": "self", "batch": 2, "mask": "bool", "is_causal": True},
]


@pytest.mark.parametrize("settings", CALLS, ids=str)
@pytest.mark.filterwarnings("ignore:Support for mismatched")
def test_multi_head_attention_agrees_with_torch(settings):
    fn, xs = multi_head(**settings)
    agree(fn, *xs, order=1, rtol=1e-8, atol=1e-9)


def test_the_causal_hint_replaces_the_mask():
    fn, xs = multi_head("self", 2, mask="bool", need_weights=False, is_causal=True)
    agree(fn, *xs, order=1)


def broken(**changes):
    """A call of multi_head_attention_forward that is valid but for the changes, which name shapes or values."""

    def run(m):
        given = {
            "query": (3, 2, 4), "key": (4, 2, 4), "value": (4, 2, 4), "embed_dim_to_check": 4, "num_heads": 2,
            "in_proj_weight": (12, 4), "in_proj_bias": (12,), "bias_k": None, "bias_v": None, "add_zero_attn": False,
            "dropout_p": 0.0, "out_proj_weight": (4, 4), "out_proj_bias": (4,),
        } | changes  # fmt: skip
        m.nn.functional.multi_head_attention_forward(
            **{name: m.ones(v) if isinstance(v, tuple) else v for name, v in given.items()}
        )

    return run


def plain(*shapes, **settings):
    return lambda m: m.nn.functional.scaled_dot_product_attention(
        *[m.ones(s) for s in shapes], **{n: m.ones(v) if isinstance(v, tuple) else v for n, v in settings.items()}
    )


APART = {"use_separate_proj_weight": True, "q_proj_weight": (4, 4), "k_proj_weight": (4, 4), "v_proj_weight": (4, 4)}
MISUSE = {
    "vectors": plain((3,), (3,), (3,)),
    "widths": plain((2, 3), (4, 2), (4, 5)),
    "lengths": plain((2, 3), (4, 3), (5, 5)),
    "two masks": plain((2, 3), (4, 3), (4, 5), attn_mask=(2, 4), is_causal=True),
    "mask sizes": plain((2, 3), (4, 3), (4, 5), attn_mask=(3, 4)),
    "mask of more dimensions": plain((3, 2, 3), (4, 3), (4, 2), attn_mask=(5, 1, 2, 4)),
    "dropout": plain((2, 3), (4, 3), (4, 5), dropout_p=1.5),
    "heads": plain((1, 4, 2, 3), (1, 3, 5, 3), (1, 3, 5, 3), enable_gqa=True),
    "dtypes": lambda m: m.nn.functional.scaled_dot_product_attention(m.ones(2, 3).double(), m.ones(4, 3), m.ones(4, 3)),
    "mask dtype": lambda m: m.nn.functional.scaled_dot_product_attention(
        m.ones(2, 3), m.ones(4, 3), m.ones(4, 3), m.ones(2, 4).double()
    ),
    "query": broken(query=(3,)),
    "key": broken(key=(4, 4)),
    "unbatched key": broken(query=(3, 4)),
    "padding": broken(key_padding_mask=(4,)),
    "padding sizes": broken(key_padding_mask=(2, 3)),
    "padding batch": broken(key_padding_mask=(3, 4)),
    "mask": broken(attn_mask=(4,)),
    "2-D mask": broken(attn_mask=(3, 3)),
    "3-D mask": broken(attn_mask=(2, 3, 4)),
    "unbatched mask": broken(query=(3, 4), key=(4, 4), value=(4, 4), attn_mask=(1, 3, 4)),
    "embed_dim": broken(embed_dim_to_check=5),
    "num_heads": broken(num_heads=3),
    "values": broken(value=(5, 2, 4)),
    "no weight": broken(in_proj_weight=None),
    "bias_k alone": broken(bias_k=(1, 1, 4)),
    "bias_v alone": broken(bias_v=(1, 1, 4)),
    "causal": broken(is_causal=True),
    "static rows": broken(static_k=(3, 4, 2)),
    "static width": broken(static_v=(4, 4, 3)),
    "static and bias": broken(static_k=(4, 4, 2), bias_k=(1, 1, 4), bias_v=(1, 1, 4)),
    "apart without q": broken(**APART | {"q_proj_weight": None}),
    "apart with a wrong k": broken(**APART | {"k_proj_weight": (4, 3)}),
    "apart of other lengths": broken(**APART, value=(5, 2, 4)),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_errors_are_those_of_torch(misuse):
    same_error(misuse)

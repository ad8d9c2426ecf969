"""Embeddings, attention and recurrent networks."""

from gradient_cases import Index, X, case

import minigrad as mg
from minigrad.nn import functional as F

OFFSETS = mg.tensor([0, 2, 2])


def attend(x, memory, in_weight, in_bias, bias_k, bias_v, out_weight, **settings):
    """Multi-head attention with every part that has a gradient."""
    y, weights = F.multi_head_attention_forward(
        x, memory, memory, 2, 2, in_weight, in_bias, bias_k, bias_v, True, 0.0, out_weight, None, **settings
    )
    return y if weights is None else (y, weights)


def attention_arguments(projections):
    """What `attend` takes, of one query and two keys; gradients of the projections or of all else."""
    shapes = (1, 1, 2), (2, 1, 2), (6, 2), (6,), (1, 1, 2), (1, 1, 2), (1, 2)
    return [X(shape, diff=(i in (2, 3, 6)) == projections) for i, shape in enumerate(shapes)]


def network(name, layers=1, bidirectional=False, sizes=None):
    """A network on a batch, or on packed sequences of the given sizes."""

    def run(x, hidden, *rest):
        states, params = ((hidden, rest[0]), rest[1:]) if name == "lstm" else (hidden, rest)
        function = getattr(mg, name)
        settings = (layers, 0.0, True, bidirectional)
        if sizes is not None:
            return function(x, mg.tensor(sizes), states, list(params), len(params) % 4 == 0, *settings)
        return function(x, states, list(params), True, *settings, False)

    return run


def weights(gates, inputs, width, diff=True):
    """A layer's parameters; without `diff` only the one for the hidden state is differentiated."""
    rows = gates * width
    return X((rows, inputs), diff=diff), X((rows, width)), X((rows,), diff=diff), X((rows,), diff=diff)


CASES = [
    case("embedding", lambda w, i: F.embedding(i, w), X((4, "b")), Index(("a", 2), 4), linear=True),
    case("embedding", lambda w, i: F.embedding(i.reshape(-1), w), X((3, 2)), Index(("a",), 3), linear=True),
    case("embedding_bag", lambda w, i: F.embedding_bag(i, w), X((4, 2)), Index(("a", 3), 4), linear=True),
    case(
        "embedding_bag",
        lambda w, s, i: F.embedding_bag(i, w, OFFSETS, mode="sum", per_sample_weights=s, padding_idx=1),
        X((4, 2)),
        X((5,)),
        Index((5,), 4),
    ),
    case(
        "embedding_bag",
        lambda w, i: F.embedding_bag(i, w, OFFSETS, mode="max", padding_idx=0),
        X((4, 2), distinct=True),
        Index((5,), 4),
    ),
    case(
        "scaled_dot_product_attention", F.scaled_dot_product_attention, X((2, "a", 3)), X((2, "b", 3)), X((2, "b", 2))
    ),
    case(
        "scaled_dot_product_attention",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3, enable_gqa=True),
        X((2, 2, 1)),
        X((1, 2, 1)),
        X((1, 2, 1)),
    ),
    case(
        "scaled_dot_product_attention",
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m),
        X((2, 1)),
        X((3, 1)),
        X((3, 1)),
        X((2, 3)),
    ),
    case("multi_head_attention_forward", attend, *attention_arguments(False)),
    case(
        "multi_head_attention_forward",
        lambda *xs: attend(*xs, need_weights=False),
        *attention_arguments(True),
        second=False,
    ),
    case("rnn_tanh_cell", mg.rnn_tanh_cell, X((1, 2)), X((1, 2)), *weights(1, 2, 2)),
    case(
        "rnn_relu_cell", mg.rnn_relu_cell, X((1, 1), 0.5), X((1, 1), 0.5), *[X(w.shape, 0.5) for w in weights(1, 1, 1)]
    ),
    case("gru_cell", mg.gru_cell, X((2, 1)), X((2, 1)), *weights(3, 1, 1)),
    case("lstm_cell", lambda x, h, c, *w: mg.lstm_cell(x, (h, c), *w), *[X((2, 1))] * 3, *weights(4, 1, 1)),
    case("rnn_tanh", network("rnn_tanh"), X((2, 2, 1)), X((1, 2, 1)), *weights(1, 1, 1)),
    case("rnn_relu", network("rnn_relu"), *[X((1, 1, 1), 0.5)] * 2, *[X(w.shape, 0.5) for w in weights(1, 1, 1)]),
    # cells stand for the second derivatives; test_recurrent_ops compares those of whole networks with PyTorch's
    case("gru", network("gru", 2), *[X((2, 1, 1))] * 2, *[*weights(3, 1, 1, False)] * 2, second=False),
    case("gru", network("gru", 1, True, [2, 1]), X((3, 1)), X((2, 2, 1)), *[*weights(3, 1, 1)] * 2, second=False),
    case("lstm", network("lstm", 1, True), *[X((2, 1, 1))] * 3, *[*weights(4, 1, 1)] * 2, second=False),
    case(
        "lstm with projection",
        network("lstm", sizes=[2, 1]),
        X((3, 1)),
        X((1, 2, 1)),
        X((1, 2, 2)),
        X((8, 1), diff=False),
        X((8, 1), diff=False),
        X((1, 2)),
    ),
]

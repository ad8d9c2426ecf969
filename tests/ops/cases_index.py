"""Index: picking, placing and ordering elements."""

from gradient_cases import Index, Mask, X, case

import minigrad as mg

AB = X(("a", "b"))
ROWS = Index(("k",), "a")
AROUND = Index(("n", "k"), "a")
DISTINCT = X(("a", 5), distinct=True)


def written(x, v, i):
    y = x * 1.0
    y[i] = v
    return y


def written_through_a_view(x, v):
    y = x * 1.0
    y.t()[1:].mul_(v)
    return y * y


def strided_write(x, v):
    y = x.contiguous() * 1.0
    y.as_strided((2, 2), (3, 1)).copy_(v)
    return y * y


CASES = [
    case("x[index]", lambda x, i: x[i], AB, ROWS, linear=True),
    case("x[:, index]", lambda x, i: x[:, i], AB, Index(("n", "k"), "b"), linear=True),
    case(
        "x[i, :, j]",
        lambda x, i, j: x[i, :, j],
        X(("a", "k", "b")),
        Index(("n", 1), "a"),
        Index((2,), "b"),
        linear=True,
    ),
    case(
        "x[:, i, j]",
        lambda x, i, j: x[:, i, j],
        X(("k", "a", "b")),
        Index(("n", 1), "a"),
        Index((2,), "b"),
        linear=True,
    ),
    case("x[mask]", lambda x, m: x[m], AB, Mask(("a", "b")), linear=True),
    case("x[mask, i]", lambda x, i: x[mg.tensor([True, False, True]), i], X((3, "b")), Index((1,), "b"), linear=True),
    case("x[i] = v", written, AB, X((1, "b")), Index((1,), "a")),
    case("x[mask] = v", written, AB, X(()), Mask(("a", "b"))),
    case("write through a view", written_through_a_view, X((3, 4)), X((3, 1))),
    case("write by strides", strided_write, X((2, 3)), X((2, 2))),
    case("index_put", lambda x, v, i: x.index_put((i,), v, accumulate=True), AB, X(("k", "b")), ROWS),
    case("gather", lambda x, i: x.gather(0, i), X(("a", 4)), AROUND, linear=True),
    case("scatter", lambda x, v, i: x.scatter(1, i, v), X(("n", 4)), X(("n", 2)), Index(("n", 1), 4)),
    case("scatter of a number", lambda x, i: x.scatter(0, i, 2.0), X(("a", 4)), AROUND),
    case("scatter_add", lambda x, v, i: x.scatter_add(0, i, v), X(("a", 4)), X((4, 4)), AROUND),
    case(
        "scatter_reduce", lambda x, v, i: x.scatter_reduce(0, i, v, "prod"), X(("a", 4), 0.5), X(("n", 4), 0.5), AROUND
    ),
    *[
        case(
            "scatter_reduce",
            lambda x, v, i, how=how, own=own: x.scatter_reduce(0, i, v, how, include_self=own),
            X(("a", 4), distinct=True),
            X(("n", 4), -1.9, 2.1, distinct=True),
            AROUND,
        )
        for how in ("mean", "amax", "amin", "prod")
        for own in (True, False)
    ],
    case("index_select", lambda x, i: x.index_select(0, i), AB, ROWS, linear=True),
    case("index_add", lambda x, v, i: x.index_add(0, i, v, alpha=-2), AB, X(("k", "b")), ROWS),
    case("index_copy", lambda x, v, i: x.index_copy(0, i, v), AB, X((1, "b")), Index((1,), "a")),
    case("index_fill", lambda x, v, i: x.index_fill(0, i, v), AB, X(()), ROWS),
    case("masked_fill", lambda x, v, m: x.masked_fill(m, v), AB, X(()), Mask(("b",))),
    case("masked_select", lambda x, m: x.masked_select(m), AB, Mask(("b",)), linear=True),
    case("masked_scatter", lambda x, v, m: x.masked_scatter(m, v), AB, X(("a", "b")), Mask(("a", 1))),
    case("take", lambda x: x.take(mg.tensor([[0, -1], [0, 1]])), X((2, "b")), linear=True),
    case("put", lambda x, v: x.put(mg.tensor([0, -1]), v), X((2, "b")), X((2,))),
    case("put", lambda x, v: x.put(mg.tensor([0, 0]), v, accumulate=True), AB, X((2,))),
    case("take_along_dim", lambda x, i: x.take_along_dim(i, 1), X((3, "b")), Index((1, 2), "b"), linear=True),
    case("sort", lambda x: x.sort(1, descending=True).values, DISTINCT, linear=False),
    case("msort", lambda x: x.msort(), DISTINCT),
    case("topk", lambda x: x.topk(2, 1, largest=False).values, DISTINCT),
]

"""Shape: the same elements elsewhere, several times, or only some of them."""

from gradient_cases import X, case

import minigrad as mg

ABC = X(("a", "b", "k"))
SQUARE = X((3, 4))


def mesh(x, y):
    return mg.meshgrid(x, y, indexing="xy")


CASES = [
    case(name, fn, x, linear=True)
    for name, x, fn in (
        ("reshape", ABC, lambda x: x.reshape(-1)),
        ("flatten", ABC, lambda x: x.flatten(1)),
        ("permute", ABC, lambda x: x.permute(2, 0, 1)),
        ("movedim", ABC, lambda x: x.movedim((0, 1), (2, 0))),
        ("mT", ABC, lambda x: x.mT),
        ("squeeze", X((1, "a", 1)), lambda x: x.squeeze((0, 2))),
        ("unsqueeze", ABC, lambda x: x.unsqueeze(1)),
        ("expand", X(("a", 1)), lambda x: x.expand(2, -1, 3)),
        ("repeat", ABC, lambda x: x.repeat(2, 1, 3, 2)),
        ("tile", ABC, lambda x: x.tile((2,))),
        ("repeat_interleave", X((3, "a")), lambda x: x.repeat_interleave(mg.tensor([2, 0, 1]), 0)),
        ("flip", ABC, lambda x: x.flip(0, 2)),
        ("roll", ABC, lambda x: x.roll((1, -2), (0, 2))),
        ("roll", ABC, lambda x: x.roll(2)),
        ("rot90", ABC, lambda x: x.rot90(1, (0, 2))),
        ("rot90", ABC, lambda x: x.rot90(-1, (1, 2))),
        ("unfold", X(("a", 6)), lambda x: x.unfold(1, 3, 2)),
        ("unfold", X((5, "a")), lambda x: x.unfold(0, 2, 1)),
        ("diagonal", X(("a", 3, 4)), lambda x: x.diagonal(1, 1, 2)),
        ("diag", X((4,)), lambda x: x.diag(-1)),
        ("diag", SQUARE, lambda x: x.diag(1)),
        ("diag_embed", ABC, lambda x: x.diag_embed(1, 0, 2)),
        ("diagflat", SQUARE, lambda x: x.diagflat()),
        ("tril", X(("a", 3, 4)), lambda x: x.tril(1)),
        ("triu", X(("a", 3, 4)), lambda x: x.triu(-1)),
        ("as_strided", SQUARE, lambda x: x.contiguous().as_strided((3, 2, 2), (2, 1, 3), 1)),
        ("as_strided", X((3, 1)), lambda x: x.contiguous().expand(3, 4).as_strided((2, 2), (1, 1))),
        ("narrow", ABC, lambda x: x.narrow(2, 1, 1)),
        ("select", ABC, lambda x: x.select(2, -1)),
        ("getitem", ABC, lambda x: x[..., None, ::2]),
        ("tensor_split", X((5, "a")), lambda x: mg.cat(x.tensor_split(3)[1:])),
        ("atleast_3d", X((4,)), lambda x: mg.atleast_3d(x)),
        ("view of the same dtype", ABC, lambda x: x.contiguous().view(-1)),
    )
] + [
    case("cat", lambda x, y: mg.cat([x, y, x], 1), X(("a", "b")), X(("a", "k"))),
    case("stack", lambda x, y: mg.stack([x, y], 1), X(("a", "b")), X(("a", "b"))),
    case("dstack", lambda x, y: mg.dstack([x, y]), X(("a", "b")), X(("a", "b"))),
    case("column_stack", lambda x, y: mg.column_stack([x, y]), X(("a",)), X(("a", "b"))),
    case("block_diag", lambda x, y: mg.block_diag(x, y), X(("a", "b")), X(("k",))),
    case("meshgrid", mesh, X(("a",)), X(("b",))),
    case("cartesian_prod", lambda x, y: mg.cartesian_prod(x, y), X(("a",)), X(("b",))),
    case("broadcast_tensors", lambda x, y: mg.broadcast_tensors(x, y), X(("a", 1)), X(("b",))),
    case("select_scatter", lambda x, v: x.select_scatter(v, 1, -1), X(("a", "b")), X(("a",))),
    case("slice_scatter", lambda x, v: x.slice_scatter(v, 1, 1, 5, 2), X(("a", 5)), X(("a", 2))),
    case("diagonal_scatter", lambda x, v: x.diagonal_scatter(v, -1), X((3, 4)), X((2,))),
    case(
        "as_strided_scatter",
        lambda x, v: x.contiguous().as_strided_scatter(v, (2, 2), (1, 2), 1),
        X((2, 4)),
        X((2, 2)),
    ),
]

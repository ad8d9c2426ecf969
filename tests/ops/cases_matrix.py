"""Matrix products, contractions, linear algebra."""

import numpy as np
from gradient_cases import X, case

import minigrad as mg
from minigrad import linalg
from minigrad.nn import functional as F

N = X(("n", "k"))
SQUARE = X(("n", 3, 3))
EYE = mg.from_numpy(4.0 * np.eye(3))
APART = mg.from_numpy(np.array([[3.0, 0.0], [0.0, 1.5], [0.0, 0.0]]))  # its singular values stay apart


def first_pair(U, S, Vh):
    """What a decomposition says whatever signs its vectors have."""
    return U[:, :1] @ Vh[:1], S


def first_projection(w, V):
    """What a decomposition says whatever signs its vectors have."""
    return w, V[:, :1] @ V[:, :1].mT


def einsum(equation, *shapes):
    """A case of one equation."""
    return case(f"einsum {equation}", lambda *x: mg.einsum(equation, *x), *[X(shape) for shape in shapes], linear=True)


CASES = [
    case("matmul", mg.matmul, X(("a", 1, 2, "k")), X(("n", "k", 2)), linear=True),
    case("matmul", mg.matmul, X(("k",)), X(("a", "k", 2)), linear=True),
    case("mm", mg.mm, N, X(("k", "b")), linear=True),
    case("bmm", mg.bmm, X(("n", 2, "k")), X(("n", "k", 2)), linear=True),
    case("mv", mg.mv, N, X(("k",)), linear=True),
    case("dot", mg.dot, X(("k",)), X(("k",)), linear=True),
    case("vdot", mg.vdot, X(("k",)), X(("k",)), linear=True),
    case("inner", mg.inner, X(("a", 2, "k")), X(("b", "k")), linear=True),
    case("outer", mg.outer, X(("a",)), X(("b",)), linear=True),
    case("addmm", lambda x, a, b: mg.addmm(x, a, b, beta=0.5, alpha=2), X(("b",)), N, X(("k", "b"))),
    case("addmm", lambda x, a, b: mg.addmm(x, a, b, beta=0), X(("n", 2)), N, X(("k", 2))),
    case("addmv", lambda x, a, b: mg.addmv(x, a, b, alpha=3), X(("n",)), N, X(("k",))),
    case("addbmm", lambda x, a, b: mg.addbmm(x, a, b, beta=2), X((2, 3)), X(("n", 2, "k")), X(("n", "k", 3))),
    case("baddbmm", mg.baddbmm, X((1, 3)), X(("n", 2, "k")), X(("n", "k", 3))),
    case("addr", mg.addr, X(("a", "b")), X(("a",)), X(("b",))),
    case("linear", F.linear, X(("n", 2, "k")), X(("b", "k")), X(("b",))),
    case("linear", F.linear, X(("k",)), X(("b", "k")), X((1,))),
    case("bilinear", F.bilinear, X(("n", "a")), X(("n", "b")), X((2, "a", "b")), X((2,))),
    einsum("ij,jk", ("a", "k"), ("k", "b")),
    einsum("bi,bi->b", ("a", "k"), ("a", "k")),
    einsum("ii->", (3, 3)),
    einsum("iji->ji", (2, 3, 2)),
    einsum("...ij,...jk->...ik", ("a", 1, 2, "k"), ("n", "k", 2)),
    einsum("ab,bc,cd,a->d", (2, 3), (3, "k"), ("k", 2), (2,)),
    einsum("ij,jk->ik", (2, 1), (3, 2)),
    einsum("i,j->ji", ("a",), ("b",)),
    case("tensordot", lambda x, y: mg.tensordot(x, y, ([0, 2], [1, 0])), X((2, "a", "k")), X(("k", 2)), linear=True),
    case("multi_dot", lambda *x: linalg.multi_dot(x), X(("k",)), X(("k", 3)), X((3, "a")), X(("a", 2))),
    case("chain_matmul", mg.chain_matmul, X((2, "k")), X(("k", 3)), X((3, 1))),
    case("kron", mg.kron, X(("a", 2)), X(("b",)), linear=True),
    case("cross", mg.cross, X(("n", 3)), X(("n", 3)), linear=True),
    case("renorm", lambda x: mg.renorm(x, 2, 0, 1.0), X((3, "n"))),
    case("linalg.cross", linalg.cross, X((1, 3)), X(("n", 3)), linear=True),
    case("vecdot", linalg.vecdot, X(("a", "k")), X(("k",)), linear=True),
    case("matrix_exp", lambda x: mg.matrix_exp(x), SQUARE),
    case("matrix_power", lambda x: mg.matrix_power(x, 3), SQUARE),
    case("matrix_power", lambda x: mg.matrix_power(x + EYE, -2), SQUARE),
    case("inv", lambda x: linalg.inv(x + EYE), SQUARE),
    case("solve", lambda x, b: linalg.solve(x + EYE, b), SQUARE, X((3, 2))),
    case("solve", lambda x, b: linalg.solve(x + EYE, b, left=False), X((3, 3)), X(("n", 2, 3))),
    case("det", lambda x: linalg.det(x + EYE), SQUARE),
    case("slogdet", lambda x: linalg.slogdet(x - 2 * EYE).logabsdet, SQUARE),
    case("cholesky", lambda x: linalg.cholesky(x @ x.mT + EYE), SQUARE),
    case("qr", lambda x: linalg.qr(x + mg.eye(4, 3) * 3), X((4, 3))),
    case("qr", lambda x: linalg.qr(x + 3 * mg.eye(2, 4)), X((2, 4))),
    case("svd", lambda x: first_pair(*linalg.svd(x + APART, full_matrices=False)), X((3, 2), -0.3, 0.3)),
    case("svdvals", lambda x: linalg.svdvals((x + APART).mT), X((3, 2), -0.3, 0.3)),
    case("eigh", lambda x: first_projection(*linalg.eigh(x + x.mT + APART @ APART.mT)), X((3, 3), -0.2, 0.2)),
]

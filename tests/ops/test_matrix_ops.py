"""Matrix products, contractions and linear algebra against PyTorch: every form, dtype, empty size and error."""

import numpy as np
import pytest
from torch_oracle import agree, draw, same_error, torch

import minigrad as mg

PRODUCTS = {
    "mv": (lambda m, x, y: m.mv(x, y), (3, 4), (4,)),
    "vdot": (lambda m, x, y: x.vdot(y), (3,), (3,)),
    "inner": (lambda m, x, y: m.inner(x, y), (2, 3, 4), (5, 4)),
    "inner of a number": (lambda m, x, y: m.inner(x, y), (), (5, 4)),
    "outer": (lambda m, x, y: m.outer(x, y), (3,), (4,)),
    "ger": (lambda m, x, y: x.ger(y), (3,), (0,)),
    "addmm": (lambda m, x, a, b: m.addmm(x, a, b, beta=0.5, alpha=2), (2,), (3, 4), (4, 2)),
    "addmm of nothing": (lambda m, x, a, b: m.addmm(x, a, b), (3, 2), (3, 0), (0, 2)),
    "addmv": (lambda m, x, a, b: x.addmv(a, b, beta=2), (), (3, 4), (4,)),
    "addbmm": (lambda m, x, a, b: x.addbmm(a, b), (3, 2), (5, 3, 4), (5, 4, 2)),
    "baddbmm": (lambda m, x, a, b: m.baddbmm(x, a, b, alpha=-1), (1, 2), (5, 3, 4), (5, 4, 2)),
    "addr": (lambda m, x, a, b: m.addr(x, a, b, beta=3), (1, 2), (3,), (2,)),
    "linear with a bias of one element": (lambda m, x, w, b: m.nn.functional.linear(x, w, b), (2, 3), (4, 3), (1,)),
    "linear with a vector": (lambda m, x, w: m.nn.functional.linear(x, w), (2, 3), (3,)),
    "bilinear": (lambda m, *x: m.nn.functional.bilinear(*x), (2, 1, 3), (2, 1, 4), (5, 3, 4), (5,)),
    "tensordot": (lambda m, x, y: m.tensordot(x, y), (2, 3, 4), (3, 4, 5)),
    "tensordot over lists": (lambda m, x, y: m.tensordot(x, y, dims=([0, -1], [1, 0])), (2, 3, 4), (4, 2)),
    "tensordot over nothing": (lambda m, x, y: m.tensordot(x, y, 0), (2,), (3,)),
    "tensordot over a size that broadcasts": (lambda m, x, y: m.tensordot(x, y, 1), (2, 1), (3, 2)),
    "multi_dot": (lambda m, *x: m.linalg.multi_dot(x), (4,), (4, 3), (3, 6), (6, 2), (2,)),
    "multi_dot of two": (lambda m, *x: m.linalg.multi_dot(x), (4, 3), (3, 6)),
    "multi_dot of nothing": (lambda m, *x: m.linalg.multi_dot(x), (4, 3), (3, 0), (0, 2)),
    "chain_matmul": (lambda m, *x: m.chain_matmul(*x), (4, 3), (3, 6), (6, 1)),
    "kron": (lambda m, x, y: m.kron(x, y), (2, 3), (4, 1, 2)),
    "kron of a number": (lambda m, x, y: x.kron(y), (), (2, 2)),
    "cross": (lambda m, x, y: m.cross(x, y), (3, 3), (3, 3)),
    "cross along a dimension": (lambda m, x, y: x.cross(y, dim=-1), (2, 3), (1, 3)),
    "linalg.cross": (lambda m, x, y: m.linalg.cross(x, y), (3, 3), (3, 3)),
    "vecdot": (lambda m, x, y: m.linalg.vecdot(x, y, dim=0), (3, 2), (3, 1)),
    "matrix_power": (lambda m, x: m.matrix_power(x, 5), (2, 3, 3)),
    "matrix_exp": (lambda m, x: m.matrix_exp(x), (2, 3, 3)),
    "matrix_exp of large numbers": (lambda m, x: m.linalg.matrix_exp(5 * x) / 100, (3, 3)),
    "matrix_exp of zeros": (lambda m, x: m.matrix_exp(x * 0), (2, 2)),
    "matrix_power 0": (lambda m, x: x.matrix_power(0), (2, 3, 3)),
    "matrix_power -2": (lambda m, x: m.linalg.matrix_power(x, -2), (3, 3)),
}
EINSUMS = {
    "ij->ji": [(2, 3)],
    "ii": [(3, 3)],
    "ii->i": [(3, 3)],
    "ijij->ji": [(2, 3, 2, 3)],
    "ij->": [(2, 3)],
    "i,i": [(3,), (3,)],
    "i,j": [(3,), (2,)],
    "ij,ij->ij": [(2, 3), (2, 3)],
    "bi,bi->b": [(2, 3), (2, 3)],
    "ij,jk": [(2, 3), (3, 4)],
    "ji,kj->ik": [(3, 2), (4, 3)],
    " b i j , b j k -> b i k ": [(2, 3, 4), (2, 4, 5)],
    "bij,jk->kb": [(2, 3, 4), (4, 5)],
    "...ij,...jk->...ik": [(5, 1, 2, 3), (4, 3, 2)],
    "...ij,jk": [(5, 2, 3), (3, 2)],
    "...i->...": [(2, 3)],
    "i...->i": [(2, 3, 2)],
    "...": [(2, 3)],
    "i...,i...->...": [(2, 3), (2, 1)],
    "aB,Bc": [(2, 3), (3, 4)],
    "ij,jk,kl,l->i": [(2, 3), (3, 4), (4, 2), (2,)],
    "bn,anm,bm->ba": [(2, 3), (5, 3, 4), (2, 4)],
    "ij,jk->ik": [(2, 1), (3, 4)],
    "ij,kl,ij->k": [(2, 3), (4, 5), (2, 3)],
    "ij,jk->k": [(2, 0), (0, 4)],
    "iij,jk->ik": [(2, 2, 3), (3, 1)],
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_and_both_derivatives_agree_with_torch(name):
    fn, *shapes = PRODUCTS[name]
    agree(fn, *[draw(shape, seed=i) for i, shape in enumerate(shapes)])
    agree(fn, *[draw(shape, "float32", seed=i) for i, shape in enumerate(shapes)], order=1)


FLOATING = ("vecdot", "matrix_exp", "matrix_exp of zeros", "matrix_exp of large numbers", "matrix_power -2")


@pytest.mark.parametrize("name", [name for name in PRODUCTS if name not in FLOATING])
def test_products_of_integers_agree_with_torch(name):
    fn, *shapes = PRODUCTS[name]
    for dtype in ("int64", "int32", "uint8"):
        agree(fn, *[draw(shape, seed=i, low=0, high=5).astype(dtype) for i, shape in enumerate(shapes)])


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_odd_layouts_agree_with_torch(name):
    fn, *shapes = PRODUCTS[name]
    arrays = [draw(shape, seed=i) for i, shape in enumerate(shapes)]
    agree(fn, *[np.asfortranarray(x) if x.ndim else x for x in arrays], order=1)
    agree(fn, *[np.repeat(x, 2, axis=-1)[..., ::-2] if x.ndim else x for x in arrays], order=1)


@pytest.mark.parametrize("equation", EINSUMS)
def test_einsum_agrees_with_torch(equation):
    arrays = [draw(shape, seed=i) for i, shape in enumerate(EINSUMS[equation])]
    agree(lambda m, *x: m.einsum(equation, *x), *arrays)
    agree(lambda m, *x: m.einsum(equation, list(x)), *[x.round().astype("int64") for x in arrays])


def test_einsum_with_sublists_agrees_with_torch():
    agree(lambda m, x, y: m.einsum(x, [0, 51], y, [51, 2], [2, 0]), draw((2, 3)), draw((3, 4)))
    agree(lambda m, x, y: m.einsum(x, [0, 27], y, [27, 2]), draw((2, 3)), draw((3, 4)))
    agree(lambda m, x: m.einsum(x, [..., 1], [1, ...]), draw((2, 3, 4)))


def test_a_chain_of_matrices_is_multiplied_in_the_cheapest_order():
    wide, column = mg.ones(1, 200_000), mg.ones(200_000, 1)
    assert mg.linalg.multi_dot([column.t(), column, wide]).shape == (1, 200_000)  # the other order needs 160 GB
    assert mg.einsum("ij,jk,kl->il", column.t(), column, wide).shape == (1, 200_000)
    assert mg.linalg.multi_dot([wide, column, wide, column]).item() == 4e10


def test_a_factor_of_zero_silences_nan():
    x = np.full((2, 2), np.nan)
    for fn in (
        lambda m, x, y: m.addmm(x, y, y, beta=0),
        lambda m, x, y: m.addmv(x[0], y, y[0], beta=0),
        lambda m, x, y: m.addr(x, y[0], y[0], beta=0),
        lambda m, x, y: m.baddbmm(x, y[None], y[None], beta=0),
        lambda m, x, y: m.addbmm(x, y[None], y[None], beta=0),
    ):
        agree(fn, x, draw((2, 2)), order=1)


def test_products_in_place():
    agree(lambda m, x, y: (x * 1).addmm_(x, y, beta=2), draw((2, 2)), draw((2, 2)))
    agree(lambda m, x, y: (y[0] * 1).addmv_(x, y[1]), draw((2, 2)), draw((2, 2)))
    agree(lambda m, x, y: (x * 1).addr_(x[0], y[1]), draw((2, 2)), draw((2, 2)))
    agree(lambda m, x, y: (x * 1).addbmm_(y, y), draw((2, 2)), draw((3, 2, 2)))
    agree(lambda m, x, y: (y * 1).baddbmm_(y, y), draw((2, 2)), draw((3, 2, 2)))


def test_the_gradient_of_a_sum_of_a_product_needs_no_copy_of_the_ones():
    x = mg.ones(3, 4, requires_grad=True)
    (dx,) = mg.autograd.grad((x @ mg.ones(4, 5)).sum(), x)
    assert (dx.numpy() == 5).all()
    y = x @ mg.ones(4, 5)
    seed = mg.ones(()).expand(3, 5)
    assert seed.stride() == (0, 0)
    assert (mg.autograd.grad(y, x, seed)[0].numpy() == 5).all()


# linear algebra ------------------------------------------------------------------------------------------------------

SOLVERS = {
    "inv": lambda m, x: m.linalg.inv(x),
    "inverse": lambda m, x: m.inverse(x),
    "det": lambda m, x: x.det(),
    "slogdet": lambda m, x: m.slogdet(x),
    "solve": lambda m, x: m.linalg.solve(x, x.sum(-1)),
    "solve from the right": lambda m, x: m.linalg.solve(x, x[..., :1, :] * 2, left=False),
    "cholesky": lambda m, x: m.linalg.cholesky(x @ x.mT + m.eye(3, dtype=x.dtype), upper=True),
    "svdvals": lambda m, x: m.linalg.svdvals(x),
    "svd": lambda m, x: [y.abs() for y in m.linalg.svd(x[..., :2])],
    "qr": lambda m, x: [y.abs() for y in m.linalg.qr(x[..., :2])],
    "qr r": lambda m, x: [y.abs() for y in m.linalg.qr(x.detach(), mode="r")],
    "qr of wide matrices": lambda m, x: [y.abs() for y in m.linalg.qr(x[..., :2, :])],
    "eigh": lambda m, x: [y.abs() for y in m.linalg.eigh(x + x.mT)],
    "eigvalsh": lambda m, x: m.linalg.eigvalsh(x, UPLO="U"),
}


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (0, 3, 3)])
@pytest.mark.parametrize("name", SOLVERS)
def test_linear_algebra_agrees_with_torch(name, shape):
    agree(SOLVERS[name], draw(shape, seed=4) + 2 * np.eye(3), rtol=1e-7, atol=1e-8)
    agree(SOLVERS[name], (draw(shape, seed=4) + 2 * np.eye(3)).astype("float32"), order=0, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_gradient_of_a_determinant_is_exact_for_singular_matrices(rank):
    x = np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]) * (rank > 0) + np.diag([0.0, 1.0, 0.0]) * (rank > 1)
    agree(lambda m, x: m.linalg.det(x), x, order=1)


ERRORS = {
    "mm of different dtypes": lambda m: m.mm(m.ones(2, 2), m.ones(2, 2, dtype=m.float64)),
    "mm of bools": lambda m: m.mm(m.ones(2, 2) > 0, m.ones(2, 2) > 0),
    "mm with a vector": lambda m: m.mm(m.ones(2, 2), m.ones(2)),
    "bmm of different dtypes": lambda m: m.bmm(m.ones(2, 2, 2), m.ones(2, 2, 2, dtype=m.float64)),
    "bmm of sizes that do not fit": lambda m: m.bmm(m.ones(2, 2, 3), m.ones(2, 2, 3)),
    "mv of a matrix": lambda m: m.mv(m.ones(2, 2), m.ones(2, 2)),
    "mv of sizes that do not fit": lambda m: m.mv(m.ones(2, 3), m.ones(2)),
    "mv of different dtypes": lambda m: m.mv(m.ones(2, 2), m.ones(2, dtype=m.float64)),
    "dot of different dtypes": lambda m: m.dot(m.ones(2), m.ones(2, dtype=m.float64)),
    "dot of bools": lambda m: m.dot(m.ones(2) > 0, m.ones(2) > 0),
    "dot of a matrix": lambda m: m.dot(m.ones(2, 2), m.ones(2)),
    "inner of sizes that do not fit": lambda m: m.inner(m.ones(2, 2), m.ones(3, 3)),
    "inner of different dtypes": lambda m: m.inner(m.ones(2), m.ones(2, dtype=m.float64)),
    "outer of a matrix": lambda m: m.outer(m.ones(2, 2), m.ones(2)),
    "batches that do not fit": lambda m: m.ones(3, 2, 2) @ m.ones(2, 2, 2),
    "batches of sizes that do not fit": lambda m: m.ones(3, 2, 2) @ m.ones(3, 3, 2),
    "a batch and a vector": lambda m: m.ones(4, 2, 3) @ m.ones(2),
    "a vector and a batch": lambda m: m.ones(2) @ m.ones(4, 3, 2),
    "a matrix and a Python number": lambda m: m.ones(2, 2) @ 3,
    "addmm of a batch": lambda m: m.addmm(m.ones(2, 2), m.ones(1, 2, 3), m.ones(3, 2)),
    "addmm of different dtypes": lambda m: m.addmm(m.ones(2, 2, dtype=m.float64), m.ones(2, 3), m.ones(3, 2)),
    "addmm to another size": (lambda m: m.addmm(m.ones(3, 3), m.ones(2, 3), m.ones(3, 2)), "The expanded size of the"),
    "addmv to another size": lambda m: m.addmv(m.ones(3), m.ones(2, 3), m.ones(3)),
    "addmv of different dtypes": lambda m: m.addmv(m.ones(2, dtype=m.float64), m.ones(2, 3), m.ones(3)),
    "addmv of a matrix": lambda m: m.addmv(m.ones(2), m.ones(2, 3), m.ones(3, 1)),
    "addbmm of different batches": lambda m: m.addbmm(m.ones(2, 2), m.ones(5, 2, 3), m.ones(4, 3, 2)),
    "addbmm of sizes that do not fit": lambda m: m.addbmm(m.ones(2, 2), m.ones(5, 2, 3), m.ones(5, 2, 2)),
    "baddbmm of different batches": lambda m: m.baddbmm(m.ones(2, 2), m.ones(5, 2, 3), m.ones(4, 3, 2)),
    "baddbmm of different dtypes": lambda m: m.baddbmm(m.ones(1, dtype=m.float64), m.ones(5, 2, 3), m.ones(5, 3, 2)),
    "addr of a matrix": lambda m: m.addr(m.ones(2, 3), m.ones(2, 1), m.ones(3)),
    "addr of integers, with a fraction": lambda m: m.addr(*[m.ones(n, dtype=m.int64) for n in (2, 2, 2)], alpha=0.5),
    "linear of different dtypes": lambda m: m.nn.functional.linear(m.ones(2, 3), m.ones(4, 3, dtype=m.float64)),
    "linear of a number": lambda m: m.nn.functional.linear(m.tensor(1.0), m.ones(4, 3)),
    "linear with a batch of weights": (
        lambda m: m.nn.functional.linear(m.ones(2, 3), m.ones(1, 4, 3)),
        "t() expects a",
    ),
    "linear with a bias that does not fit": (
        lambda m: m.nn.functional.linear(m.ones(2, 3), m.ones(4, 3), m.ones(5)),
        "The expanded size of the tensor (4) must match the existing size (5)",
    ),
    "bilinear of different batches": lambda m: m.nn.functional.bilinear(m.ones(2, 3), m.ones(3, 4), m.ones(5, 3, 4)),
    "bilinear of a wrong first": lambda m: m.nn.functional.bilinear(m.ones(2, 3), m.ones(2, 4), m.ones(5, 4, 4)),
    "bilinear of a wrong second": lambda m: m.nn.functional.bilinear(m.ones(2, 3), m.ones(2, 4), m.ones(5, 3, 3)),
    "bilinear of different ranks": lambda m: m.nn.functional.bilinear(m.ones(2, 3), m.ones(2, 2, 4), m.ones(5, 3, 4)),
    "bilinear with a wrong bias": lambda m: m.nn.functional.bilinear(
        m.ones(2, 3), m.ones(2, 4), m.ones(5, 3, 4), m.ones(4)
    ),
    "tensordot of sizes that do not fit": lambda m: m.tensordot(m.ones(2, 3), m.ones(2, 3), 1),
    "tensordot over -1": lambda m: m.tensordot(m.ones(2, 3), m.ones(2, 3), -1),
    "tensordot over too many": lambda m: m.tensordot(m.ones(2, 3), m.ones(2, 3), 3),
    "tensordot over different lists": lambda m: m.tensordot(m.ones(2, 3), m.ones(2, 3), ([0], [0, 1])),
    "tensordot over a dimension twice": lambda m: m.tensordot(m.ones(2, 2), m.ones(2, 2), ([0, 0], [0, 1])),
    "tensordot of different dtypes": lambda m: m.tensordot(m.ones(2, 3), m.ones(3, 2, dtype=m.float64), 1),
    "multi_dot of one": lambda m: m.linalg.multi_dot([m.ones(2, 2)]),
    "multi_dot of sizes that do not fit": lambda m: m.linalg.multi_dot([m.ones(2, 3), m.ones(2, 3)]),
    "multi_dot with a vector within": lambda m: m.linalg.multi_dot([m.ones(2, 3), m.ones(3), m.ones(3, 2)]),
    "multi_dot of a batch": lambda m: m.linalg.multi_dot([m.ones(1, 2, 2), m.ones(2, 2)]),
    "multi_dot of different dtypes": lambda m: m.linalg.multi_dot([m.ones(2, 2), m.ones(2, 2, dtype=m.float64)]),
    "einsum of sizes that do not fit": lambda m: m.einsum("ij,jk", m.ones(2, 3), m.ones(2, 3)),
    "einsum of too many": lambda m: m.einsum("ij", m.ones(2, 3), m.ones(2, 3)),
    "einsum of too few": lambda m: m.einsum("ij,jk", m.ones(2, 3)),
    "einsum of none": lambda m: m.einsum("ij"),
    "einsum of another rank": lambda m: m.einsum("ijk", m.ones(2, 3)),
    "einsum with a digit": lambda m: m.einsum("i2", m.ones(2, 3)),
    "einsum with two arrows": lambda m: m.einsum("i->i->i", m.ones(2)),
    "einsum with a result's letter twice": lambda m: m.einsum("ij->ii", m.ones(2, 3)),
    "einsum with a result's letter from nowhere": lambda m: m.einsum("ij->k", m.ones(2, 3)),
    "einsum with an oblong diagonal": lambda m: m.einsum("ii", m.ones(2, 3)),
    "einsum with two dots": lambda m: m.einsum("ij->..i", m.ones(2, 3)),
    "einsum with two ellipses": lambda m: m.einsum("...i...", m.ones(2, 3)),
    "einsum of different dtypes": lambda m: m.einsum("ij,jk", m.ones(2, 3), m.ones(3, 2, dtype=m.float64)),
    "einsum of number 52": lambda m: m.einsum(m.ones(2, 3), [0, 52]),
    "vecdot of integers": lambda m: m.linalg.vecdot(m.ones(2, dtype=m.int64), m.ones(2, dtype=m.int64)),
    "cross of pairs": lambda m: m.cross(m.ones(2, 2), m.ones(2, 2)),
    "linalg.cross of pairs": lambda m: m.linalg.cross(m.ones(2, 2), m.ones(2, 2)),
    "linalg.cross of different ranks": lambda m: m.linalg.cross(m.ones(3), m.ones(4, 3)),
    "power of an oblong matrix": lambda m: m.matrix_power(m.ones(2, 3), 2),
    "exponential of an oblong matrix": lambda m: m.matrix_exp(m.ones(2, 3)),
    "exponential of a vector": lambda m: m.matrix_exp(m.ones(2)),
    "exponential of integers": lambda m: m.matrix_exp(m.ones(2, 2, dtype=m.int64)),
    "power of a vector": lambda m: m.matrix_power(m.ones(2), 2),
    "inverse of an oblong matrix": lambda m: m.linalg.inv(m.ones(2, 3)),
    "inverse of integers": lambda m: m.linalg.inv(m.ones(2, 2, dtype=m.int64)),
    "determinant of an oblong matrix": lambda m: m.linalg.det(m.ones(2, 3)),
    "svd of a vector": lambda m: m.linalg.svd(m.ones(2)),
    "qr of no such mode": lambda m: m.linalg.qr(m.ones(2, 2), mode="raw"),
    "a system of sizes that do not fit": lambda m: m.linalg.solve(m.eye(2), m.ones(3)),
    "a triangle X": lambda m: m.linalg.eigh(m.ones(2, 2), UPLO="X"),
}
SINGULAR = {
    "inverse": lambda m: m.linalg.inv(m.ones(2, 2)),
    "inverse of a batch": lambda m: m.linalg.inv(m.stack([m.eye(2), m.ones(2, 2)])),
    "negative power": lambda m: m.matrix_power(m.ones(2, 2), -1),
    "system": lambda m: m.linalg.solve(m.ones(2, 2), m.ones(2)),
    "indefinite": lambda m: m.linalg.cholesky(-m.eye(2)),
    "NaN": lambda m: m.linalg.svdvals(m.ones(2, 2) * float("nan")),
}


@pytest.mark.parametrize("name", ERRORS)
def test_same_error_as_torch(name):
    call = ERRORS[name]
    same_error(*call) if isinstance(call, tuple) else same_error(call)


@pytest.mark.parametrize("name", SINGULAR)
def test_matrices_that_cannot_be_solved_say_so_as_in_torch(name):
    with pytest.raises(mg.linalg.LinAlgError) as ours:
        SINGULAR[name](mg)
    with pytest.raises(torch.linalg.LinAlgError) as theirs:
        SINGULAR[name](torch)
    assert isinstance(ours.value, RuntimeError)
    assert str(ours.value).split("\n")[0] == str(theirs.value).split("\n")[0]

"""Pseudo-inverses, least squares, rank, triangular systems, distances and old decompositions against PyTorch."""

import numpy as np
import pytest
from torch_oracle import agree, draw, same_error, torch

import minigrad as mg

CASES = {
    "pinv of a tall matrix": (lambda m, x: m.linalg.pinv(x), (5, 3)),
    "pinv of a wide batch": (lambda m, x: m.linalg.pinv(x), (2, 3, 4)),
    "pinverse": (lambda m, x: x.pinverse(), (3, 3)),
    "lstsq": (lambda m, a, b: m.linalg.lstsq(a, b).solution, (5, 3), (5, 2)),
    "lstsq of a batch": (lambda m, a, b: m.linalg.lstsq(a, b).solution, (2, 4, 3), (2, 4, 1)),
    "residuals": (lambda m, a, b: m.linalg.lstsq(a, b, driver="gels").residuals, (5, 3), (5, 2)),
    "cond": (lambda m, x: m.linalg.cond(x), (3, 3)),
    "solve_triangular": (lambda m, a, b: m.linalg.solve_triangular(a, b, upper=True), (3, 3), (3, 2)),
    "solve_triangular from the right": (
        lambda m, a, b: m.linalg.solve_triangular(a, b, upper=False, left=False, unitriangular=True), (3, 3), (2, 3)
    ),
    "triangular_solve": (lambda m, b, a: m.triangular_solve(b, a, transpose=True).solution, (3, 2), (3, 3)),
    "cholesky_solve": (lambda m, b, a: m.cholesky_solve(b, m.linalg.cholesky(a @ a.mT + 3)), (2, 1), (2, 2)),
    "cholesky_inverse": (lambda m, a: m.cholesky_inverse(m.cholesky(a @ a.mT)), (3, 3)),
    "logdet": (lambda m, a: m.logdet(a @ a.mT), (3, 3)),
    "old svd": (lambda m, a: m.svd(a).S, (4, 3)),
    "old qr": (lambda m, a: m.qr(a).R.abs(), (4, 3)),
    "linalg.diagonal": (lambda m, a: m.linalg.diagonal(a, offset=1), (2, 3, 4)),
    "cdist": (lambda m, a, b: m.cdist(a, b), (4, 3), (5, 3)),
    "cdist in the 1-norm": (lambda m, a, b: m.cdist(a, b, p=1.0), (2, 4, 3), (2, 5, 3)),
    "cdist in the ∞-norm": (lambda m, a, b: m.cdist(a, b, p=float("inf")), (4, 3), (5, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    case, *shapes = CASES[name]
    agree(case, *[draw(shape, seed=i) for i, shape in enumerate(shapes)], order=1)


def test_cdist_of_a_point_to_itself_has_gradient_0():
    x = mg.ones(2, 3, requires_grad=True)
    mg.cdist(x, x).sum().backward()
    assert (x.grad == 0).all()


def test_cond_in_other_norms():  # PyTorch's own has no gradient
    x = draw((2, 3, 3))
    for p in (1, -2, float("inf"), "fro"):
        theirs = torch.linalg.cond(torch.from_numpy(x), p).numpy()
        np.testing.assert_allclose(mg.linalg.cond(mg.from_numpy(x), p).numpy(), theirs)


def test_rank():
    for rows in (np.eye(3), np.ones((3, 3)), np.zeros((2, 3)), np.outer([1, 2], [3, 4.0])):
        assert mg.linalg.matrix_rank(mg.tensor(rows)).item() == torch.linalg.matrix_rank(torch.tensor(rows)).item()


@pytest.mark.parametrize(
    "misuse",
    [
        lambda m: m.linalg.pinv(m.ones(3)),
        lambda m: m.linalg.solve_triangular(m.ones(2, 3), m.ones(2, 1), upper=True),
        lambda m: m.cdist(m.ones(2, 3), m.ones(2, 4)),
        lambda m: m.cdist(m.ones(3), m.ones(2, 3)),
        lambda m: m.cdist(m.ones(2, 3), m.ones(2, 3), p=-1.0),
    ],
)
def test_misuse(misuse):
    same_error(misuse)

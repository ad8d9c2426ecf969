"""The rest of shape: turning, repeating, joining, splitting, diagonals; PyTorch as the oracle, errors included."""

import numpy as np
import pytest
from torch_oracle import agree, draw, same_error, same_program

import minigrad as mg
from minigrad.testing import LAYOUTS, lay_out

X = draw((3, 4, 5))
VALUES = """x.reshape(shape=(4, -1))
x.view(size=(12, 5))
m.reshape(x, [60])
x.permute(dims=(2, 0, 1))
m.permute(x, (1, 0, 2))
x.expand(size=(2, 3, 4, 5))
x.flip(dims=(0, -1))
m.flip(x, [1])
x.flip(())
x.repeat(repeats=(2, 1, 1))
x.repeat((1, 0, 2))
x[:, :1, :1].repeat(1, 3, 1)
x.tile(dims=(2, 1))
x.tile(2, 1, 1, 2)
m.swapaxes(x, axis0=0, axis1=2)
x.swapdims(0, 1)
m.moveaxis(x, (0, 1), (-1, 0))
m.movedim(x, 2, 0)
x[0].H
x.mH
x.adjoint()
x.squeeze(())
x[:, :1].squeeze(dim=(1, 2))
x.unflatten(1, (2, -1))
x[0].fliplr()
m.flipud(x)
x.roll(-7)
x.roll((1, 7), (0, 0))
x.roll(shifts=2, dims=-1)
x.rot90()
x.rot90(3, [1, 2])
x.rot90(-2)
x.repeat_interleave(2)
x.repeat_interleave(m.tensor([1, 0, 2, 1]), dim=1)
x.repeat_interleave(m.tensor([3]), 0, output_size=9)
m.repeat_interleave(m.tensor([1, 2, 0]))
x[0, 0, 0].repeat_interleave(3)
x.unfold(1, 2, 1)
x.unfold(-1, 3, 2)
x.unfold(0, 0, 1)
x[0, 0, 0].unfold(0, 1, 1)
x.diagonal()
x.diagonal(-1, 2, 0)
x.diagonal(9)
x[0].diag(2)
x[0, 0].diag(-1)
x.diag_embed()
x.diag_embed(-1, 0, 2)
m.diagflat(x[0], 1)
x.tril()
x.triu(diagonal=-2)
x.tril(2**40)
x.triu(-(2**40))
m.stack([x.tril(d) for d in range(-6, 7)])
m.stack([x.triu(d) for d in range(-6, 7)])
m.cat([x.diagonal(d, 1, 2) for d in range(-6, 7)], -1)
x.narrow(1, m.tensor(1), 2)
x.narrow(0, -2, 1)
m.narrow_copy(x, 0, 1, 1)
x.split(split_size=2, dim=1)
m.split(x, (1, 2), 0)
x.split_with_sizes([1, 3], 1)
x[:0].split(2)
x[:0].chunk(3)
x.chunk(3, dim=1)
x.tensor_split(4)
x.tensor_split(2, dim=-1)
x.tensor_split((1, 5))
x.tensor_split((-1,), 1)
x.tensor_split(m.tensor(2))
x.tensor_split(m.tensor([1, 2]), 2)
x.hsplit(2)
m.vsplit(x, (1,))
m.dsplit(x, 5)
x.select(1, m.tensor(2))
x.select_scatter(x[0] * 2, 0, 1)
x.slice_scatter(x[:, :2] * 2, 1, 1, None, 2)
x.slice_scatter(x[1:], start=-2, end=9)
x.diagonal_scatter(x[:3, :3].diagonal() * 2)
x.as_strided((2, 2, 2), (7, 3, 2), 4)
x.reshape(-1).as_strided((4, 3), (2, 1))
m.concat([x, x], 1)
m.concatenate((x, x[:1]))
m.hstack([x[0], x[1]])
m.hstack((x[0, 0, 0], x[0, 0]))
m.vstack((x[0, 0], x[0]))
m.row_stack([x[0, 0], x[1, 0]])
m.dstack([x[0], x[1]])
m.dstack([x[0, 0], x[1, 0]])
m.column_stack([x[0, :, 0], x[0], x[1, :, 1]])
m.block_diag(x[0], x[0, 0], x[0, 0, 0])
m.block_diag()
m.cartesian_prod(x[0, 0], x[0, :, 0], x[:, 0, 0])
m.cartesian_prod(x[0, 0])
m.meshgrid(x[0, 0], x[0, 0, 0], x[0, :, 0], indexing="xy")
m.meshgrid([x[0, 0], x[0, :, 0]], indexing="ij")
m.atleast_1d(x[0, 0, 0], x)
m.atleast_2d([x[0, 0, 0], x[0, 0]])
m.atleast_3d(x[0, 0])
m.atleast_3d(x[0], x[0, 0, 0])
m.broadcast_tensors(x, x[0, 0], x[:, :1])""".splitlines()


@pytest.mark.parametrize("text", VALUES)
def test_agrees_with_torch(text):
    function = eval(f"lambda m, x: {text}")
    agree(function, X)
    agree(function, X.astype("float32"))
    if ".H" not in text:
        agree(function, (X * 10).astype("int64"))


def test_as_strided_scatter_writes_as_torch_does():  # whose gradient of it is wrong
    agree(lambda m, x: x[0].as_strided_scatter(x[1, :2, :2], (2, 2), (6, 2), 1), X, order=0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "text",
    ["x.unfold(1, 2, 1)", "x.diagonal(1)", "x.tril()", "x.repeat(1, 2, 1)", "x.roll(1, 1)", "x.diag_embed()"],
)
def test_any_layout(text, layout):
    agree(eval(f"lambda m, x: {text}"), lay_out(X, layout))


ERRORS = """x.movedim((0, 0), (1, 0))
x.movedim((0, 1), (1, 1))
x.movedim(5, 0)
x.diagonal(0, 1, 1)
x[0].diagonal()
m.diag(x.reshape(1, 3, 4))
m.diag(x[0, 0])
m.diag_embed(x, 0, 1, 1)
m.diag_embed(x[0, 0])
x[0].tril()
x.roll(1, (0, 1))
x.roll((1, 2))
x.roll(())
x[0, 0].roll(1, 0)
x.rot90(1, (0,))
x.rot90(1, (0, 0))
x.rot90(1, (0, 5))
x[0].rot90()
x.flip((0, 0))
x.flip(5)
x[0].fliplr()
x[0, 0].flipud()
m.block_diag(x.reshape(1, 3, 4))
m.cartesian_prod(x[0], x)
m.meshgrid(x[0], x[1], indexing="aa")
m.meshgrid(x[0], x[1].long())
x.tensor_split(0)
x[0, 0].tensor_split(2)
x.hsplit(3)
x[0, 0].hsplit(1)
x[0].vsplit(1)
x.dsplit(1)
x.split(-1)
x.split(0)
x.split((1, 1))
x.split((4, -1))
x[0, 0].split(1)
x.chunk(0)
x.split_with_sizes((1, 1))
x.repeat(2)
x.repeat(-1, 1)
x.repeat_interleave(-1)
x.repeat_interleave(m.tensor([1, 2]), 0)
x.repeat_interleave(m.tensor([1, 2, -3]), 0)
x.repeat_interleave(m.tensor([[1, 2, 3]]), 0)
x.repeat_interleave(m.tensor([1, 2, 3]), 0, output_size=7)
x.unflatten(0, (2, 2))
x.unflatten(0, ())
x.expand(2)
x.expand(-1, 3, 4)
x.expand(2, -2)
x.expand(2**62, 3, 4)
m.broadcast_tensors(x, x.t())
m.cat(x)
m.cat(5)
m.cat([x, 1])
m.hstack([])
m.dstack([])
m.hstack([x, x[0]])
x.narrow(0, 0, -1)
x.narrow(0, 5, 0)
x.narrow(0, 2, 2)
x.narrow(0, m.tensor([1]), 1)
x[0, 0].narrow(0, 0, 0)
x.select(0, 5)
x[0, 0].select(0, 0)
x.select(5, 0)
x.squeeze((0, 0))
x.squeeze(5)
x.view(-2, 3)
x.reshape(-3)
x.reshape(1, 1, 1).t()
x.reshape(1, 3, 4).H
x[0].mT
x[0].mH
x[0].adjoint()
x.view_as(x[0])
x.expand_as(x[0])
x.unfold(5, 1, 1)
x.unfold(0, 5, 1)
x.unfold(0, 2, 0)
x.unfold(0, -2, 1)
x[0, 0].unfold(0, 2, 1)
x.t().view(m.int16)
m.ones(3).view(m.float64)
m.tensor(1.0).view(m.float64)""".splitlines()


@pytest.mark.parametrize("text", ERRORS)
def test_same_error_as_torch(text):
    function = eval(f"lambda m, x: {text}")
    same_error(lambda m: function(m, m.arange(12, dtype=m.float32).reshape(3, 4)))


def writes_through_views(m):
    x = m.arange(24, dtype=m.float64).clone().requires_grad_()
    y = (x * 2).reshape(2, 3, 4)
    y.diagonal(0, 1, 2).mul_(3)
    y.unfold(2, 2, 2)[0, 0].zero_()
    y.movedim(2, 0)[1].add_(y.detach()[..., 0])
    y.tensor_split(2, 1)[1][:, :, 0] = 7.0
    y[:1].expand(1, 3, 4).neg_()
    (y * y).sum().backward()
    return y, x.grad


def copies_are_copies(m):
    x = m.ones(1, 3)
    results = [
        x.repeat(1, 1),
        x.repeat(2, 1),
        x.tile(1),
        x.repeat_interleave(1, 0),
        x.flip(()),
        x.rot90(0),
        x.diag(),
        x.roll(0, 0),
    ]
    for y in results:
        y += 1
    return x, *results


@pytest.mark.parametrize("program", [writes_through_views, copies_are_copies])
def test_same_program(program):
    same_program(program)


def test_rows_of_a_repeated_tensor_do_not_share_memory():
    y = mg.ones(1).repeat(3)
    y[0] = 5.0
    assert y.tolist() == [5.0, 1.0, 1.0]
    assert not np.shares_memory(mg.ones(1)._array, y._array)

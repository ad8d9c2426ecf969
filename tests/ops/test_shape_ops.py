"""Shape, indexing, joining and padding: the same elements elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import agree, draw, named, same, same_error, torch

import minigrad as mg
from minigrad.testing import check_op
from minigrad.testing.strategies import arrays

SHAPE_OPS = {
    "reshape": lambda m, x: x.reshape(4, -1),
    "reshape to one": lambda m, x: m.reshape(x, (-1,)),
    "flatten": lambda m, x: x.flatten(1),
    "flatten some": lambda m, x: m.flatten(x, 0, 1),
    "ravel": lambda m, x: x.ravel(),
    "unflatten": lambda m, x: x.unflatten(2, (2, -1)),
    "permute": lambda m, x: x.permute(2, 0, -2),
    "transpose": lambda m, x: x.transpose(0, -1),
    "T": lambda m, x: x[0].T,
    "mT": lambda m, x: x.mT,
    "t": lambda m, x: x[1].t(),
    "unsqueeze": lambda m, x: x.unsqueeze(-2),
    "squeeze": lambda m, x: x[:, :1].squeeze(),
    "squeeze a dimension": lambda m, x: x[:, :1].squeeze(1),
    "expand": lambda m, x: x[:, :1].expand(5, -1, 3, -1),
    "broadcast_to": lambda m, x: m.broadcast_to(x[0], (2, 3, 4)),
    "clone": lambda m, x: x.clone(),
    "contiguous": lambda m, x: x.permute(1, 2, 0).contiguous(),
    "view of a slice": lambda m, x: x[1].view(2, 6),
    "flip": lambda m, x: m.flip(x, (0, 2)),
    "narrow": lambda m, x: x.narrow(1, 1, 2),
    "select": lambda m, x: x.select(2, -1),
    "split": lambda m, x: x.split([1, 3], 2),
    "split evenly": lambda m, x: x.split(2, -1),
    "chunk": lambda m, x: x.chunk(2, 2),
    "unbind": lambda m, x: x.unbind(1),
    "cast": lambda m, x: x.double() * 2,
    "sum_to_size": lambda m, x: x.sum_to_size(3, 1),
}
INDEXING = {
    "number": lambda m, x: x[1],
    "negative number": lambda m, x: x[-1, :, -2],
    "slices": lambda m, x: x[:, 1:, ::2],
    "all numbers": lambda m, x: x[1, 2, 3],
    "ellipsis": lambda m, x: x[..., 1],
    "None": lambda m, x: x[None, :, None, 1],
    "empty slice": lambda m, x: x[:, 3:],
    "index tensor": lambda m, x: x[m.tensor([1, 0, 1])],
    "repeated index": lambda m, x: x[:, m.tensor([2, 2, 2])],
    "negative index tensor": lambda m, x: x[m.tensor([-1, 0]), m.tensor([-1, -2])],
    "two index tensors": lambda m, x: x[m.tensor([1, 0]), :, m.tensor([0, 3])],
    "broadcast index tensors": lambda m, x: x[m.tensor([[1], [0]]), m.tensor([0, 2])],
    "list": lambda m, x: x[[1, 1, 0]],
    "mask": lambda m, x: x[x > 0],
    "mask of rows": lambda m, x: x[m.tensor([True, False])],
    "mask and slice": lambda m, x: x[:, m.tensor([True, False, True]), 1:],
    "number, slice and index tensor": lambda m, x: x[1, :, m.tensor([0, 2, 2])],
    "number, slice and mask": lambda m, x: x[-1, 1:, m.tensor([True, False, False, True])],
    "index tensor, slice and number": lambda m, x: x[m.tensor([1, 0]), :, 2],
    "ellipsis between number and index tensor": lambda m, x: x[0, ..., m.tensor([3, 1])],
    "None, number and index tensor": lambda m, x: x[None, 1, :, m.tensor([3, 1])],
    "two index tensors around a number": lambda m, x: x[m.tensor([1, 0]), 2, m.tensor([0, 3])],
    "0-d index tensor": lambda m, x: x[m.tensor(1)],
    "index of an index": lambda m, x: x[1][:, 2][m.tensor([0, 0])],
    "True": lambda m, x: x[True],
    "gather": lambda m, x: x.gather(2, m.tensor([[[0, 0], [1, 3]], [[2, 1], [3, 3]]])),
    "index_select": lambda m, x: m.index_select(x, 1, m.tensor([2, 0, 2])),
    "scatter_add": lambda m, x: x.scatter_add(0, m.tensor([[[0, 1, 1, 0]] * 3] * 2), x * 2),
    "masked_fill": lambda m, x: x.masked_fill(x > 0.5, -1.0),
    "nonzero": lambda m, x: (x > 0).nonzero(),
    "where indices": lambda m, x: m.where(x > 0),
}
PADDING = {
    "last": lambda m, x: m.nn.functional.pad(x, (1, 2)),
    "two": lambda m, x: m.nn.functional.pad(x, (1, 0, 0, 3), value=1.5),
    "three": lambda m, x: m.nn.functional.pad(x, (0, 1, 1, 0, 2, 1)),
    "cutting": lambda m, x: m.nn.functional.pad(x, (-1, -1, 1, -1)),
    "reflect": lambda m, x: m.nn.functional.pad(x, (3, 2), mode="reflect"),
    "replicate": lambda m, x: m.nn.functional.pad(x, (5, 2), mode="replicate"),
    "circular": lambda m, x: m.nn.functional.pad(x, (4, 3), mode="circular"),
}
OPS = {**SHAPE_OPS, **{f"x[{k}]": v for k, v in INDEXING.items()}, **{f"pad {k}": v for k, v in PADDING.items()}}


@pytest.mark.parametrize("fn", OPS.values(), ids=OPS)
def test_agrees_with_torch(fn):
    agree(fn, draw((2, 3, 4)))
    agree(fn, draw((2, 3, 4), "float32"))


LINEAR = sorted(set(OPS) - {"cast", "x[mask]", "x[masked_fill]", "x[nonzero]", "x[where indices]", "pad two"})
SINGLE = sorted(set(LINEAR) - {"split", "split evenly", "chunk", "unbind", "view of a slice"})


@pytest.mark.parametrize("name", SINGLE)
def test_passes_the_harness(name):
    check_op(lambda x: OPS[name](mg, x), mg.from_numpy(draw((2, 3, 4))), linear=name in LINEAR)


CAT_SHAPES = [((2, 3), (1, 3), 0), ((2, 3), (2, 1), -1), ((0, 3), (2, 3), 0), ((2,), (0,), 0)]


@pytest.mark.parametrize("a, b, dim", CAT_SHAPES, ids=str)
def test_cat_passes_the_harness(a, b, dim):
    xs = [draw(a, seed=1), draw(b, seed=2)]
    check_op(lambda x, y: mg.cat([x, y, x], dim), *map(mg.from_numpy, xs))
    agree(lambda m, x, y: m.cat([x, y, x], dim), *xs)


@given(st.data(), st.integers(0, 3), st.integers(1, 4))
def test_cat_and_stack_agree_with_torch(data, dim, count):
    shape = list(data.draw(st.tuples(*[st.integers(0, 3)] * 4)))
    xs = []
    for _ in range(count):
        shape[dim] = data.draw(st.integers(0, 3))
        xs.append(data.draw(arrays(tuple(shape))))
    agree(lambda m, *xs: m.cat(xs, dim), *xs)
    agree(lambda m, x: m.stack([x, x * 2], dim), xs[0])


def test_cat_promotes_and_joins_empty_vectors_as_torch_does():
    agree(lambda m, x, y: m.cat([x, y]), np.arange(3), draw((2,)))
    agree(lambda m, x, y: m.cat([x, y], 1), np.zeros(0), draw((2, 3)))


@given(st.data(), st.sampled_from(["float32", "float64"]))
def test_any_index_agrees_with_torch(data, dtype):
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * data.draw(st.integers(1, 4))))
    entries, plain = [], []
    for n in shape[: data.draw(st.integers(0, len(shape)))]:
        kind = data.draw(st.sampled_from(["int", "slice", "tensor", "mask", "none"]))
        if kind == "none":
            entries.append(lambda m: None)
            kind = "slice"
        if kind == "int":
            i = data.draw(st.integers(-n, n - 1))
            entries.append(lambda m, i=i: i)
        elif kind == "slice":
            s = slice(data.draw(st.integers(-n, n)), data.draw(st.integers(-n, n)), data.draw(st.integers(1, 3)))
            entries.append(lambda m, s=s: s)
        elif kind == "tensor" or n != 2:
            values = data.draw(st.lists(st.integers(-n, n - 1), min_size=2, max_size=2))
            entries.append(lambda m, values=values: m.tensor(values))
        else:
            entries.append(lambda m: m.tensor([True, True]))
        plain.append(kind)
    agree(lambda m, x: x[tuple([entry(m) for entry in entries])], data.draw(arrays(shape, dtype)))


@given(st.data())
def test_reshape_and_permute_of_any_layout_agree_with_torch(data):
    shape = data.draw(st.tuples(*[st.integers(0, 3)] * data.draw(st.integers(0, 4))))
    order = data.draw(st.permutations(range(len(shape))))
    array = data.draw(arrays(shape))

    def fn(m, x):
        y = x.permute(*order).reshape(-1) if order else x.reshape(1)
        return y * m.arange(1.0, 1.0 + len(y))

    agree(fn, array)


def test_views_share_memory_and_copies_do_not():
    x = mg.arange(24.0).reshape(2, 3, 4)
    for name in ("reshape", "flatten", "permute", "transpose", "unsqueeze", "expand", "narrow", "select"):
        assert np.shares_memory(SHAPE_OPS[name](mg, x).numpy(), x.numpy()), name
    for fn in (SHAPE_OPS["clone"], SHAPE_OPS["flip"], INDEXING["index tensor"], INDEXING["mask"], PADDING["last"]):
        assert not np.shares_memory(fn(mg, x).numpy(), x.numpy())


def test_flattening_one_dimension_is_the_tensor_itself():
    x = mg.arange(6.0).reshape(2, 3).t()
    assert x.flatten(0, 0) is x and x.flatten(1) is x and x.flatten(0, 1) is not x


def test_one_hot_agrees_with_torch():
    for count in (-1, 5):
        agree(lambda m, x, count=count: m.nn.functional.one_hot(x, count), np.array([[0, 2], [1, 1]]))


CREATION = {
    "zeros": lambda m: m.zeros(2, 3),
    "ones of int": lambda m: m.ones((2, 1), dtype=m.int64),
    "full": lambda m: m.full((2,), 7),
    "full of float": lambda m: m.full((2, 2), 1.5),
    "full_like": lambda m: m.full_like(m.ones(2, dtype=m.float64), 3),
    "zeros_like": lambda m: m.zeros_like(m.arange(3)),
    "arange": lambda m: m.arange(5),
    "arange of floats": lambda m: m.arange(0, 1, 0.25),
    "arange down": lambda m: m.arange(5, 0, -2),
    "linspace": lambda m: m.linspace(-1, 2, 7),
    "eye": lambda m: m.eye(3, 2),
    "tensor": lambda m: m.tensor([[1, 2], [3, 4.5]]),
    "tensor of ints": lambda m: m.tensor([1, 2]),
    "tensor of bools": lambda m: m.tensor([True, False]),
    "tensor of tensors": lambda m: m.tensor([m.tensor(1), m.tensor(2)]),
    "tensor of nothing": lambda m: m.tensor([]),
    "new_zeros": lambda m: m.ones(2, dtype=m.float64).new_zeros(3),
    "new_full": lambda m: m.ones(2).new_full((2,), 3),
    "as_tensor": lambda m: m.as_tensor(np.arange(3)),
}


@pytest.mark.parametrize("make", CREATION.values(), ids=CREATION)
def test_creation_agrees_with_torch(make):
    same(make(mg), make(torch))


def reshape_to_another_count(m):
    m.ones(2, 3).reshape(4)


def reshape_with_two_unknowns(m):
    m.ones(4).reshape(-1, -1)


def reshape_that_does_not_divide(m):
    m.ones(6).view(-1, 4)


def reshape_of_nothing_is_ambiguous(m):
    m.zeros(0).reshape(-1, 0)


def view_of_a_transposed_tensor(m):
    m.ones(2, 3).t().view(6)


def permute_with_too_few(m):
    m.ones(2, 3).permute(0)


def permute_with_a_duplicate(m):
    m.ones(2, 3).permute(0, 0)


def transpose_out_of_range(m):
    m.ones(2, 3).transpose(0, 2)


def unsqueeze_out_of_range(m):
    m.ones(2).unsqueeze(3)


def expand_a_real_dimension(m):
    m.ones(2, 3).expand(2, 4)


def cat_of_nothing(m):
    m.cat([])


def cat_of_different_sizes(m):
    m.cat([m.ones(2, 3), m.ones(2, 4)])


def cat_of_different_ranks(m):
    m.cat([m.ones(2, 3), m.ones(2)])


def cat_of_numbers(m):
    m.cat([m.tensor(1.0)])


def stack_of_different_sizes(m):
    m.stack([m.ones(2), m.ones(3)])


def index_out_of_range(m):
    m.ones(2, 3)[2]


def negative_index_out_of_range(m):
    m.ones(2, 3)[0, -4]


def too_many_indices(m):
    m.ones(2)[0, 0]


def index_tensor_out_of_range(m):
    m.ones(3)[m.tensor([0, 3])]


def index_by_floats(m):
    m.ones(3)[m.tensor([0.0])]


def mask_of_another_size(m):
    m.ones(3)[m.tensor([True, False])]


def negative_step(m):
    m.ones(3)[::-1]


def gather_of_another_rank(m):
    m.ones(2, 3).gather(0, m.tensor([0]))


def narrow_too_far(m):
    m.ones(3).narrow(0, 2, 2)


def odd_padding(m):
    m.nn.functional.pad(m.ones(2, 3), (1,))


def too_much_padding(m):
    m.nn.functional.pad(m.ones(2), (1, 1, 1, 1))


def flatten_backwards(m):
    m.ones(2, 3, 4).flatten(2, 1)


def negative_size(m):
    m.ones(2, -1)


def ragged_data(m):
    m.tensor([[1, 2], [3]])


def arange_the_wrong_way(m):
    m.arange(3, 0)


def unbind_a_number(m):
    m.tensor(1.0).unbind()


@named(
    reshape_to_another_count,
    reshape_with_two_unknowns,
    reshape_that_does_not_divide,
    reshape_of_nothing_is_ambiguous,
    view_of_a_transposed_tensor,
    permute_with_a_duplicate,
    transpose_out_of_range,
    unsqueeze_out_of_range,
    cat_of_nothing,
    cat_of_different_sizes,
    cat_of_different_ranks,
    cat_of_numbers,
    stack_of_different_sizes,
    index_out_of_range,
    negative_index_out_of_range,
    too_many_indices,
    index_tensor_out_of_range,
    index_by_floats,
    mask_of_another_size,
    negative_step,
    gather_of_another_rank,
    narrow_too_far,
    odd_padding,
    flatten_backwards,
    negative_size,
    expand_a_real_dimension,
)
def test_same_error_as_torch(function):
    same_error(function)


@named(permute_with_too_few, too_much_padding, ragged_data, arange_the_wrong_way, unbind_a_number)
def test_same_kind_of_error_as_torch(function):
    same_error(function, "")

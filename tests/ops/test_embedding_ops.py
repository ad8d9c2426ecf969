"""Embeddings, bags, one-hot vectors: PyTorch is the oracle."""

import numpy as np
import pytest
from torch_oracle import agree, draw, same_error, same_program, tensor

import minigrad as mg

TABLE = draw((5, 3))
INDEX = np.array([[4, 1, 1], [0, 2, 1]])


@pytest.mark.parametrize("index", [INDEX, INDEX[0], np.array(3), INDEX[:0], INDEX[::-1, ::2]], ids=str)
@pytest.mark.parametrize(
    "settings", [{}, {"padding_idx": 1}, {"padding_idx": -1}, {"scale_grad_by_freq": True}], ids=str
)
def test_embedding_agrees_with_torch(index, settings):
    agree(lambda m, w: m.nn.functional.embedding(tensor(m, index), w, **settings), TABLE)
    agree(lambda m, w: m.nn.functional.embedding(tensor(m, index).int(), w), TABLE.astype("float32")[:, ::-1])


@pytest.mark.parametrize("norm_type", [1, 2, 3.0, float("inf")])
def test_max_norm_scales_rows_in_place(norm_type):
    def program(m):
        table = tensor(m, TABLE.copy()).requires_grad_()
        y = m.nn.functional.embedding(tensor(m, INDEX[0]), table, max_norm=1.2, norm_type=norm_type)
        z = m.nn.functional.embedding_bag(tensor(m, INDEX), table, max_norm=0.7, norm_type=norm_type)
        z.sum().backward()
        return y.detach(), z.detach(), table.detach(), table.grad

    same_program(program)


BAGS = np.array([0, 1, 1, 4])
FLAT = np.array([3, 0, 1, 1, 2, 4, 1])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize(
    "settings", [{}, {"padding_idx": 1}, {"padding_idx": -2}, {"include_last_offset": True}], ids=str
)
def test_bags_agree_with_torch(mode, settings):
    def flat(m, w, offsets=BAGS):
        if settings.get("include_last_offset"):
            offsets = np.append(offsets, len(FLAT))
        return m.nn.functional.embedding_bag(tensor(m, FLAT), w, tensor(m, offsets), mode=mode, **settings)

    order = 1 if mode == "max" else 2  # torch has no second derivative
    agree(flat, TABLE, order=order)
    agree(lambda m, w: flat(m, w, np.array([0])), np.round(TABLE), order=order)
    if "include_last_offset" not in settings:
        agree(
            lambda m, w: m.nn.functional.embedding_bag(tensor(m, INDEX), w, mode=mode, **settings), TABLE, order=order
        )
    empty = np.zeros(0, "int64")
    agree(lambda m, w: m.nn.functional.embedding_bag(tensor(m, empty), w, m.tensor([0, 0]), mode=mode), TABLE, order=1)


def test_weights_of_samples_in_a_bag_agree_with_torch():
    for padding in (None, 1):
        agree(
            lambda m, w, s, p=padding: m.nn.functional.embedding_bag(
                tensor(m, FLAT), w, tensor(m, BAGS), mode="sum", per_sample_weights=s, padding_idx=p
            ),
            TABLE,
            draw((7,), seed=1),
            order=1,
        )


def test_a_nan_is_the_largest_only_where_it_is_first():
    table = np.array([[1.0, np.nan], [np.nan, 2], [2, 3], [np.nan, 0]])
    for bag in ([0, 1, 2], [1, 0, 2], [2, 1, 0], [3, 1]):
        agree(lambda m, w, b=bag: m.nn.functional.embedding_bag(m.tensor([b]), w, mode="max"), table, order=1)


def test_frequency_scaling_of_bags_is_that_of_embedding():
    """PyTorch documents this, but divides some rows by the count of another one."""
    weight = mg.from_numpy(TABLE).requires_grad_()
    bags = mg.nn.functional.embedding_bag(mg.tensor([FLAT.tolist()]), weight, mode="sum", scale_grad_by_freq=True)
    rows = mg.nn.functional.embedding(mg.tensor(FLAT), weight, scale_grad_by_freq=True).sum(0, keepdim=True)
    grads = [mg.autograd.grad(y.sum(), weight)[0].numpy() for y in (bags, rows)]
    np.testing.assert_array_equal(*grads)
    np.testing.assert_allclose(grads[0], np.ones((5, 3)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 2)], ids=str)
def test_one_hot_agrees_with_torch(shape):
    index = np.asarray(np.random.default_rng(0).integers(0, 4, shape))
    same_program(lambda m: m.nn.functional.one_hot(tensor(m, index), 5))
    if index.size:
        same_program(lambda m: m.nn.functional.one_hot(tensor(m, index)))


def embedding(index, **settings):
    return lambda m: m.nn.functional.embedding(m.tensor(index), m.ones(4, 2), **settings)


def bag(index, offsets=None, **settings):
    def run(m):
        given = None if offsets is None else m.tensor(offsets)
        m.nn.functional.embedding_bag(m.tensor(index), m.ones(4, 2), given, **settings)

    return run


def one_hot(values, *settings):
    return lambda m: m.nn.functional.one_hot(m.tensor(values, dtype=m.int64), *settings)


MISUSE = {
    "beyond the table": embedding([4]),
    "negative": embedding([-1]),
    "floats": embedding([1.0]),
    "bools": embedding([True]),
    "padding": embedding([1], padding_idx=4),
    "negative padding": embedding([1], padding_idx=-5),
    "vectors": lambda m: m.nn.functional.embedding(m.tensor([0]), m.ones(3)),
    "no offsets": bag([0, 1]),
    "first offset": bag([0, 1], [1]),
    "last offset": bag([0, 1], [0, 5]),
    "matrix of offsets": bag([0, 1], [[0]]),
    "no last offset": bag([0, 1], [], include_last_offset=True),
    "mode": bag([[0, 1]], mode="product"),
    "rank": bag([[[0, 1]]]),
    "index of a bag": bag([[0, 4]]),
    "floats in a bag": bag([[0.0]]),
    "padding of a bag": bag([[0]], padding_idx=4),
    "largest by frequency": bag([[0]], mode="max", scale_grad_by_freq=True),
    "sparse largest": bag([[0]], mode="max", sparse=True),
    "weights of a mean": lambda m: m.nn.functional.embedding_bag(
        m.tensor([[0]]), m.ones(2, 2), per_sample_weights=m.ones(1, 1)
    ),
    "weights of another shape": lambda m: m.nn.functional.embedding_bag(
        m.tensor([[0]]), m.ones(2, 2), mode="sum", per_sample_weights=m.ones(2)
    ),
    "weights of another dtype": lambda m: m.nn.functional.embedding_bag(
        m.tensor([[0]]), m.ones(2, 2), mode="sum", per_sample_weights=m.ones(1, 1, dtype=m.float64)
    ),
    "one-hot floats": lambda m: m.nn.functional.one_hot(m.ones(2)),
    "one-hot negative": one_hot([-1]),
    "one-hot too large": one_hot([3], 3),
    "one-hot of nothing": one_hot([]),
    "one-hot of no classes": one_hot([], 0),
    "one-hot of -2 classes": one_hot([1], -2),
    "one-hot of half a class": one_hot([1], 2.5),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_errors_are_those_of_torch(misuse):
    same_error(misuse)


@pytest.mark.parametrize("function", ["embedding", "embedding_bag"])
def test_scaling_down_rows_counts_as_a_write(function):
    def program(m):
        weight = m.ones(4, 2, requires_grad=True)
        y = weight * weight
        getattr(m.nn.functional, function)(m.tensor([[0, 1]]), weight, max_norm=0.5)
        y.sum().backward()

    same_error(program, "one of the variables needed for gradient computation has been modified by an inplace")


def test_rows_have_no_offsets():
    same_error(bag([[0, 1]], [0]), "if input is 2D, then offsets has to be None")


def test_what_minigrad_alone_refuses():
    with pytest.raises(NotImplementedError, match="sparse gradients"):
        embedding([1], sparse=True)(mg)
    with pytest.raises(RuntimeError, match="must not decrease"):
        bag([0, 1, 2], [0, 2, 1])(mg)
    with pytest.raises(RuntimeError, match="cannot allocate"):
        one_hot([1], 2**60)(mg)

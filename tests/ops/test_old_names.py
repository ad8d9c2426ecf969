"""What programs of all years call besides operations: out=, old argument orders, memory, hooks, windows, special."""

import numpy as np
import pytest
from torch_oracle import same_error, torch

import minigrad as mg
import minigrad.special


def both(program):
    """The results of a program of the library `m`, minigrad's and torch's, as arrays."""
    results = [program(m) for m in (mg, torch)]
    return [np.asarray(result.detach() if hasattr(result, "detach") else result) for result in results]


def out(m, name, *args):
    result = m.empty(0)
    assert getattr(m, name)(*args, out=result) is result
    return result


def several(m):
    values, indices = m.empty(0), m.empty(0, dtype=m.int64)
    m.max(m.tensor([[1.0, 3.0], [5.0, 4.0]]), 1, out=(values, indices))
    return m.cat([values, indices.float()])


def in_place(m, name, *args):
    return getattr(m.tensor([0.5, -0.25, 2.0]), name)(*args)


def filled(m):
    seen = []
    x = m.ones(2, requires_grad=True)
    handle = x.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf.grad.clone()))
    (x * 3).sum().backward()
    handle.remove()
    (x * 3).sum().backward()
    assert len(seen) == 1
    return m.cat([seen[0], x.grad])


def shared(m):
    x, y = m.zeros(0), m.ones(2)
    x.set_(y)
    y.mul_(3)
    return x


PROGRAMS = {
    "add out": lambda m: out(m, "add", m.ones(2), m.ones(2)),
    "matmul out": lambda m: out(m, "matmul", m.ones(2, 3), m.ones(3, 2)),
    "cat out": lambda m: out(m, "cat", [m.ones(2), m.zeros(1)]),
    "out of another dtype": lambda m: m.add(m.ones(2), 1, out=m.empty(2, dtype=m.float64)),
    "max out": several,
    "add in the old order": lambda m: in_place(m, "add_", 2, m.ones(3)),
    "sub in the old order": lambda m: m.sub(m.ones(3), 2, m.ones(3)),
    "addcmul in the old order": lambda m: in_place(m, "addcmul_", 0.5, m.ones(3), m.ones(3) * 3),
    "addcdiv in the old order": lambda m: m.addcdiv(m.ones(3), 0.5, m.ones(3), m.ones(3) * 4),
    "torch.exp_": lambda m: m.exp_(m.ones(2)),
    "signbit": lambda m: m.signbit(m.tensor([-0.0, 1.0, -2.0])),
    "signbit of integers": lambda m: m.signbit(m.tensor([-1, 0, 2])),
    "isposinf": lambda m: m.isposinf(m.tensor([float("inf"), -float("inf"), float("nan")])),
    "isneginf": lambda m: m.isneginf(m.tensor([float("inf"), -float("inf"), float("nan")])),
    "deg2rad": lambda m: m.deg2rad(m.tensor([90.0, 45.0])),
    "rad2deg": lambda m: m.rad2deg(m.tensor([1.0, 0.5])),
    "fill_diagonal_": lambda m: m.zeros(3, 3).fill_diagonal_(2),
    "fill_diagonal_ wrapped": lambda m: m.zeros(7, 3).fill_diagonal_(2, wrap=True),
    "resize_": lambda m: m.arange(6).resize_(2, 2),
    "resize_as_": lambda m: m.arange(6).resize_as_(m.ones(3, 2)),
    "set_": shared,
    "apply_": lambda m: m.tensor([1.0, 2.0]).apply_(lambda x: x * x),
    "map_": lambda m: m.tensor([1.0, 2.0]).map_(m.tensor([3.0, 4.0]), lambda a, b: a - b),
    "new": lambda m: m.ones(1, dtype=m.float64).new([1, 2]),
    "asarray": lambda m: m.asarray([1.0, 2.0]),
    "frombuffer": lambda m: m.frombuffer(bytearray(range(8)), dtype=m.int32, offset=4),
    "scalar_tensor": lambda m: m.scalar_tensor(3),
    "vander": lambda m: m.vander(m.tensor([1.0, 2.0, 3.0]), 4, increasing=True),
    "combinations": lambda m: m.combinations(m.tensor([1, 2, 3]), 2, with_replacement=True),
    "unravel_index": lambda m: m.stack(m.unravel_index(m.tensor([5, 1]), (2, 3))),
    "trapz": lambda m: m.trapz(m.tensor([1.0, 5.0, 10.0]), m.tensor([1.0, 2.0, 4.0])),
    "hann_window": lambda m: m.hann_window(5),
    "hann_window of one": lambda m: m.hann_window(1),
    "hamming_window": lambda m: m.hamming_window(6, periodic=False),
    "blackman_window": lambda m: m.blackman_window(5),
    "expit": lambda m: m.special.expit(m.tensor([0.5])),
    "ndtr": lambda m: m.special.ndtr(m.tensor([0.5, -3.0])),
    "ndtri": lambda m: m.special.ndtri(m.tensor([0.5, 0.1])),
    "entr": lambda m: m.special.entr(m.tensor([0.0, 0.3, -1.0])),
    "xlog1py": lambda m: m.special.xlog1py(m.tensor([0.0, 2.0]), m.tensor([-1.0, 3.0])),
    "post-accumulate hooks": filled,
    "a function of NumPy's": lambda m: np.sqrt(m.tensor([4.0, 9.0])),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_like_pytorch(name):
    ours, theirs = both(PROGRAMS[name])
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda m: m.add(m.ones(2, requires_grad=True), 1, out=m.empty(2)),
        lambda m: m.add(m.ones(2), 1.5, out=m.empty(2, dtype=m.int64)),
        lambda m: m.ones(2, requires_grad=True).resize_(3),
        lambda m: m.ones(2).fill_diagonal_(1),
        lambda m: m.ones(2).register_post_accumulate_grad_hook(print),
        lambda m: (m.ones(2, requires_grad=True) * 2).register_post_accumulate_grad_hook(print),
        lambda m: m.vander(m.ones(2, 2)),
    ],
)
def test_misuse(misuse):
    same_error(misuse)


def test_out_of_another_shape_warns():
    with pytest.warns(UserWarning, match="was resized"):
        assert mg.add(mg.ones(2), 1, out=mg.empty(3)).shape == (2,)


def test_absent_dtypes_can_be_named_and_not_used():
    assert repr(mg.bfloat16) == "bfloat16" and isinstance(mg.float16, mg.dtype)
    for convert in (lambda: mg.ones(1).half(), lambda: mg.nn.Linear(1, 1).bfloat16(), lambda: mg.ones(1).bfloat16()):
        with pytest.raises(TypeError, match=r"minigrad has no dtype b?float16"):
            convert()


def test_memory_is_what_it_says():
    x = mg.ones(3)
    assert not x.is_shared() and x.share_memory_() is x and x.is_shared() and (x == 1).all()
    assert x.is_cpu and not x.is_cuda and not x.is_sparse and x.layout is mg.strided and x.real is x


def test_the_generator_is_where_it_was_after_fork_rng():
    with mg.fork_rng():
        first = mg.rand(3)
    assert (mg.rand(3) == first).all()

"""Tensors on the GPU: where they are made and moved, what they say of themselves, and the mistakes users make."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

import minigrad as mg
from minigrad import nn
from minigrad.kernels import cuda, use
from minigrad.testing import LAYOUTS, lay_out

CREATORS = [
    lambda **kw: mg.tensor([[1.0, 2.0]], **kw),
    lambda **kw: mg.as_tensor(np.ones(2), **kw),
    lambda **kw: mg.asarray([1, 2], **kw),
    lambda **kw: mg.zeros(2, 3, **kw),
    lambda **kw: mg.ones(2, **kw),
    lambda **kw: mg.empty(2, **kw),
    lambda **kw: mg.full((2,), 7, **kw),
    lambda **kw: mg.scalar_tensor(1.0, **kw),
    lambda **kw: mg.arange(3, **kw),
    lambda **kw: mg.linspace(0, 1, 3, **kw),
    lambda **kw: mg.logspace(0, 1, 3, **kw),
    lambda **kw: mg.eye(2, **kw),
    lambda **kw: mg.tril_indices(2, 2, **kw),
    lambda **kw: mg.rand(2, **kw),
    lambda **kw: mg.randn(2, **kw),
    lambda **kw: mg.randint(5, (2,), **kw),
    lambda **kw: mg.randperm(4, **kw),
    lambda **kw: mg.normal(0.0, 1.0, (2,), **kw),
    lambda **kw: mg.zeros_like(mg.ones(2), **kw),
    lambda **kw: mg.rand_like(mg.ones(2), **kw),
    lambda **kw: mg.ones(2).new_zeros(3, **kw),
    lambda **kw: nn.Linear(2, 3, **kw).weight,
    lambda **kw: nn.BatchNorm1d(3, **kw).running_mean,
]


@pytest.mark.parametrize("create", CREATORS)
def test_device_says_where_a_tensor_is_made(create):
    on_gpu, on_cpu = create(device="cuda"), create()
    assert str(on_gpu.device) == "cuda:0" and on_gpu.is_cuda and on_gpu.get_device() == 0
    assert str(on_cpu.device) == "cpu" and on_cpu.is_cpu and not on_cpu.is_cuda
    assert (on_gpu.shape, on_gpu.dtype, on_gpu.stride()) == (on_cpu.shape, on_cpu.dtype, on_cpu.stride())
    with mg.device("cuda"):
        assert create().is_cuda
        assert create(device="cpu").is_cpu


@given(st.data())
def test_a_round_trip_keeps_values_dtype_and_memory_order(data):
    dtype = data.draw(st.sampled_from(["float32", "float64", "int64", "int32", "uint8", "bool"]))
    array = data.draw(nps.arrays(dtype, nps.array_shapes(min_dims=0, max_dims=4, max_side=4)))
    if array.ndim:
        layout = data.draw(st.sampled_from([name for name in LAYOUTS if name != "broadcast"]))
        array = lay_out(array, layout)
    there = mg.from_numpy(array).to("cuda")
    back = there.cpu()
    assert there.dtype == back.dtype == array.dtype
    np.testing.assert_array_equal(back.numpy(), array)
    np.testing.assert_array_equal(there.tolist(), array.tolist())


def test_channels_last_stays_so_on_both_ways():
    x = mg.rand(2, 3, 4, 5).contiguous(memory_format=mg.channels_last)
    there = x.cuda()
    assert there.is_contiguous(memory_format=mg.channels_last) and there.stride() == x.stride()
    assert there.cpu().is_contiguous(memory_format=mg.channels_last)


def test_to_is_the_tensor_itself_where_nothing_changes_and_differentiable_where_it_moves():
    x = mg.ones(3, device="cuda")
    assert x.to("cuda") is x and x.cuda() is x and x.to("cuda:0") is x and x.to(0) is x
    assert x.to("cuda", copy=True) is not x
    assert x.to(mg.ones(1)).device == mg.device("cpu")
    leaf = mg.ones(3, requires_grad=True)
    (leaf.cuda() * mg.tensor([1.0, 2.0, 3.0], device="cuda")).sum().cpu().backward()
    assert leaf.grad.tolist() == [1, 2, 3] and leaf.grad.is_cpu
    moved = leaf.to("cuda", mg.float64)
    assert moved.dtype == mg.float64 and moved.is_cuda


def test_what_it_prints():
    x = mg.tensor([1.5, 2.0], device="cuda", requires_grad=True)
    assert repr(x) == "tensor([1.5000, 2.0000], device='cuda:0', requires_grad=True)"
    assert repr(mg.ones(1, device="cuda", dtype=mg.float64)) == (
        "tensor([1.], device='cuda:0', dtype=minigrad.float64)"
    )
    assert "device='cuda:0', grad_fn=<MulBackward0>" in repr(x * 2)
    with mg.device("cuda"):
        assert repr(mg.ones(1)) == "tensor([1.])"
    assert x.detach().type() == "torch.cuda.FloatTensor"


MIXED = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"


@pytest.mark.parametrize(
    "mix",
    [
        lambda gpu, cpu: gpu + cpu,
        lambda gpu, cpu: cpu * gpu,
        lambda gpu, cpu: mg.cat([gpu, cpu]),
        lambda gpu, cpu: mg.stack([cpu, gpu]),
        lambda gpu, cpu: gpu @ cpu,
        lambda gpu, cpu: mg.where(gpu > 0, gpu, cpu),
        lambda gpu, cpu: gpu.add_(cpu),
        lambda gpu, cpu: nn.functional.linear(gpu, cpu),
        lambda gpu, cpu: nn.functional.mse_loss(gpu, cpu),
        lambda gpu, cpu: nn.functional.cross_entropy(gpu, mg.tensor([0, 1, 0])),
        lambda gpu, cpu: nn.Linear(3, 2)(gpu),
        lambda gpu, cpu: nn.Conv1d(3, 2, 1).cuda()(cpu),
        lambda gpu, cpu: nn.BatchNorm1d(3)(gpu),
        lambda gpu, cpu: gpu.gather(0, mg.zeros(1, 3, dtype=mg.int64)),
    ],
)
def test_mixed_devices_are_an_error_in_pytorchs_words(mix):
    with pytest.raises(RuntimeError) as error:
        mix(mg.rand(3, 3, device="cuda"), mg.rand(3, 3))
    assert str(error.value).splitlines()[0] == MIXED


def test_cpu_tensors_of_no_dimensions_count_as_numbers():
    x = mg.ones(2, device="cuda")
    assert (x * mg.tensor(3.0)).tolist() == [3, 3] and (mg.tensor(3.0) - x).is_cuda


def test_cpu_indices_and_copies_across_devices_are_fine():
    x = mg.arange(4, device="cuda")
    assert x[mg.tensor([2, 0])].tolist() == [2, 0]
    assert x[mg.tensor([True, False, True, False])].tolist() == [0, 2]
    x[1:3] = mg.tensor([7, 8])
    assert x.tolist() == [0, 7, 8, 3]
    target = mg.zeros(4, dtype=mg.int64)
    target.copy_(x)
    assert target.tolist() == x.tolist() and target.is_cpu


def test_python_values_among_indices_and_elements():
    x = mg.arange(6.0, device="cuda").reshape(2, 3)
    assert x[True].shape == (1, 2, 3) and x[:, False].shape == (2, 0, 3) and x[mg.tensor(True)].is_cuda
    assert mg.isin(4, x).item() is True and mg.isin(x, 2).sum().item() == 1
    assert mg.equal(x, x) is True and mg.allclose(x, x + 1) is False and x.count_nonzero().item() == 5
    rows, counts = mg.unique_consecutive(x[[0, 0, 1]], return_counts=True, dim=0)
    assert rows.tolist() == x.tolist() and counts.tolist() == [2, 1]
    assert x.median().item() == 2 and mg.tensor([1.0, float("nan"), 3.0], device="cuda").nanmedian().item() == 1


def test_lengths_of_sequences_come_from_either_device():
    rng = np.random.default_rng(0)
    scores, labels = mg.from_numpy(rng.random((4, 2, 3))), mg.tensor([[1, 2], [2, 0]])
    losses = []
    for lengths in (((4, 3), (2, 1)), (mg.tensor([4, 3]), mg.tensor([2, 1], device="cuda"))):
        x = scores.cuda().requires_grad_()
        loss = nn.functional.ctc_loss(x.log_softmax(2), labels.cuda(), *lengths)
        loss.backward()
        losses.append((loss.item(), x.grad.tolist()))
    with use("reference"):
        x = scores.clone().requires_grad_()
        loss = nn.functional.ctc_loss(x.log_softmax(2), labels, (4, 3), (2, 1))
        loss.backward()
    assert losses[0] == losses[1] and losses[0][0] == pytest.approx(loss.item())
    np.testing.assert_allclose(losses[0][1], x.grad.numpy(), atol=1e-9)


def test_packed_sequences_padding_masks_and_distributions_stay_on_the_gpu():
    x, rnn = mg.rand(4, 2, 3, device="cuda"), nn.utils.rnn
    packed = rnn.pack_padded_sequence(x, mg.tensor([2, 4], device="cuda"), enforce_sorted=False)
    padded, lengths = rnn.pad_packed_sequence(packed)
    assert packed.data.is_cuda and packed.batch_sizes.is_cpu and lengths.tolist() == [2, 4]
    assert padded[:, 1].tolist() == x[:, 1].tolist() and padded[2:, 0].tolist() == [[0] * 3] * 2
    mask = mg.tensor([[False, True], [False, False]], device="cuda")
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 1, 2, batch_first=True), 1).cuda().eval()
    assert encoder(mg.rand(2, 2, 2, device="cuda"), src_key_padding_mask=mask).is_cuda
    zeros, ones = mg.zeros(2, device="cuda"), mg.ones(2, device="cuda")
    for name, arguments in (("Normal", (zeros, ones)), ("Uniform", (zeros, ones)), ("Exponential", (ones,))):
        distribution = getattr(mg.distributions, name)(*arguments)
        assert distribution.log_prob(distribution.rsample((3,))).is_cuda


@pytest.mark.parametrize("function", [mg.linalg.inv, mg.linalg.cholesky, lambda x: mg.linalg.solve(x, x)])
def test_matrices_that_cannot_be_solved_are_errors(function):
    with pytest.raises(mg.linalg.LinAlgError):
        function(mg.zeros(2, 2, device="cuda"))


@pytest.mark.parametrize("give", [lambda x: x.numpy(), np.asarray, lambda x: np.add(np.ones(2), x)])
def test_numpy_of_the_gpu_is_an_error_in_pytorchs_words(give):
    with pytest.raises(TypeError, match=r"^can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu\(\)"):
        give(mg.ones(2, device="cuda"))
    assert mg.ones(2, device="cuda", requires_grad=True).numpy(force=True).tolist() == [1, 1]


def test_python_values_come_back():
    x = mg.tensor([2.5], device="cuda")
    assert (x.item(), float(x), int(x), bool(x), x.tolist(), len(x)) == (2.5, 2.5, 2, True, [2.5], 1)
    assert 2.5 in x and list(range(5))[mg.tensor(2, device="cuda")] == 2
    assert f"{mg.tensor(1.25, device='cuda'):.1f}" in ("1.2", "1.3")


def test_devices_that_are_not_there():
    with pytest.raises(RuntimeError, match=r"^CUDA error: invalid device ordinal"):
        mg.ones(1, device="cuda:1")
    with pytest.raises(AssertionError, match=r"^Torch not compiled with MPS enabled"):
        mg.ones(1).to("mps")
    with pytest.raises(RuntimeError, match=r"^Invalid device, must be cuda device"):
        mg.ones(1).cuda("cpu")


def test_gradients_stay_where_their_tensors_are():
    x = mg.ones(2, device="cuda", requires_grad=True)
    with pytest.raises(RuntimeError, match=r"^attempting to assign a gradient with device type 'cpu'"):
        x.grad = mg.ones(2)
    x.grad = mg.ones(2, device="cuda")
    x.sum().backward()
    assert x.grad.tolist() == [2, 2] and x.grad.is_cuda


def test_copies_and_pickles_stay_on_the_gpu():
    x = mg.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.is_cuda and other.requires_grad and other.tolist() == [1, 2]
        assert other.data_ptr() != x.data_ptr()


def test_views_share_the_gpus_memory_and_writes_are_counted():
    x = mg.zeros(2, 3, device="cuda")
    x[0].fill_(1)
    x.t()[2] = 5
    assert x.tolist() == [[1, 1, 5], [0, 0, 5]]
    assert x.as_strided((2,), (3,), 2).tolist() == [5, 5]
    assert x.view(-1).unfold(0, 2, 2).shape == (3, 2)
    address = x.data_ptr()
    x += 1
    assert x.data_ptr() == address  # graphs know memory by its address
    leaf = mg.ones(3, device="cuda", requires_grad=True)
    y = leaf * 2
    z = (y * y).sum()
    y += 1
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation.*version 1; expected version 0"):
        z.backward()


def test_a_kernel_that_the_gpu_has_not_is_an_error_in_pytorchs_words(monkeypatch):
    monkeypatch.delattr(cuda, "median_pool")
    with pytest.raises(
        NotImplementedError, match=r"^Could not run 'aten::median_pool' with arguments from the 'CUDA' back"
    ):
        mg.nn.functional.median_pool2d(mg.ones(1, 1, 4, 4, device="cuda"), 3)
    assert not hasattr(cuda, "no_kernel")

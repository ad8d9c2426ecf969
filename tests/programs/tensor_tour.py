"""A tour of tensors as tutorials print them: out=, in place, NumPy bridge, indexing, printing."""

import torch, numpy as np

x = torch.empty(5, 3)
print(x.size(), x.shape, type(x))
x = torch.rand(5, 3)
print(x.dtype, x.device, x.type())
x = torch.zeros(5, 3, dtype=torch.long)
print(x)
x = torch.tensor([5.5, 3])
print(x)
x = x.new_ones(5, 3, dtype=torch.double)
print(x)
x = torch.randn_like(x, dtype=torch.float)
print(x.size())
y = torch.rand(5, 3)
result = torch.empty(5, 3)
torch.add(x, y, out=result)
print(torch.allclose(result, x + y))
y.add_(x)
print(x[:, 1].shape)
x = torch.randn(4, 4)
y = x.view(16)
z = x.view(-1, 8)
print(x.size(), y.size(), z.size())
x = torch.randn(1)
print(type(x.item()))
a = torch.ones(5)
print(a)
b = a.numpy()
print(b)
a.add_(1)
print(a, b)
a = np.ones(5)
b = torch.from_numpy(a)
np.add(a, 1, out=a)
print(a, b)
if torch.cuda.is_available():
    x = x.cuda()
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
print(device, device.type, device.index)
print(x.is_cuda, x.requires_grad, x.layout)
print(f"Datatype of tensor: {a.dtype}  {b.dtype}")
t = torch.ones(4, 4)
print(f"First row: {t[0]}")
print(f"Last column: {t[..., -1]}")
t[:, 1] = 0
print(t)
t1 = torch.cat([t, t, t], dim=1)
print(t1)
y1 = t @ t.T
y2 = t.matmul(t.T)
y3 = torch.rand_like(y1)
torch.matmul(t, t.T, out=y3)
print(y3)
z3 = torch.rand_like(t)
torch.mul(t, t, out=z3)
print(z3)
agg = t.sum()
print(agg.item(), type(agg.item()))
print(f"{t} \n")
t.add_(5)
print(t)
shape = (
    2,
    3,
)
print(f"Zeros Tensor: \n {torch.zeros(shape)}")
print(torch.arange(10).reshape(2, 5)[:, 1::2])
print(torch.linspace(0, 1, 5))
print(torch.eye(3).bool())
print(torch.tensor([1, 2, 3]) / 2, torch.tensor([1, 2, 3]) // 2, torch.tensor(7) % 3)
print(
    torch.tensor([[1, 2], [3, 4]]).float().mean(),
    torch.tensor([1e-8, 1e8]),
    torch.tensor([1.5e10]),
    torch.tensor([float("nan"), float("inf")]),
)
print(torch.float32, torch.int64, torch.get_default_dtype(), x.double().dtype, torch.bool)
print(
    isinstance(x.dtype, torch.dtype), x.is_sparse, x.is_contiguous(), torch.is_tensor(x), x.nelement(), x.ndimension()
)
print(torch.__version__ >= "1.0")
print(
    torch.tensor([True, False]).sum(), torch.tensor(3.0).pow(2), 2 ** torch.tensor([1.0, 2.0]), torch.randn(1000).shape
)
x = torch.arange(0, 12).view(3, 4)
print(x.storage_offset(), x[1].storage_offset(), x.stride(), x.t().stride())
print(
    x[x > 5],
    x[[0, 2], [1, 3]],
    x[:, None].shape,
    torch.where(x > 5),
    x.nonzero()[:2],
    x.max(),
    x.max(1),
    x.argmax(dim=0),
)
print(torch.randn(10000)[:5].shape, torch.zeros(1001).shape)
print(torch.arange(60 * 60.0).view(60, 60))
print("OUTCOME", {"first": 1.0, "last": 1.0, "exact": float(t.sum() + y3.sum() + z3.sum())})

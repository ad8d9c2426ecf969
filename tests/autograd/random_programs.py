"""Random programs over tensors: instructions that run with minigrad and with PyTorch alike."""

import numpy as np

SHAPES = [(), (3,), (2, 3), (3, 1), (2, 1, 3), (0, 3)]


class Machine:
    """A library and the tensors that a program has made so far."""

    def __init__(self, m):
        self.m, self.tensors = m, []

    def pick(self, number):
        """One of the tensors."""
        return self.tensors[number % len(self.tensors)]

    def values(self, shape, seed):
        """A float64 tensor of small numbers."""
        return self.m.from_numpy(np.asarray(np.random.default_rng(seed).integers(-4, 5, shape) / 4.0))


def leaf(s, a, b, c):
    s.tensors.append(s.values(SHAPES[a % len(SHAPES)], b).requires_grad_(c % 4 != 0))


def add(s, a, b, c):
    s.tensors.append(s.pick(a) + s.pick(b))


def mul(s, a, b, c):
    s.tensors.append(s.pick(a) * s.pick(b))


def sub_number(s, a, b, c):
    s.tensors.append((b % 5) - s.pick(a))


def divide(s, a, b, c):
    s.tensors.append(s.pick(a) / (s.pick(b) * s.pick(b) + 1.5))


def unary(s, a, b, c):
    name = ("sin", "sigmoid", "tanh", "neg", "square", "relu", "cos", "abs")[b % 8]
    s.tensors.append(getattr(s.m, name)(s.pick(a)))


def matmul(s, a, b, c):
    s.tensors.append((s.pick(a) @ s.pick(b)) * 1)  # which of the libraries returns a view of a larger result differs


def reduce(s, a, b, c):
    x = s.pick(a)
    name = ("sum", "mean")[b % 2]
    s.tensors.append(getattr(x, name)() if c % 2 or x.ndim == 0 else getattr(x, name)(c // 2 % x.ndim, c % 3 == 0))


def cat(s, a, b, c):
    s.tensors.append(s.m.cat([s.pick(a), s.pick(b)], c % 2))


def stack(s, a, b, c):
    s.tensors.append(s.m.stack([s.pick(a), s.pick(b)], c % 2))


def where(s, a, b, c):
    x = s.pick(a)
    s.tensors.append(s.m.where(x.detach() > 0, x, s.pick(b)))


def view(s, a, b, c):
    x = s.pick(a)
    views = (
        lambda: x.reshape(-1),
        lambda: x.transpose(0, -1),
        lambda: x.unsqueeze(0),
        lambda: x.squeeze(),
        lambda: x[c % 3],
        lambda: x[..., ::2],
        lambda: x[None],
        lambda: x.expand(2, *x.shape),
        lambda: x.narrow(0, c % 2, 1),
        lambda: x.select(-1, c % 2),
        lambda: x.flatten(),
        lambda: x.permute(list(reversed(range(x.ndim)))),
        lambda: x.view_as(x),
        lambda: x.detach(),
    )
    s.tensors.append(views[b % len(views)]())


def parts(s, a, b, c):
    x = s.pick(a)
    pieces = x.unbind(c % 2) if b % 2 else x.chunk(2, c % 2)
    s.tensors += [piece * 1 for piece in pieces]


def pick_elements(s, a, b, c):
    x, m = s.pick(a), s.m
    index = m.from_numpy(np.array([c % 2, 0, b % 3]))
    s.tensors.append(x[index] if b % 2 else x[x.detach() > 0])


def clone(s, a, b, c):
    s.tensors.append(s.pick(a).clone())


def _memory(x):
    """The address of the memory that a tensor looks at, of either library."""
    if hasattr(x, "untyped_storage"):
        return x.untyped_storage().data_ptr()
    array = x.numpy(force=True)
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.__array_interface__["data"][0]


def write(s, a, b, c):
    x, other = s.pick(a), s.pick(c)
    partly = other is not x or b % 18 in (14, 15)  # into a part of itself
    if partly and _memory(other) == _memory(x):  # PyTorch forbids operands that overlap in part
        other = other.clone()
    writes = (
        lambda: x.add_(1),
        lambda: x.mul_(other),
        lambda: x.add_(other),
        lambda: x.sub_(other, alpha=2),
        lambda: x.zero_(),
        lambda: x.fill_(0.5),
        lambda: x.copy_(other),
        lambda: x.sin_(),
        lambda: x.tanh_(),
        lambda: x.div_(2),
        lambda: x.neg_(),
        lambda: x.clamp_(-0.4, 0.6),
        lambda: x.masked_fill_(x.detach().clone() > 0, 0.25),
        lambda: x.__setitem__(c % 3, 0.75),
        lambda: x.__setitem__((..., 0), other),
        lambda: x.__setitem__(slice(0, 2), other),
        lambda: x.__setitem__(x.detach() < 0, 0.125),
        lambda: x.square_(),
    )
    # PyTorch lets some writes repeat themselves
    if x.numel() == 0 or all(n < 2 or stride for n, stride in zip(x.shape, x.stride())):
        writes[b % len(writes)]()


def write_without_recording(s, a, b, c):
    x = s.pick(a)
    if x._base is None and not any(t._base is x for t in s.tensors):  # PyTorch gives views nodes of their own then
        with s.m.no_grad():
            write(s, a, b, c)


def compute_without_recording(s, a, b, c):
    with s.m.no_grad():  # no views: PyTorch has rules of its own for those made here
        (unary if b % 2 else mul)(s, a, b // 2, c)


def change_requires_grad(s, a, b, c):
    x = s.pick(a)
    if not any(t._base is x for t in s.tensors):  # else PyTorch's views say at once that they require grad too
        x.requires_grad_(b % 3 != 0)


def detach_in_place(s, a, b, c):
    x = s.pick(a).clone() * 1  # PyTorch's errors for tensors whose graph is in use are those of its inner workings
    s.tensors.append(x.detach_())


def hook(s, a, b, c):
    x = s.pick(a)
    if x._base is None:  # PyTorch loses a view's hooks when its base is written
        x.register_hook((lambda g: g * 2) if b % 2 else (lambda g: None))


def retain(s, a, b, c):
    s.pick(a).retain_grad()


def forget(s, a, b, c):
    s.pick(a).grad = None


def backward(s, a, b, c):
    x = s.pick(a)
    (x if c % 3 == 0 else x.sum()).backward(retain_graph=b % 2 == 0)


def gradients(s, a, b, c):
    # one source: of several that depend on each other, PyTorch gives some as they were before their hooks
    grads = s.m.autograd.grad(s.pick(a).sum(), s.pick(b), create_graph=c % 2 == 0, allow_unused=c % 3 == 0)
    s.tensors += [g.clone() for g in grads if g is not None]  # PyTorch's may share memory


INSTRUCTIONS = [
    leaf, add, mul, sub_number, divide, unary, matmul, reduce, cat, stack, where, view, view, parts,
    pick_elements, clone, write, write, write, write_without_recording, compute_without_recording,
    change_requires_grad, detach_in_place, hook, retain, forget, backward, backward, gradients,
]  # fmt: skip
STOPS = {backward, gradients}  # after an error in one of these, what has been freed or added depends on the order

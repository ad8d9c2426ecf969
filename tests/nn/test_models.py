"""Whole networks against torch: LeNet-5 and ResNet-20 with the same weights, and short trainings."""

import numpy as np
import pytest
from torch_oracle import draw, torch

import minigrad as mg
from minigrad.kernels import use
from minigrad.vision.models import LeNet5, resnet20


class TorchLeNet5(torch.nn.Module):
    """minigrad.vision.models.LeNet5 in torch."""

    def __init__(self):
        super().__init__()
        self.c1, self.c3, self.c5 = torch.nn.Conv2d(1, 6, 5), torch.nn.Conv2d(6, 16, 5), torch.nn.Conv2d(16, 120, 5)
        self.s2, self.s4 = torch.nn.AvgPool2d(2), torch.nn.AvgPool2d(2)
        self.f6, self.output = torch.nn.Linear(120, 84), torch.nn.Linear(84, 10)

    def forward(self, x):
        x = self.s4(self.c3(self.s2(self.c1(x).tanh())).tanh())
        return self.output(self.f6(self.c5(x).tanh().flatten(1)).tanh())


class TorchBlock(torch.nn.Module):
    """Two convolutions around a shortcut that takes every second pixel and adds channels of zeros."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1, self.bn2 = torch.nn.BatchNorm2d(after), torch.nn.BatchNorm2d(after)
        self.conv2 = torch.nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.stride, self.extra = stride, (after - before) // 2

    def forward(self, x):
        shortcut = torch.nn.functional.pad(
            x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra, self.extra)
        )
        return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + shortcut).relu()


class TorchResNet20(torch.nn.Module):
    """minigrad.vision.models.resnet20 in torch."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = torch.nn.Conv2d(3, 16, 3, padding=1, bias=False), torch.nn.BatchNorm2d(16)
        for i, (before, after) in enumerate([(16, 16), (16, 32), (32, 64)], 1):
            blocks = [TorchBlock(before, after, 1 if i == 1 else 2), *[TorchBlock(after, after, 1) for _ in range(2)]]
            setattr(self, f"stage{i}", torch.nn.Sequential(*blocks))
        self.fc = torch.nn.Linear(64, 10)

    def forward(self, x):
        x = self.stage3(self.stage2(self.stage1(self.bn1(self.conv1(x)).relu())))
        return self.fc(x.mean((2, 3)))


def relative(ours, theirs):
    ours, theirs = ours.numpy(force=True).astype("float64"), theirs.numpy(force=True).astype("float64")
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-8)


@pytest.mark.parametrize(
    "ours, theirs, shape", [(LeNet5, TorchLeNet5, (4, 1, 32, 32)), (resnet20, TorchResNet20, (4, 3, 32, 32))]
)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_outputs_and_all_gradients_equal_those_of_torch(ours, theirs, shape, training):
    torch.manual_seed(0)
    theirs, ours = theirs().train(training), ours().train(training)
    ours.load_state_dict({name: mg.from_numpy(t.numpy().copy()) for name, t in theirs.state_dict().items()})
    x, target = draw(shape, "float32"), np.array([1, 2, 3, 9])
    results = []
    for m, net in ((mg, ours), (torch, theirs)):
        image = m.from_numpy(x).requires_grad_()
        scores = net(image)
        m.nn.functional.cross_entropy(scores, m.from_numpy(target)).backward()
        results.append({"scores": scores, "image": image.grad} | {name: p.grad for name, p in net.named_parameters()})
        results[-1] |= {name: b for name, b in net.named_buffers() if "num_batches" not in name}
    assert results[0].keys() == results[1].keys()
    errors = {name: relative(results[0][name], results[1][name]) for name in results[0]}
    assert max(errors.values()) < 1e-4, {name: e for name, e in errors.items() if e >= 1e-4}


def small():
    """A network with the layers of LeNet-5 and of ResNet-20, of a size for loops in Python."""
    nn = mg.nn
    block = nn.Conv2d(2, 3, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(nn.Conv2d(1, 2, 5), nn.Tanh(), nn.AvgPool2d(2), *block, nn.Flatten(), nn.Linear(3, 4))


def losses(backend, steps=3):
    """The losses of a few training steps on a tiny batch with the kernels of `backend`."""
    mg.manual_seed(0)
    net = small()
    optimizer = mg.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, target = mg.from_numpy(draw((3, 1, 12, 12), "float32")), mg.tensor([3, 0, 1])
    seen = []
    with use(backend):
        for _ in range(steps):
            optimizer.zero_grad()
            loss = mg.nn.functional.cross_entropy(net(x), target)
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
    return seen


def test_reference_kernels_train_the_same_network():
    fast = losses("cpu")
    assert fast[-1] < fast[0]
    np.testing.assert_allclose(fast, losses("reference"), rtol=1e-5, atol=1e-5)


def test_training_equals_that_of_torch():
    torch.manual_seed(0)
    theirs, ours = TorchLeNet5(), LeNet5()
    ours.load_state_dict({name: mg.from_numpy(t.numpy().copy()) for name, t in theirs.state_dict().items()})
    x, target = draw((8, 1, 32, 32), "float32"), np.arange(8)
    curves = []
    for m, net in ((mg, ours), (torch, theirs)):
        optimizer, curve = m.optim.Adam(net.parameters(), lr=1e-3), []
        for _ in range(10):
            optimizer.zero_grad()
            loss = m.nn.functional.cross_entropy(net(m.from_numpy(x)), m.from_numpy(target))
            loss.backward()
            optimizer.step()
            curve.append(loss.item())
        curves.append(curve)
    assert curves[0][-1] < 0.8 * curves[0][0]
    np.testing.assert_allclose(*curves, rtol=1e-3)

"""A training script of the first versions: its own optimizer in the old argument order, DataParallel, checkpoints."""

import torch, torch.nn as nn, torch.nn.functional as F, math, shutil, os, time, sys
import torch.optim as optim
from torch.autograd import Variable, Function
from torch.optim import Optimizer
import torch.utils.data as data_utils
from torch.utils.data.sampler import SubsetRandomSampler

torch.manual_seed(7)


class AdamOld(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        super(AdamOld, self).__init__(params, defaults)

    def __setstate__(self, state):
        super(AdamOld, self).__setstate__(state)

    def step(self, closure=None):
        loss = None
        if closure is not None:
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad.data
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["exp_avg"] = torch.zeros_like(p.data)
                    state["exp_avg_sq"] = torch.zeros_like(p.data)
                ea, es = state["exp_avg"], state["exp_avg_sq"]
                b1, b2 = group["betas"]
                state["step"] += 1
                if group["weight_decay"] != 0:
                    grad = grad.add(group["weight_decay"], p.data)
                ea.mul_(b1).add_(1 - b1, grad)
                es.mul_(b2).addcmul_(1 - b2, grad, grad)
                denom = es.sqrt().add_(group["eps"])
                ss = group["lr"] * math.sqrt(1 - b2 ** state["step"]) / (1 - b1 ** state["step"])
                p.data.addcdiv_(-ss, ea, denom)
        return loss


class GradReverse(Function):
    @staticmethod
    def forward(ctx, x, lambd):
        ctx.lambd = lambd
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return g.neg() * ctx.lambd, None


class Binarize(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_non_differentiable()
        return x.sign()

    @staticmethod
    def backward(ctx, g):
        return g.clone()


def to_var(x, requires_grad=False, volatile=False):
    if torch.cuda.is_available():
        x = x.cuda()
    return Variable(x, requires_grad=requires_grad)


def weights_init(m):
    cn = m.__class__.__name__
    if cn.find("Conv") != -1:
        m.weight.data.normal_(0.0, 0.02)
    elif cn.find("BatchNorm") != -1:
        m.weight.data.normal_(1.0, 0.02)
        m.bias.data.fill_(0)
    elif cn.find("Linear") != -1:
        nn.init.xavier_uniform(m.weight)
        nn.init.constant(m.bias, 0.1)


class AverageMeter(object):
    def __init__(self):
        self.reset()

    def reset(self):
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count


def accuracy(output, target, topk=(1,)):
    maxk = max(topk)
    bs = target.size(0)
    _, pred = output.topk(maxk, 1, True, True)
    pred = pred.t()
    correct = pred.eq(target.view(1, -1).expand_as(pred))
    return [correct[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / bs) for k in topk]


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, 1, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(True),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(8, 16, 3, 1, 1),
            nn.BatchNorm2d(16),
            nn.LeakyReLU(0.2, inplace=True),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Linear(16 * 2 * 2, 10)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                n = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
                m.weight.data.normal_(0, math.sqrt(2.0 / n))
            elif isinstance(m, nn.BatchNorm2d):
                m.weight.data.fill_(1)
                m.bias.data.zero_()

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        return self.classifier(x)


from sklearn.datasets import load_digits

d = load_digits()
X = torch.Tensor(d.images[:, None] / 16.0)
Y = torch.LongTensor(d.target)
idx = list(range(len(X)))
ds = data_utils.TensorDataset(X, Y)
tl = data_utils.DataLoader(ds, batch_size=64, sampler=SubsetRandomSampler(idx[:1200]))
vl = data_utils.DataLoader(ds, batch_size=64, sampler=SubsetRandomSampler(idx[1200:]))
net = nn.DataParallel(Net())
net.apply(weights_init)
crit = nn.CrossEntropyLoss(size_average=True)
opt = AdamOld(filter(lambda p: p.requires_grad, net.parameters()), lr=2e-3, weight_decay=1e-4)
H = []
best = 0


def adjust(opt, e):
    lr = 2e-3 * (0.5 ** (e // 2))
    for g in opt.param_groups:
        g["lr"] = lr


def save_checkpoint(state, is_best, filename="checkpoint.pth.tar"):
    torch.save(state, filename)
    if is_best:
        shutil.copyfile(filename, "model_best.pth.tar")


for e in range(3):
    adjust(opt, e)
    losses, top1 = AverageMeter(), AverageMeter()
    net.train()
    for i, (inp, tgt) in enumerate(tl):
        iv, tv = Variable(inp), Variable(tgt)
        out = net(iv)
        loss = crit(out, tv)
        p1, p5 = accuracy(out.data, tgt, topk=(1, 5))
        losses.update(loss.data.item(), inp.size(0))
        top1.update(p1[0], inp.size(0))
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm(net.parameters(), 5)
        opt.step()
    net.eval()
    c = t = 0
    for inp, tgt in vl:
        with torch.no_grad():
            iv = Variable(inp)
        out = net(iv)
        _, pr = torch.max(out.data, 1)
        t += tgt.size(0)
        c += (pr.cpu() == tgt).sum()
    H.append(losses.avg)
    save_checkpoint(
        {
            "epoch": e + 1,
            "arch": "net",
            "state_dict": net.state_dict(),
            "best_prec1": best,
            "optimizer": opt.state_dict(),
        },
        True,
    )
ck = torch.load("model_best.pth.tar", map_location=lambda storage, loc: storage)
sd = {k.replace("module.", ""): v for k, v in ck["state_dict"].items()}
n2 = Net()
n2.load_state_dict(sd)
opt.load_state_dict(ck["optimizer"])
print(ck["epoch"], sorted(sd)[:2])
w = Variable(torch.randn(3), requires_grad=True)
GradReverse.apply(w, 2.0).sum().backward()
print(w.grad)
w.grad.data.zero_()
Binarize.apply(w).sum().backward()
print(w.grad.data)
print(
    torch.Tensor(2, 3).zero_().size(),
    torch.ger(torch.ones(2), torch.ones(2)),
    torch.autograd.Variable(torch.FloatTensor([1])).data[0].item(),
    torch.is_tensor(w),
    w.data.cpu().numpy().shape,
)
print(
    torch.addcmul(torch.ones(2), 0.5, torch.ones(2), torch.ones(2)),
    torch.add(torch.ones(2), 2, torch.ones(2)),
    torch.ones(2).sub(2, torch.ones(2)),
)
print("OUTCOME", {"first": H[0], "last": H[-1], "accuracy": float(c) / t})

"""A program as they were written for the first versions: Variable, .data, legacy tensors and arguments."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_iris
from torch.autograd import Variable
from torch.nn import init
from torch.nn.parameter import Parameter

torch.manual_seed(0)
iris = load_iris()
X = Variable(torch.FloatTensor(iris.data.tolist()))
Y = Variable(torch.LongTensor(iris.target.tolist()), requires_grad=False)


class Dense(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = Parameter(torch.Tensor(out_features, in_features))
        self.bias = Parameter(torch.zeros(out_features))
        init.xavier_uniform_(self.weight.data)

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight.t())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = Dense(4, 20)
        self.out = Dense(20, 3)

    def forward(self, x):
        x = F.tanh(self.hidden(x))
        x = F.dropout(x, p=0.1, training=self.training)
        return F.log_softmax(self.out(x), dim=1)


net = Net()
if torch.cuda.is_available():
    net.cuda()
mean, std = X.data.mean(0), X.data.std(0)
X = (X - mean.expand_as(X)) / std.expand_as(X)
optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-2)
criterion = nn.NLLLoss(size_average=True)
summed = nn.MSELoss(size_average=False)
losses = []
for step in range(100):
    output = net(X)
    loss = criterion(output, Y)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 5)
    optimizer.step()
    losses.append(loss.data.item())
    if step % 25 == 0:
        print(f"step: {step}, loss: {loss.data.numpy().item():.4f}")
net.eval()
_, pred = torch.max(net(X), 1)
correct = (pred.data == Y.data).float().sum()
error = summed(F.sigmoid(net(X)), Variable(torch.zeros(150, 3)))
assert error.dim() == 0 and error.data.type() == "torch.FloatTensor"
one_hot = torch.zeros(150, 3).scatter_(1, Y.data.unsqueeze(1), 1)
assert one_hot.sum() == 150 and one_hot.size() == torch.Size([150, 3]) and one_hot.nelement() == 450
a = torch.range(1, 3)
for p in net.parameters():
    p.data.add_(-0.0 * p.grad.data)
print(
    "OUTCOME",
    {"first": losses[0], "last": losses[-1], "accuracy": float(correct) / 150, "exact": {"range": a.sum().item()}},
)

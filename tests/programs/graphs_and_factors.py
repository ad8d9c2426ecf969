"""Graph convolution and attention, message passing by index_add and scatter, matrix factorisation."""

import math, torch, torch.nn as nn, torch.nn.functional as F, numpy as np, scipy.sparse as sp
from torch.nn.parameter import Parameter
from torch.nn.modules.module import Module
from torch.nn import init

torch.manual_seed(0)
np.random.seed(0)


class GraphConvolution(Module):
    def __init__(self, i, o, bias=True):
        super(GraphConvolution, self).__init__()
        self.in_features = i
        self.out_features = o
        self.weight = Parameter(torch.FloatTensor(i, o))
        if bias:
            self.bias = Parameter(torch.FloatTensor(o))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, adj):
        s = torch.mm(input, self.weight)
        o = torch.spmm(adj, s) if adj.is_sparse else torch.mm(adj, s)
        return o + self.bias if self.bias is not None else o

    def __repr__(self):
        return self.__class__.__name__ + " (" + str(self.in_features) + " -> " + str(self.out_features) + ")"


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.gc1 = GraphConvolution(8, 16)
        self.gc2 = GraphConvolution(16, 3)

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, 0.3, training=self.training)
        return F.log_softmax(self.gc2(x, adj), dim=1)


n = 90
y = torch.arange(n) % 3
X = torch.randn(n, 8) + y[:, None] * 0.5
P = torch.where(y[:, None] == y[None], 0.2, 0.02)
A = (torch.rand(n, n) < P).float()
A = ((A + A.t()) > 0).float()
A.fill_diagonal_(1)
deg = A.sum(1)
Dm = torch.diag(deg.pow(-0.5))
adj = Dm @ A @ Dm
m = GCN()
print(m)
opt = torch.optim.Adam(m.parameters(), lr=0.02, weight_decay=5e-4)
H = []
it = torch.LongTensor(range(60))
for e in range(60):
    m.train()
    opt.zero_grad()
    o = m(X, adj)
    l = F.nll_loss(o[it], y[it])
    l.backward()
    opt.step()
    H.append(l.item())
m.eval()
acc = m(X, adj)[60:].max(1)[1].type_as(y).eq(y[60:]).double().mean().item()
ei = A.nonzero().t()
src, dst = ei[0], ei[1]
msg = X[src]
agg = torch.zeros(n, 8).index_add_(0, dst, msg)
agg2 = torch.zeros(n, 8).scatter_add_(0, dst.unsqueeze(-1).expand(-1, 8), msg)
agg3 = torch.zeros(n, 8).scatter_reduce(0, dst.unsqueeze(-1).expand(-1, 8), msg, reduce="mean", include_self=False)
print(
    torch.allclose(agg, agg2, atol=1e-5), torch.allclose(agg3, agg / deg[:, None], atol=1e-4), torch.bincount(dst).sum()
)


class GAT(nn.Module):
    def __init__(s):
        super().__init__()
        s.W = nn.Parameter(torch.empty(size=(8, 4)))
        nn.init.xavier_uniform_(s.W.data, gain=1.414)
        s.a = nn.Parameter(torch.empty(size=(8, 1)))
        nn.init.xavier_uniform_(s.a.data, gain=1.414)
        s.leakyrelu = nn.LeakyReLU(0.2)

    def forward(s, h, adj):
        Wh = torch.mm(h, s.W)
        e = s.leakyrelu(torch.matmul(Wh, s.a[:4, :]) + torch.matmul(Wh, s.a[4:, :]).T)
        z = -9e15 * torch.ones_like(e)
        att = torch.where(adj > 0, e, z)
        att = F.softmax(att, dim=1)
        return F.elu(torch.matmul(att, Wh))


print(GAT()(X, A).shape)


class MF(nn.Module):
    def __init__(s, u, i, k=8):
        super().__init__()
        s.user_factors = nn.Embedding(u, k, sparse=False)
        s.item_factors = nn.Embedding(i, k)
        s.ub = nn.Embedding(u, 1)
        s.ib = nn.Embedding(i, 1)
        init.normal_(s.user_factors.weight, std=0.1)
        nn.init.constant_(s.ub.weight, 0)

    def forward(s, u, i):
        return (s.user_factors(u) * s.item_factors(i)).sum(1, keepdim=True).add(s.ub(u)).add(s.ib(i)).squeeze()


R = torch.randn(30, 4) @ torch.randn(4, 20)
ui = torch.cartesian_prod(torch.arange(30), torch.arange(20))
mf = MF(30, 20)
op = torch.optim.Adam(mf.parameters(), lr=0.02)
sch = torch.optim.lr_scheduler.LambdaLR(op, lambda e: 0.99**e)
for e in range(60):
    op.zero_grad()
    l = F.mse_loss(mf(ui[:, 0], ui[:, 1]), R.flatten())
    l.backward()
    op.step()
    sch.step()
print(l.item() < 3)
print("OUTCOME", {"first": H[0], "last": H[-1], "accuracy": acc})

"""Softmax over very many classes: the frequent ones at once, the rare ones in clusters.

Grave et al. 2016, "Efficient softmax approximation for GPUs", https://arxiv.org/abs/1609.04309.
"""

from itertools import pairwise
from typing import NamedTuple

from minigrad.autograd import Tensor
from minigrad.ops import functions

from . import functional as F
from .containers import ModuleList, Sequential
from .linear import Linear
from .module import Module


class ASMoutput(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` returns: the log-probability of each target, and the loss."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of classes sorted by frequency, and a loss (`torch.nn.AdaptiveLogSoftmaxWithLoss`).

    The head knows the classes below `cutoffs[0]` and how probable each cluster is; cluster i knows the classes from
    `cutoffs[i]` on, on in_features / `div_value`^(i + 1) features. (N, in_features) and (N,), or one sample without N.

    >>> import minigrad
    >>> layer = AdaptiveLogSoftmaxWithLoss(32, 20, cutoffs=[5, 10])
    >>> layer(minigrad.ones(3, 32), minigrad.tensor([1, 7, 19])).output.shape
    minigrad.Size([3])
    """

    def __init__(self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, device=None, dtype=None):
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            cutoffs != sorted(set(cutoffs))
            or cutoffs[0] <= 0
            or cutoffs[-1] > n_classes - 1
            or any(int(cutoff) != cutoff for cutoff in cutoffs)
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                "value is between 1 and n_classes-1"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        place = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, head_bias, **place)
        self.tail = ModuleList()
        for index, (low, high) in enumerate(pairwise(self.cutoffs)):
            width = int(in_features // div_value ** (index + 1))
            layers = Linear(in_features, width, False, **place), Linear(width, high - low, False, **place)
            self.tail.append(Sequential(*layers))

    def reset_parameters(self):
        """Draw all weights anew."""
        for layer in (self.head, *[layer for cluster in self.tail for layer in cluster]):
            layer.reset_parameters()

    def forward(self, input_, target_):
        if target_.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if target_.ndim == 1 and input_.shape[0] != target_.shape[0]:
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input_.ndim != target_.ndim + 1:
            raise RuntimeError(
                f"{target_.ndim}D target tensor expects {target_.ndim + 1}D input tensors, but found inputs with size "
                f"{input_.size()}"
            )
        batched = target_.ndim == 1
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        if bool(((target < 0) | (target >= self.n_classes)).any()):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range [{target.min().item()}, "
                f"{target.max().item()}] were found. "
            )
        head, entry = F.log_softmax(self.head(input), 1), target
        rest = head.new_zeros(len(target))
        for index, (low, high) in enumerate(pairwise(self.cutoffs)):
            inside = (target >= low) & (target < high)
            rows = inside.nonzero().squeeze(1)
            if rows.numel() == 0:
                continue
            entry = entry.masked_fill(inside, self.shortlist_size + index)
            within = F.log_softmax(self.tail[index](input.index_select(0, rows)), 1)
            chosen = within.gather(1, (target.index_select(0, rows) - low).unsqueeze(1)).squeeze(1)
            rest = rest.index_copy(0, rows, chosen)
        output = rest + head.gather(1, entry.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return ASMoutput(output if batched else output.squeeze(0), loss)

    def log_prob(self, input):
        """The log-probabilities of all classes: (N, n_classes)."""
        head = F.log_softmax(self.head(input), 1)
        clusters = [
            F.log_softmax(cluster(input), 1) + head[:, self.shortlist_size + index].unsqueeze(1)
            for index, cluster in enumerate(self.tail)
        ]
        return functions["cat"]([head[:, : self.shortlist_size], *clusters], 1)

    def predict(self, input):
        """The most probable class of each sample: (N,)."""
        classes = self.head(input).argmax(1)
        rare = (classes >= self.shortlist_size).nonzero().squeeze(1)
        if rare.numel() == 0:
            return classes
        return classes.index_copy(0, rare, self.log_prob(input.index_select(0, rare)).argmax(1))

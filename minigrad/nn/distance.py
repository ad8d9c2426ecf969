"""Distances and similarities of vectors."""

from . import functional as F
from .layer import Layer
from .module import Module


class CosineSimilarity(Layer, call=F.cosine_similarity):
    """x1 · x2 / (‖x1‖ ‖x2‖) along `dim` (`torch.nn.CosineSimilarity`).

    >>> import minigrad
    >>> CosineSimilarity()(minigrad.tensor([[1.0, 0.0]]), minigrad.tensor([[3.0, 4.0]]))
    tensor([0.6000])
    """

    dim: int = 1
    eps: float = 1e-8


class PairwiseDistance(Module):
    """‖x1 - x2 + eps‖ₚ along the last dimension (`torch.nn.PairwiseDistance`).

    >>> import minigrad
    >>> PairwiseDistance()(minigrad.tensor([[0.0, 0.0]]), minigrad.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """

    def __init__(self, p=2.0, eps=1e-6, keepdim=False):
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1, x2):
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)

"""Losses: how far predictions are from targets, one number or one a sample (`reduction`: "mean", "sum" or "none").

`size_average` and `reduce` are PyTorch's older names for choices of `reduction`.
"""

import warnings
from collections.abc import Callable
from dataclasses import KW_ONLY, InitVar

from minigrad.autograd import Tensor
from minigrad.ops.loss import legacy_reduction

from . import functional as F
from .distance import PairwiseDistance
from .layer import Layer


class _Reduced(Layer):
    """A loss that still takes PyTorch's older settings in place of `reduction`."""

    def __post_init__(self, size_average, reduce):
        self.reduction = legacy_reduction(size_average, reduce, self.reduction)


class _Plain(_Reduced, text=""):
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


class _Weighted(_Reduced, text="", tensors=("weight",)):
    weight: Tensor | None = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


class _Classified(_Reduced, text="", tensors=("weight",)):
    weight: Tensor | None = None
    size_average: InitVar[bool | None] = None
    ignore_index: int = -100
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


class _Margin(_Reduced, text=""):
    margin: float = 0.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


class MSELoss(_Plain, call=F.mse_loss):
    """The mean squared difference (`torch.nn.MSELoss`).

    >>> import minigrad
    >>> MSELoss()(minigrad.tensor([3.0]), minigrad.tensor([1.0]))
    tensor(4.)
    """


class L1Loss(_Plain, call=F.l1_loss):
    """The mean absolute difference (`torch.nn.L1Loss`).

    >>> import minigrad
    >>> L1Loss()(minigrad.tensor([3.0]), minigrad.tensor([1.0]))
    tensor(2.)
    """


class SmoothL1Loss(_Plain, call=F.smooth_l1_loss):
    """Squared differences / (2 · beta) below `beta`, absolute ones - beta / 2 above (`torch.nn.SmoothL1Loss`).

    >>> import minigrad
    >>> SmoothL1Loss()(minigrad.tensor([3.0]), minigrad.tensor([1.0]))
    tensor(1.5000)
    """

    beta: float = 1.0


class HuberLoss(Layer, call=F.huber_loss, text=""):
    """Squared differences / 2 below `delta`, delta · (absolute ones - delta / 2) above (`torch.nn.HuberLoss`).

    >>> import minigrad
    >>> HuberLoss()(minigrad.tensor([3.0]), minigrad.tensor([1.0]))
    tensor(1.5000)
    """

    reduction: str = "mean"
    delta: float = 1.0

    def __post_init__(self):
        if not isinstance(self.delta, float | int):
            raise TypeError(f"delta must be a float or int, got: {type(self.delta)}")


class NLLLoss(_Classified, call=F.nll_loss):
    """The negative log-likelihood of class indices (`torch.nn.NLLLoss`).

    >>> import minigrad
    >>> NLLLoss()(minigrad.tensor([[-1.0, -2.0]]), minigrad.tensor([1]))
    tensor(2.)
    """


class NLLLoss2d(NLLLoss):
    """PyTorch's older name of `NLLLoss`, which takes images too (`torch.nn.NLLLoss2d`).

    >>> import minigrad, warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     NLLLoss2d()(minigrad.tensor([[[[-1.0]], [[-2.0]]]]), minigrad.tensor([[[1]]]))
    tensor(2.)
    """

    def __init__(self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
        warnings.warn(
            "`NLLLoss2d` has been deprecated. Please use `NLLLoss` instead as a drop-in replacement and see "
            "https://pytorch.org/docs/main/nn.html#torch.nn.NLLLoss for more details.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(weight, size_average, ignore_index, reduce, reduction)


class CrossEntropyLoss(_Classified, call=F.cross_entropy):
    """Cross entropy of scores and classes or class probabilities (`torch.nn.CrossEntropyLoss`).

    >>> import minigrad
    >>> CrossEntropyLoss()(minigrad.zeros(1, 4), minigrad.tensor([2]))
    tensor(1.3863)
    """

    label_smoothing: float = 0.0


class BCELoss(_Weighted, call=F.binary_cross_entropy):
    """Binary cross entropy of probabilities (`torch.nn.BCELoss`).

    >>> import minigrad
    >>> BCELoss()(minigrad.tensor([0.5]), minigrad.tensor([1.0]))
    tensor(0.6931)
    """


class BCEWithLogitsLoss(_Weighted, call=F.binary_cross_entropy_with_logits, tensors=("weight", "pos_weight")):
    """Binary cross entropy of scores: of σ(input), computed stably (`torch.nn.BCEWithLogitsLoss`).

    >>> import minigrad
    >>> BCEWithLogitsLoss()(minigrad.tensor([0.0]), minigrad.tensor([1.0]))
    tensor(0.6931)
    """

    pos_weight: Tensor | None = None


class KLDivLoss(_Plain, call=F.kl_div):
    """target · (log target - input), input log-probabilities; "batchmean" is the divergence (`torch.nn.KLDivLoss`).

    >>> import minigrad
    >>> KLDivLoss(reduction="batchmean")(minigrad.tensor([0.5]).log(), minigrad.tensor([1.0]))
    tensor(0.6931)
    """

    log_target: bool = False


class PoissonNLLLoss(_Reduced, call=F.poisson_nll_loss, text=""):
    """The negative log-likelihood of counts, e^input - target · input (`torch.nn.PoissonNLLLoss`).

    >>> import minigrad
    >>> PoissonNLLLoss()(minigrad.tensor([0.0]), minigrad.tensor([3.0]))
    tensor(1.)
    """

    log_input: bool = True
    full: bool = False
    size_average: InitVar[bool | None] = None
    eps: float = 1e-8
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"

    def forward(self, log_input, target):
        return super().forward(log_input, target)


class GaussianNLLLoss(Layer, call=F.gaussian_nll_loss, text=""):
    """The likelihood of normals, -log: (log var + (input - target)² / var) / 2 (`torch.nn.GaussianNLLLoss`).

    >>> import minigrad
    >>> GaussianNLLLoss()(minigrad.tensor([2.0]), minigrad.tensor([0.0]), minigrad.tensor([1.0]))
    tensor(2.)
    """

    _: KW_ONLY
    full: bool = False
    eps: float = 1e-6
    reduction: str = "mean"


class CTCLoss(Layer, call=F.ctc_loss, text=""):
    """Connectionist temporal classification: (T, N, C) log-probabilities and label sequences (`torch.nn.CTCLoss`).

    >>> import minigrad
    >>> CTCLoss()(minigrad.zeros(2, 1, 2), minigrad.tensor([[1]]), minigrad.tensor([2]), minigrad.tensor([1]))
    tensor(-1.0986)
    """

    blank: int = 0
    reduction: str = "mean"
    zero_infinity: bool = False


class HingeEmbeddingLoss(_Margin, call=F.hinge_embedding_loss):
    """Distances where the target is 1, max(0, margin - distance) where it is -1 (`torch.nn.HingeEmbeddingLoss`).

    >>> import minigrad
    >>> HingeEmbeddingLoss()(minigrad.tensor([0.25]), minigrad.tensor([-1.0]))
    tensor(0.7500)
    """

    margin: float = 1.0


class MarginRankingLoss(_Margin, call=F.margin_ranking_loss):
    """max(0, margin - target · (input1 - input2)) (`torch.nn.MarginRankingLoss`).

    >>> import minigrad
    >>> MarginRankingLoss()(minigrad.tensor([1.0]), minigrad.tensor([3.0]), minigrad.tensor([1.0]))
    tensor(2.)
    """


class CosineEmbeddingLoss(_Margin, call=F.cosine_embedding_loss):
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1 (`torch.nn.CosineEmbeddingLoss`).

    >>> import minigrad
    >>> CosineEmbeddingLoss()(minigrad.tensor([[1.0, 0.0]]), minigrad.tensor([[0.0, 1.0]]), minigrad.tensor([1]))
    tensor(1.)
    """


class SoftMarginLoss(_Plain, call=F.soft_margin_loss):
    """log(1 + e^(-target · input)), targets ±1 (`torch.nn.SoftMarginLoss`).

    >>> import minigrad
    >>> SoftMarginLoss()(minigrad.tensor([0.0]), minigrad.tensor([1.0]))
    tensor(0.6931)
    """


class MultiLabelMarginLoss(_Plain, call=F.multilabel_margin_loss):
    """Hinge loss of scores and lists of classes, each list ended by -1 (`torch.nn.MultiLabelMarginLoss`).

    >>> import minigrad
    >>> MultiLabelMarginLoss()(minigrad.tensor([[0.0, 0.0]]), minigrad.tensor([[1, -1]]))
    tensor(0.5000)
    """


class MultiLabelSoftMarginLoss(_Weighted, call=F.multilabel_soft_margin_loss):
    """The mean binary cross entropy over classes (`torch.nn.MultiLabelSoftMarginLoss`).

    >>> import minigrad
    >>> MultiLabelSoftMarginLoss()(minigrad.tensor([[0.0]]), minigrad.tensor([[1.0]]))
    tensor(0.6931)
    """


class MultiMarginLoss(_Reduced, call=F.multi_margin_loss, tensors=("weight",)):
    """Σ max(0, margin - x[target] + x[i])ᵖ / C over the other classes i (`torch.nn.MultiMarginLoss`).

    >>> import minigrad
    >>> MultiMarginLoss()(minigrad.tensor([[0.0, 0.0]]), minigrad.tensor([1]))
    tensor(0.5000)
    """

    p: int = 1
    margin: float = 1.0
    weight: Tensor | None = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"

    def __post_init__(self, size_average, reduce):
        super().__post_init__(size_average, reduce)
        if self.p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")
        if self.weight is not None and self.weight.ndim != 1:
            raise ValueError(
                f"MultiMarginLoss: expected weight to be None or 1D tensor, got {self.weight.ndim}D instead"
            )


class TripletMarginLoss(_Reduced, call=F.triplet_margin_loss, text=""):
    """max(0, ‖anchor - positive‖ - ‖anchor - negative‖ + margin) (`torch.nn.TripletMarginLoss`).

    >>> import minigrad
    >>> TripletMarginLoss()(minigrad.tensor([[0.0]]), minigrad.tensor([[3.0]]), minigrad.tensor([[2.0]]))
    tensor(2.)
    """

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"

    def __post_init__(self, size_average, reduce):
        super().__post_init__(size_average, reduce)
        _check_margin(self)


def _check_margin(loss):
    if loss.margin <= 0:
        raise ValueError(f"{type(loss).__name__}: expected margin to be greater than 0, got {loss.margin} instead")


class TripletMarginWithDistanceLoss(Layer, call=F.triplet_margin_with_distance_loss, text=""):
    """`TripletMarginLoss` with any distance of two tensors (`torch.nn.TripletMarginWithDistanceLoss`).

    >>> import minigrad
    >>> TripletMarginWithDistanceLoss()(minigrad.tensor([[0.0]]), minigrad.tensor([[3.0]]), minigrad.tensor([[2.0]]))
    tensor(2.)
    """

    _: KW_ONLY
    distance_function: Callable | None = None
    margin: float = 1.0
    swap: bool = False
    reduction: str = "mean"

    def __post_init__(self):
        self.distance_function = PairwiseDistance() if self.distance_function is None else self.distance_function
        _check_margin(self)

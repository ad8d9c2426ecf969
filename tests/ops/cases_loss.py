"""Losses and the distances under them."""

import numpy as np
from gradient_cases import Index, X, case

import minigrad as mg
from minigrad.nn import functional as F

PAIR = X(("a", "b")), X(("a", "b"), 3.0, 5.0)  # apart, so that no difference is near a kink
SCORES = X(("a", 3), distinct=True)
SIGNS = X(("a",), 1.0, 1.0, diff=False)


def ctc(scores, **settings):
    """The loss of scores (the gradient of ctc_loss alone presumes a log_softmax before it)."""
    targets = mg.tensor([[1, 2, 2], [2, 1, 0]])
    return F.ctc_loss(scores.log_softmax(2), targets, (6, 5), (3, 2), **settings)


def weighted(loss, **settings):
    """The loss with weights between 0.5 and 1.5 for arguments of its own shape."""
    return lambda x, y, w: loss(x, y, weight=w.abs() + 0.5, reduction="none", **settings)


CASES = [
    case("mse_loss", lambda x, y: F.mse_loss(x, y), X(), X()),
    case("mse_loss", weighted(F.mse_loss), X(), X(), X()),
    case("l1_loss", lambda x, y: F.l1_loss(x, y, reduction="sum"), *PAIR),
    case("smooth_l1_loss", lambda x, y: F.smooth_l1_loss(x, y, beta=0.7, reduction="none"), X(), X(low=-0.5, high=0.1)),
    case("smooth_l1_loss", lambda x, y: F.smooth_l1_loss(x, y, beta=9.0, reduction="none"), *PAIR),
    case("huber_loss", lambda x, y: F.huber_loss(x, y, delta=9.0), *PAIR),
    case("huber_loss", weighted(F.huber_loss, delta=0.5), *PAIR, X()),
    case("binary_cross_entropy", F.binary_cross_entropy, X(low=0.1, high=0.9), X(low=0.1, high=0.9)),
    case(
        "binary_cross_entropy",
        weighted(F.binary_cross_entropy),
        X(low=0.1, high=0.9),
        X(low=0.1, high=0.9),
        X(("b",)),
    ),
    case("binary_cross_entropy_with_logits", F.binary_cross_entropy_with_logits, X(), X(low=0.0, high=1.0)),
    case(
        "binary_cross_entropy_with_logits",
        lambda x, y, w, p: F.binary_cross_entropy_with_logits(x, y, weight=w, pos_weight=p, reduction="none"),
        X(),
        X(low=0.0, high=1.0),
        X(("a", 1)),
        X(("b",)),
    ),
    case("kl_div", lambda x, y: F.kl_div(x, y, reduction="batchmean"), X(), X(low=0.1, high=1.0)),
    case("kl_div", lambda x, y: F.kl_div(x, y, reduction="none", log_target=True), X(), X()),
    case("poisson_nll_loss", lambda x, y: F.poisson_nll_loss(x, y, full=True), X(), X(low=1.1, high=4.0)),
    case("poisson_nll_loss", lambda x, y: F.poisson_nll_loss(x, y, log_input=False), X(low=0.5), X(low=0.0)),
    case("gaussian_nll_loss", lambda x, y, v: F.gaussian_nll_loss(x, y, v, full=True), X(), X(), X(("a",), 0.5, 2.0)),
    case("hinge_embedding_loss", lambda x: F.hinge_embedding_loss(x, mg.tensor([1.0, -1.0, 0.0])), X(("a", 3))),
    case(
        "margin_ranking_loss", lambda x, y, s: F.margin_ranking_loss(x, y, -s, 0.5), X(("a",)), X(("a",), 5, 7), SIGNS
    ),
    case(
        "cosine_embedding_loss",
        lambda x, y: F.cosine_embedding_loss(x, y, mg.tensor([1, -1]), margin=-1.5),
        X((2, "b"), 0.5),
        X((2, "b"), 0.5),
    ),
    case("triplet_margin_loss", lambda x, y, z: F.triplet_margin_loss(x, y, z, margin=9.0), X(), X(low=3, high=5), X()),
    case(
        "triplet_margin_with_distance_loss",
        lambda x, y, z: F.triplet_margin_with_distance_loss(
            x, y, z, margin=99.0, distance_function=lambda a, b: ((a - b) ** 2).sum(1)
        ),
        X(),
        X(),
        X(),
    ),
    case(
        "multi_margin_loss",
        lambda x, t, w: F.multi_margin_loss(x, t, margin=0.93, weight=w),
        SCORES,
        Index(high=3),
        X((3,)),
    ),
    case("multi_margin_loss", lambda x, t: F.multi_margin_loss(x, t, p=2, margin=5.0), SCORES, Index(high=3)),
    case("multilabel_margin_loss", lambda x: F.multilabel_margin_loss(x, mg.tensor([[2, 0, -1, 1]])), X((1, 4))),
    case("soft_margin_loss", F.soft_margin_loss, X(), X()),
    case("multilabel_soft_margin_loss", F.multilabel_soft_margin_loss, X(), X(low=0.0, high=1.0)),
    case("ctc_loss", ctc, X((6, 2, 3)), second=False),
    case("ctc_loss", lambda x: ctc(x, reduction="none"), X((6, 2, 3)), second=False),
    case("cosine_similarity", F.cosine_similarity, X((2, "b"), 0.5), X(("b",), 0.5)),
    *[
        case("pairwise_distance", lambda x, y, p=p: F.pairwise_distance(x, y, p), X(), X(low=3, high=5))
        for p in (1, 2, 3.5)
    ],
    case("pairwise_distance", lambda x, y: F.pairwise_distance(x, y, np.inf), X(distinct=True), X(("b",), 3, 3)),
    *[case("pdist", lambda x, p=p: F.pdist(x, p), X((3, 2))) for p in (1, 1.5, 2, 4, np.inf)],
]

"""PyTorch's older settings of losses, `size_average` and `reduce`, in functions and modules."""

import itertools

import numpy as np
import pytest
from torch_oracle import draw, same, torch

import minigrad as mg

GUESS, TRUTH, CLASSES = draw((3, 4), "float32", low=0.1, high=0.9), draw((3, 4), "float32", 1, 0.1, 0.9), np.arange(3)
LOSSES = {
    "mse_loss": ("MSELoss", TRUTH),
    "l1_loss": ("L1Loss", TRUTH),
    "smooth_l1_loss": ("SmoothL1Loss", TRUTH),
    "binary_cross_entropy": ("BCELoss", TRUTH),
    "binary_cross_entropy_with_logits": ("BCEWithLogitsLoss", TRUTH),
    "kl_div": ("KLDivLoss", TRUTH),
    "poisson_nll_loss": ("PoissonNLLLoss", TRUTH),
    "soft_margin_loss": ("SoftMarginLoss", TRUTH),
    "hinge_embedding_loss": ("HingeEmbeddingLoss", np.where(TRUTH > 0.5, 1, -1).astype("float32")),
    "multilabel_soft_margin_loss": ("MultiLabelSoftMarginLoss", TRUTH),
    "cross_entropy": ("CrossEntropyLoss", CLASSES),
    "nll_loss": ("NLLLoss", CLASSES),
    "multi_margin_loss": ("MultiMarginLoss", CLASSES),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.filterwarnings("ignore:size_average and reduce args will be deprecated", "ignore:reduction")
def test_older_settings_mean_what_they_mean_in_torch(name):
    module, target = LOSSES[name]
    for size_average, reduce in itertools.product((None, True, False), repeat=2):
        settings = {"size_average": size_average, "reduce": reduce}
        results = [
            (
                getattr(m.nn.functional, name)(m.from_numpy(GUESS), m.from_numpy(target), **settings),
                getattr(m.nn, module)(**settings)(m.from_numpy(GUESS), m.from_numpy(target)),
            )
            for m in (mg, torch)
        ]
        for ours, theirs in zip(*results):
            same(ours, theirs)

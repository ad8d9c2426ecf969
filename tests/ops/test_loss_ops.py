"""Losses element by element, of margins and of alignments, and distances: PyTorch is the oracle."""

import warnings

import numpy as np
import pytest
from torch_oracle import agree, draw, same_error, same_program, tensor, torch

import minigrad as mg

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # infinities on purpose

X, Y, Z = (draw((4, 3), seed=seed) for seed in range(3))
P, Q = draw((4, 3), seed=3, low=0.0, high=1.0), draw((4, 3), seed=4, low=0.0, high=1.0)
SIGNS = np.array([[1.0, -1, 1], [-1, 1, 1], [0, 1, -1], [1, 1, -1]])
EDGES = np.array([-1.0, 1, 0, 0.5, 2, np.nan, np.inf, -np.inf])
ZEROS = np.zeros(8)

# name: (arguments, settings beside the reduction)
LOSSES = {
    "mse_loss": ((X, Y), [{}]),
    "l1_loss": ((X, Y), [{}]),
    "smooth_l1_loss": ((X, Y), [{}, {"beta": 0.3}, {"beta": 0.0}]),
    "huber_loss": ((X, Y), [{}, {"delta": 0.3}]),
    "binary_cross_entropy": ((P, Q), [{}]),
    "binary_cross_entropy_with_logits": ((X, Q), [{}]),
    "kl_div": ((X, P), [{}, {"log_target": True}]),
    "poisson_nll_loss": ((P, 3 * Q), [{}, {"full": True}, {"log_input": False}, {"log_input": False, "eps": 0.1}]),
    "gaussian_nll_loss": ((X, Y, P), [{}, {"full": True}, {"eps": 0.4}]),
    "hinge_embedding_loss": ((X, SIGNS), [{}, {"margin": 0.3}]),
    "margin_ranking_loss": ((X, Y, SIGNS), [{}, {"margin": 0.7}]),
    "cosine_embedding_loss": ((X, Y, np.array([1.0, -1, -1, 0])), [{}, {"margin": -0.5}]),
    "triplet_margin_loss": ((X, Y, Z), [{}, {"margin": 3.0, "p": 1.5, "swap": True}, {"p": 1, "eps": 0.1}]),
    "triplet_margin_with_distance_loss": ((X, Y, Z), [{}, {"swap": True, "margin": 0.2}]),
    "multilabel_soft_margin_loss": ((X, P), [{}]),
}
CASES = [(name, extra) for name, (_, settings) in LOSSES.items() for extra in settings]


def call(name, **settings):
    return lambda m, *xs: getattr(m.nn.functional, name)(*xs, **settings)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name, settings", CASES, ids=str)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_losses_agree_with_torch(name, settings, reduction):
    agree(call(name, reduction=reduction, **settings), *LOSSES[name][0])


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_losses_take_empty_and_odd_memory_and_float32(name):
    if name != "cosine_embedding_loss":
        agree(call(name, reduction="mean"), *[a[:0] for a in LOSSES[name][0]], order=1)
    agree(call(name), *[np.asfortranarray(a)[::-1] for a in LOSSES[name][0]], order=1)
    agree(call(name), *[a.astype("float32") for a in LOSSES[name][0]], order=1)
    if name not in ("cosine_embedding_loss", "multilabel_soft_margin_loss"):
        agree(call(name, reduction="none"), *[np.asarray(a[0, 0]) for a in LOSSES[name][0]], order=1)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"])
def test_kinks_infinities_and_nan_are_those_of_torch(name):
    agree(call(name, reduction="none"), EDGES, ZEROS)
    agree(call("binary_cross_entropy_with_logits", reduction="none"), EDGES, ZEROS + 0.5)
    certain = np.array([0.0, 1, 0, 1, 1e-14]), np.array([0.0, 1, 1, 0, 0.3])
    agree(call("binary_cross_entropy", reduction="none"), *certain, rtol=1e-7, atol=1e-7)  # torch rounds its 1e-12


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_weights_of_samples_agree_with_torch(name):
    for reduction in ("mean", "sum", "none"):
        agree(lambda m, x, y, w, r=reduction: getattr(m.nn.functional, name)(x, y, weight=w, reduction=r), X, Y, P)
    same_error(lambda m: getattr(m.nn.functional, name)(m.zeros(2), m.zeros(2), weight=m.zeros(3)))
    same_error(lambda m: getattr(m.nn.functional, name)(m.zeros(2), m.zeros(2), weight=m.ones(2), reduction="all"))


@pytest.mark.parametrize("weight", [(3,), (4, 1), (4, 3), ()], ids=str)
def test_weights_of_cross_entropies_agree_with_torch(weight):
    w = np.asarray(np.abs(draw(weight, seed=5)))
    agree(lambda m, x, y: m.nn.functional.binary_cross_entropy(x, y, tensor(m, w)), P, Q)
    for given in ("weight", "pos_weight"):
        for reduction in ("mean", "none"):
            agree(
                lambda m, x, y, g=given, r=reduction: m.nn.functional.binary_cross_entropy_with_logits(
                    x, y, reduction=r, **{g: tensor(m, w)}
                ),
                X,
                Q,
            )
    agree(lambda m, x, y: m.nn.functional.multilabel_soft_margin_loss(x, y, tensor(m, w)), X, Q)


@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 1), (1, 3)], ids=str)
def test_variances_of_several_shapes(shape):
    agree(call("gaussian_nll_loss"), X, Y, draw(shape, low=0.1))
    agree(lambda m, x, y: m.nn.functional.gaussian_nll_loss(x, y, 0.7), X, Y)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_soft_margins_agree_with_torch(reduction):
    agree(lambda m, x: m.nn.functional.soft_margin_loss(x, tensor(m, SIGNS), reduction=reduction), X)


def test_batchmean_is_the_sum_over_the_batch():
    agree(call("kl_div", reduction="batchmean"), X, P)
    agree(call("kl_div", reduction="batchmean"), np.asarray(X[0, 0]), np.asarray(P[0, 0]))


CLASSES = np.array([2, 0, 1, 1])
LISTED = np.array([[1, -1, 2], [0, 2, 1], [-1, 0, 0], [2, 2, -1]])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_margins_of_classes_agree_with_torch(reduction):  # torch has no second derivative
    settings = {"reduction": reduction}
    for extra in ({}, {"p": 2}, {"margin": 0.2}, {"weight": True}):

        def multi_margin(m, x, target=CLASSES, extra=extra):
            given = extra | {"weight": tensor(m, P[0])} if "weight" in extra else extra
            return m.nn.functional.multi_margin_loss(x, tensor(m, target), **given, **settings)

        agree(multi_margin, X, order=1)
        agree(multi_margin, np.round(X), order=1)
        agree(lambda m, x, fn=multi_margin: fn(m, x, np.array(1)), X[0], order=1)

    def multilabel_margin(m, x, target=LISTED):
        return m.nn.functional.multilabel_margin_loss(x, tensor(m, target), **settings)

    agree(multilabel_margin, X, order=1)
    agree(multilabel_margin, np.round(X), order=1)
    agree(lambda m, x: multilabel_margin(m, x, LISTED[1]), X[0], order=1)


@pytest.mark.parametrize("dim", [0, 1, -1, 2])
def test_cosine_similarity_agrees_with_torch(dim):
    a, b = draw((2, 1, 3)), draw((1, 4, 3), seed=1)
    agree(lambda m, x, y: m.nn.functional.cosine_similarity(x, y, dim), a, b)
    agree(lambda m, x, y: m.cosine_similarity(x, y, dim=dim, eps=2.0), a, b)
    agree(lambda m, x, y: m.cosine_similarity(x, y, dim=0), np.zeros(3), draw((3,)), order=1)


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, float("inf"), -1])
def test_distances_agree_with_torch(p):
    order = 0 if p == 0 else 2
    agree(lambda m, x, y: m.pairwise_distance(x, y, p), X, Y, order=order)
    agree(lambda m, x, y: m.pairwise_distance(x, y, p=p, keepdim=True), X, Y[0], order=order)
    agree(lambda m, x: m.pairwise_distance(x, x * 1, p, eps=0.0), X, order=min(order, p > 0))
    if p >= 0:
        agree(lambda m, x: m.nn.functional.pdist(x, p), np.round(draw((5, 3))), order=1)
        for shape in ((0, 2), (1, 2), (3, 0)):
            agree(lambda m, x: m.pdist(x, p), np.zeros(shape), order=0)  # torch's gradient crashes


# alignments ---------------------------------------------------------------------------------------------------------

SCORES = draw((6, 3, 4))
TARGETS = np.array([[1, 2, 2], [3, 3, 0], [1, 2, 3]])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("lengths", [((6, 6, 6), (3, 2, 3)), ((4, 6, 5), (3, 1, 0)), ((2, 0, 0), (3, 0, 1))], ids=str)
@pytest.mark.parametrize("settings", [{}, {"zero_infinity": True}, {"blank": 3}], ids=str)
def test_ctc_agrees_with_torch(lengths, settings, reduction):
    labels = lengths[1]

    def fn(m, x, targets=TARGETS, as_tensors=False):
        given = [m.tensor(v) if as_tensors else v for v in lengths]
        logp = x.log_softmax(2)
        return m.nn.functional.ctc_loss(logp, tensor(m, targets), *given, reduction=reduction, **settings)

    blank = settings.get("blank", 0)
    targets = np.where(blank == TARGETS, 1, TARGETS)
    agree(lambda m, x: fn(m, x, targets), SCORES, order=1)
    agree(lambda m, x: fn(m, x, targets, True), SCORES.astype("float32"), order=1)
    cut = np.concatenate([row[:n] for row, n in zip(targets, labels)])
    agree(lambda m, x: fn(m, x, cut), SCORES[..., ::-1], order=1)


def test_what_pads_the_targets_of_ctc_does_not_matter():
    targets = np.where([[True, True, True], [True, True, False], [False, False, False]], TARGETS, -1)
    for padding in (-100, 9):
        agree(
            lambda m, x, p=padding: m.nn.functional.ctc_loss(
                x.log_softmax(2), tensor(m, np.where(targets < 0, p, targets)), (6, 6, 6), (3, 2, 0)
            ),
            SCORES,
            order=1,
        )


def test_ctc_of_one_sequence_agrees_with_torch():
    for reduction in ("mean", "none"):
        agree(
            lambda m, x, r=reduction: m.nn.functional.ctc_loss(
                x, tensor(m, TARGETS[0]), m.tensor(6), m.tensor(3), reduction=r
            ),
            SCORES[:, 0],
            order=1,
        )


def test_ctc_has_no_second_derivative():
    def twice(m):
        x = m.ones(5, 1, 3).log_softmax(2).requires_grad_()
        (g,) = m.autograd.grad(m.nn.functional.ctc_loss(x, m.tensor([[1]]), (5,), (1,)), x, create_graph=True)
        g.sum().backward()

    same_error(twice)


# misuse -------------------------------------------------------------------------------------------------------------


def on(name, *shapes, **settings):
    """A call of the loss on ones of the given shapes; tensors and lists stay what they are."""

    def run(m):
        getattr(m.nn.functional, name)(*[m.tensor(s) if isinstance(s, list) else m.ones(s) for s in shapes], **settings)

    return run


def alignment(**changes):
    """ctc_loss of valid arguments but for the changes."""

    def run(m):
        given = {"log_probs": (5, 2, 4), "targets": [[1, 2], [3, 1]], "input_lengths": (5, 5), "target_lengths": (2, 2)}
        given |= changes
        given["log_probs"] = m.zeros(given["log_probs"])
        given["targets"] = m.tensor(given["targets"])
        m.nn.functional.ctc_loss(**given)

    return run


MISUSE = {
    "reduction": on("mse_loss", 2, 2, reduction="all"),
    "reduction of bce": on("binary_cross_entropy", 2, 2, reduction="all"),
    "reduction of kl_div": on("kl_div", 2, 2, reduction="all"),
    "reduction of gaussians": on("gaussian_nll_loss", 2, 2, 2, reduction="all"),
    "reduction of poisson": on("poisson_nll_loss", 2, 2, reduction="all"),
    "reduction of labels": on("multilabel_soft_margin_loss", 2, 2, reduction="all"),
    "integers": on("mse_loss", [1, 2], [1, 2]),
    "integers of l1": on("l1_loss", [1, 2], [1, 2]),
    "integers of smooth l1": on("smooth_l1_loss", [1, 2], [1, 2]),
    "integers of huber": on("huber_loss", [1, 2], [1, 2]),
    "integers of kl_div": on("kl_div", [1, 2], [1, 2], reduction="sum"),
    "integer targets of bce": on("binary_cross_entropy", 2, [1, 0]),
    "integer targets of logits": on("binary_cross_entropy_with_logits", 2, [1, 0]),
    "beta": on("smooth_l1_loss", 2, 2, beta=-1.0),
    "delta": on("huber_loss", 2, 2, delta=0.0),
    "bce sizes": on("binary_cross_entropy", 2, 3),
    "logits sizes": on("binary_cross_entropy_with_logits", 2, (2, 1)),
    "no probabilities": on("binary_cross_entropy", [1.5], [1.0]),
    "no probabilities of targets": on("binary_cross_entropy", [0.5], [-1.0]),
    "NaN is no probability": on("binary_cross_entropy", [float("nan")], [1.0]),
    "variances": on("gaussian_nll_loss", 2, 2, 3),
    "negative variances": on("gaussian_nll_loss", 2, 2, [1.0, -1.0]),
    "negative variance": lambda m: m.nn.functional.gaussian_nll_loss(m.ones(2), m.ones(2), -1.0),
    "whole variance": lambda m: m.nn.functional.gaussian_nll_loss(m.ones(2), m.ones(2), 1),
    "ranks": on("margin_ranking_loss", 2, 2, (2, 2)),
    "cosine targets": on("cosine_embedding_loss", (2, 3), (2, 3), (2, 3)),
    "cosine inputs": on("cosine_embedding_loss", (2, 3), (3,), (2,)),
    "triplets": on("triplet_margin_loss", (2, 3), (2, 3), (3,)),
    "triplet margin": on("triplet_margin_loss", 2, 2, 2, margin=0.0),
    "triplet reduction": on("triplet_margin_with_distance_loss", 2, 2, 2, reduction="all"),
    "multi margin class": on("multi_margin_loss", (2, 3), [0, 3]),
    "multi margin targets": on("multi_margin_loss", (2, 3), [0, 1, 1]),
    "multi margin floats": on("multi_margin_loss", (2, 3), [0.0, 1.0]),
    "multi margin power": on("multi_margin_loss", (2, 3), [0, 1], p=3),
    "multi margin shape": on("multi_margin_loss", (2, 3, 4), [0, 1]),
    "multi margin without classes": on("multi_margin_loss", (2, 0), [0, 1]),
    "multi margin weight": lambda m: m.nn.functional.multi_margin_loss(m.ones(1, 3), m.tensor([0]), weight=m.ones(2)),
    "labels": on("multilabel_margin_loss", (1, 3), [[0, 3, -1]]),
    "label sizes": on("multilabel_margin_loss", (1, 3), [[0, -1]]),
    "label floats": on("multilabel_margin_loss", (1, 3), (1, 3)),
    "no classes": on("multilabel_soft_margin_loss", (), ()),
    "similarity of integers": on("cosine_similarity", [[1, 2]], [[1, 2]]),
    "similarity dimension": on("cosine_similarity", (2, 3), (2, 3), dim=2),
    "similarity sizes": on("cosine_similarity", (2, 3), (2, 4)),
    "distances of a vector": on("pdist", 3),
    "distances of integers": on("pdist", [[1, 2]]),
    "negative power": on("pdist", (2, 2), p=-1.0),
    "ctc input lengths": alignment(input_lengths=(5, 6)),
    "ctc negative length": alignment(input_lengths=(5, -1)),
    "ctc number of lengths": alignment(input_lengths=(5,)),
    "ctc target lengths": alignment(target_lengths=(2, 3)),
    "ctc concatenated": alignment(targets=[1, 2, 3]),
    "ctc target rows": alignment(targets=[[1, 2]]),
    "ctc target rank": alignment(targets=[[[1, 2]], [[1, 2]]]),
    "ctc blank": alignment(blank=4),
    "ctc nothing": alignment(log_probs=(0, 2, 4)),
    "ctc reduction": alignment(reduction="all"),
}


def classes(shape, labels, weight=None, dtype="int64", **settings):
    """cross_entropy and nll_loss of labels of a shape."""

    def run(m, name="cross_entropy"):
        given = None if weight is None else m.ones(weight)
        target = m.zeros(labels).to(getattr(m, dtype))
        getattr(m.nn.functional, name)(m.ones(shape), target, given, **settings)

    return run


CLASSES_MISUSE = {
    "batch": classes((2, 3), 3),
    "0-d target": classes((2, 3), ()),
    "matrix of targets": classes((2, 3), (2, 1)),
    "sequence": classes((2, 3, 4), (2, 3)),
    "image": classes((2, 3, 4, 5), (2, 4)),
    "image sizes": classes((2, 3, 4, 5), (2, 4, 4)),
    "volume": classes((2, 3, 4, 5, 6), (2, 4, 5)),
    "one sample": classes((3,), (2,)),
    "floats": classes((2, 3), (2,), dtype="float32"),
    "int32": classes((2, 3), (2,), dtype="int32"),
    "bools": classes((2, 3), (2,), dtype="bool"),
    "weight": classes((2, 3), (2,), weight=(2,)),
    "weight of images": classes((2, 3, 4, 5), (2, 4, 5), weight=(2,)),
    "weight matrix": classes((2, 3), (2,), weight=(2, 3)),
}


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("misuse", CLASSES_MISUSE.values(), ids=CLASSES_MISUSE)
def test_errors_of_class_losses_are_those_of_torch(misuse, name):
    same_error(lambda m: misuse(m, name))


PROBABILITIES_MISUSE = {
    "integers": classes((2, 3), (2, 3)),
    "ignore_index": classes((2, 3), (2, 3), dtype="float32", ignore_index=0),
    "weight": classes((2, 3), (2, 3), dtype="float32", weight=(2,)),
    "smoothing": classes((2, 3), (2, 3), dtype="float32", label_smoothing=1.1),
    "0-d": classes((), (), dtype="float32"),
}


@pytest.mark.parametrize("misuse", PROBABILITIES_MISUSE.values(), ids=PROBABILITIES_MISUSE)
def test_errors_of_probabilities_are_those_of_torch(misuse):
    same_error(misuse)


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_errors_are_those_of_torch(misuse):
    same_error(misuse)


def test_ctc_looks_at_no_class_that_is_none():
    with pytest.raises(RuntimeError, match="go from 1 to 7, classes are 0 to 3"):
        alignment(targets=[[1, 2], [3, 7]])(mg)


def warned(fn, m):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fn(m)
    texts = [(w.category, str(w.message).replace("minigrad.", "torch.")) for w in caught]
    assert all(w.filename == __file__ for w in caught) or m is torch
    return texts


@pytest.mark.parametrize(
    "fn",
    [
        *[on(name, (2, 3), (3,)) for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")],
        on("kl_div", 2, 2),
        on("mse_loss", 2, 2, size_average=False),
        on("soft_margin_loss", 2, 2, reduce=False),
        on("kl_div", 2, 2, size_average=True),
    ],
)
def test_warnings_are_those_of_torch(fn):
    assert warned(fn, mg) == warned(fn, torch) != []


@pytest.mark.filterwarnings("ignore")
def test_the_gradient_of_a_clamped_variance_passes():
    def program(m):
        var = m.tensor([1e-9, 0.5], dtype=m.float64, requires_grad=True)
        m.nn.functional.gaussian_nll_loss(m.ones(2, dtype=m.float64), m.zeros(2, dtype=m.float64), var).backward()
        return var.grad

    same_program(program)

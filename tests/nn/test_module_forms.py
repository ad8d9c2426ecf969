"""Every layer that wraps one function against torch's: constructor, text, state, results, gradients and errors."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from torch_oracle import draw, first_line, same, torch

import minigrad as mg

SEQUENCE, IMAGE, VOLUME = (2, 4, 6), (2, 4, 6, 5), (2, 4, 6, 5, 4)
GRIDS = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}
SAMPLE = (3, 4)
IDS = np.array([[1, 2, 4], [9, 0, 2]])
CLASSES = np.array([0, 2, 3])
SIGNS = np.array([1.0, -1.0, 1.0], "float32")


def positive(*shape, seed=9):
    return draw(shape, "float32", seed, 0.1, 0.9)


def weights(m):
    return m.tensor([1.0, 2.0, 3.0, 4.0])


def probabilities(*shape):
    scores = positive(*shape)
    return scores / scores.sum(-1, keepdims=True)


# (name, constructor's arguments, inputs); inputs are shapes (to be drawn) or arrays; arguments may be functions of m
FORMS = [
    ("Linear", {"in_features": 4, "out_features": 3}, SAMPLE),
    ("Linear", {"in_features": 4, "out_features": 3, "bias": False}, (4,)),
    ("Linear", {"in_features": 0, "out_features": 3}, (2, 0)),
    ("Bilinear", {"in1_features": 4, "in2_features": 2, "out_features": 3}, SAMPLE, (3, 2)),
    ("Bilinear", {"in1_features": 4, "in2_features": 2, "out_features": 3, "bias": False}, SAMPLE, (3, 2)),
    *[
        (f"Conv{n}d", {"in_channels": 4, "out_channels": 2, **settings}, GRIDS[n])
        for n in (1, 2, 3)
        for settings in (
            {"kernel_size": 3},
            {"kernel_size": 2, "stride": 2, "padding": 1, "dilation": 2, "groups": 2, "bias": False},
            {"kernel_size": 3, "padding": "same", "padding_mode": "circular"},
            {"kernel_size": 2, "padding": "valid", "padding_mode": "reflect"},
            {"kernel_size": (3, 2, 1)[:n], "padding": (1, 2, 0)[:n], "padding_mode": "replicate"},
            {"kernel_size": (3, 2, 3)[:n], "padding": (1, 2, 1)[:n], "padding_mode": "reflect"},
        )
    ],
    *[
        (f"ConvTranspose{n}d", {"in_channels": 4, "out_channels": 2, "kernel_size": 3, **settings}, GRIDS[n])
        for n in (1, 2, 3)
        for settings in (
            {},
            {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2, "dilation": 2, "bias": False},
        )
    ],
    *[
        (f"{kind}{n}d", settings, GRIDS[n])
        for n in (1, 2, 3)
        for kind, settings in (
            ("MaxPool", {"kernel_size": 2}),
            ("MaxPool", {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1, "ceil_mode": True}),
            ("MaxPool", {"kernel_size": 2, "return_indices": True}),
            ("AvgPool", {"kernel_size": 2}),
            ("AvgPool", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}),
            ("LPPool", {"norm_type": 2, "kernel_size": 2}),
            ("AdaptiveAvgPool", {"output_size": 3}),
            ("AdaptiveMaxPool", {"output_size": 2}),
            ("AdaptiveMaxPool", {"output_size": 2, "return_indices": True}),
            ("BatchNorm", {"num_features": 4}),
            ("BatchNorm", {"num_features": 4, "eps": 1e-3, "momentum": None, "bias": False}),
            ("BatchNorm", {"num_features": 4, "affine": False, "track_running_stats": False}),
            ("InstanceNorm", {"num_features": 4}),
            ("InstanceNorm", {"num_features": 4, "affine": True, "track_running_stats": True, "momentum": 0.3}),
            ("ZeroPad", {"padding": 1}),
            ("ConstantPad", {"padding": (1, 2, 0, 1, 2, 0)[: 2 * n], "value": 3.5}),
            ("ReflectionPad", {"padding": (1, 2, 0, 1, 2, 0)[: 2 * n]}),
            ("ReplicationPad", {"padding": 2}),
            ("CircularPad", {"padding": (1, 2, 0, 1, 2, 0)[: 2 * n]}),
            ("Dropout", {"p": 1.0}),
        )
    ],
    ("AvgPool2d", {"kernel_size": 2, "divisor_override": 3}, IMAGE),
    ("AvgPool3d", {"kernel_size": 2, "divisor_override": 3}, VOLUME),
    ("AdaptiveAvgPool2d", {"output_size": (2, None)}, IMAGE),
    ("InstanceNorm1d", {"num_features": 4}, (4, 6)),
    ("InstanceNorm2d", {"num_features": 4, "affine": True, "bias": False}, (4, 6, 5)),
    ("LayerNorm", {"normalized_shape": 5}, IMAGE),
    ("LayerNorm", {"normalized_shape": (6, 5), "eps": 1e-3, "bias": False}, IMAGE),
    ("LayerNorm", {"normalized_shape": [5], "elementwise_affine": False}, IMAGE),
    ("RMSNorm", {"normalized_shape": (6, 5)}, IMAGE),
    ("RMSNorm", {"normalized_shape": 5, "eps": 1e-3, "elementwise_affine": False}, IMAGE),
    ("GroupNorm", {"num_groups": 2, "num_channels": 4}, IMAGE),
    ("GroupNorm", {"num_groups": 2, "num_channels": 4, "affine": False}, SEQUENCE),
    ("GroupNorm", {"num_groups": 1, "num_channels": 4, "bias": False}, SEQUENCE),
    ("LocalResponseNorm", {"size": 2}, IMAGE),
    ("LocalResponseNorm", {"size": 3, "alpha": 0.1, "beta": 0.5, "k": 2.0}, SEQUENCE),
    *[
        (name, settings, SAMPLE)
        for name in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardsigmoid", "Hardswish")
        for settings in ({}, {"inplace": True})
    ],
    *[(name, {}, SAMPLE) for name in ("Tanh", "Sigmoid", "LogSigmoid", "Softsign", "Tanhshrink", "Identity")],
    *[(name, {}, SAMPLE) for name in ("LeakyReLU", "ELU", "CELU", "GELU", "Softplus", "Hardshrink", "Softshrink")],
    *[(name, {}, SAMPLE) for name in ("Hardtanh", "GLU", "PReLU")],
    ("LeakyReLU", {"negative_slope": 0.2, "inplace": True}, SAMPLE),
    ("ELU", {"alpha": 2.0, "inplace": True}, SAMPLE),
    ("CELU", {"alpha": 2.0, "inplace": True}, SAMPLE),
    ("GELU", {"approximate": "tanh"}, SAMPLE),
    ("Softplus", {"beta": 2.0, "threshold": 1.0}, SAMPLE),
    ("Hardshrink", {"lambd": 1.0}, SAMPLE),
    ("Softshrink", {"lambd": 1.0}, SAMPLE),
    ("Hardtanh", {"min_val": -0.5, "max_val": 1.5, "inplace": True}, SAMPLE),
    ("Threshold", {"threshold": 0.1, "value": 20.0}, SAMPLE),
    ("Threshold", {"threshold": 0.1, "value": 20.0, "inplace": True}, SAMPLE),
    ("RReLU", {"lower": 0.25, "upper": 0.25}, SAMPLE),
    ("PReLU", {"num_parameters": 4, "init": 0.1}, IMAGE),
    *[(name, {"dim": 1}, SAMPLE) for name in ("Softmax", "LogSoftmax", "Softmin", "GLU")],
    ("Softmax2d", {}, IMAGE),
    *[(name, {"p": 0.0, "inplace": True}, SAMPLE) for name in ("Dropout", "AlphaDropout", "FeatureAlphaDropout")],
    *[
        (name, {"reduction": reduction}, SAMPLE, draw(SAMPLE, "float32", 5))
        for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "PoissonNLLLoss", "SoftMarginLoss")
        for reduction in ("mean", "none")
    ],
    ("SmoothL1Loss", {"reduction": "sum", "beta": 0.5}, SAMPLE, SAMPLE),
    ("HuberLoss", {"delta": 0.5}, SAMPLE, SAMPLE),
    ("NLLLoss", {"ignore_index": 2, "weight": weights}, SAMPLE, CLASSES),
    ("CrossEntropyLoss", {"weight": weights, "label_smoothing": 0.1, "reduction": "sum"}, SAMPLE, CLASSES),
    ("CrossEntropyLoss", {}, SAMPLE, probabilities(*SAMPLE)),
    ("BCELoss", {"weight": weights}, positive(*SAMPLE), positive(*SAMPLE, seed=3)),
    ("BCEWithLogitsLoss", {"pos_weight": weights}, SAMPLE, positive(*SAMPLE)),
    ("KLDivLoss", {"reduction": "batchmean"}, SAMPLE, probabilities(*SAMPLE)),
    ("KLDivLoss", {"reduction": "sum", "log_target": True}, SAMPLE, SAMPLE),
    ("PoissonNLLLoss", {"log_input": False, "full": True, "eps": 1e-3}, positive(*SAMPLE), 3 * positive(*SAMPLE)),
    ("GaussianNLLLoss", {"full": True, "eps": 1e-3}, SAMPLE, SAMPLE, positive(*SAMPLE)),
    ("CTCLoss", {"blank": 1}, np.log(probabilities(6, 2, 4)), np.array([[0, 2], [3, 3]]), np.array([6, 6]), [2, 2]),
    ("HingeEmbeddingLoss", {}, (3,), SIGNS),
    ("MarginRankingLoss", {"margin": 0.5}, (3,), (3,), SIGNS),
    ("CosineEmbeddingLoss", {"margin": 0.2}, SAMPLE, draw(SAMPLE, "float32", 5), SIGNS),
    ("MultiLabelMarginLoss", {}, SAMPLE, np.array([[1, 0, -1, 2], [3, -1, 0, 1], [0, 1, 2, 3]])),
    ("MultiLabelSoftMarginLoss", {"weight": weights}, SAMPLE, np.round(positive(*SAMPLE))),
    ("MultiMarginLoss", {"p": 2, "margin": 0.7, "weight": weights}, SAMPLE, CLASSES),
    *[
        (name, {"margin": 0.5, "swap": True}, SAMPLE, draw(SAMPLE, "float32", 5), draw(SAMPLE, "float32", 6))
        for name in ("TripletMarginLoss", "TripletMarginWithDistanceLoss")
    ],
    ("CosineSimilarity", {"dim": 0}, SAMPLE, draw(SAMPLE, "float32", 5)),
    ("PairwiseDistance", {"p": 1.0, "keepdim": True}, SAMPLE, draw(SAMPLE, "float32", 5)),
    ("Embedding", {"num_embeddings": 10, "embedding_dim": 3}, IDS),
    ("Embedding", {"num_embeddings": 10, "embedding_dim": 3, "padding_idx": -1, "scale_grad_by_freq": True}, IDS),
    ("Embedding", {"num_embeddings": 10, "embedding_dim": 3, "max_norm": 0.5, "norm_type": 1.0}, IDS),
    ("EmbeddingBag", {"num_embeddings": 10, "embedding_dim": 3}, IDS),
    ("EmbeddingBag", {"num_embeddings": 10, "embedding_dim": 3, "mode": "max", "padding_idx": 2}, IDS),
    ("EmbeddingBag", {"num_embeddings": 10, "embedding_dim": 3, "mode": "sum"}, IDS[0], np.array([0, 2])),
    *[
        (f"{kind}Cell", {"input_size": 4, "hidden_size": 3, **settings}, shape)
        for kind in ("RNN", "LSTM", "GRU")
        for settings, shape in (({}, SAMPLE), ({"bias": False}, (4,)))
    ],
    ("RNNCell", {"input_size": 4, "hidden_size": 3, "nonlinearity": "relu"}, SAMPLE, (3, 3)),
    ("GRUCell", {"input_size": 4, "hidden_size": 3}, (4,), (3,)),
    ("Flatten", {"start_dim": 0, "end_dim": 1}, IMAGE),
    ("Unflatten", {"dim": 1, "unflattened_size": (2, 2)}, IMAGE),
    ("Unfold", {"kernel_size": 2, "dilation": 2, "padding": 1, "stride": 2}, IMAGE),
    ("Fold", {"output_size": (4, 4), "kernel_size": 2, "stride": 2}, (2, 12, 4)),
    ("PixelShuffle", {"upscale_factor": 2}, IMAGE),
    ("PixelUnshuffle", {"downscale_factor": 2}, (2, 4, 6, 4)),
    ("ChannelShuffle", {"groups": 2}, IMAGE),
    ("Upsample", {"scale_factor": 2}, SEQUENCE),
    ("Upsample", {"scale_factor": (2, 1.5), "mode": "bilinear", "align_corners": True}, IMAGE),
    ("Upsample", {"size": (7, 3), "mode": "bicubic"}, IMAGE),
    ("UpsamplingNearest2d", {"size": 7}, IMAGE),
    ("UpsamplingBilinear2d", {"scale_factor": 2}, IMAGE),
]
forms = pytest.mark.parametrize(
    "form", FORMS, ids=[f"{name}({', '.join(f'{k}' for k in settings)})" for name, settings, *_ in FORMS]
)


def make(m, form):
    name, settings, *_ = form
    return getattr(m.nn, name)(**{key: value(m) if callable(value) else value for key, value in settings.items()})


def pair(form):
    """The layer of both libraries, with torch's state, moved from its beginning."""
    ours, theirs = make(mg, form), make(torch, form)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.from_numpy(draw(tuple(parameter.shape), "float32", seed=2, low=-0.6, high=0.6)))
    ours.load_state_dict({key: mg.from_numpy(value.numpy().copy()) for key, value in theirs.state_dict().items()})
    return ours, theirs


def tensors(results):
    return [results] if hasattr(results, "backward") else list(results)


def run(m, layer, inputs):
    """Results, gradients of inputs and parameters, state afterwards."""
    leaves, values = [], []
    for index, given in enumerate(inputs):
        array = draw(given, "float32", seed=index) if isinstance(given, tuple) else given
        value = m.from_numpy(array.copy()) if isinstance(array, np.ndarray) else m.tensor(array)
        if index == 0 and value.is_floating_point():
            leaves.append(value.requires_grad_())
            value = value * 1.0  # in place is allowed on this
        values.append(value)
    results = tensors(layer(*values))
    total = sum((y * m.from_numpy(draw(tuple(y.shape), "float32", seed=7))).sum() for y in results if y.requires_grad)
    layer.zero_grad()
    total.backward()
    return [
        *results,
        *[leaf.grad for leaf in leaves],
        *[p.grad for p in layer.parameters()],
        *layer.state_dict().values(),
    ]


@forms
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_text_state_and_arguments_are_those_of_torch(form):
    ours, theirs = make(mg, form), make(torch, form)
    assert repr(ours) == repr(theirs)
    assert [(key, tuple(v.shape), str(v.dtype).split(".")[-1]) for key, v in ours.state_dict().items()] == [
        (key, tuple(v.shape), str(v.dtype).split(".")[-1]) for key, v in theirs.state_dict().items()
    ]
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    for name, value in vars(theirs).items():
        if not name.startswith("_") and isinstance(value, int | float | str | tuple | None):
            assert getattr(ours, name) == value, name


@forms
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_results_gradients_and_state_agree(form):
    ours, theirs = pair(form)
    for training in (True, False):
        agree(ours, theirs, form, training)


def agree(ours, theirs, form, training):
    for a, b in zip(run(mg, ours.train(training), form[2:]), run(torch, theirs.train(training), form[2:]), strict=True):
        same(a, b, rtol=2e-4, atol=2e-5)


def test_constructors_take_the_arguments_of_torch():
    def arguments(cls):
        signature = inspect.signature(cls.__init__).parameters.values()
        found = [(p.name, getattr(p.default, "__name__", p.default), p.kind) for p in signature]
        return [a for a in found if a[2] not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)]

    others = {"Module", "RNN", "RNNCellBase"}
    for name in set(mg.nn.__all__) - others:
        ours, theirs = getattr(mg.nn, name), getattr(torch.nn, name)
        if inspect.isclass(ours) and issubclass(ours, mg.nn.Module):
            assert arguments(ours) == arguments(theirs), name


def test_initial_values_are_drawn_as_torch_draws_them():
    forms = [
        ("Linear", {"in_features": 50, "out_features": 400}),
        ("Bilinear", {"in1_features": 40, "in2_features": 10, "out_features": 300}),
        ("Conv1d", {"in_channels": 8, "out_channels": 300, "kernel_size": 3, "groups": 2}),
        ("ConvTranspose2d", {"in_channels": 8, "out_channels": 100, "kernel_size": 3, "groups": 2}),
        ("Embedding", {"num_embeddings": 100, "embedding_dim": 50}),
        ("LSTMCell", {"input_size": 20, "hidden_size": 50}),
    ]
    for form in forms:
        mg.manual_seed(0)
        torch.manual_seed(0)
        ours, theirs = make(mg, form), make(torch, form)
        for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            a, b = a.detach().numpy(), b.detach().numpy()
            assert abs(a.std() / b.std() - 1) < 0.25, f"{form[0]}.{name}"
            if form[0] != "Embedding":  # the others draw evenly between bounds
                assert abs(np.abs(a).max() / np.abs(b).max() - 1) < 0.25, f"{form[0]}.{name}"


ERRORS = [
    lambda m: m.nn.Conv1d(3, 4, 2, groups=2),
    lambda m: m.nn.Conv3d(4, 3, 2, groups=2),
    lambda m: m.nn.Conv2d(4, 4, 2, groups=0),
    lambda m: m.nn.Conv2d(4, 4, 2, stride=2, padding="same"),
    lambda m: m.nn.ConvTranspose2d(4, 4, 2, padding_mode="circular"),
    lambda m: m.nn.ConvTranspose1d(4, 4, 2)(m.ones(1, 4, 3), output_size=(9,)),
    lambda m: m.nn.ConvTranspose2d(4, 4, 2)(m.ones(1, 4, 3, 3), output_size=(9,)),
    lambda m: m.nn.Bilinear(0, 4, 2),
    lambda m: m.nn.BatchNorm1d(4)(m.ones(1, 4, 3, 3)),
    lambda m: m.nn.BatchNorm3d(4)(m.ones(1, 4, 3, 3)),
    lambda m: m.nn.InstanceNorm2d(4)(m.ones(4, 3)),
    lambda m: m.nn.InstanceNorm1d(4, affine=True)(m.ones(2, 3, 3)),
    lambda m: m.nn.GroupNorm(3, 4),
    lambda m: m.nn.CircularPad1d(1)(m.ones(4)),
    lambda m: m.nn.CircularPad3d(1)(m.ones(1, 4, 4)),
    lambda m: m.nn.Dropout2d(1.5),
    lambda m: m.nn.Hardtanh(1.0, -1.0),
    lambda m: m.nn.Softmax2d()(m.ones(2, 2)),
    lambda m: m.nn.HuberLoss(delta="1"),
    lambda m: m.nn.MultiMarginLoss(p=3),
    lambda m: m.nn.MultiMarginLoss(weight=m.ones(2, 2)),
    lambda m: m.nn.TripletMarginLoss(margin=0.0),
    lambda m: m.nn.TripletMarginWithDistanceLoss(margin=-1.0),
    lambda m: m.nn.Embedding(4, 2, padding_idx=4),
    lambda m: m.nn.EmbeddingBag(4, 2, padding_idx=-5),
    lambda m: m.nn.Embedding.from_pretrained(m.ones(4)),
    lambda m: m.nn.Embedding(4, 2, _weight=m.ones(3, 2)),
    lambda m: m.nn.RNNCell(4, 3)(m.ones(1, 2, 4)),
    lambda m: m.nn.LSTMCell(4, 3)(m.ones(2, 4), (m.ones(2, 3), m.ones(1, 2, 3))),
    lambda m: m.nn.RNNCell(4, 3, nonlinearity="gelu")(m.ones(2, 4)),
    lambda m: m.nn.Unflatten(0, 3),
    lambda m: m.nn.Unflatten(0, (2, "2")),
]


@pytest.mark.parametrize("wrong", ERRORS)
def test_misuse_raises_the_errors_of_torch(wrong):
    raised = []
    for m in (mg, torch):
        with pytest.raises((ValueError, TypeError, RuntimeError, AssertionError)) as caught:
            wrong(m)
        raised.append(caught.value)
    assert type(raised[0]) is type(raised[1])
    assert first_line(raised[0]) == first_line(raised[1])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_unpooling_undoes_pooling(n):
    def unpooled(m):
        pool = getattr(m.nn, f"MaxPool{n}d")(2, return_indices=True)
        unpool = getattr(m.nn, f"MaxUnpool{n}d")(2)
        x = m.from_numpy(draw(GRIDS[n], "float32"))
        return unpool(*pool(x), output_size=list(x.shape)), repr(unpool)

    (ours, text), (theirs, expected) = unpooled(mg), unpooled(torch)
    same(ours, theirs)
    assert text == expected


def test_transposed_convolution_takes_an_output_size():
    form = ("ConvTranspose2d", {"in_channels": 4, "out_channels": 2, "kernel_size": 3, "stride": 3, "padding": 1})
    ours, theirs = pair(form)
    x = draw(IMAGE, "float32")
    for size in ((17, 14), (2, 2, 16, 13)):
        same(ours(mg.from_numpy(x), output_size=size), theirs(torch.from_numpy(x), output_size=size))


def test_tables_can_be_given():
    table = draw((5, 3), "float32")
    for name in ("Embedding", "EmbeddingBag"):
        ours, theirs = (getattr(m.nn, name).from_pretrained(m.from_numpy(table), padding_idx=1) for m in (mg, torch))
        assert repr(ours) == repr(theirs)
        assert not ours.weight.requires_grad
        same(ours.weight, theirs.weight)
        assert getattr(mg.nn, name).from_pretrained(mg.from_numpy(table), freeze=False).weight.requires_grad


def test_old_settings_of_losses_and_activations_still_work():
    for m in (mg, torch):
        with pytest.warns(UserWarning, match="reduction='sum'"):
            assert m.nn.L1Loss(size_average=False).reduction == "sum"
        with pytest.warns(UserWarning, match="reduction='none'"):
            assert m.nn.MultiMarginLoss(reduce=False).reduction == "none"
        with pytest.warns(FutureWarning, match="`min_value` is deprecated"):
            assert m.nn.Hardtanh(min_value=-3.0).min_val == -3.0
        with pytest.warns(UserWarning, match="does not match num_features"):
            m.nn.InstanceNorm1d(3)(m.ones(2, 4, 5))


def test_layers_are_copied_and_pickled():
    for form in {form[0]: form for form in FORMS}.values():
        layer = make(mg, form)
        for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert repr(again) == repr(layer)
            for a, b in zip(again.state_dict().values(), layer.state_dict().values(), strict=True):
                np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_subclass_is_an_ordinary_module():
    class Leaky(mg.nn.LeakyReLU):
        scale: float

        def __init__(self, slope):
            super().__init__(slope)
            self.scale = 2.0
            self.inner = mg.nn.Linear(2, 2)

        def forward(self, input):
            return super().forward(self.inner(input)) * self.scale

    layer = Leaky(0.5)
    assert layer(mg.ones(3, 2)).shape == (3, 2)
    assert len(list(layer.parameters())) == 2
    assert isinstance(mg.nn.ReLU6(), mg.nn.Hardtanh)
    assert layer.extra_repr() == "negative_slope=0.5"


def test_layers_are_made_in_the_dtype_asked_for():
    for name, settings, *_ in FORMS:
        cls = getattr(mg.nn, name)
        if "dtype" in inspect.signature(cls).parameters:
            layer = cls(**settings, dtype=mg.float64, device="cpu")
            assert {p.dtype for p in layer.parameters()} <= {mg.float64}
            assert all(b.dtype in (mg.float64, mg.int64) for b in layer.buffers())

"""The networks by name, and how a constructor takes published weights.

Each constructor (`resnet18`, `vgg16`, ...) registers itself here and hands its network to `build`, which reads the
arguments that all constructors share.
"""

import fnmatch
import warnings

BUILDERS: dict = {}


def register_model(builder):
    """Put a constructor into the table of networks under its own name; returns it unchanged."""
    BUILDERS[builder.__name__] = builder
    return builder


def get_model_builder(name):
    """The constructor of that name (`torchvision.models.get_model_builder`); ValueError if there is none.

    >>> get_model_builder("resnet18").__name__
    'resnet18'
    """
    if name.lower() not in BUILDERS:
        near = ", ".join(list_models(include=f"{name.lower()[:3]}*")) or "see list_models()"
        raise ValueError(f"Unknown model {name}\nhint: there are {near}")
    return BUILDERS[name.lower()]


def get_model(name, **config):
    """The network of that name, built with the arguments `config` (`torchvision.models.get_model`).

    >>> sum(p.numel() for p in get_model("squeezenet1_1", num_classes=10).parameters())
    727626
    """
    return get_model_builder(name)(**config)


def list_models(module=None, include=None, exclude=None):
    """The names of the networks, sorted (`torchvision.models.list_models`).

    `include` and `exclude` are shell patterns or collections of them; `module` is accepted for the one package there
    is, `minigrad.vision.models`, and any other has no networks.

    >>> list_models(include="vgg*", exclude="*_bn")
    ['vgg11', 'vgg13', 'vgg16', 'vgg19']
    """
    names = [name for name in BUILDERS if module is None or module.__name__ == __package__]

    def match(name, patterns):
        patterns = [patterns] if isinstance(patterns, str) else patterns
        return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)

    return sorted(n for n in names if (not include or match(n, include)) and not (exclude and match(n, exclude)))


def build(network, published, weights, progress, *, with_weights=(), **kwargs):
    """`network(**kwargs)`, holding `weights`, a member of the enumeration `published`, unless they are None.

    `with_weights` are the arguments that go with published weights unless `kwargs` says otherwise. `weights` may be
    the name of a member too, or a bool as in the times of `pretrained=`, which is still read. Of published weights,
    those of parts that the network is built without are left out.
    """
    if "pretrained" in kwargs:
        weights = kwargs.pop("pretrained")
        warnings.warn(
            "The parameter 'pretrained' is deprecated since 0.13 and may be removed in the future, please use "
            "'weights' instead.",
            stacklevel=3,
        )
    if weights is None or weights is False:
        return network(**kwargs)
    if published is None:
        raise ValueError(
            f"No weights available for {network.__name__}\nhint: build it without, then load a file of your own: "
            'model.load_state_dict(minigrad.load("weights.pth"))'
        )
    weights = published.IMAGENET1K_V1 if weights is True else published.verify(weights)
    if kwargs.get("num_classes", 1000) != 1000:
        raise ValueError(
            f"The parameter 'num_classes' expected value 1000 but got {kwargs['num_classes']} instead.\n"
            "hint: build the network as published, then replace its last layer by one of your own"
        )
    model = network(**{**dict(with_weights), **kwargs})
    state = weights.get_state_dict(progress=progress, check_hash=True)
    absent = {name for name, part in vars(model).items() if part is None}
    model.load_state_dict({key: tensor for key, tensor in state.items() if key.split(".")[0] not in absent})
    return model

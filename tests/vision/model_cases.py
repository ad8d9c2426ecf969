"""What is recorded of a network: by the same text of torchvision's and timm's (`record_models.py`) and of ours."""

import hashlib

import numpy as np

BATCH_NORM = "BatchNorm2d", "BatchNormAct2d"
NO_DROPOUT = {"dropout": 0.0, "num_classes": 10}
TIMM = "inception_v4", "inception_resnet_v2"

# name: (constructor or part of what it builds, its arguments, shape of the images, mode). In mode "frozen" all but
# batch norm is in training, so that auxiliary classifiers take part. VGG's classifier, a gigabyte in float64, is but a
# chain of linear layers.
CASES = {
    "alexnet": ("alexnet", NO_DROPOUT, (2, 3, 64, 64), "eval"),
    "densenet121": ("densenet121", {"num_classes": 10}, (2, 3, 64, 64), "eval"),
    "googlenet": ("googlenet", NO_DROPOUT | {"dropout_aux": 0.0, "transform_input": True}, (2, 3, 64, 64), "frozen"),
    "inception_resnet_v2": ("inception_resnet_v2", {"num_classes": 10}, (1, 3, 75, 75), "frozen"),
    "inception_v3": ("inception_v3", NO_DROPOUT, (1, 3, 299, 299), "frozen"),
    "inception_v4": ("inception_v4", {"num_classes": 10}, (1, 3, 75, 75), "frozen"),
    "mobilenet_v2": ("mobilenet_v2", NO_DROPOUT | {"width_mult": 0.75}, (2, 3, 64, 64), "eval"),
    "resnet18": ("resnet18", {"num_classes": 10}, (4, 3, 64, 64), "train"),
    "resnet50, dilated": ("resnet50", {"replace_stride_with_dilation": [False, True, True]}, (1, 3, 64, 64), "eval"),
    "resnext50_32x4d": ("resnext50_32x4d", {"num_classes": 10}, (1, 3, 64, 64), "eval"),
    "squeezenet1_0": ("squeezenet1_0", NO_DROPOUT, (2, 3, 64, 64), "train"),
    "squeezenet1_1": ("squeezenet1_1", NO_DROPOUT, (2, 3, 65, 70), "train"),
    "vgg11_bn": ("vgg11_bn.features", NO_DROPOUT, (1, 3, 64, 64), "train"),
}


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def layout(net):
    """The number of parameters, and digests of the state's keys and shapes and of how the network prints itself."""
    state = "".join(f"{key} {tuple(tensor.shape)}\n" for key, tensor in net.state_dict().items())
    return {"parameters": sum(p.numel() for p in net.parameters()), "state": _digest(state), "repr": _digest(repr(net))}


def values(state):
    """Arrays for a state dict, drawn such that neither results nor gradients fade or grow along a deep network."""
    drawn = {}
    for i, (key, tensor) in enumerate(state.items()):
        shape = tuple(tensor.shape)
        array = np.random.default_rng([i, *shape]).random(shape, dtype="float32")
        if key.endswith("num_batches_tracked"):
            array = np.zeros(shape, "int64")
        elif len(shape) > 1:
            array = (array - 0.5) * np.float32(np.sqrt(24 / np.prod(shape[1:])))
        else:
            array = array + 0.5 if key.endswith(("weight", "running_var")) else (array - 0.5) / 5
        drawn[key] = array
    return drawn


def behaviour(m, net, shape, mode):
    """Results, buffers and gradients of a network of library `m` with `values` as its state, in a few numbers each.

    They are the first scores of each result, some pixels of the image's gradient, and the gradients' norm of each part.
    """
    net.double()  # where a rounding error may turn a ReLU or a maximum over, float32 says little about gradients
    net.load_state_dict({key: m.from_numpy(array) for key, array in values(net.state_dict()).items()})
    net.train(mode != "eval")
    for module in net.modules() if mode == "frozen" else ():
        if type(module).__name__ in BATCH_NORM:
            module.eval()
    rng = np.random.default_rng(0)
    image = m.from_numpy(rng.standard_normal(shape)).requires_grad_()
    results = net(image)
    results = results if isinstance(results, tuple) else (results,)
    seeds = [m.from_numpy(rng.standard_normal(tuple(y.shape))) for y in results]
    sum((y * seed).sum() for y, seed in zip(results, seeds)).backward()
    numbers = {f"result {i}": y.numpy(force=True)[:, :8] for i, y in enumerate(results)}
    numbers["image"] = image.grad.numpy(force=True)[:, :, 7::29, 11::31]
    for name, part in net.named_children():
        gradients = [p.grad.numpy(force=True) for p in part.parameters()]
        if gradients:
            numbers[f"gradients of {name}"] = np.sqrt(sum(np.square(g, dtype="float64").sum() for g in gradients))
    for name, buffer in list(net.named_buffers())[-3:-1] if mode == "train" else ():
        numbers[name] = buffer.numpy(force=True)[:8]
    return {name: np.asarray(array, "float64") for name, array in numbers.items()}

"""Plots of what a network holds and makes: filters, feature maps, the weights of a linear classifier."""

import numpy as np

from minigrad import no_grad
from minigrad.figures import new_figure
from minigrad.nn import Module

from .looks import INK, array_of, bare, colour_bar, columns_for, limit_of, middles, mosaic, signed_colours
from .observing import as_batch, evaluating, name_of, result_of

__all__ = ["plot_feature_maps", "plot_filters", "plot_linear_weights"]

MOST_TILES = 4096


def plot_filters(weight, palette="green-red"):
    """The filters of a convolution, one tile each, on one scale: a matplotlib `Figure`.

    `weight` is (K, C, H, W), `model.conv1.weight` say, or the layer that has it. With one channel, green is positive,
    red negative and white zero; with three, filters are shown in colours, grey being zero; with any other number,
    filters are rows and channels are columns. `palette` is "green-red" or "blue-orange", which colour-blind readers
    tell apart.

    Raises TypeError for a module without a weight, ValueError for other shapes, numbers that are not finite, more than
    4096 tiles and unknown palettes, ImportError without matplotlib.

    >>> import minigrad
    >>> plot_filters(minigrad.nn.Conv2d(1, 6, 5).weight).axes[0].get_title()
    '6 filters of 5 × 5'
    """
    weight = _finite(_weight_of(weight), "weight")
    if weight.ndim != 4 or 0 in weight.shape:
        raise ValueError(
            f"filters are (K, C, H, W), but the shape is {weight.shape}\nhint: plot_linear_weights draws 2-d"
        )
    count, channels, height, width = weight.shape
    tiles, limit = weight.reshape(-1, height, width), limit_of(weight)
    title = f"{count} filters of {height} × {width}"
    if channels == 3:
        tiles = np.moveaxis(0.5 + weight / (2 * limit), 1, 3)
    elif channels > 1:
        title = f"{count} filters (rows) of {channels} channels (columns), {height} × {width}"
    if len(tiles) > MOST_TILES:
        raise ValueError(f"{len(tiles)} tiles are too many to see\nhint: draw some of them, weight[:16, :16]")
    columns = channels if channels not in (1, 3) else columns_for(count)
    figure, axis = _tiled(tiles, columns, title, "filter", table=channels not in (1, 3))
    if channels == 3:
        axis.images[0].set_data(np.nan_to_num(mosaic(tiles, columns), nan=1.0))
        axis.set_title(f"{title}, in colours (grey is 0, full colour ±{limit:.2g})", fontsize=10, color=INK)
    else:
        axis.images[0].set(cmap=signed_colours(palette), clim=(-limit, limit))
        colour_bar(figure, axis.images[0], axis, "weight")
    return figure


def plot_feature_maps(model, image, layer, palette="green-red"):
    """The feature maps that a layer makes of an image, one tile a channel, on one scale: a matplotlib `Figure`.

    `image` is (C, H, W) or (1, C, H, W), `layer` a module of the model or its name as in `model.named_modules()`. The
    model runs in evaluation mode. Maps without negative values, such as those behind a ReLU, are drawn from black (0)
    to bright, others in the colours of `plot_filters`.

    Raises ValueError for more than one image, for a layer that is not there or whose result is not (1, C, H, W),
    ImportError without matplotlib.

    >>> import minigrad
    >>> from minigrad.vision.models import LeNet5
    >>> plot_feature_maps(LeNet5(), minigrad.rand(1, 32, 32), "c1").axes[0].get_title()
    'c1: 6 maps of 28 × 28'
    """
    image = as_batch(image, 4)
    if len(image) != 1:
        raise ValueError(f"feature maps are drawn of one image, not of {len(image)}\nhint: pass images[0]")
    layer = name_of(model, layer)
    with evaluating(model), no_grad():
        maps = result_of(model, image, layer)
    if maps.ndim != 4:
        raise ValueError(f"{layer} makes no maps (1, C, H, W): the shape of its result is {tuple(maps.shape)}")
    maps = _finite(maps, f"the result of {layer}")[0]
    count, height, width = maps.shape
    figure, axis = _tiled(maps, columns_for(count), f"{layer}: {count} maps of {height} × {width}", "map")
    shown = axis.images[0]
    if maps.min() >= 0:
        shown.set(cmap="magma", clim=(0, limit_of(maps)))
    else:
        shown.set(cmap=signed_colours(palette), clim=(-limit_of(maps), limit_of(maps)))
    colour_bar(figure, shown, axis, "activation")
    return figure


def plot_linear_weights(weight, shape, classes=None, palette="green-red"):
    """The weights of a linear classifier as images, one a class, on one scale: a matplotlib `Figure`.

    `weight` is (classes, pixels), or the layer that has it, `shape` that of an image: (H, W) or (C, H, W); of more
    channels the mean is drawn. Green is positive (a bright pixel there speaks for the class), red negative, white zero.
    `classes` are names, `palette` is "green-red" or "blue-orange".

    Raises ValueError where weight, shape and classes disagree, ImportError without matplotlib.

    >>> import minigrad
    >>> figure = plot_linear_weights(minigrad.nn.Linear(64, 10).weight, (8, 8))
    >>> [axis.get_title() for axis in figure.axes[:3]]
    ['0', '1', '2']
    """
    weight = _finite(_weight_of(weight), "weight")
    if weight.ndim != 2 or len(shape) not in (2, 3) or weight.shape[1] != np.prod(shape) or not weight.size:
        raise ValueError(
            f"a weight of shape {weight.shape} is no image of shape {tuple(shape)} for each class\n"
            "hint: weight is (classes, pixels), and shape (H, W) or (C, H, W) with as many pixels"
        )
    names = _names(classes, len(weight))
    images = weight.reshape(len(weight), -1, *shape[-2:]).mean(1)
    columns = 5 if len(images) == 10 else columns_for(len(images), most=8)
    rows = -(-len(images) // columns)
    figure = new_figure(1.35 * columns + 1, 1.5 * rows * shape[-2] / shape[-1] + 0.3)
    axes = figure.subplots(rows, columns, squeeze=False)
    limit = limit_of(images)
    for axis, image, name in zip(axes.flat, images, names):
        shown = axis.imshow(image, cmap=signed_colours(palette), vmin=-limit, vmax=limit)
        bare(axis, name)
    for axis in list(axes.flat)[len(images) :]:
        axis.remove()
    colour_bar(figure, shown, list(axes.flat)[: len(images)], "weight")
    return figure


def _names(classes, count):
    """A name for each class."""
    names = [str(name) for name in (range(count) if classes is None else classes)]
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} classes")
    return names


def _weight_of(layer):
    """The weight of a layer; what is no module is taken for one."""
    if not isinstance(layer, Module):
        return layer
    weight = getattr(layer, "weight", None)
    if weight is None:
        inner = [name for name, _ in layer.named_parameters() if name.endswith(".weight")]
        named = f"pass one of its layers' weights: {', '.join(inner[:6])}" if inner else "pass a layer that has one"
        raise TypeError(f"{type(layer).__name__} has no weight of its own\nhint: {named}")
    return weight


def _finite(values, what):
    """The values as an array of float64, checked."""
    array = array_of(values).astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{what} has {np.count_nonzero(~np.isfinite(array))} values that are NaN or infinite")
    return array


def _tiled(tiles, columns, title, unit, table=False):
    """A figure of one mosaic. In a table every row is one `unit`; else tiles are counted on from row to row."""
    height, width = tiles.shape[1:3]
    rows = -(-len(tiles) // columns)
    tile = min(1.1, 9 / columns, max(9 / rows, 0.14))  # inches
    tall = tile * (height + 1) / (width + 1)
    figure = new_figure(max(columns * tile + 1.6, 3.6), max(rows * tall + 0.8, 1.6))
    axis = figure.subplots()
    axis.imshow(mosaic(tiles, columns), interpolation="nearest")
    axis.set_title(title, fontsize=10, color=INK)
    across, down = max(1, round(0.25 / tile)), max(1, round(0.17 / tall))  # labels need room
    axis.set_xticks(middles(columns, width)[::across], range(0, columns, across))
    firsts = range(rows) if table else range(0, rows * columns, columns)
    axis.set_yticks(middles(rows, height)[::down], firsts[::down])
    if rows == 1:
        axis.set(yticks=[], xlabel=unit)
    else:
        axis.set(ylabel=unit if table else f"{unit} = row + column", xlabel="channel" if table else "")
    for label in (axis.xaxis.label, axis.yaxis.label):
        label.set(fontsize=9, color=INK)
    axis.tick_params(length=0, labelsize=8, colors=INK)
    for side in axis.spines.values():
        side.set_visible(False)
    return figure, axis

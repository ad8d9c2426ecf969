"""Plots of what a network sees in an image: receptive fields, saliency; and Kirsch's edges, which need no network."""

import numpy as np

from minigrad.figures import new_figure

from .attribution import METHODS, _classes
from .edges import DIRECTIONS, kirsch
from .looks import array_of, bare, colour_bar, limit_of, show_image, signed_colours
from .observing import as_batch, evaluating
from .receptive_fields import effective_receptive_field, receptive_field

__all__ = ["plot_kirsch", "plot_receptive_field", "plot_saliency"]

COMPASS = ("NW", "N", "NE", "W", None, "E", "SW", "S", "SE")
MARK = "#E69F00"


def plot_receptive_field(model, images, layer=None, cell=None):
    """What a cell of a layer sees: its exact receptive field on the first image, and the measured one, in one `Figure`.

    The frame is the exact field, dashed where it lies in the padding. The heat map is `effective_receptive_field`: the
    mean gradient over `images` (N, C, H, W), as a share of its largest value. Arguments and errors are those of
    `receptive_field`; ImportError without matplotlib.

    >>> import minigrad
    >>> from minigrad.vision.models import LeNet5
    >>> figure = plot_receptive_field(LeNet5(), minigrad.rand(4, 1, 32, 32), "s4")
    >>> figure.axes[0].get_title()
    's4, cell (2, 2): 16 × 16 pixels'
    """
    images = as_batch(images, 4)
    field = receptive_field(model, images, layer, cell)
    strength = effective_receptive_field(model, images, layer, field.cell)
    figure = new_figure(7.4, 3.6)
    left, right = figure.subplots(1, 2)
    place = f"cell {field.cell}" if field.cell else "the whole result"
    size = " × ".join(map(str, field.size))
    show_image(left, images[0], f"{layer or 'the model'}, {place}: {size} pixels")
    reached = np.count_nonzero(strength) / strength.size
    shown = right.imshow(strength / (strength.max() or 1), cmap="magma", vmin=0, vmax=1)
    bare(right, f"mean |gradient| of {_count(len(images), 'image')}, not 0 in {reached:.0%} of the pixels")
    colour_bar(figure, shown, right, "share of the largest")
    for axis in (left, right):
        _frame(axis, field)
    return figure


def _frame(axis, field):
    """The field's borders: a line within the image, dashes outside; the axis shows both."""
    (top, left), (height, width) = field.start, field.size
    rows, columns = field.image
    axis.plot(*_rectangle(top, left, height, width), color=MARK, linewidth=1.4, linestyle=(0, (4, 3)))
    if field.region is not None:
        (first, last), (start, stop) = field.region
        axis.plot(*_rectangle(first, start, last - first + 1, stop - start + 1), color=MARK, linewidth=2)
    margin = max(rows, columns) * 0.04
    axis.set_xlim(min(left, 0) - 0.5 - margin, max(left + width, columns) - 0.5 + margin)
    axis.set_ylim(max(top + height, rows) - 0.5 + margin, min(top, 0) - 0.5 - margin)


def _rectangle(top, left, height, width):
    x, y = left - 0.5, top - 0.5
    return [x, x + width, x + width, x, x], [y, y, y + height, y + height, y]


def plot_saliency(model, image, target=None, classes=None, palette="green-red"):
    """An image and its saliency by all `METHODS`, in one `Figure`.

    For the gradient and SmoothGrad the largest absolute value over the channels is drawn, as their papers do; for
    gradient × input, whose signs mean for and against, the sum. `image` is (C, H, W) or (1, C, H, W), `target` a class,
    by default the one with the highest score; `classes` are names. Errors: `gradient`; ImportError without matplotlib.

    >>> import minigrad
    >>> from minigrad.vision.models import LeNet5
    >>> figure = plot_saliency(LeNet5(), minigrad.rand(1, 32, 32), target=3)
    >>> figure.axes[0].get_title()
    'score of 3'
    """
    image = as_batch(image, 4)
    if len(image) != 1:
        raise ValueError(f"saliency is drawn of one image, not of {len(image)}\nhint: pass images[0]")
    with evaluating(model):
        target = int(_classes(model, image, target)[0])
    figure = new_figure(2.6 * (1 + len(METHODS)), 2.6)
    first, *axes = figure.subplots(1, 1 + len(METHODS))
    show_image(first, image[0], f"score of {target if classes is None else classes[target]}")
    for axis, (name, method) in zip(axes, METHODS.items()):
        slope = array_of(method(model, image, target))[0]
        if name == "gradient × input":
            signed = slope.sum(0)
            shown = axis.imshow(signed, cmap=signed_colours(palette), clim=(-limit_of(signed), limit_of(signed)))
        else:
            shown = axis.imshow(np.abs(slope).max(0), cmap="magma", vmin=0)
        bare(axis, name)
        colour_bar(figure, shown, axis, "")
    return figure


def plot_kirsch(image, palette="green-red"):
    """Kirsch's eight responses of an image, arranged as a compass round the image, and their maximum: a `Figure`.

    Green is positive: brighter towards that direction. Scales end where 99.5% of the values lie below. `image` is
    (H, W), (1, H, W) or (3, H, W), tensor or array; errors: `kirsch`; ImportError without matplotlib.

    >>> import minigrad
    >>> [axis.get_title() for axis in plot_kirsch(minigrad.rand(8, 8)).axes[:3]]
    ['NW', 'N', 'NE']
    """
    responses = array_of(kirsch(image))
    image = array_of(image)
    height, width = responses.shape[1:]
    side = 4.8  # inches
    figure = new_figure(2 * side + 1.7, side * height / width + 0.7)
    compass, largest = figure.subfigures(1, 2, width_ratios=[side + 0.9, side + 0.8])
    axes = compass.subplots(3, 3)
    limit = _most(np.abs(responses))
    for axis, direction in zip(axes.flat, COMPASS):
        if direction is None:
            show_image(axis, image.reshape(-1, height, width), "image")
        else:
            response = responses[DIRECTIONS.index(direction)]
            shown = axis.imshow(response, cmap=signed_colours(palette), vmin=-limit, vmax=limit)
            bare(axis, direction)
    colour_bar(compass, shown, axes, "response", extend="both")
    axis = largest.subplots()
    edge = responses.max(0)
    shown = axis.imshow(edge, cmap="magma", vmin=0, vmax=_most(edge))
    bare(axis, "largest of the eight")
    colour_bar(largest, shown, axis, "response", extend="max")
    return figure


def _most(values):
    """The end of a scale that a few outliers do not decide: 99.5% of the values lie below."""
    return float(np.quantile(values, 0.995)) or limit_of(values)


def _count(number, thing):
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

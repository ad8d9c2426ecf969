"""The plot of a confusion matrix."""

import numpy as np

from minigrad.figures import new_figure

from .counting import confusion_counts
from .looks import FAINT, INK, bare, rising_colours

__all__ = ["plot_confusion"]

MOST_NUMBERS = 25  # classes; beyond, numbers have no room


def plot_confusion(true, predicted, classes=None, palette="green-red"):
    """How often each true class (row) was taken for each class (column), as a matplotlib `Figure`.

    Colours are shares of the true class: green on the diagonal, red beside it, and darker than in proportion, so that
    rare errors show. Up to 25 classes, counts stand in the cells; at the right is each class's recall (how many of it
    were found), below its precision (how many of those taken for it were it), in per cent.

    `true` and `predicted` are as in `confusion_counts`, whose errors it raises; `classes` are the classes' names or
    their number. ImportError without matplotlib.

    >>> plot_confusion([0, 0, 1], [0, 1, 1], classes=["cat", "dog"]).axes[0].get_title()
    '2 of 3 right (66.67%)'
    """
    named = classes is not None and not isinstance(classes, int)
    counts = confusion_counts(true, predicted, len(classes) if named else classes)
    names = [str(name) for name in (classes if named else range(len(counts)))]
    size = len(names)
    right = counts.diagonal()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    diagonal = np.eye(size, dtype=bool)
    cell = 0.55 if size <= MOST_NUMBERS else max(7 / size, 0.06)
    longest = max(map(len, names))
    margin = 0.07 * max(longest, 11)
    figure = new_figure(size * cell + 1.6 + margin, size * cell + 1.3 + margin * (longest > 2))
    axis = figure.subplots()
    for where, end in ((diagonal, -1), (~diagonal, 0)):
        part = np.ma.masked_where(~where, np.sqrt(shares))
        axis.imshow(part, cmap=rising_colours(palette, end).with_extremes(bad="#FFFFFF00"), vmin=0, vmax=1)
    bare(axis, f"{right.sum():,} of {counts.sum():,} right ({right.sum() / counts.sum():.2%})")
    axis.title.set_fontsize(11)
    axis.set_xlabel("predicted", color=INK)
    axis.set_ylabel("true", color=INK)
    if size <= MOST_NUMBERS:
        _numbers(axis, counts, shares)
    places = np.arange(0, size, max(1, round(0.18 / cell)))
    axis.set_xticks(places, [names[at] for at in places], rotation=90 if longest > 2 else 0)
    axis.set_yticks(places, [names[at] for at in places])
    axis.tick_params(length=0, labelsize=9, colors=INK)
    if size <= MOST_NUMBERS:
        _per_class(axis, right / np.maximum(counts.sum(1), 1), right / np.maximum(counts.sum(0), 1), names)
    return figure


def _numbers(axis, counts, shares):
    """The counts in their cells; what is 0 stays empty."""
    for (row, column), count in np.ndenumerate(counts):
        if count:
            dark = shares[row, column] > 0.3
            style = {"color": "white" if dark else INK, "fontsize": 8, "ha": "center", "va": "center"}
            axis.text(column, row, f"{count}", **style)


def _per_class(axis, recall, precision, names):
    """Recall at the right of the rows, precision below the columns."""
    size = len(names)
    style = {"fontsize": 8, "color": FAINT, "ha": "center", "va": "center"}
    for place in range(size):
        axis.text(size, place, f"{100 * recall[place]:.1f}", **style)
        axis.text(place, size, f"{100 * precision[place]:.1f}", **style)
    axis.set_xticks(range(size + 1), [*names, "recall %"])
    axis.set_yticks(range(size + 1), [*names, "precision %"])
    for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
        labels[-1].set(color=FAINT, fontsize=8)
    axis.set_xlim(-0.5, size + 0.6)
    axis.set_ylim(size + 0.5, -0.5)

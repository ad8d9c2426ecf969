"""How plots look: colours whose white is zero, many small pictures in one, and axes that are only pictures."""

import math

import numpy as np

from minigrad import Tensor

INK, FAINT, GAP = "#1F2933", "#616E7C", "#CBD2D9"
PALETTES = {"green-red": ("#B3261E", "#F4A79D", "#FFFFFF", "#8FCE9F", "#14713A"),  # from negative to positive
            "blue-orange": ("#B35806", "#FDB863", "#FFFFFF", "#92C5DE", "#0B5394")}  # fmt: skip


def signed_colours(palette):
    """The matplotlib colour map from negative over white to positive.

    Raises ValueError for a palette that there is not, ImportError without matplotlib.
    """
    return _colour_map(palette, _palette(palette))


def rising_colours(palette, end=-1):
    """The half of a palette from white to positive, or with `end=0` to negative."""
    negative, less, white, more, positive = _palette(palette)
    return _colour_map(f"{palette} {end}", (white, more, positive) if end else (white, less, negative))


def _palette(name):
    if name not in PALETTES:
        raise ValueError(f"there is no palette {name!r}\nhint: the palettes are {', '.join(map(repr, PALETTES))}")
    return PALETTES[name]


def _colour_map(name, colours):
    try:
        from matplotlib.colors import LinearSegmentedColormap
    except ImportError as error:
        raise ImportError('a plot needs matplotlib: pip install "minigrad[plots]"') from error
    # an odd number of colours, so that 0 has the middle one, pure white
    return LinearSegmentedColormap.from_list(name, colours, N=257).with_extremes(bad=GAP)


def array_of(values):
    """The array of a tensor or of anything that NumPy takes."""
    return values.detach().numpy() if isinstance(values, Tensor) else np.asarray(values)


def limit_of(values):
    """The largest absolute value, which both ends of a signed scale get; 1 where there is nothing but zeros."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def mosaic(tiles, columns, gap=1):
    """Pictures (N, H, W) or (N, H, W, 3) in one, `columns` in a row, with lines of NaN between them and around.

    >>> mosaic(np.zeros((3, 2, 2)), columns=2).shape
    (7, 7)
    """
    count, height, width, *colours = tiles.shape
    rows = math.ceil(count / columns)
    whole = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, *colours), np.nan)
    for place, tile in enumerate(tiles):
        top, left = (gap + at * (size + gap) for at, size in zip(divmod(place, columns), (height, width)))
        whole[top : top + height, left : left + width] = tile
    return whole


def middles(count, size, gap=1):
    """Where the middles of so many tiles stand in a mosaic."""
    return gap + np.arange(count) * (size + gap) + (size - 1) / 2


def columns_for(count, most=16):
    """How many tiles in a row make a mosaic that is about twice as wide as high, of full rows if that can be."""
    if count <= 8:
        return count
    fitting = [n for n in range(4, most + 1) if count % n == 0 and n * n >= count]
    return min(fitting, default=min(most, math.ceil(math.sqrt(2 * count))))


def show_image(axis, image, title):
    """An image (C, H, W) of any range of values on an axis: grey, or in its colours."""
    image = array_of(image)
    low, high = float(image.min()), float(image.max())
    stretched = (image - low) / (high - low) if high > low else np.zeros_like(image)
    if len(image) == 3:
        axis.imshow(np.moveaxis(stretched, 0, 2))
    else:
        axis.imshow(stretched.mean(0), cmap="gray", vmin=0, vmax=1)
    bare(axis, title)


def bare(axis, title):
    """An axis without ticks."""
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9, color=INK)
    for side in axis.spines.values():
        side.set(color=GAP, linewidth=0.8)


def colour_bar(figure, shown, axes, label, extend="neither"):
    """A slim scale of the colours of `shown`; `extend` says at which end values go on beyond it."""
    bar = figure.colorbar(shown, ax=axes, fraction=0.04, pad=0.02, aspect=25, extend=extend)
    bar.set_label(label, fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK)
    bar.outline.set(edgecolor=GAP)
    return bar

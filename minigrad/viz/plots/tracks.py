"""How a `Track`, one tensor's histograms over the steps, is drawn: as a heat map or as a ridgeline."""

import numpy as np

from .looks import FAINT, INK

__all__ = ["heat_map", "ridgeline", "rising"]

LEVELS = 96  # parts of the range of values
EXTREME = 0.002  # the share of values at either end that is left out
RIDGES = 24  # curves that can be told apart
OVERLAP = 2.5  # how many lines high the highest ridge is


def heat_map(axis, track):
    """The densities as columns over the steps, with the median and the middle 90%; returns what a scale is made of."""
    from matplotlib.colors import PowerNorm

    edges, density = _densities(track)
    steps = np.array(track.step, float)
    between = (steps[1:] + steps[:-1]) / 2
    borders = [steps[0] - 0.5, *between, steps[-1] + 0.5]
    root = PowerNorm(0.5, vmin=0, vmax=1)  # on which small shares can be told from none
    shown = axis.pcolormesh(borders, edges, density.T, cmap="Blues", norm=root, rasterized=True)
    for share, dashes in ((0.05, (0, (3, 2))), (0.5, "-"), (0.95, (0, (3, 2)))):
        axis.plot(steps, track.quantiles(share), color=INK, linewidth=0.8, linestyle=dashes)
    axis.set_ylim(edges[0], edges[-1])
    _ticks(axis, axis.yaxis)
    return shown


def ridgeline(axis, track):
    """The densities as curves over the values, a line for each of at most `RIDGES` steps, the first one at the back."""
    edges, density = _densities(track)
    count = len(density)
    chosen = np.unique(np.linspace(0, count - 1, min(count, RIDGES)).round().astype(int))
    middles = (edges[1:] + edges[:-1]) / 2
    for line, (place, colour) in enumerate(zip(chosen, rising(len(chosen)))):
        ridge = OVERLAP * density[place] - line
        axis.fill_between(middles, -line, ridge, facecolor=colour, edgecolor="white", linewidth=0.6, zorder=line)
    lines = np.arange(0, len(chosen), -(-len(chosen) // 8))  # labels need room
    axis.set_yticks(-lines, [track.step[chosen[line]] for line in lines])
    axis.set_xlim(edges[0], edges[-1])
    axis.set_ylim(0.3 - len(chosen), OVERLAP + 0.2)
    for side in ("left", "right", "top"):
        axis.spines[side].set_visible(False)
    _ticks(axis, axis.xaxis)


def _densities(track):
    """(edges, for each step how densely the values lie between them as a share of its densest place)."""
    ends = track.quantiles([EXTREME, 1 - EXTREME])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    edges = np.linspace(*((low, high) if high > low else (low - 0.5, low + 0.5)), LEVELS + 1)
    shares = track.shares(edges)
    return edges, shares / np.maximum(shares.max(1, keepdims=True), 1e-30)


def _ticks(axis, of_values):
    """Small numbers, those of the values with a common power of ten."""
    axis.tick_params(labelsize=7, colors=FAINT)
    axis.ticklabel_format(axis=of_values.axis_name, scilimits=(-2, 3))
    of_values.get_offset_text().set_fontsize(7)


def rising(count):
    """Colours from dark to bright."""
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0, 0.9, count))

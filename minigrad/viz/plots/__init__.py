"""Plots that people look at: filters, feature maps, receptive fields, saliency, training from inside, confusion.

`plot_...` draw and return a matplotlib `Figure`, which notebooks show and `figure.savefig(path)` writes; they never
touch pyplot. Beside each stands what it draws as plain numbers (`receptive_field`, `gradient`, `kirsch`,
`confusion_counts`), for which matplotlib is not needed. Loss curves are `minigrad.History`'s.

Numbers: `dependence` and `receptive_fields`, `attribution`, `edges`, `counting`; drawings: `layers`, `looking`,
`confusion`, `tracks`; `recorder` has both; `looks` holds colours and axes, `observing` runs models.
"""

from .attribution import METHODS, gradient, gradient_times_input, smooth_grad
from .confusion import plot_confusion
from .counting import confusion_counts
from .edges import DIRECTIONS, kirsch, kirsch_kernels
from .layers import plot_feature_maps, plot_filters, plot_linear_weights
from .looking import plot_kirsch, plot_receptive_field, plot_saliency
from .receptive_fields import ReceptiveField, effective_receptive_field, receptive_field
from .recorder import Recorder

__all__ = [
    "DIRECTIONS",
    "METHODS",
    "ReceptiveField",
    "Recorder",
    "confusion_counts",
    "effective_receptive_field",
    "gradient",
    "gradient_times_input",
    "kirsch",
    "kirsch_kernels",
    "plot_confusion",
    "plot_feature_maps",
    "plot_filters",
    "plot_kirsch",
    "plot_linear_weights",
    "plot_receptive_field",
    "plot_saliency",
    "receptive_field",
    "smooth_grad",
]

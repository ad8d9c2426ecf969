"""What happens inside a network while it learns: activations, gradients and weights of each layer, every so many steps.

A `Recorder` keeps histograms and norms, not the values; its plots are those histograms over the steps, drawn by
`tracks`, and the ratio of gradient to weight.
"""

from dataclasses import asdict, dataclass, field

import numpy as np

from minigrad import Tensor
from minigrad.figures import new_figure

from .looks import GAP, INK, array_of, colour_bar
from .tracks import heat_map, ridgeline, rising

__all__ = ["Recorder", "Track"]

BINS = 64
MOST_VALUES = 1 << 16  # of a larger tensor every n-th value goes into the histogram; its other numbers are exact
KINDS = ("activations", "gradients", "weights")
STYLES = {"heat": heat_map, "ridgeline": ridgeline}


@dataclass(slots=True)
class Track:
    """One tensor over the recorded steps: for each, a histogram of its finite values and some exact numbers.

    `counts` has 64 bins of equal width from `low` to `high`; `zeros` and `bad` are the shares of values that are 0, and
    NaN or infinite; `norm` is Euclidean.
    """

    step: list = field(default_factory=list)
    counts: list = field(default_factory=list)
    low: list = field(default_factory=list)
    high: list = field(default_factory=list)
    mean: list = field(default_factory=list)
    std: list = field(default_factory=list)
    norm: list = field(default_factory=list)
    zeros: list = field(default_factory=list)
    bad: list = field(default_factory=list)

    def add(self, step, values):
        """Note the values of a step; a second note of a step replaces the first."""
        if self.step and self.step[-1] == step:
            for column in self._columns().values():
                column.pop()
        values = values.ravel(order="K")
        finite = np.isfinite(values)
        good = values if finite.all() else values[finite]
        wide = good.astype(np.float64) if good.size else np.zeros(1)
        every = -(-wide.size // MOST_VALUES) | 1  # odd, so that it does not fall in step with the channels
        low, high = float(wide.min()), float(wide.max())
        counts = np.histogram(wide[::every], BINS, (low, high) if high > low else (low - 0.5, low + 0.5))[0]
        numbers = {
            "step": step,
            "counts": counts * bool(good.size),
            "low": low if high > low else low - 0.5,
            "high": high if high > low else low + 0.5,
            "mean": wide.mean(),
            "std": wide.std(),
            "norm": np.linalg.norm(wide) if finite.all() else np.nan,
            "zeros": np.count_nonzero(values == 0) / max(values.size, 1),
            "bad": 1 - good.size / max(values.size, 1),
        }
        for name, column in self._columns().items():
            column.append(numbers[name])

    def shares(self, edges):
        """For each step, which share of the values lies between neighbouring `edges`: (steps, len(edges) - 1).

        Values are taken to be spread evenly within a bin.
        """
        rows = []
        for counts, low, high in zip(self.counts, self.low, self.high):
            below = np.concatenate([[0], np.cumsum(counts)]) / max(np.sum(counts), 1)
            rows.append(np.diff(np.interp(edges, np.linspace(low, high, BINS + 1), below)))
        return np.array(rows)

    def quantiles(self, share):
        """For each step, the value below which that share of the values lies."""
        rows = []
        for counts, low, high in zip(self.counts, self.low, self.high):
            below = np.concatenate([[0], np.cumsum(counts)]) / max(np.sum(counts), 1)
            rows.append(np.interp(share, below, np.linspace(low, high, BINS + 1)))
        return np.array(rows)

    def _columns(self):
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Recorder:
    """Watches a model learn: call `step()` after each `loss.backward()`.

    The first and then every `every`-th step is recorded: what each layer gives (modules without submodules, when the
    model is in training mode; of several calls in a step the last), each parameter and its gradient. `tracks[kind]`
    leads from names to `Track`s, kind being "activations", "gradients" or "weights". The steps between cost nothing but
    the call of a hook. `close()` takes the hooks away; as a context manager it does so at the end.

    Raises ValueError for `every` below 1.

    >>> import minigrad
    >>> model = minigrad.nn.Sequential(minigrad.nn.Linear(3, 2), minigrad.nn.Tanh())
    >>> with Recorder(model, every=2) as recorder:
    ...     for _ in range(5):
    ...         model.zero_grad()
    ...         model(minigrad.rand(4, 3)).sum().backward()
    ...         recorder.step()
    >>> recorder.tracks["gradients"]["0.weight"].step
    [1, 3, 5]
    >>> list(recorder.tracks["activations"])
    ['0', '1']
    """

    def __init__(self, model, every=10):
        if every < 1:
            raise ValueError(f"every counts steps from 1, got {every}")
        self.model, self.every, self.steps = model, every, 0
        self.tracks = {kind: {} for kind in KINDS}
        self._hooks = [
            module.register_forward_hook(self._watch(name or type(module).__name__))
            for name, module in model.named_modules()
            if not list(module.children())
        ]

    def _watch(self, name):
        def watch(module, args, result):
            if self._due and self.model.training and isinstance(result, Tensor) and result.is_floating_point():
                self._note("activations", name, result)

        return watch

    @property
    def _due(self):
        """Whether the step that is under way is to be recorded."""
        return self.steps % self.every == 0

    def _note(self, kind, name, tensor):
        self.tracks[kind].setdefault(name, Track()).add(self.steps + 1, array_of(tensor))

    def step(self):
        """Count a step and, if its turn has come, record parameters and gradients as they are now.

        Raises RuntimeError if no parameter has a gradient.
        """
        if self._due:
            parameters = [(name, p) for name, p in self.model.named_parameters() if p.grad is not None]
            if not parameters:
                raise RuntimeError(
                    "no parameter has a gradient yet\n"
                    "hint: call recorder.step() after loss.backward(), before optimizer.zero_grad()"
                )
            for name, parameter in parameters:
                self._note("gradients", name, parameter.grad)
                self._note("weights", name, parameter)
        self.steps += 1

    def ratios(self):
        """{parameter: ‖gradient‖ / ‖weight‖ for each of its recorded steps}, arrays; NaN where the weight is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            pairs = {name: (self.tracks["gradients"][name], weight) for name, weight in self.tracks["weights"].items()}
            found = {name: np.divide(gradient.norm, weight.norm) for name, (gradient, weight) in pairs.items()}
        return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}

    def close(self):
        """Take the hooks off the model; what was recorded stays."""
        for hook in self._hooks:
            hook.remove()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def state_dict(self):
        """Everything recorded, for a checkpoint: `minigrad.save` takes it, and `load_state_dict` goes on from it."""
        tracks = {
            kind: {name: {key: np.array(column) for key, column in asdict(t).items()} for name, t in named.items()}
            for kind, named in self.tracks.items()
        }
        return {"steps": self.steps, "tracks": tracks}

    def load_state_dict(self, state_dict):
        """Go back to where the recorder was that `state_dict()` came from. Raises ValueError for anything else."""
        if set(state_dict) != {"steps", "tracks"}:
            raise ValueError(f"not a state of a Recorder: its keys are {sorted(state_dict)}")
        self.steps = state_dict["steps"]
        self.tracks = {
            kind: {name: Track(**{key: list(array) for key, array in t.items()}) for name, t in named.items()}
            for kind, named in state_dict["tracks"].items()
        }

    def plot(self, kind, names=None, style="heat"):
        """A matplotlib `Figure` of "activations", "gradients", "weights" or "ratios" over the steps.

        The first three show for each layer or parameter how densely the values lie, as a share of the step's densest
        place. `style="heat"` is a heat map over the steps, the line being the median and the dashes the middle 90%;
        `style="ridgeline"` is a curve for each step, the first one at the back, at most 24 of them. "ratios" are curves
        of ‖gradient‖ / ‖weight‖, in no other style. `names` chooses layers or parameters; by default they are all
        layers, and the parameters of at least two dimensions.

        Raises ValueError for another kind or style, a name that was not recorded and if nothing was recorded,
        ImportError without matplotlib.
        """
        if kind not in (*KINDS, "ratios"):
            raise ValueError(f"a recorder plots {', '.join(KINDS)} or ratios, not {kind!r}")
        if style not in (STYLES if kind != "ratios" else ("heat",)):
            hint = f"\nhint: the styles of a histogram are {', '.join(map(repr, STYLES))}; ratios are curves"
            raise ValueError(f"{kind} are not plotted in the style {style!r}{hint}")
        tracks = self.tracks["weights" if kind == "ratios" else kind]
        if not tracks:
            raise ValueError("nothing was recorded\nhint: call recorder.step() after each loss.backward()")
        if names is None:
            flat = {name for name, parameter in self.model.named_parameters() if parameter.ndim < 2}
            names = [name for name in tracks if name not in flat] or list(tracks)
        unknown = next((name for name in names if name not in tracks), None)
        if unknown is not None:
            raise ValueError(f"{unknown!r} was not recorded\nhint: recorded were {', '.join(tracks)}")
        if kind == "ratios":
            return self._plot_ratios({name: (tracks[name].step, self.ratios()[name]) for name in names})
        return self._plot_histograms({name: tracks[name] for name in names}, kind, style)

    def _plot_histograms(self, tracks, kind, style):
        columns = min(3, len(tracks))
        rows = -(-len(tracks) // columns)
        over_steps = style == "heat"  # else over the values, which differ from layer to layer
        figure = new_figure(3.4 * columns + 0.8, (1.9 if over_steps else 3.2) * rows + 0.4)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=over_steps)
        for axis, (name, track) in zip(axes.flat, tracks.items()):
            shown = STYLES[style](axis, track)
            _title(axis, name, track, kind)
        for axis in list(axes.flat)[len(tracks) :]:
            axis.remove()
        for axis in axes.flat[max(0, len(tracks) - columns) : len(tracks)]:
            axis.set_xlabel("step" if over_steps else "value", fontsize=8, color=INK)
            axis.tick_params(labelbottom=True)
        if over_steps:
            colour_bar(figure, shown, list(axes.flat)[: len(tracks)], "density")
        else:
            for row in axes[:, 0]:
                row.set_ylabel("step", fontsize=8, color=INK)
        return figure

    def _plot_ratios(self, curves):
        figure = new_figure(7, 4)
        axis = figure.subplots()
        for (name, (steps, values)), colour in zip(curves.items(), rising(len(curves))):
            axis.plot(steps, values, color=colour, linewidth=1.2, marker=".", markersize=3, label=name)
        axis.set_yscale("log")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_xlabel("step", color=INK)
        axis.set_ylabel("‖gradient‖ / ‖weight‖", color=INK)
        axis.set_title("gradient beside weight, from the first layer (dark) to the last (bright)", fontsize=10)
        axis.grid(color=GAP, linewidth=0.5)
        if len(curves) <= 24:
            axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return figure


def _title(axis, name, track, kind):
    """The name, and what is worth knowing of the values."""
    notes = [f"{track.zeros[-1]:.0%} zeros"] if kind == "activations" and track.zeros[-1] > 0.005 else []
    if max(track.bad) > 0:
        notes.append(f"NaN or inf from step {track.step[int(np.argmax(np.array(track.bad) > 0))]}")
    axis.set_title(" · ".join([name, *notes]), fontsize=8, color="#B3261E" if max(track.bad) > 0 else INK)

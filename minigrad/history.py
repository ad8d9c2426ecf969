"""`minigrad.History`: what a training run has measured, and the progress bar that shows it.

It holds numbers by name, for every step and for every epoch, and gives them back as lists, means, a picture, CSV and
JSON. It knows nothing of models; what is measured is the caller's choice.
"""

import csv
import itertools
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minigrad import Tensor
from minigrad.figures import new_figure
from minigrad.utils.data import DataLoader

__all__ = ["History"]

RESERVED = {"step", "epoch"}  # columns of the exports
STATE = {"step", "ends", "steps", "epochs"}
PICTURES = (".png", ".svg", ".pdf", ".jpg")
MOST_LINES = 60  # ends of epochs that are drawn
SMOOTHED = 10  # a running mean is over so many steps, or over the fiftieth part of a long curve


class History(Mapping):
    """Named numbers of a training run, step by step and epoch by epoch.

    `add` records a step, `add_epoch` closes an epoch, `track` goes through a loader with a progress bar. As a mapping
    it leads from each name to the list of its values: those of the steps, or, for names given to `add_epoch`, those of
    the epochs. A number is anything that `float` takes, a tensor of one element too.

    >>> history = History()
    >>> for batch in history.track([1.0, 2.0, 6.0]):
    ...     history.add(loss=batch)
    >>> history.add_epoch(test_accuracy=0.9)
    >>> history["loss"], history["test_accuracy"]
    ([1.0, 2.0, 6.0], [0.9])
    >>> history.epochs
    {'loss': [3.0], 'test_accuracy': [0.9]}
    """

    def __init__(self) -> None:
        self.step = 0  # steps recorded
        self._ends: list[int] = []  # the last step of every epoch
        self._steps: dict[str, tuple[list[int], list[float]]] = {}  # name -> (numbers of steps from 1, values)
        self._epochs: dict[str, tuple[list[int], list[float]]] = {}  # name -> (numbers of epochs from 1, values)

    # recording --------------------------------------------------------------------------------------------------------

    def add(self, **values) -> None:
        """Record a step: numbers by name. Raises ValueError for a name that is the epochs', or reserved."""
        self._record(self._steps, self._epochs, self.step + 1, values)
        self.step += 1

    def add_epoch(self, **values) -> None:
        """Record the end of an epoch, with numbers that were measured once; means over its steps come by themselves.

        Raises ValueError for a name that is the steps', or reserved.

        >>> history = History()
        >>> history.add(loss=1)
        >>> history.add_epoch(loss=2)
        Traceback (most recent call last):
        ...
        ValueError: 'loss' is recorded step by step, and its mean over an epoch is in .epochs
        hint: give what is measured once an epoch a name of its own, such as test_loss=
        """
        taken = next((name for name in values if name in self._steps), None)
        if taken is not None:
            raise ValueError(
                f"{taken!r} is recorded step by step, and its mean over an epoch is in .epochs\n"
                f"hint: give what is measured once an epoch a name of its own, such as test_{taken}="
            )
        self._record(self._epochs, self._steps, self.epoch + 1, values)
        self._ends.append(self.step)

    def _record(self, columns, others, number, values):
        numbers = {name: _number(value) for name, value in values.items()}  # all or none
        for name in numbers:
            if name in RESERVED or name in others:
                raise ValueError(f"{name!r} cannot be recorded here: the name is taken")
        for name, value in numbers.items():
            where, what = columns.setdefault(name, ([], []))
            where.append(number)
            what.append(value)

    def track(self, loader: Iterable, desc: str | None = None, unit: str = "batch", disable: bool | None = None):
        """Iterate over `loader` with a progress bar that shows the newest values and the samples per second.

        The bar is tqdm's, on stderr; with `disable=None` there is none where stderr is no terminal. A `DataLoader`
        that was told to go on in the middle of an epoch (`load_state_dict`) shows so.
        """
        batches = iter(loader)
        first = loader.state_dict()["position"] if isinstance(loader, DataLoader) else 0
        total = len(loader) if isinstance(loader, Sized) else None
        settings = {"desc": desc, "unit": unit, "total": total, "initial": first, "disable": disable}
        seen, start = 0, time.perf_counter()
        with tqdm(batches, mininterval=0.5, **settings) as bar:
            for batch in bar:
                yield batch
                if not bar.disable:
                    seen += _samples(batch)
                    speed = f"{seen / (time.perf_counter() - start):.0f} samples/s"
                    bar.set_postfix_str(", ".join([*self._newest(), speed]), refresh=False)

    def _newest(self):
        """Texts of the values of the last step."""
        columns = self._steps.items()
        return [f"{name} {values[-1]:.4g}" for name, (steps, values) in columns if steps[-1] == self.step]

    # reading ----------------------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> list[float]:
        columns = self._steps if name in self._steps else self._epochs
        return list(columns[name][1])

    def __iter__(self) -> Iterator[str]:
        return iter([*self._steps, *self._epochs])

    def __len__(self) -> int:
        return len(self._steps) + len(self._epochs)

    @property
    def epoch(self) -> int:
        """How many epochs are closed."""
        return len(self._ends)

    @property
    def epochs(self) -> dict[str, list[float]]:
        """Name -> one value for each closed epoch: the mean over its steps, or what `add_epoch` got; NaN if nothing."""
        columns = {name: self._means(*column) for name, column in self._steps.items()}
        for name, (numbers, values) in self._epochs.items():
            given = dict(zip(numbers, values))
            columns[name] = [given.get(number, math.nan) for number in range(1, self.epoch + 1)]
        return columns

    def _means(self, steps, values):
        """The mean of each closed epoch."""
        borders = np.searchsorted(steps, [0, *self._ends], side="right")
        parts = [values[start:stop] for start, stop in itertools.pairwise(borders)]
        return [float(np.mean(part)) if part else math.nan for part in parts]

    def mean(self, name: str, last: int | None = None) -> float:
        """The mean of `name` over its `last` values, or since the epoch began; NaN if there are none.

        >>> history = History()
        >>> for loss in (4.0, 2.0, 1.0):
        ...     history.add(loss=loss)
        >>> history.mean("loss", last=2)
        1.5
        """
        values = self[name]
        if last is None and name in self._steps:
            steps = self._steps[name][0]
            values = values[int(np.searchsorted(steps, self._ends[-1] if self._ends else 0, side="right")) :]
        elif last is not None:
            values = values[-last:]
        return float(np.mean(values)) if values else math.nan

    def __repr__(self) -> str:
        newest = "".join(f", {name}={self[name][-1]:.4g}" for name in self)
        return f"History(epoch={self.epoch}, step={self.step}{newest})"

    # keeping ----------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict:
        """Everything, for a checkpoint: `minigrad.save` takes it, and `load_state_dict` goes on from it."""
        return {
            "step": self.step,
            "ends": list(self._ends),
            "steps": {name: _arrays(*column) for name, column in self._steps.items()},
            "epochs": {name: _arrays(*column) for name, column in self._epochs.items()},
        }

    def load_state_dict(self, state_dict: dict) -> None:
        """Go back to where the history was that `state_dict()` came from. Raises ValueError for anything else."""
        if set(state_dict) != STATE:
            raise ValueError(f"not a state of a History: its keys are {sorted(state_dict)}")
        self.step, self._ends = state_dict["step"], list(state_dict["ends"])
        self._steps, self._epochs = (
            {name: (at.tolist(), values.tolist()) for name, (at, values) in state_dict[part].items()}
            for part in ("steps", "epochs")
        )

    def save(self, path) -> None:
        """Write to `path` what its ending says: a picture (.png, .svg, .pdf, .jpg), a table (.csv) or .json.

        The table has a row for each step; what was measured once an epoch stands in the row of its last step. In JSON,
        a number that is not finite is null. Raises ValueError for another ending, ImportError for a picture without
        matplotlib.
        """
        path = Path(path)
        if path.suffix in PICTURES:
            self.plot().savefig(path)
        elif path.suffix == ".csv":
            with open(path, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(self._table())
        elif path.suffix == ".json":
            path.write_text(json.dumps(self._tree(), indent=1), encoding="utf-8")
        else:
            raise ValueError(f"{path}: a history is written as {', '.join(PICTURES)}, .csv or .json")

    def _table(self) -> Iterator[list]:
        """Rows of the table: a heading, then the steps; epochs without steps of their own have rows at the end."""
        names = list(self)
        cells: dict[tuple[int, int], dict[str, float]] = {}  # (epoch, step) -> values
        epoch_of = np.searchsorted(self._ends, np.arange(1, self.step + 1), side="left") + 1
        for name, (steps, values) in self._steps.items():
            for step, value in zip(steps, values):
                cells.setdefault((int(epoch_of[step - 1]), step), {})[name] = value
        for name, (epochs, values) in self._epochs.items():
            for epoch, value in zip(epochs, values):
                cells.setdefault((epoch, self._ends[epoch - 1]), {})[name] = value
        yield ["epoch", "step", *names]
        for place in sorted(cells):
            yield [*place, *(cells[place].get(name, "") for name in names)]

    def _tree(self):
        """What the JSON file holds."""

        def finite(values):
            return [value if math.isfinite(value) else None for value in values]

        return {
            "steps": {name: {"step": at, "value": finite(values)} for name, (at, values) in self._steps.items()},
            "epochs": {name: finite(values) for name, values in self.epochs.items()},
            "ends": self._ends,
        }

    def plot(self):
        """A matplotlib `Figure`: a panel for each last word of the names, so loss and test_loss stand in one.

        What was recorded step by step is a pale curve and its running mean, what was recorded epoch by epoch has a mark
        at each epoch; thin lines are the ends of epochs. Losses are on a logarithmic axis. Values that are not finite
        leave a gap. Raises ImportError without matplotlib.
        """
        panels: dict[str, list[str]] = {}
        for name in self:
            panels.setdefault(name.rpartition("_")[2], []).append(name)
        figure = new_figure(5 * max(1, len(panels)), 4)
        axes = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
        for axis, (title, names) in zip(axes, panels.items()):
            for number, name in enumerate(names):
                self._draw(axis, name, f"C{number}")
            positive = all(value > 0 for name in names for value in self[name] if math.isfinite(value))
            axis.set(title=title, xlabel="step" if self.step else "epoch")
            axis.set_yscale("log" if title == "loss" and positive else "linear")
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.margins(x=0.02)
            axis.grid(axis="y", linewidth=0.4, alpha=0.5)
            if self.step and len(self._ends) <= MOST_LINES:
                across = axis.get_xaxis_transform()
                axis.vlines(self._ends, 0, 1, color="0.85", linewidth=0.8, zorder=0, transform=across)
            axis.legend()
        return figure

    def _draw(self, axis, name: str, colour: str) -> None:
        """The curve of `name`."""
        if name in self._epochs:
            epochs, values = self._epochs[name]
            places = [self._ends[epoch - 1] for epoch in epochs] if self.step else epochs
            axis.plot(places, values, color=colour, marker="o", label=name)
            return
        steps, values = self._steps[name]
        window = max(min(SMOOTHED, len(values)), len(values) // 50)
        axis.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
        axis.plot(steps[window - 1 :], _running_mean(np.array(values), window), color=colour, label=name)


def _running_mean(values, window):
    """The mean of each `window` neighbours, of those that are finite; NaN where none is."""
    finite = np.isfinite(values)
    ones = np.ones(window)
    counts = np.convolve(finite, ones, mode="valid")
    sums = np.convolve(np.where(finite, values, 0), ones, mode="valid")
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _number(value):
    """A Python float."""
    return float(value.item() if hasattr(value, "item") else value)  # tensors, arrays


def _arrays(at, values):
    return np.array(at, np.int64), np.array(values, np.float64)


def _samples(batch):
    """How many samples a batch has: the length of the first tensor in it."""
    while isinstance(batch, (list, tuple, Mapping)) and batch:
        batch = next(iter(batch.values())) if isinstance(batch, Mapping) else batch[0]
    return len(batch) if isinstance(batch, (Tensor, np.ndarray)) and batch.ndim else 1

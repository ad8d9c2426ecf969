"""`minigrad.History`: values by step and by epoch, their means, keeping them, plots, and the progress bar."""

import csv
import io
import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.utils.data import DataLoader


def filled(losses=((3.0, 1.0), (2.0, 0.5, 0.5)), accuracies=(0.25, 0.75)):
    history = mg.History()
    for epoch, accuracy in zip(losses, accuracies):
        for loss in epoch:
            history.add(loss=loss)
        history.add_epoch(test_accuracy=accuracy)
    return history


def test_values_come_back_by_name_for_steps_and_epochs():
    history = filled()
    assert history["loss"] == [3.0, 1.0, 2.0, 0.5, 0.5] and history["test_accuracy"] == [0.25, 0.75]
    assert history.epochs == {"loss": [2.0, 1.0], "test_accuracy": [0.25, 0.75]}
    assert (history.step, history.epoch) == (5, 2)
    assert list(history) == ["loss", "test_accuracy"] and len(history) == 2 and "lr" not in history
    assert dict(history.items()) == {"loss": history["loss"], "test_accuracy": history["test_accuracy"]}
    assert repr(history) == "History(epoch=2, step=5, loss=0.5, test_accuracy=0.75)"
    history["loss"].clear()  # a copy
    assert len(history["loss"]) == 5
    with pytest.raises(KeyError, match="lr"):
        history["lr"]


def test_numbers_of_every_kind_become_floats():
    history = mg.History()
    weight = mg.tensor([2.0], requires_grad=True)
    history.add(a=(weight * 3).sum(), b=mg.tensor(True), c=np.float32(0.5), d=7, e=np.array([1.5]))
    assert [history[name] for name in "abcde"] == [[6.0], [1.0], [0.5], [7.0], [1.5]]
    assert all(type(history[name][0]) is float for name in history)
    with pytest.raises(RuntimeError):
        history.add(a=mg.ones(2))
    with pytest.raises(ValueError):
        history.add(d=1, a="high")
    assert history.step == 1 and history["d"] == [7.0]  # nothing of a refused step stays


def test_names_have_one_meaning():
    history = filled()
    with pytest.raises(ValueError, match=r"'loss' is recorded step by step.*\nhint: .*test_loss="):
        history.add_epoch(loss=1.0)
    with pytest.raises(ValueError, match="'test_accuracy' cannot be recorded here"):
        history.add(test_accuracy=1.0)
    with pytest.raises(ValueError, match="'epoch' cannot be recorded here"):
        history.add(epoch=1)
    assert (history.step, history.epoch) == (5, 2)


@given(
    st.lists(st.lists(st.tuples(st.floats(-9, 9), st.booleans()), max_size=6), max_size=5),
    st.integers(1, 4),
)
def test_means_are_numpys_over_the_right_steps(epochs, last):
    history, everything = mg.History(), []
    for rows in epochs:
        for loss, also in rows:
            history.add(loss=loss, **({"rare": loss + 1} if also else {}))
        everything += rows
        if everything:
            expected = np.mean([loss for loss, _ in rows]) if rows else math.nan
            np.testing.assert_equal(history.mean("loss"), expected)
            np.testing.assert_equal(history.mean("loss", last), np.mean([loss for loss, _ in everything[-last:]]))
        history.add_epoch()
    for name in history:
        column = [[value + (name == "rare") for value, also in rows if also or name == "loss"] for rows in epochs]
        expected = [np.mean(values) if values else math.nan for values in column]
        np.testing.assert_equal(history.epochs[name], expected)


def test_it_resumes_from_a_checkpoint(tmp_path):
    history = filled(losses=((0.1, math.inf), (math.nan, 1 / 3, 5e-324)))
    history.add(loss=4.0, late=1)
    mg.save({"history": history.state_dict()}, tmp_path / "run")
    again = mg.History()
    again.load_state_dict(mg.load(tmp_path / "run")["history"])
    for copy in (history, again):
        copy.add(loss=5.0)
        copy.add_epoch(test_accuracy=1.0)
    np.testing.assert_equal(dict(again), dict(history))
    np.testing.assert_equal(again.epochs, history.epochs)
    assert (again.step, again.epoch) == (history.step, history.epoch) == (7, 3)
    with pytest.raises(ValueError, match="not a state of a History"):
        again.load_state_dict({"losses": []})


def test_the_table_and_the_tree(tmp_path):
    history = filled()
    history.add(loss=math.inf, lr=0.1)
    history.save(tmp_path / "run.csv")
    with open(tmp_path / "run.csv", newline="") as file:
        assert list(csv.reader(file)) == [
            ["epoch", "step", "loss", "lr", "test_accuracy"],
            ["1", "1", "3.0", "", ""],
            ["1", "2", "1.0", "", "0.25"],
            ["2", "3", "2.0", "", ""],
            ["2", "4", "0.5", "", ""],
            ["2", "5", "0.5", "", "0.75"],
            ["3", "6", "inf", "0.1", ""],
        ]
    history.save(tmp_path / "run.json")
    tree = json.loads((tmp_path / "run.json").read_text(), parse_constant=pytest.fail)
    assert tree["steps"]["loss"] == {"step": [1, 2, 3, 4, 5, 6], "value": [3.0, 1.0, 2.0, 0.5, 0.5, None]}
    assert tree["epochs"] == {"loss": [2.0, 1.0], "lr": [None, None], "test_accuracy": [0.25, 0.75]}
    assert tree["ends"] == [2, 5]
    with pytest.raises(ValueError, match=r"run\.txt: a history is written as \.png"):
        history.save(tmp_path / "run.txt")


def test_epochs_alone_have_rows_and_places_of_their_own(tmp_path):
    history = mg.History()
    for accuracy in (0.5, 0.6):
        history.add_epoch(accuracy=accuracy)
    history.save(tmp_path / "run.csv")
    assert (tmp_path / "run.csv").read_text().split() == ["epoch,step,accuracy", "1,0,0.5", "2,0,0.6"]
    (axis,) = history.plot().axes
    assert axis.get_xlabel() == "epoch" and axis.lines[0].get_xydata().tolist() == [[1, 0.5], [2, 0.6]]


def test_the_plot_shows_running_means_and_marks(tmp_path):
    losses = np.random.default_rng(0).uniform(0.1, 1, (2, 50))
    history = filled(losses)
    loss, accuracy = history.plot().axes
    assert (loss.get_title(), accuracy.get_title()) == ("loss", "accuracy")
    assert (loss.get_yscale(), accuracy.get_yscale(), loss.get_xlabel()) == ("log", "linear", "step")
    raw, smooth = (line.get_xydata() for line in loss.lines)
    np.testing.assert_array_equal(raw, np.stack([np.arange(1, 101), losses.ravel()], 1))
    assert smooth[0, 0] == 10 and smooth[-1, 0] == 100
    np.testing.assert_allclose(smooth[[0, -1], 1], [losses.ravel()[:10].mean(), losses.ravel()[-10:].mean()])
    assert accuracy.lines[0].get_xydata().tolist() == [[50, 0.25], [100, 0.75]]
    history.save(tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    mg.History().save(tmp_path / "empty.svg")  # nothing recorded is no error


def test_the_plot_leaves_gaps_where_values_are_not_finite():
    losses = np.arange(1.0, 31.0)
    losses[5], losses[12:24] = math.inf, math.nan
    history = filled([losses], [0.5])
    axis = history.plot().axes[0]
    smooth = axis.lines[1].get_ydata()
    expected = [np.nanmean(np.where(np.isfinite(w), w, np.nan)) if np.isfinite(w).any() else np.nan for w in
                np.lib.stride_tricks.sliding_window_view(losses, 10)]  # fmt: skip
    np.testing.assert_allclose(smooth, expected)
    assert axis.get_yscale() == "log" and np.isnan(smooth).sum() == 3
    (ends,) = axis.collections  # a line at the end of the epoch
    assert [segment[0][0] for segment in ends.get_segments()] == [30]


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "minigrad\[plots\]"'):
        filled().plot()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_values_and_speed_on_a_terminal_only(monkeypatch):
    for kind, shown in ((Terminal, True), (io.StringIO, False)):
        stream, history = kind(), mg.History()
        monkeypatch.setattr(sys, "stderr", stream)
        batches = list(history.track(DataLoader(mg.arange(10), batch_size=4), "epoch 1"))
        assert [len(batch) for batch in batches] == [4, 4, 2]
        for _ in history.track([mg.ones(5)] * 3, "epoch 2"):
            history.add(loss=0.25)
        text = stream.getvalue()
        assert bool(text) == shown
        if shown:
            assert "epoch 1: 100%" in text and "3/3" in text and "loss 0.25, " in text and "samples/s" in text
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    list(mg.History().track(iter("abc"), disable=False))  # asked for; without a length
    assert "3batch" in stream.getvalue()


def test_the_bar_goes_on_where_the_loader_does(monkeypatch):
    loader = DataLoader(mg.arange(10), batch_size=2, shuffle=True, generator=mg.Generator().manual_seed(0))
    history, seen = mg.History(), []
    for batch in history.track(loader):
        seen.append(batch.tolist())
        if len(seen) == 2:
            break
    again = DataLoader(mg.arange(10), batch_size=2, shuffle=True, generator=mg.Generator().manual_seed(1))
    again.load_state_dict(loader.state_dict())
    monkeypatch.setattr(sys, "stderr", Terminal())
    rest = [batch.tolist() for batch in history.track(again)]
    assert len(rest) == 3 and sorted(number for batch in seen + rest for number in batch) == list(range(10))
    assert "2/5" in sys.stderr.getvalue() and "5/5" in sys.stderr.getvalue()


def test_an_error_in_the_loop_closes_the_bar(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(ZeroDivisionError):
        for _ in mg.History().track(range(3)):
            1 / 0  # noqa: B018
    assert stream.getvalue().endswith("\n")

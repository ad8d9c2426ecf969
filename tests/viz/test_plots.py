"""The plots: what is drawn where, in which colour and on which scale; the recorder's numbers; misuse; no matplotlib."""

import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib import pyplot
from matplotlib.figure import Figure

import minigrad as mg
from minigrad import nn, optim
from minigrad.vision import datasets
from minigrad.vision.models import LeNet5
from minigrad.viz import plots
from minigrad.viz.plots.looks import columns_for, mosaic
from minigrad.viz.plots.recorder import Track


def colour(image, row, column):
    """The colour, 0 to 1, in which a cell of a drawn image is shown."""
    return np.array(image.to_rgba(image.get_array())[row, column][:3])


def written(figure, path):
    figure.savefig(path, dpi=40)
    assert path.read_bytes().startswith(b"\x89PNG")


def drawings():
    model, image = LeNet5(), mg.rand(1, 32, 32)
    return {
        "filters": lambda: plots.plot_filters(model.c1.weight),
        "maps": lambda: plots.plot_feature_maps(model, image, "c3"),
        "linear": lambda: plots.plot_linear_weights(nn.Linear(64, 10).weight, (8, 8)),
        "receptive field": lambda: plots.plot_receptive_field(model, mg.rand(3, 1, 32, 32), "s4"),
        "saliency": lambda: plots.plot_saliency(model, image),
        "kirsch": lambda: plots.plot_kirsch(image),
        "confusion": lambda: plots.plot_confusion([0, 1, 2], [0, 1, 1]),
        "gradients": lambda: recorded()[0].plot("gradients"),
        "ratios": lambda: recorded()[0].plot("ratios"),
    }


@pytest.mark.parametrize("name", drawings())
def test_every_plot_is_a_figure_of_its_own(name, tmp_path):
    settings = dict(matplotlib.rcParams)
    figure = drawings()[name]()
    assert type(figure) is Figure
    written(figure, tmp_path / "plot.png")
    assert pyplot.get_fignums() == [] and dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("name", drawings())
def test_without_matplotlib_the_error_names_the_install(name, monkeypatch):
    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r'a plot needs matplotlib: pip install "minigrad\[plots\]"'):
        drawings()[name]()


def test_numbers_need_no_matplotlib():
    code = """if True:
        import sys; sys.modules["matplotlib"] = None
        import minigrad as mg
        from minigrad.viz import plots
        model, images = mg.vision.models.LeNet5(), mg.rand(2, 1, 32, 32)
        plots.receptive_field(model, images, "c3"); plots.effective_receptive_field(model, images, "c3")
        plots.smooth_grad(model, images, samples=1); plots.kirsch(images[0]); plots.confusion_counts([0], [0])
        recorder = plots.Recorder(model); model(images).sum().backward(); recorder.step()
        print(len(recorder.tracks["weights"]))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["10"]


# layers ---------------------------------------------------------------------------------------------------------------


def green(pixel):
    return pixel[1] > pixel[0] + 0.2


def red(pixel):
    return pixel[0] > pixel[1] + 0.2


def blue(pixel):
    return pixel[2] > pixel[0] + 0.2


def orange(pixel):
    return pixel[0] > pixel[2] + 0.2


@pytest.mark.parametrize("palette, positive, negative", [("green-red", green, red), ("blue-orange", blue, orange)])
def test_filters_have_the_colours_of_their_signs(palette, positive, negative):
    weight = mg.tensor([[[[2.0, 0.0], [-2.0, 1.0]]], [[[0.0, 0.0], [0.5, 0.0]]]])
    figure = plots.plot_filters(weight, palette)
    (image,) = figure.axes[0].images
    assert image.get_clim() == (-2, 2) and figure.axes[1].get_ylabel() == "weight"
    assert positive(colour(image, 1, 1)) and negative(colour(image, 2, 1)) and positive(colour(image, 2, 2))
    assert (colour(image, 1, 2) == 1).all() and (colour(image, 1, 4) == 1).all()  # white is 0
    assert not (colour(image, 0, 0) == 1).all()  # lines between filters are not


def test_filters_of_three_channels_are_in_colours_and_of_more_a_table():
    weight = np.zeros((4, 3, 2, 2))
    weight[1, 0, 0, 1], weight[2, 2] = 0.5, -0.5
    array = plots.plot_filters(mg.tensor(weight)).axes[0].images[0].get_array()
    np.testing.assert_array_equal(array[1, 1], [0.5] * 3)
    np.testing.assert_array_equal(array[1, 5], [1, 0.5, 0.5])
    np.testing.assert_array_equal(array[2, 8], [0.5, 0.5, 0])
    many = mg.randn(4, 5, 3, 3)
    axis = plots.plot_filters(many).axes[0]
    shown = axis.images[0].get_array()
    np.testing.assert_allclose(shown[1 + 4 * 2 : 4 + 4 * 2, 1 + 4 * 3 : 4 + 4 * 3], many[2, 3], rtol=1e-6)
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("channel", "filter")


@given(st.integers(1, 70), st.integers(1, 4), st.integers(1, 4), st.integers(1, 9))
def test_a_mosaic_holds_every_tile_once(count, height, width, columns):
    tiles = np.random.default_rng(0).normal(size=(count, height, width))
    whole = mosaic(tiles, columns)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + 1) + 1, place % columns * (width + 1) + 1
        np.testing.assert_array_equal(whole[top : top + height, left : left + width], tile)
    assert np.isfinite(whole).sum() == tiles.size
    assert 1 <= columns_for(count) <= 16


def test_feature_maps_are_the_layers_and_of_one_scale():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU())
    image = mg.randn(1, 6, 5)
    expected = model[0](image.unsqueeze(0))[0].detach().numpy()
    shown = plots.plot_feature_maps(model, image, "0").axes[0].images[0]
    np.testing.assert_allclose(shown.get_array()[1:5, 5:8], expected[1], rtol=1e-5)
    limit = np.abs(expected).max()
    np.testing.assert_allclose(shown.get_clim(), (-limit, limit), rtol=1e-6)
    rectified = plots.plot_feature_maps(model, image, "1").axes[0].images[0]
    np.testing.assert_allclose(rectified.get_clim(), (0, expected.max()), rtol=1e-6)
    assert (colour(rectified, 1, 1) < 0.02).all() == (expected[0, 0, 0] <= 0)


def test_the_weights_of_a_linear_classifier():
    weight = np.zeros((3, 6), np.float32)
    weight[0, 1], weight[2, 3] = 2, -3
    figure = plots.plot_linear_weights(mg.tensor(weight), (2, 3), classes=["cat", "dog", "<b>&$x$"[:6]])
    first, second, third = (axis.images[0] for axis in figure.axes[:3])
    assert [axis.get_title() for axis in figure.axes[:2]] == ["cat", "dog"]
    assert first.get_clim() == third.get_clim() == (-3, 3)
    assert green(colour(first, 0, 1)) and red(colour(third, 1, 0)) and (colour(second, 0, 0) == 1).all()


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda: plots.plot_filters(mg.zeros(10, 64)), r"filters are \(K, C, H, W\).*\(10, 64\)\nhint: plot_linear"),
        (lambda: plots.plot_filters(mg.zeros(0, 1, 3, 3)), "filters are"),
        (lambda: plots.plot_filters(mg.zeros(128, 64, 1, 1)), "8192 tiles are too many"),
        (
            lambda: plots.plot_filters(mg.full((1, 1, 2, 2), float("nan"))),
            "weight has 4 values that are NaN or infinite",
        ),
        (lambda: plots.plot_filters(mg.zeros(1, 1, 2, 2), "rainbow"), "no palette 'rainbow'\nhint: the palettes are"),
        (lambda: plots.plot_confusion([0], [0], palette="rainbow"), "no palette 'rainbow'"),
        (lambda: plots.plot_feature_maps(LeNet5(), mg.zeros(2, 1, 32, 32), "c1"), "of one image, not of 2"),
        (lambda: plots.plot_feature_maps(LeNet5(), mg.zeros(1, 32, 32), "f6"), "f6 makes no maps"),
        (lambda: plots.plot_feature_maps(LeNet5(), mg.zeros(1, 32, 32), "x"), "LeNet5 has no layer 'x'"),
        (lambda: plots.plot_linear_weights(mg.zeros(10, 64), (8, 9)), r"no image of shape \(8, 9\)"),
        (lambda: plots.plot_linear_weights(mg.zeros(10, 64), (8, 8), ["a"]), "1 names for 10 classes"),
        (lambda: plots.plot_saliency(LeNet5(), mg.zeros(2, 1, 32, 32)), "of one image, not of 2"),
        (lambda: plots.plot_saliency(LeNet5(), mg.zeros(1, 32, 32), 10), "target 10 is no class"),
        (lambda: plots.plot_confusion([], []), "there is nothing to count"),
        (lambda: plots.plot_confusion([0, 1], [0, 1], ["one"]), "1 is no class: there are 1"),
    ],
)
def test_misuse(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


# what a network sees --------------------------------------------------------------------------------------------------


def test_the_frame_of_a_receptive_field_is_where_the_field_is():
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1))
    figure = plots.plot_receptive_field(model, mg.rand(2, 1, 8, 9), cell=(0, 7))
    dashed, solid = figure.axes[0].lines
    assert dashed.get_xdata().min() == 4.5 and dashed.get_xdata().max() == 9.5
    assert dashed.get_ydata().min() == -2.5 and dashed.get_ydata().max() == 2.5
    assert solid.get_xdata().max() == 8.5 and solid.get_ydata().min() == -0.5
    strength = figure.axes[1].images[0].get_array()
    assert strength.max() == 1 and not strength[3:].any() and not strength[:, :5].any()


def test_kirschs_compass_has_every_response_at_its_place():
    image = np.zeros((6, 6), np.float32)
    image[:, 3:] = 1
    figure = plots.plot_kirsch(image)
    axes = {axis.get_title(): axis for axis in figure.axes}
    assert list(axes)[:9] == ["NW", "N", "NE", "W", "image", "E", "SW", "S", "SE"]
    responses = plots.kirsch(image).numpy()
    for direction, response in zip(plots.DIRECTIONS, responses):
        np.testing.assert_array_equal(axes[direction].images[0].get_array(), response)
    assert green(colour(axes["E"].images[0], 3, 2)) and red(colour(axes["W"].images[0], 3, 2))
    np.testing.assert_array_equal(axes["largest of the eight"].images[0].get_array(), responses.max(0))


def test_saliency_shows_the_image_and_every_method():
    image = 5 + 3 * mg.rand(1, 32, 32)
    figure = plots.plot_saliency(LeNet5(), image, target=1, classes="abcdefghij")
    shown, stretched = figure.axes[0].images[0], (image[0] - image.min()) / (image.max() - image.min())
    np.testing.assert_allclose(shown.get_array(), stretched, atol=1e-6)
    assert shown.get_clim() == (0, 1)
    assert [axis.get_title() for axis in figure.axes[:4]] == ["score of b", *plots.METHODS]


# confusion ------------------------------------------------------------------------------------------------------------


def test_confusion_shows_counts_recall_and_precision():
    figure = plots.plot_confusion([0, 0, 0, 1, 2], [0, 0, 1, 1, 1], ["ant", "bee", "cow"])
    (axis,) = figure.axes
    texts = {(text.get_position()): text.get_text() for text in axis.texts}
    assert {at: texts[at] for at in [(0, 0), (1, 0), (1, 1), (1, 2)]} == {
        (0, 0): "2",
        (1, 0): "1",
        (1, 1): "1",
        (1, 2): "1",
    }
    assert (2, 0) not in texts and [texts[3, row] for row in range(3)] == ["66.7", "100.0", "0.0"]  # recall
    assert [texts[column, 3] for column in range(3)] == ["100.0", "33.3", "0.0"]  # precision
    assert axis.get_title() == "3 of 5 right (60.00%)"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ant", "bee", "cow", "precision %"]
    diagonal, beside = axis.images
    assert green(colour(diagonal, 1, 1)) and red(colour(beside, 2, 1))
    assert (colour(beside, 0, 2) == 1).all() and diagonal.get_array().mask[0, 1] and beside.get_array().mask[0, 0]


def test_confusion_of_many_classes_has_no_numbers():
    (axis,) = plots.plot_confusion(np.arange(60), np.arange(60)).axes
    assert not axis.texts and axis.get_title() == "60 of 60 right (100.00%)"


# the recorder ---------------------------------------------------------------------------------------------------------


def recorded(steps=5, every=2):
    """(recorder, gradients and weights of 0.weight at each step, activations of 1 at each step)."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    recorder, seen = plots.Recorder(model, every), []
    for _ in range(steps):
        x = mg.randn(8, 6)
        optimizer.zero_grad()
        (model.train()(x) ** 2).mean().backward()
        hidden = model[:2](x).detach().numpy().copy()  # a second call of the same step: the last one counts
        recorder.step()
        with mg.no_grad():
            model.eval()(100 * x)  # not training
        seen.append((model[0].weight.grad.numpy().copy(), model[0].weight.detach().numpy().copy(), hidden))
        optimizer.step()
    return recorder, seen


def test_the_recorder_notes_every_so_manyth_step():
    recorder, seen = recorded()
    assert recorder.steps == 5 and list(recorder.tracks["activations"]) == ["0", "1", "2"]
    assert list(recorder.tracks["gradients"]) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    for kind, name, place in (("gradients", "0.weight", 0), ("weights", "0.weight", 1), ("activations", "1", 2)):
        track = recorder.tracks[kind][name]
        assert track.step == [1, 3, 5]
        for row, step in enumerate(track.step):
            values = seen[step - 1][place].astype(np.float64)
            np.testing.assert_array_equal(track.counts[row], np.histogram(values, 64)[0])
            found = [
                track.low[row],
                track.high[row],
                track.mean[row],
                track.std[row],
                track.norm[row],
                track.zeros[row],
            ]
            expected = [values.min(), values.max(), values.mean(), values.std(), np.sqrt((values**2).sum())]
            np.testing.assert_allclose(found, [*expected, (values == 0).mean()], rtol=1e-6, atol=1e-9)
    ratios = [np.linalg.norm(seen[i][0]) / np.linalg.norm(seen[i][1]) for i in (0, 2, 4)]
    np.testing.assert_allclose(recorder.ratios()["0.weight"], ratios, rtol=1e-6)
    recorder.close()
    recorder.model.train()(mg.ones(1, 6))
    assert recorder.tracks["activations"]["0"].step == [1, 3, 5]


@given(arrays.arrays(np.float32, st.integers(1, 300), elements=st.floats(-100, 100, width=32)), st.integers(1, 20))
def test_shares_and_quantiles_are_those_of_the_histogram(values, parts):
    track = Track()
    track.add(1, values)
    assert track.bad == [0] and track.zeros == [(values == 0).mean()]
    edges = np.linspace(track.low[0], track.high[0], parts + 1)
    (shares,) = track.shares(edges)
    np.testing.assert_allclose(shares.sum(), 1)
    width = (track.high[0] - track.low[0]) / 64
    for edge, below in zip(edges, np.concatenate([[0], np.cumsum(shares)])):  # within a bin of the exact share
        assert (values < edge - width).mean() - 1e-9 <= below <= (values <= edge + width).mean() + 1e-9
    for share in (0.05, 0.5, 0.95):
        (found,) = track.quantiles(share)  # within a bin of a value with that share of the values below it
        assert (values < found - width * 1.001).mean() <= share + 1e-9
        assert (values <= found + width * 1.001).mean() >= share - 1e-9


def test_a_large_tensor_is_sampled_for_its_histogram_alone():
    values = np.random.default_rng(0).normal(size=(3, 70_000)).astype(np.float32)
    track = Track()
    track.add(1, values)
    assert 40_000 < track.counts[0].sum() <= 1 << 16
    np.testing.assert_allclose(
        track.counts[0] / track.counts[0].sum(), np.histogram(values, 64)[0] / values.size, atol=0.005
    )
    np.testing.assert_allclose(track.norm[0], np.linalg.norm(values.astype(float)), rtol=1e-6)


def test_nan_is_counted_and_named_in_the_plot():
    recorder, _ = recorded(1)
    recorder.model[0].weight.grad[0, 0] = float("nan")
    recorder.steps = 2
    recorder.step()
    track = recorder.tracks["gradients"]["0.weight"]
    assert track.step == [1, 3] and track.bad == [0, pytest.approx(1 / 30)] and np.isnan(track.norm[1])
    titles = [axis.get_title() for axis in recorder.plot("gradients").axes]
    assert titles[:2] == ["0.weight · NaN or inf from step 3", "2.weight"]
    recorder.model[0].weight.grad[:] = float("inf")
    recorder.steps = 4
    recorder.step()
    assert track.bad[-1] == 1 and track.counts[-1].sum() == 0
    assert np.isnan(recorder.ratios()["0.weight"][1:]).all()


def test_the_heat_map_and_the_ratios_are_drawn_over_the_steps(tmp_path):
    recorder, _ = recorded(20, every=3)
    figure = recorder.plot("activations")
    first = figure.axes[0]
    assert [axis.get_title().split(" ·")[0] for axis in figure.axes[:3]] == ["0", "1", "2"]
    assert "zeros" in figure.axes[1].get_title()
    assert [list(line.get_xdata()) for line in first.lines] == [[1, 4, 7, 10, 13, 16, 19]] * 3
    ends = recorder.tracks["activations"]["0"].quantiles([0.002, 0.998])
    np.testing.assert_allclose(first.get_ylim(), [ends[:, 0].min(), ends[:, 1].max()])
    mesh = first.collections[0].get_array().reshape(-1, 7)
    np.testing.assert_allclose(mesh.max(0), 1)
    assert first.collections[0].get_clim() == (0, 1)
    written(figure, tmp_path / "heat.png")
    (axis,) = recorder.plot("ratios").axes
    assert [line.get_label() for line in axis.lines] == ["0.weight", "2.weight"] and axis.get_yscale() == "log"
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), recorder.ratios()["0.weight"])
    assert [line.get_label() for line in recorder.plot("ratios", ["2.bias"]).axes[0].lines] == ["2.bias"]


def test_a_ridgeline_has_a_ridge_for_each_step_the_last_one_in_front(tmp_path):
    recorder, _ = recorded(20, every=3)
    figure = recorder.plot("weights", style="ridgeline")
    assert [axis.get_title() for axis in figure.axes] == ["0.weight", "2.weight"]
    axis, track = figure.axes[0], recorder.tracks["weights"]["0.weight"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["1", "4", "7", "10", "13", "16", "19"]
    ridges = axis.collections
    assert len(ridges) == 7 and [ridge.get_zorder() for ridge in ridges] == list(range(7))
    edges = np.linspace(*axis.get_xlim(), 97)
    for line, (ridge, shares) in enumerate(zip(ridges, track.shares(edges))):
        (path,) = ridge.get_paths()
        heights = dict(zip(*path.vertices[path.vertices[:, 1] > -line].T))
        middle = (edges[shares.argmax()] + edges[shares.argmax() + 1]) / 2
        assert max(heights.values()) == pytest.approx(2.5 - line)
        assert heights[min(heights, key=lambda at: abs(at - middle))] == max(heights.values())
    written(figure, tmp_path / "ridges.png")


def test_a_ridgeline_of_many_steps_shows_some_with_the_first_and_the_last():
    recorder, _ = recorded(100, every=1)
    (axis,) = recorder.plot("activations", ["2"], "ridgeline").axes
    assert len(axis.collections) == 24
    steps = [int(label.get_text()) for label in axis.get_yticklabels()]
    assert steps[0] == 1 and len(steps) <= 8 and np.ptp(np.diff(steps)) <= 1
    mine = {"style": "ridgeline"}
    for kind, style in (("ratios", mine), ("weights", {"style": "violin"})):
        with pytest.raises(ValueError, match=rf"^{kind} are not plotted in the style .*\nhint: .*'heat', 'ridgeline'"):
            recorder.plot(kind, **style)


def test_the_recorder_goes_on_from_a_checkpoint(tmp_path):
    recorder, _ = recorded(3)
    mg.save({"recorder": recorder.state_dict()}, tmp_path / "run")
    again = plots.Recorder(recorder.model, every=2)
    again.load_state_dict(mg.load(tmp_path / "run")["recorder"])
    assert again.steps == 3
    for kind, named in recorder.tracks.items():
        assert list(again.tracks[kind]) == list(named)
        for name, track in named.items():
            np.testing.assert_equal(again.tracks[kind][name].shares([-1, 0, 1]), track.shares([-1, 0, 1]))
            assert again.tracks[kind][name].step == track.step
    for _ in range(2):
        recorder.model.train()(mg.ones(2, 6)).sum().backward()
        again.step()
    assert again.tracks["weights"]["0.weight"].step == [1, 3, 5]
    with pytest.raises(ValueError, match="not a state of a Recorder"):
        again.load_state_dict({"steps": 1})


def test_misuse_of_the_recorder():
    model = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="every counts steps from 1, got 0"):
        plots.Recorder(model, every=0)
    recorder = plots.Recorder(model)
    with pytest.raises(ValueError, match="nothing was recorded\nhint: call recorder"):
        recorder.plot("gradients")
    with pytest.raises(RuntimeError, match=r"no parameter has a gradient yet\nhint: .* after loss.backward\(\)"):
        recorder.step()
    assert recorder.steps == 0
    model(mg.ones(1, 2)).sum().backward()
    recorder.step()
    with pytest.raises(ValueError, match="plots activations, gradients, weights or ratios, not 'losses'"):
        recorder.plot("losses")
    with pytest.raises(ValueError, match="'conv' was not recorded\nhint: recorded were weight, bias"):
        recorder.plot("weights", ["conv"])


@pytest.mark.skipif("MINIGRAD_DATA" not in os.environ, reason="MNIST's files: set MINIGRAD_DATA")
def test_kirsch_and_saliency_of_real_mnist(tmp_path):
    images = datasets.MNIST(train=False).data[:1].float() / 255
    written(plots.plot_kirsch(images), tmp_path / "edges.png")
    inked = images[0] > 0.5
    edges = plots.kirsch(images).amax(0)
    assert edges[inked].mean() > 4 * edges[images[0] == 0].mean()


def test_layers_stand_for_their_weights_and_names():
    model, image = LeNet5(), mg.rand(1, 32, 32)
    drawn, by_weight = plots.plot_filters(model.c1), plots.plot_filters(model.c1.weight)
    np.testing.assert_array_equal(drawn.axes[0].images[0].get_array(), by_weight.axes[0].images[0].get_array())
    assert len(plots.plot_linear_weights(nn.Linear(64, 10), (8, 8)).axes) == 11
    assert plots.plot_feature_maps(model, image, model.c3).axes[0].get_title().startswith("c3: 16 maps")
    assert plots.receptive_field(model, image[None], model.c1).size == (5, 5)
    with pytest.raises(TypeError, match=r"LeNet5 has no weight of its own\nhint: .*c1\.weight"):
        plots.plot_filters(model)
    with pytest.raises(TypeError, match="ReLU has no weight of its own"):
        plots.plot_filters(nn.ReLU())
    with pytest.raises(ValueError, match="this Conv2d is no layer of the LeNet5\nhint: "):
        plots.plot_feature_maps(model, image, nn.Conv2d(1, 1, 3))

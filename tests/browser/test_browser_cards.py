"""The card: formulas, local derivatives, what was saved, pictures of arrays, lenses, and why a gradient is missing."""

import re

import numpy as np
import programs
import pytest
from explorer_page import agrees

NETWORKS = [programs.lenet, programs.resnet18, programs.lstm]
PIXELS = """canvas => {
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { rows: canvas.height, cols: canvas.width, colours: [...data] };
}"""


def colours_of(canvas):
    """The pixels of a thumbnail, one a number of the array: (rows, cols, 3)."""
    read = canvas.evaluate(PIXELS)
    return np.array(read["colours"]).reshape(read["rows"], read["cols"], 4)[..., :3]


@pytest.mark.parametrize("program", NETWORKS, ids=lambda program: program.__name__)
def test_every_step_shows_formula_gradients_and_check(explore, program):
    explorer = explore(program)
    document = explorer.document()
    backward = [
        (place, document["passes"][one]["steps"][rest[0]])
        for place, (kind, one, *rest) in enumerate(document["timeline"], 1)
        if kind == "backward"
    ]
    operations = [(place, step) for place, step in backward if step["node"] is not None]
    for place, step in operations[:: max(1, len(operations) // 6)]:
        node = document["nodes"][step["node"]]
        explorer.go(f"#position={place}")
        assert node["formula"] and node["formula"] in explorer.text("formula").replace("\n", " ")
        given = [name for name, tensor in zip(node["input_names"], node["inputs"]) if tensor is not None]
        assert all(name in explorer.text("formula") for name in given)
        assert explorer.section("arriving").locator(".flow").count() == len(step["arriving"])
        assert explorer.section("leaving").locator(".flow").count() == len(step["leaving"])
        assert explorer.page.get_attribute("#card [data-check]", "data-check") == "agrees"
    leaf = next(place for place, step in backward if step["leaf"] is not None)
    assert explorer.go(f"#position={leaf}").section("arriving").locator(".flow").count() == 1


def test_the_local_derivative_is_in_numbers(explore):
    explorer = explore(programs.small)
    facts = explorer.facts
    explorer.go(f"#position={explorer.place_of('backward', 'Tanh')}")
    exact = 1 - np.tanh(np.float64(facts.x) @ facts.w + facts.b) ** 2
    cells = explorer.section("local").locator("td").all_inner_texts()
    assert len(cells) == 6 and all(map(agrees, cells, exact.ravel()))
    assert "2×3" in explorer.text("saved")
    explorer.go(f"#position={explorer.place_of('backward', 'MatMul')}")
    texts = explorer.section("local").locator("table").first.locator("td").all_inner_texts()
    assert all(map(agrees, texts, np.kron(np.eye(2), np.float64(facts.w).T).ravel())) and len(texts) == 36


def test_a_wrong_derivative_bears_a_badge(explore):
    explorer = explore(programs.function)
    for operation, state in (("Cube", "agrees"), ("WrongCube", "disagrees")):
        explorer.go(f"#position={explorer.place_of('backward', operation)}")
        assert explorer.page.get_attribute("#card [data-check]", "data-check") == state
        arriving = np.float64(explorer.facts.x) ** 2 * (3 if state == "agrees" else 2)
        norm = explorer.section("leaving").locator(".stats b").first.inner_text()
        assert agrees(norm, np.linalg.norm(arriving))
    explorer.page.click("#problems")
    assert "WrongCube" in explorer.page.inner_text("#problem-list")


def test_a_functions_box_opens_what_ran_inside(explore):
    explorer = explore(programs.function)
    boxes = explorer.page.locator("g.box[data-node]")
    assert [box.locator("text.title").text_content() for box in boxes.all()] == ["Cube", "WrongCube", "Add", "Sum"]
    explorer.page.locator("g.box[data-node]", has_text="WrongCube").click()
    assert "WrongCube" in explorer.page.inner_text("#card")
    explorer.page.locator("g.box[data-node]", has_text="WrongCube").click()
    assert boxes.count() == 2 and "WrongCube" in explorer.page.inner_text("#crumbs")
    assert not explorer.page.locator("g.box.unrecorded").count(), "the Function's own derivative covers them"
    explorer.go(f"#position={explorer.place_of('forward', 'Mul')}")
    assert explorer.page.locator("g.box.now text.title").text_content() == "Mul"


@pytest.mark.parametrize("palette", ["green", "blue"])
def test_thumbnails_tell_signs_by_colours_and_numbers_on_hover(explore, palette):
    explorer = explore(programs.lenet, f"#palette={palette}")
    explorer.go(f"#position={explorer.place_of('forward', 'Convolution')}&palette={palette}")
    canvases = explorer.section("values").locator("canvas[data-plane]")
    images, weight = explorer.facts.images, explorer.facts.net.c1.weight.detach().numpy()
    of_weights = [canvas for canvas in canvases.all() if canvas.evaluate("c => [c.width, c.height]") == [5, 5]]
    assert len(of_weights) >= 6
    for plane, canvas in enumerate(of_weights[:6]):
        red, green, blue = np.moveaxis(colours_of(canvas), -1, 0)
        positive = weight[plane, 0] > 0
        if palette == "green":
            assert (green[positive] >= red[positive]).all() and (red[~positive] >= green[~positive]).all()
        else:
            assert (blue[positive] >= red[positive]).all() and (red[~positive] >= blue[~positive]).all()
        for sign in (positive, ~positive):  # the larger, the less white
            paleness = colours_of(canvas).sum(-1)[sign][np.abs(weight[plane, 0][sign]).argsort()]
            assert (np.diff(paleness) <= 0).all() and paleness[0] > paleness[-1]
    of_weights[1].scroll_into_view_if_needed()
    frame = of_weights[1].bounding_box()
    x, y = frame["x"] + 3.5 / 5 * frame["width"], frame["y"] + 1.5 / 5 * frame["height"]
    explorer.page.mouse.move(x, y)
    text = explorer.page.inner_text("#readout")
    assert agrees(re.search(r"= (\S+)", text)[1], float(weight[1, 0, 1, 3]), digits=7)
    image = next(canvas for canvas in canvases.all() if canvas.evaluate("c => [c.width, c.height]") == [32, 32])
    assert (
        (colours_of(image)[..., 0] > colours_of(image)[..., 1 if palette == "green" else 2]) == (images[0, 0] < 0)
    ).mean() > 0.97


def test_zero_is_white_and_what_is_no_number_is_neither_sign(explore):
    explorer = explore(programs.nonfinite)
    explorer.go(f"#position={explorer.place_of('forward', 'Mul')}")
    (row,) = colours_of(explorer.section("values").locator("canvas[data-plane]").first)
    assert row[1].tolist() == [255, 255, 255] and row[0].tolist() != row[1].tolist()


def window_of(facts, output, row, col):
    """The exact value of the grouped, strided, padded convolution of `pooling` at a cell."""
    weight, bias = (parameter.detach().numpy().astype(np.float64) for parameter in facts.layer.parameters())
    padded = np.pad(facts.images[0].astype(np.float64), ((0, 0), (1, 1), (0, 0)))
    group = output // 3
    window = padded[2 * group : 2 * group + 2, 2 * row : 2 * row + 3, col : col + 2]
    return (window * weight[output]).sum() + bias[output]


def at_cell(canvas, row, col, rows, cols):
    """Move the pointer onto a cell of a lens."""
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    canvas.page.mouse.move(
        frame["x"] + (col + 0.5) / cols * frame["width"], frame["y"] + (row + 0.5) / rows * frame["height"]
    )


def test_the_lens_of_a_convolution_shows_the_window_its_sum_and_what_forms_dx(explore):
    explorer = explore(programs.pooling)
    facts = explorer.facts
    assert facts.hidden.shape == (1, 6, 5, 6)
    explorer.go(f"#position={explorer.place_of('backward', 'Convolution')}")
    lens = explorer.page.locator("#lens")
    lens.locator("[data-lens-mode=y]").click()
    lens.locator("select").first.select_option("4")
    for row, col in ((0, 0), (2, 3), (4, 5)):
        at_cell(lens.locator("canvas[data-lens=output]"), row, col, 5, 6)
        shown = float(explorer.page.get_attribute("[data-lens-sum]", "data-lens-sum"))
        assert shown == pytest.approx(window_of(facts, 4, row, col), rel=1e-5)
        assert agrees(explorer.page.inner_text("[data-lens-sum]"), window_of(facts, 4, row, col), digits=6, error=1e-5)
        assert float(explorer.page.get_attribute("[data-lens-value]", "data-lens-value")) == pytest.approx(
            facts.hidden[0, 4, row, col], rel=1e-5
        )
    lens.locator("[data-lens-mode=dx]").click()
    document = explorer.document()
    step = next(
        s
        for s in document["passes"][0]["steps"]
        if s["node"] is not None and document["nodes"][s["node"]]["operation"] == "Convolution"
    )
    for row, col in ((0, 0), (4, 3), (8, 6)):
        at_cell(lens.locator("canvas[data-lens=input]"), row, col, 9, 7)
        shown = float(explorer.page.get_attribute("[data-lens-sum]", "data-lens-sum"))
        stated = float(explorer.page.get_attribute("[data-lens-value]", "data-lens-value"))
        assert shown == pytest.approx(stated, rel=1e-4, abs=1e-6)
    assert step["leaving"][0]["data"] is not None


def test_the_lens_of_pooling_finds_the_winner(explore):
    explorer = explore(programs.pooling)
    hidden = np.pad(explorer.facts.hidden[0], ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    explorer.go(f"#position={explorer.place_of('forward', 'MaxPool')}")
    for row, col in ((0, 0), (1, 2), (2, 1)):
        at_cell(explorer.page.locator("#lens canvas[data-lens=output]"), row, col, 3, 3)
        shown = float(explorer.page.get_attribute("[data-lens-sum]", "data-lens-sum"))
        assert shown == pytest.approx(hidden[0, 2 * row : 2 * row + 3, 2 * col : 2 * col + 3].max(), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "cause", "cut_at", "words"),
    [
        ("cut", "detached", "detach", "detach()"),
        ("quiet", "no_grad", "Mul", "no_grad()"),
        ("unused", "unused", "Exp", "unused.exp()"),
        ("dead", "dead_relu", "ReLU", "dead relu"),
    ],
)
def test_why_a_gradient_is_missing_with_the_line_and_the_cut(explore, name, cause, cut_at, words):
    explorer = explore(programs.cuts)
    (tensor,) = [t["id"] for t in explorer.document()["tensors"] if t["name"] == name]
    explorer.go(f"#position={explorer.last}&tensor={tensor}")
    (said,) = explorer.page.locator("#card [data-why]").all()
    assert said.get_attribute("data-why") == cause
    assert words in said.inner_text() and "programs.py:" in said.inner_text()
    (cut,) = explorer.page.locator("#drawing .box.cut").all()
    assert cut_at in cut.text_content()
    used = next(t["id"] for t in explorer.document()["tensors"] if t["name"] == "used")
    assert explorer.go(f"#position={explorer.last}&tensor={used}").page.locator("[data-why]").count() == 0


def test_a_gans_generator_gets_no_gradient_from_the_discriminators_pass(explore):
    explorer = explore(programs.gan)
    document = explorer.document()
    assert len(document["passes"]) == 2
    of_generator = [
        t["id"] for t in document["tensors"] if t["role"] == "parameter" and t["name"].startswith("generator")
    ]
    reached = [{step["leaf"] for step in walk["steps"]} for walk in document["passes"]]
    assert len(of_generator) == 4 and not reached[0] & set(of_generator) and set(of_generator) <= reached[1]
    explorer.go(f"#position={explorer.last}&tensor={of_generator[0]}")
    exact = explorer.facts.generator[0].weight.grad.numpy()
    assert agrees(explorer.section("gradient").locator(".stats b").first.inner_text(), np.linalg.norm(exact))


def test_health_colours_boxes_by_the_size_of_their_gradients(explore):
    explorer = explore(programs.lenet)
    explorer.go(f"#position={explorer.last}")
    explorer.page.click("#health")
    document = explorer.document()
    norms = {
        s["node"]: s["arriving"][0]["stats"]["norm"] for s in document["passes"][0]["steps"] if s["node"] is not None
    }
    fills = {}
    explorer.page.keyboard.press("Home")
    explorer.page.keyboard.press("ArrowRight")
    for box in explorer.page.locator("#drawing [data-node][data-health]").all():
        node = int(box.get_attribute("data-node"))
        assert float(box.get_attribute("data-health")) == pytest.approx(np.log10(norms[node]), abs=1e-6)
        fills[node] = box.locator("rect.body").evaluate("rect => getComputedStyle(rect).fill")
    assert len(fills) >= 10 and len(set(fills.values())) >= 4
    explorer.page.click("#health")
    shares = [float(box.get_attribute("data-health")) for box in explorer.page.locator("#drawing [data-health]").all()]
    assert len(shares) >= 10 and all(0 <= share <= 1 for share in shares)


def test_the_first_operation_that_made_no_number_is_marked(explore):
    explorer = explore(programs.nonfinite, "#position=4")
    (marked,) = explorer.page.locator("#drawing [data-first-nonfinite]").all()
    assert "Log" in marked.text_content()
    explorer.go(f"#position={explorer.place_of('forward', 'Log')}")
    assert "infinite" in explorer.text("values")
    assert explorer.page.locator("[data-first-nonfinite]").count() == 1


def test_an_error_leaves_the_graph_up_to_what_failed(explore):
    explorer = explore(programs.failing)
    banner = explorer.page.inner_text("#error-banner")
    assert "RuntimeError" in banner and str(explorer.facts.error) in banner and "c5" in banner
    explorer.press("End")
    assert "conv2d" in explorer.page.locator("#drawing .failed").first.text_content()
    names = [name for _, name in explorer.press("Home").walk("ArrowRight")[1:]]
    assert [name.rpartition(": ")[2] for name in names][-2:] == ["AvgPool", "conv2d"]
    assert "Kernel size" in explorer.page.inner_text("#card")

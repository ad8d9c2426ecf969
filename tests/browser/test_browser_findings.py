"""What the page finds by itself and how it says it: errors, trends over depth, wrong derivatives, repeated names."""

import math
import re

import numpy as np
import programs
import pytest
from explorer_page import Explorer, agrees

import minigrad as mg
from minigrad import viz


def problems(explorer):
    """The list of what needs attention."""
    explorer.page.click("#problems")
    return explorer.page.locator("#problem-list li").all_inner_texts()


def test_an_error_is_the_first_thing_to_look_at_and_gradients_that_were_not_to_come_are_none(explore):
    explorer = explore(programs.failing)
    found = problems(explorer)
    assert len(found) == 1 and found[0].startswith("RuntimeError: conv2d in LeNet5.c5 (Conv2d)")
    assert "conv2d in LeNet5.c5 (Conv2d)" in explorer.page.inner_text("#error-banner")
    assert "go to the backward pass" not in explorer.page.inner_text("#card")
    explorer.page.click("#problem-list button")
    assert "Kernel size" in explorer.page.inner_text("#card")


@pytest.mark.parametrize(("program", "word"), [(programs.deep, "vanish"), (programs.exploding, "explode")])
def test_gradients_that_vanish_or_explode_are_named(explore, program, word):
    explorer = explore(program)
    (step_pass,) = explorer.document()["passes"]
    norms = [
        max(entry["stats"]["norm"] for entry in step["arriving"])
        for step in step_pass["steps"]
        if step["node"] is not None
    ]
    thirds = len(norms) // 3
    trend = np.log10(norms[-thirds:]).mean() - np.log10(norms[:thirds]).mean()
    assert abs(trend) > 4 and (trend < 0) == (word == "vanish")
    (text,) = [text for text in problems(explorer) if "with depth" in text]
    assert text.startswith(f"Gradients {word} with depth")
    first, last = re.search(r"norm (\S+) at the first operation, (\S+) at", text).groups()
    assert agrees(first, norms[0], 3) and agrees(last, min(norms) if word == "vanish" else max(norms), 3)
    explorer.page.locator("#problem-list button", has_text="with depth").click()
    assert explorer.moment[0] == "backward"
    assert explorer.page.get_attribute("#health", "aria-pressed") == "true"


@pytest.mark.parametrize("program", [programs.lenet, programs.resnet18, programs.lstm])
def test_healthy_networks_have_no_such_finding(explore, program):
    explorer = explore(program)
    assert "with depth" not in explorer.page.text_content("#problem-list")


def test_the_gradient_over_depth_is_drawn_and_leads_to_its_steps(explore):
    explorer = explore(programs.deep)
    chart = explorer.section("depth").locator("svg")
    points = [
        tuple(map(float, point.split(","))) for point in chart.locator("polyline").get_attribute("points").split()
    ]
    (only,) = explorer.document()["passes"]
    norms = [step["arriving"][0]["stats"]["norm"] for step in only["steps"] if step["node"] is not None]
    assert len(points) == len(norms)
    heights = [56 - 52 * math.log10(norm / min(norms)) / math.log10(max(norms) / min(norms)) for norm in norms]
    assert [y for _, y in points] == pytest.approx(heights, abs=0.06)
    chart.click(position={"x": 2, "y": 5})
    assert explorer.moment == ("backward", "Sum")


def test_a_wrong_derivative_is_marked_in_the_drawing(explore):
    explorer = explore(programs.function)
    (marked,) = explorer.page.locator("#drawing .disagrees").all()
    assert "WrongCube" in marked.text_content() and marked.locator(".badge").count() == 1


def test_calls_that_meet_in_a_weight_are_told_apart(explore):
    explorer = explore(programs.twice)
    explorer.go(f"#position={explorer.place_of('backward', 'Linear', 3)}")
    rows = explorer.page.locator("[data-ledger-row] td:first-child button").all_inner_texts()
    assert {row.rpartition(": ")[2] for row in rows} == {"Linear #3", "Linear #4"}
    assert all(f"d via {row}" in explorer.text("ledger") for row in rows)


def test_states_of_a_parameter_are_counted_and_the_parameter_once(explore):
    explorer = explore(programs.twice)
    about = explorer.text("about")
    assert re.search(r"parameters\s+2\b", about)
    rows = explorer.section("parameters").locator("tr").all_inner_texts()
    weights = [row for row in rows if row.startswith("0.weight")]
    for place, row in enumerate(weights, 1):
        assert row.startswith(f"0.weight (state {place})") and f"pass {place}" in row
    assert len(weights) == 3


def test_values_that_nobody_recorded_are_said_to_be_so(visit, tmp_path):
    x = mg.tensor(programs.numbers(0, 2, 3), requires_grad=True)
    viz.explore((x + 1).exp().sum(), tmp_path / "bare.html")
    explorer = Explorer(visit(tmp_path / "bare.html"), tmp_path / "bare.html", None)
    explorer.go("#position=1")
    assert "not recorded" in explorer.text("values")


@pytest.mark.parametrize(("asked", "measure"), [("1", "norm"), ("zeros", "zeros"), ("no", None)])
def test_health_can_be_asked_for_in_the_address(explore, asked, measure):
    explorer = explore(programs.lenet)
    explorer.go(f"#position={explorer.last}&health={asked}")
    if measure is None:
        assert explorer.page.locator("#health-measure").count() == 0
    else:
        assert explorer.page.input_value("#health-measure") == measure
        assert ("normal behind ReLU" in explorer.page.inner_text("#legend")) == (measure == "zeros")

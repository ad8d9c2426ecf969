"""Walking: forward in the order in which operations ran, backward in the engine's, and back to the same page."""

import programs
import pytest

NETWORKS = [programs.lenet, programs.resnet18, programs.lstm]
OTHERS = [programs.small, programs.gan, programs.function]


def backward_order(loss):
    """Names of the operations behind `loss` as its backward pass visits them: the latest first."""
    found, stack = set(), [loss.grad_fn]
    while stack:
        node = stack.pop()
        if node not in found and not node.accumulates:
            found.add(node)
            stack += [following for following, _ in node.next_functions if following is not None]
    latest_first = sorted(found, key=lambda node: node.sequence, reverse=True)
    return [node.name().removesuffix("0").removesuffix("Backward") for node in latest_first]


def name_of(moment):
    """The operation's name without that of its module."""
    return moment[1].rpartition(": ")[2]


@pytest.mark.parametrize("program", NETWORKS + OTHERS, ids=lambda program: program.__name__)
def test_the_arrow_keys_walk_through_all_operations_and_back(explore, program):
    explorer = explore(program)
    there = explorer.walk("ArrowRight")
    back = explorer.walk("ArrowLeft")
    assert there[0] is None and there[1:] == back[-2::-1] and len(there) == explorer.last + 1
    order = backward_order(explorer.facts.loss)
    steps = [name_of(moment) for moment in there[1:] if moment[0] == "backward"]
    operations = [name for name in steps if name in set(order)]
    assert operations[-len(order) :] == order  # a GAN's page has the discriminator's pass before
    ran = [name_of(moment) for moment in there[1:] if moment[0] == "forward"]
    assert [name for name in ran if name in set(order)][-len(order) :][::-1] == order or program is programs.gan


@pytest.mark.parametrize(
    ("program", "share"),
    [(programs.lenet, 0), (programs.lenet, 0.3), (programs.lenet, 0.9), (programs.resnet18, 0.3), (programs.lstm, 0.9)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_k_steps_forward_and_back_give_the_same_page(explore, program, share):
    explorer = explore(program)
    start = round(share * explorer.last)
    explorer.go(f"#position={start}")
    before = explorer.seen()
    for steps in (1, 4):
        explorer.press(*["ArrowRight"] * steps)
        assert explorer.position == start + steps
        there = explorer.seen()
        assert there[0] != before[0]
        explorer.press(*["ArrowLeft"] * steps)
        assert explorer.seen() == before
    written = f"""(/position=(\\d+)/.exec(location.hash)?.[1] ?? "0") === "{start}" """  # a moment later
    explorer.page.wait_for_function(written)
    explorer.page.reload()
    explorer.page.wait_for_selector("html[data-ready=true]")
    assert explorer.seen() == before  # the address holds the place


def test_buttons_keys_and_the_bar_lead_to_the_same_places(explore):
    explorer = explore(programs.lenet)
    page, last = explorer.page, explorer.last
    first_backward = next(i for i, (phase, *_) in enumerate(explorer.document()["timeline"], 1) if phase == "backward")
    ways = {
        "#step-forward": ("ArrowRight", 4),
        "#step-back": ("ArrowLeft", 2),
        "#to-start": ("Home", 0),
        "#to-end": ("End", last),
        "#to-backward": ("b", first_backward),
    }
    for button, (key, place) in ways.items():
        seen = []
        for act in (lambda button=button: page.click(button), lambda key=key: explorer.press(key)):
            page.fill("#scrub", "3")
            page.evaluate("document.activeElement.blur()")
            page.mouse.move(600, 60)
            act()
            page.evaluate("document.activeElement.blur()")
            page.mouse.move(600, 60)
            assert explorer.position == place, (button, key)
            seen.append(explorer.seen())
        page.fill("#scrub", str(place))
        page.evaluate("document.activeElement.blur()")
        assert seen[0] == seen[1] == explorer.seen(), button


def test_playing_comes_to_the_end_and_stops(explore):
    explorer = explore(programs.small)
    explorer.page.select_option("#speed", index=3)
    explorer.page.click("#play")
    explorer.page.wait_for_function("last => document.body.dataset.position === last", arg=str(explorer.last))
    explorer.page.wait_for_selector("#play[aria-label=Play]")
    assert explorer.position == explorer.last

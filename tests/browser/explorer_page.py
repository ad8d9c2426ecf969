"""The explorer's page as a reader uses it: where to click, what to read, and how exact what is written must be."""

import re

from explorer_file import document_in

ELEMENTS = """async () => {
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return [...document.body.children].filter(e => e.tagName !== 'SCRIPT').map(e => e.outerHTML).join('');
}"""
GO = """async fragment => {
  location.hash = fragment;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
WALK = """key => {
  const moments = [];
  for (let before = null; before !== document.body.dataset.position;) {
    before = document.body.dataset.position;
    const bar = document.getElementById("moment"), phase = bar.textContent.split("·")[1].trim().split(" ")[0];
    moments.push(before === "0" ? null : [phase, bar.querySelector("b").textContent]);
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  }
  return moments;
}"""


class Explorer:
    """An open page; `facts` are what the recorded program told."""

    def __init__(self, page, path, facts):
        page.wait_for_selector("html[data-ready=true]")
        self.page, self.path, self.facts = page, path, facts

    def press(self, *keys):
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def walk(self, key):
        """Press a key until it leads on no further; what the bar says at every place: (phase, name), None at 0.

        The presses are made inside the page, since there are many.
        """
        return [tuple(moment) if moment else None for moment in self.page.evaluate(WALK, key)]

    def go(self, fragment):
        """Go to another address of the page, such as "#position=3&node=2"."""
        self.page.evaluate(GO, fragment)
        return self

    @property
    def position(self):
        """How many events have happened."""
        return int(self.page.get_attribute("body", "data-position"))

    @property
    def last(self):
        """The position after everything."""
        return int(self.page.get_attribute("#scrub", "max"))

    @property
    def moment(self):
        """What the bar says of the current event: ("forward", "c1: Convolution"), say."""
        text = self.page.inner_text("#moment")
        _, _, phase = text.partition("·")
        return phase.split()[0], self.page.inner_text("#moment b")

    def place_of(self, phase, operation, which=0):
        """The position of an event of an operation, by default of the first one."""
        document, found = self.document(), []
        for place, (kind, one, *rest) in enumerate(document["timeline"], 1):
            node = one if kind == "forward" else document["passes"][one]["steps"][rest[0]]["node"]
            if kind == phase and node is not None and document["nodes"][node]["operation"] == operation:
                found.append(place)
        return found[which]

    def section(self, name):
        """A section of the card."""
        return self.page.locator(f"#card [data-section={name}]")

    def text(self, name):
        """All text of a section of the card; "" if it is not there."""
        found = self.section(name)
        return "\n".join(found.all_inner_texts())

    def seen(self):
        """All that a reader sees: the text of the page, its elements and its pixels."""
        elements = self.page.evaluate(ELEMENTS)
        pixels = self.page.screenshot(animations="disabled")
        return self.page.inner_text("body"), _without_traces(elements), pixels

    def document(self):
        """The data inside the file."""
        return document_in(self.path.read_text(encoding="utf-8"))


def _without_traces(elements):
    """Markup without what nobody sees: the order of classes, spaces between them, and empty attributes.

    An empty style is what a screenshot leaves behind.
    """
    in_order = re.sub(r'class="([^"]*)"', lambda found: f'class="{" ".join(sorted(found[1].split()))}"', elements)
    return in_order.replace(' style=""', "").replace(' class=""', "")


def number(text):
    """A number as the page writes it, with a true minus sign."""
    return float(text.strip().replace("−", "-").replace("∞", "inf").replace("+", ""))


def unit(text):
    """What one step of the last digit of a written number is worth."""
    digits, _, power = text.strip().replace("−", "-").lower().partition("e")
    decimals = len(digits.partition(".")[2])
    return 10.0 ** (int(power or 0) - decimals)


def agrees(text, exact, digits=5, error=0.0):
    """Whether a written number is `exact` to the digits shown, but for float32's rounding errors (`error` at least).

    The page leaves out zeros at the end, so a short number must be as good as one of `digits` digits.
    """
    value, error = number(text), max(error, 2e-6 * abs(exact))
    if exact == 0 or value == 0:
        return abs(value - exact) <= error
    finest = 10.0 ** (len(f"{abs(exact):.0f}") - digits) if abs(exact) >= 1 else abs(exact) * 10.0 ** (1 - digits)
    return abs(value - exact) <= 0.51 * min(unit(text), finest) + error

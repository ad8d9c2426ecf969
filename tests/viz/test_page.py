"""The explorer's file: only what it was given, nothing that runs but its own script, nothing fetched."""

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest
from explorer_file import document_in

import minigrad
from minigrad import nn, viz
from minigrad.viz.page import html, levels

HOSTILE = "</script><img src=x onerror=alert(1)>"
SUFFIXES = (".js", ".css", ".html")
PARTS = [part for part in resources.files("minigrad.viz.page").iterdir() if part.name.endswith(SUFFIXES)]
MARKUP = r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function"


class Elements(HTMLParser):
    """(name, attributes, text) of every element."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.found:
            self.found[-1][2] += data


def elements(text):
    return Elements(text).found


@pytest.fixture(scope="module")
def recorded():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    with viz.record(title="two layers") as recording:
        model(minigrad.arange(6.0).reshape(2, 3)).sum().backward()
    return recording.document()


def test_the_page_holds_the_document_and_its_drawings(recorded):
    assert document_in(html(recorded)) == {**recorded, "levels": levels(recorded)}


def test_drawings_that_are_there_are_taken(recorded):
    drawn = {**recorded, "levels": levels(recorded)[:1]}
    assert document_in(html(drawn)) == drawn


def test_the_document_is_left_as_it_is(recorded):
    before = copy.deepcopy(recorded)
    html(recorded)
    assert recorded == before


def test_equal_documents_make_equal_pages(recorded):
    assert html(recorded) == html(copy.deepcopy(recorded))


@pytest.mark.parametrize("name", [HOSTILE, "<!--<script>", "]]>", "&lt;b&gt;", "\u2028", "@@SCRIPT@@", '" onload="x'])
def test_no_name_becomes_markup(recorded, name):
    plain = [(tag, set(attrs)) for tag, attrs, _ in elements(html(recorded))]
    hostile = copy.deepcopy(recorded)
    hostile["title"] = name
    for part in [*hostile["calls"], *hostile["tensors"], *hostile["nodes"]]:
        part["name"] = name
        part["path"] = name
    text = html(hostile)
    assert [(tag, set(attrs)) for tag, attrs, _ in elements(text)] == plain
    assert document_in(text)["calls"] == hostile["calls"]
    (title,) = [content for tag, _, content in elements(text) if tag == "title"]
    assert title.strip() == f"{name} · minigrad".strip()


def test_the_policy_lets_run_this_script_and_this_style_and_nothing_else(recorded):
    text = html(recorded)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    def digest(tag):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'",
        "script-src": digest("script"),
        "style-src": digest("style"),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_names_nothing_outside(recorded):
    text = html(recorded)
    assert set(re.findall(r"https?://[^\s\"')]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(", text)
    for tag, attrs, _ in elements(text):
        assert "style" not in attrs and not any(name.startswith("on") for name in attrs), "the policy would forbid it"
        assert "src" not in attrs and (tag != "link" or attrs["href"].startswith("data:"))


def test_code_and_style_are_small(recorded):
    assert len(re.sub(r'id="document">[^<]*', "", html(recorded))) < 122_000


def test_a_long_program_has_a_small_page():
    w = minigrad.rand(2, 2, requires_grad=True)
    with viz.record() as recording:
        x = w
        for _ in range(100):
            x = (x @ w).tanh()
        x.sum().backward()
    document = recording.document()
    drawn = {**document, "levels": levels(document)}
    data = re.search(r'id="document">([^<]*)', html(drawn))[1]
    assert document_in(html(drawn)) == drawn
    assert len(data) < 600 * len(document["nodes"]) < len(json.dumps(drawn)) / 5


def test_names_of_the_document_are_never_read_as_markup():
    for part in PARTS:
        assert not re.search(MARKUP, part.read_text("utf-8")), part.name


def test_the_files_of_the_page_are_short():
    assert len(PARTS) > 5
    for part in PARTS:
        assert len(part.read_text("utf-8").splitlines()) <= 400, part.name


def test_a_number_that_json_cannot_hold_raises(recorded):
    with pytest.raises(ValueError, match="not JSON compliant"):
        html({**recorded, "extra": float("nan")})

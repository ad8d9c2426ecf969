"""Drawing: by the dot program, in this process, or not at all; files, notebooks and errors."""

import sys
import xml.etree.ElementTree as ElementTree

import pytest
from explorer_file import document_in

import minigrad as mg
from minigrad import nn, viz
from minigrad.viz import picture as module
from minigrad.viz.page import layout

SIGNATURES = {"svg": b"<?xml", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}
PROGRAM = """#!{python}
import json
import re
import sys
is_dot = sys.stdin.buffer.read().startswith(b"digraph")
sys.stdout.write("drawn by program: " + " ".join(sys.argv[1:]) + " " + str(is_dot))
sys.stderr.write("layout is out of order")
sys.exit({status})
"""


@pytest.fixture
def picture():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    return viz.graph((x * x).sum(), {"x": x})


@pytest.fixture
def without_program(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Puts a `dot` that exits with a given status on the PATH."""

    def install(status=0):
        path = tmp_path / "bin" / "dot"
        path.parent.mkdir()
        path.write_text(PROGRAM.format(python=sys.executable, status=status))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(path.parent))
        return path

    return install


@pytest.mark.parametrize("form", SIGNATURES)
def test_in_process(picture, without_program, tmp_path, form):
    path = picture.render(tmp_path / "deep" / "folder" / f"graph.{form.upper()}")
    assert path == tmp_path / "deep" / "folder" / f"graph.{form.upper()}"
    assert path.read_bytes().startswith(SIGNATURES[form])


def test_svg_is_well_formed_and_complete(picture, without_program, tmp_path):
    root = ElementTree.parse(picture.render(str(tmp_path / "graph.svg"))).getroot()
    classes = [element.get("class") for element in root.iter("{http://www.w3.org/2000/svg}g")]
    assert (classes.count("node"), classes.count("edge")) == (3, 2)


def test_program_is_preferred(picture, program, tmp_path):
    program()
    assert picture.render(tmp_path / "a.pdf").read_bytes() == b"drawn by program: -Tpdf -q True"
    assert picture.render(tmp_path / "a.png").read_bytes() == b"drawn by program: -Tpng -q -Gdpi=160 True"
    assert picture._repr_mimebundle_()["image/svg+xml"] == "drawn by program: -Tsvg -q True"


def test_program_that_fails_is_an_error_with_its_words(picture, program, tmp_path):
    path = program(status=3)
    with pytest.raises(viz.RenderError, match="layout is out of order"):
        picture.render(tmp_path / "a.pdf")
    path.write_text("#!/nowhere/at/all\n")
    with pytest.raises(viz.RenderError, match="cannot be run"):
        picture.render(tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()
    assert set(picture._repr_mimebundle_()) == {"text/plain"}


def test_without_any_graphviz_text_remains(picture, without_program, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "pygraphviz", None)
    with pytest.raises(viz.RenderError, match=r"(?s)pip install pygraphviz.*apt install graphviz"):
        picture.render(tmp_path / "a.svg")
    bundle = picture._repr_mimebundle_(include=["image/svg+xml"], exclude=[])
    assert set(bundle) == {"text/plain"} and "pip install pygraphviz" in bundle["text/plain"]
    assert picture.render(tmp_path / "a.dot").read_text(encoding="utf-8") == picture.dot


def test_notebooks_get_svg(picture, without_program):
    bundle = picture._repr_mimebundle_()
    assert ElementTree.fromstring(bundle["image/svg+xml"]).tag == "{http://www.w3.org/2000/svg}svg"
    assert bundle["text/plain"] == repr(picture) == "Picture(operations=2, leaves=1, calls=0, boxes=3)"


@pytest.mark.parametrize("name", ["graph.jpeg", "graph", "graph.svg.txt", ".svg"])
def test_unknown_ending(picture, tmp_path, name):
    with pytest.raises(ValueError, match=r"\.svg, \.png, \.pdf, \.dot"):
        picture.render(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_too_large_is_an_error_with_a_way_out(without_program, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BOXES", 100)
    x = mg.tensor(1.0, requires_grad=True)
    for _ in range(module.MOST_BOXES):
        x = -x
    picture = viz.graph(x)
    with pytest.raises(viz.RenderError, match=r"102 boxes.*\nhint: .*depth=0"):
        picture.render(tmp_path / "a.svg")
    assert set(picture._repr_mimebundle_()) == {"text/plain"}
    assert picture.dot.count("->") == module.MOST_BOXES + 1


def test_a_thousand_boxes_are_drawn(without_program, tmp_path):
    x = mg.tensor(1.0, requires_grad=True)
    for _ in range(1000):
        x = -x
    assert viz.graph(x).render(tmp_path / "a.svg").read_text(encoding="utf-8").count('class="node"') == 1002


def test_a_freed_graph_is_drawn(picture, without_program):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    assert "image/svg+xml" in viz.graph(loss)._repr_mimebundle_()


def test_depth_must_count():
    with pytest.raises(ValueError, match="from 0, got -1"):
        viz.graph(mg.ones(1, requires_grad=True), depth=-1)


def test_html_is_the_explorers_page_and_needs_no_graphviz(without_program, monkeypatch, tmp_path):
    for place in (module, layout):
        monkeypatch.setattr(place, "pygraphviz", None)
    net = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 2)))
    first, second = net(mg.ones(5, 3)).split(1, dim=1)
    picture = viz.graph([first.sum(), second])
    document = document_in(picture.html(tmp_path / "deep" / "page.html").read_text(encoding="utf-8"))
    assert [node["operation"] for node in document["nodes"]] == ["Linear", "Tanh", "Linear", "Slice", "Slice", "Sum"]
    assert [call["path"] for call in document["calls"]] == ["", "0", "1", "1.0", "1.1"]
    users = {t["name"]: t["users"] for t in document["tensors"] if t["role"] == "parameter"}
    assert users == {"0.weight": [[0, 1]], "0.bias": [[0, 2]], "1.1.weight": [[2, 1]], "1.1.bias": [[2, 2]]}
    assert len(document["levels"]) > 1 and document["levels"][0]["boxes"]
    again = viz.graph([first.sum(), second]).html(tmp_path / "again.html")
    assert again.read_bytes() == (tmp_path / "deep" / "page.html").read_bytes()


def test_html_of_a_recording_has_its_numbers(tmp_path):
    x = mg.tensor([3.0, 4.0], requires_grad=True)
    with viz.record() as recording:
        (x * x).sum().backward()
    document = document_in(viz.graph(recording).html(tmp_path / "page.html").read_text(encoding="utf-8"))
    assert [tensor["grad"]["stats"]["norm"] for tensor in document["tensors"] if tensor["is_leaf"]] == [10.0]


def test_render_of_a_page_names_what_writes_one(tmp_path):
    with pytest.raises(ValueError, match=r"must end in one of .*\nhint: picture\.html\(path\)"):
        viz.graph(mg.ones(2, requires_grad=True).sum()).render(tmp_path / "graph.html")

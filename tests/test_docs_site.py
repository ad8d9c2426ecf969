"""The documentation site: every page has its place, every public name its entry, every link its end."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad.ops import registry

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def tool(monkeypatch):
    """Imports one of the modules beside the pages."""
    monkeypatch.syspath_prepend(DOCS)
    yield importlib.import_module
    for name in ("conf", "reference", "check_links", "gallery_of_networks"):
        sys.modules.pop(name, None)


def test_every_page_can_be_reached():
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    entries = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    pages = [str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md")]
    assert sorted(entries) == sorted({*pages, "api/index"} - {"index"})


def test_the_settings_say_what_the_site_is_made_with(tool):
    conf = tool("conf")
    assert conf.release == minigrad.__version__ and conf.html_theme == "furo"
    assert {"myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"} <= set(conf.extensions)

    class App:
        hooks: dict = {}  # noqa: RUF012

        def connect(self, event, hook, priority=500):
            self.hooks[event] = hook

    conf.setup(App())
    assert set(App.hooks) == {
        "builder-inited",
        "source-read",
        "autodoc-process-docstring",
        "autodoc-process-signature",
        "build-finished",
    }
    source = ["see [`a.py`](../minigrad/a.py) and [b](plots.md)"]
    App.hooks["source-read"](None, "page", source)
    assert source == ["see `a.py` and [b](plots.md)"]


def test_the_reference_has_every_public_name(tool, tmp_path):
    reference = tool("reference")
    reference.write(tmp_path / "api")
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "api").glob("*.rst")}
    entries = {
        page: set(re.findall(r"^\.\. (?:auto|py:)\w+:: (\w+)$", text, re.MULTILINE)) for page, text in texts.items()
    }
    listed = set(re.findall(r"^   (\S+)$", texts["index"], re.MULTILINE))
    assert listed == set(texts) - {"index"} and set(reference.PAGES) < listed
    assert entries["functions"] >= {name for name in registry.functions if not name.startswith("_")}
    everywhere = set().union(*entries.values())
    for module in ("nn", "optim", "utils.data", "vision.models", "viz", "viz.plots", "testing", "linalg", "autograd"):
        names = importlib.import_module(f"minigrad.{module}").__all__
        modules = {
            name for name in names if type(getattr(importlib.import_module(f"minigrad.{module}"), name)) is type(re)
        }
        assert set(names) - modules <= everywhere, module
    rows = re.findall(r"^   \* - (\w+)$", texts["operations"], re.MULTILINE)
    assert {"Convolution", "LogSoftmax", "Add"} < set(rows) and len(rows) > 180
    before = (tmp_path / "api" / "nn.rst").stat().st_mtime_ns
    reference.write(tmp_path / "api")  # what has not changed is not written, so that Sphinx need not read it again
    assert (tmp_path / "api" / "nn.rst").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "docstring, rst",
    [
        ("The `x` of `y`s, not `z`^2.", r"The ``x`` of ``y``\ s, not ``z``\ ^2."),
        ("2 * x, |x| and last_ but not in_between", r"2 \* x, \|x\| and last\_ but not in_between"),
        ("One.\n\n>>> f(`a`, *b)\n|c|", "One.\n\n>>> f(`a`, *b)\n|c|"),
        ("One.\n>>> 1", "One.\n\n>>> 1"),
        ("Table:\n  a | b", "::\n\n    Table:\n      a | b"),
        ("Args:\n    x: of `shape`\n        and *more*", "Args:\n    x: of ``shape``\n        and \\*more\\*"),
    ],
)
def test_docstrings_become_rst(tool, docstring, rst):
    lines = docstring.split("\n")
    tool("reference").as_rst(None, "function", "f", None, {}, lines)
    assert "\n".join(lines).rstrip("\n") == rst


def test_the_arguments_of_layers_are_told(tool):
    told = tool("reference").signature
    assert told(None, "class", "AvgPool1d", minigrad.nn.AvgPool1d, {}, "(*args, **kwargs)", None) == (
        "(kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True)",
        None,
    )
    assert told(None, "function", "relu", minigrad.relu, {}, "(input)", None) is None


def test_links_are_followed(tool, tmp_path):
    check = tool("check_links")
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="sub/">ok</a><a href="sub/index.html#here">ok</a><a href="#top" id="top">ok</a>'
        '<a href="https://example.org/x#y">elsewhere</a><a href="mailto:a@b">mail</a><img src="data:image/png;base64,">'
    )
    (tmp_path / "sub" / "index.html").write_text('<p id="here"><a href="../index.html#top">back</a>')
    assert check.problems(tmp_path) == []
    (tmp_path / "bad.html").write_text(
        '<a href="gone.html">x</a><a href="sub/index.html#there">x</a><a href="../outside.html">x</a>'
        '<script src="https://example.org/x.js"></script><img src="none.png">'
    )
    assert check.problems(tmp_path) == [
        "bad.html: fetches https://example.org/x.js",
        "bad.html: gone.html leads nowhere",
        "bad.html: sub/index.html#there names no place of that page",
        "bad.html: ../outside.html leads nowhere",
        "bad.html: none.png leads nowhere",
    ]
    with pytest.raises(ValueError, match="there is no page in"):
        check.problems(tmp_path / "nothing")


def test_the_gallery_is_made_and_small_enough(tool, tmp_path):
    tool("gallery_of_networks").write(tmp_path)
    sizes = {path.stem: path.stat().st_size for path in tmp_path.glob("*.html")}
    linked = re.findall(
        r"explorers/([\w-]+)\.html", "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    )
    assert set(sizes) == set(linked) == {"first-steps", "lenet", "resnet18", "lstm", "gan"}
    assert sizes["lenet"] <= 1_000_000 and sizes["resnet18"] <= 4_000_000

"""The code in README.md and docs/ runs, and prints what the text below it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n((?:    [^\n]*\n)+))?", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_runs_and_prints_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        code, expected = block.groups()
        above = "\n" * text.count("\n", 0, block.start(1))  # so that lines have the numbers that they have in the page
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(above + code, str(page), "exec"), names)
        wanted = re.sub(r"^    ", "", expected, flags=re.MULTILINE) if expected else None
        if wanted is not None:
            assert _numbered(printed.getvalue()) == _numbered(wanted)


def _numbered(text):
    """`text` with node numbers, which depend on what ran before, counted from the first one mentioned."""
    numbers = [int(n) for n in re.findall(r"<\w+ (\d+)>", text)]
    return re.sub(r"(<\w+ )(\d+)>", lambda m: f"{m[1]}{int(m[2]) - min(numbers)}>", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", page.read_text(encoding="utf-8")):
        link = "".join(target)
        made = re.fullmatch(r"explorers/(.*)\.html", link)  # by the build of the docs
        assert link.startswith("http") or made or (page.parent / link).exists(), link

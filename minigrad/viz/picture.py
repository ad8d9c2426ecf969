"""A picture of a graph: DOT text, and drawings of it.

The `dot` program draws if it is on the PATH, else pygraphviz, whose wheels bundle Graphviz, in this process.
"""

import shutil
import subprocess
from contextlib import closing
from functools import cached_property
from pathlib import Path

from .dot import to_dot
from .drawing import arrange
from .page import html
from .recorded import document_of

try:
    import pygraphviz
except ImportError:
    pygraphviz = None

FORMATS = ("svg", "png", "pdf", "dot")
MOST_BOXES = 20_000  # some seconds of Graphviz; nobody looks at more
PIXELS_PER_INCH = 160


class RenderError(RuntimeError):
    """A picture cannot be drawn here; its `.dot` text still can be had."""


class Picture:
    """What `minigrad.viz.graph` returns: notebooks show it, `render` writes it, `.dot` and `.graph` are its content."""

    def __init__(self, graph, depth=None, values=False, document=None):
        self.graph = graph
        self._document = document
        self._drawing = arrange(graph, depth)
        self._values = values

    @cached_property
    def dot(self):
        """The picture in Graphviz' DOT language."""
        return to_dot(self._drawing, self._values)

    def render(self, path):
        """Draw into a file, whose name ends in .svg, .png, .pdf or .dot; folders are made as needed. Returns the path.

        Raises ValueError for another ending and RenderError where nothing can draw or the graph is too large to.
        """
        path = Path(path)
        form = path.suffix[1:].lower()
        if form not in FORMATS:
            endings = ", ".join(f".{known}" for known in FORMATS)
            hint = "\nhint: picture.html(path) writes a page to walk through" if form in ("html", "htm") else ""
            raise ValueError(f"cannot draw {path.name!r}: the name must end in one of {endings}{hint}")
        data = self.dot.encode() if form == "dot" else self._draw(form)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def html(self, path):
        """Write the explorer's page of the graph, to be walked through level by level; returns the path.

        Folders are made as needed; Graphviz is not. Of a recording it has all numbers and steps; of tensors, what ran
        in which module: `explore` adds the rest.
        """
        path = Path(path)
        made = self._document or document_of(self.graph)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html({**made, "title": made["title"] or path.stem}), encoding="utf-8")
        return path

    def _draw(self, form):
        """The bytes of the picture in a format of Graphviz."""
        boxes = len(self._drawing.boxes)
        if boxes > MOST_BOXES:
            raise RenderError(
                f"the picture has {boxes} boxes; at most {MOST_BOXES} are drawn\n"
                "hint: draw modules as one box each with depth=0, 1 or 2; `.dot` is there in any case"
            )
        program = shutil.which("dot")
        if program is not None:
            return _draw_with_program(program, self.dot, form)
        if pygraphviz is not None:
            return _draw_in_process(self.dot, form)
        raise RenderError(
            "drawing needs Graphviz, and neither of its two forms is here\n"
            "hint: `pip install pygraphviz` (bundles Graphviz), or install the `dot` program "
            "(`apt install graphviz`, `brew install graphviz`); `.dot` and `.html(path)` need neither"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        """What a notebook shows: the SVG drawing, or why there is none."""
        try:
            return {"image/svg+xml": self._draw("svg").decode(), "text/plain": repr(self)}
        except RenderError as error:
            return {"text/plain": f"{self!r}\n{error}"}

    def __repr__(self):
        kinds = [node.kind for node in self.graph.nodes]
        return (
            f"Picture(operations={kinds.count('operation')}, leaves={kinds.count('leaf')}, "
            f"calls={len(self.graph.groups)}, boxes={len(self._drawing.boxes)})"
        )


def _draw_with_program(program, dot, form):
    command = [program, f"-T{form}", *_settings(form)]
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, check=True)
    except subprocess.CalledProcessError as error:
        raise RenderError(f"the dot program failed: {error.stderr.decode(errors='replace').strip()}") from error
    except OSError as error:
        raise RenderError(f"the dot program {program} cannot be run: {error}") from error
    return done.stdout


def _draw_in_process(dot, form):
    try:
        with closing(pygraphviz.AGraph(string=dot)) as graph:
            return graph.draw(format=form, prog="dot", args=" ".join(_settings(form)))
    except (ValueError, OSError) as error:
        raise RenderError(f"pygraphviz failed: {error}") from error


def _settings(form):
    """`-q`: without warnings, such as that a large graph may take long."""
    return ["-q", f"-Gdpi={PIXELS_PER_INCH}"] if form == "png" else ["-q"]

"""How Sphinx builds these pages: `make docs`. The reference and the gallery are made when a build starts."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE)]

import gallery_of_networks  # noqa: E402
import reference  # noqa: E402

import minigrad  # noqa: E402

project = "minigrad"
author = "the minigrad authors"
release = minigrad.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"
exclude_patterns = ["images"]
nitpicky = False
suppress_warnings = ["myst.header"]  # a page may begin its sections at any level

myst_heading_anchors = 3
myst_enable_extensions = ["attrs_block", "colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": False}
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "minigrad"
html_static_path = []
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}


def setup(app):
    """Where the build is taken up: before it reads, at each docstring, and at its end."""
    app.connect("builder-inited", lambda app: reference.write(Path(app.srcdir) / "api"))
    app.connect("source-read", lambda app, name, source: source.__setitem__(0, reference.within_docs(source[0])))
    app.connect("autodoc-process-docstring", reference.as_rst, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", reference.signature)
    app.connect("build-finished", _add_gallery)


def _add_gallery(app, exception):
    if exception is None and app.builder.format == "html":
        gallery_of_networks.write(Path(app.outdir) / "explorers")

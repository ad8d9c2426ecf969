"""One file out of a document: the page's parts beside this module, the data, and a policy that forbids the rest.

The Content-Security-Policy lets run exactly the script and the style written here (by their hashes) and nothing be
fetched. Data are JSON, deflated, in base64, in a script element that browsers do not run: operations are much alike, so
that makes a page ten times smaller, and no name in it can end the element.
"""

import base64
import hashlib
import html as markup
import json
import zlib
from importlib import resources

from .levels import levels

SCRIPTS = (
    "model",
    "numbers",
    "drawing",
    "view",
    "card",
    "sections",
    "ledger",
    "lens",
    "windows",
    "timeline",
    "finding",
    "main",  # runs the others, and so is last
)


def html(document):
    """The explorer of a document (docs/explorer-format.md) as the text of one HTML file.

    Level drawings are made if the document has none yet; it is not changed. The same document gives the same text.
    Raises ValueError for a number that JSON cannot hold.

    >>> page = html({"format": "minigrad.explorer", "version": 1, "title": "nothing", "minigrad": "0", "calls": [],
    ...     "tensors": [], "nodes": [], "passes": [], "timeline": [], "error": None})
    >>> page.splitlines()[0]
    '<!DOCTYPE html>'
    """
    if "levels" not in document:
        document = {**document, "levels": levels(document)}
    parts = resources.files(__package__)
    read = {name: parts.joinpath(name).read_text(encoding="utf-8") for name in ("explorer.html", "explorer.css")}
    lines = "\n".join(parts.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS).splitlines()
    code = "\n".join(bare for line in lines if not (bare := line.strip()).startswith("//"))  # comments stay behind
    script = f'(async () => {{\n"use strict";\n{code}\n}})();'
    data = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    contents = {
        "POLICY": f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(read['explorer.css'])}'; "
        "img-src data:; base-uri 'none'; form-action 'none'",
        "TITLE": markup.escape(document["title"]),
        "STYLE": read["explorer.css"],
        "DOCUMENT": base64.b64encode(zlib.compress(data)).decode(),
        "SCRIPT": script,
    }
    pieces = read["explorer.html"].split("@@")  # text, name, text, name, ..., text
    return "".join(contents[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _hash(text):
    """As a browser computes it of the element's content."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

"""The page of the explorer: what was recorded, as one HTML file that opens from disk and asks nobody for anything.

`levels` decides what stands in which drawing, `layout` where, `page` puts everything into one file; the JavaScript
files beside them are what runs in the browser.
"""

from .levels import levels
from .page import html

__all__ = ["html", "levels"]

"""What is inside the explorer's file."""

import base64
import json
import re
import zlib


def document_in(text):
    """The document inside the text of a page."""
    data = re.search(r'<script type="application/zlib" id="document">(.*?)</script>', text, re.DOTALL)[1]
    return json.loads(zlib.decompress(base64.b64decode(data, validate=True)))

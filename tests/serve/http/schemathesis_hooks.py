"""What schemathesis sends where JSON Schema has no words for it: images, texts and tables."""

from __future__ import annotations

import base64
import io

import schemathesis
from hypothesis import strategies as st
from PIL import Image


def _png(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (9, 200, 30)).save(buffer, "PNG")
    return buffer.getvalue()


images = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(_png)
schemathesis.openapi.format("base64-file", images.map(lambda content: base64.b64encode(content).decode()))
schemathesis.openapi.media_type("image/*", images)
words = st.text("abc ", min_size=1, max_size=9)
rows = st.lists(st.tuples(words, words, words).map(",".join), min_size=1, max_size=5)
schemathesis.openapi.media_type("text/csv", rows.map(lambda rows: "\n".join(["text,a,b", *rows]).encode()))
schemathesis.openapi.media_type("text/plain", st.text(max_size=40).map(str.encode))

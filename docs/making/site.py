"""Checks a built site: whatever it loads lies in it, so that it works from a disk and without a network.

python -m docs.making.site site/
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes of tags that make a browser load something.
_LOADED = {
    ("script", "src"),
    ("img", "src"),
    ("link", "href"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("object", "data"),
    ("embed", "src"),
}
#: Links of a page's head that name something, and load nothing.
_NAMES_ONLY = {"canonical", "next", "prev", "index", "search", "author", "license"}
#: What a style sheet loads from elsewhere.
_STYLE_LOADS = re.compile(r"""(?:url\(|@import )["']?((?:https?:)?//[^)"']+)""")


class _Page(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag loads."""
        given = dict(attrs)
        if tag == "link" and set((given.get("rel") or "").split()) & _NAMES_ONLY:
            return
        self.loaded += [value for name, value in attrs if (tag, name) in _LOADED and value]


def loaded_by(text: str) -> list[str]:
    """Addresses of all that a page loads."""
    page = _Page()
    page.feed(text)
    return page.loaded


def complaints(site: Path) -> list[str]:
    """A line for each thing that a page loads from elsewhere, or that is not there."""
    found = []
    for page in sorted(site.rglob("*.html")):
        if "_static" in page.relative_to(site).parts:  # a template of the theme, no page
            continue
        for address in loaded_by(page.read_text(encoding="utf-8")):
            parts = urlsplit(address)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc or parts.path.startswith("/"):
                found.append(f"{page.relative_to(site)} loads {address} from elsewhere")
            elif not (page.parent / unquote(parts.path)).is_file():
                found.append(f"{page.relative_to(site)} loads {address}, which is not there")
    for style in sorted(site.rglob("*.css")):
        for address in _STYLE_LOADS.findall(style.read_text(encoding="utf-8")):
            found.append(f"{style.relative_to(site)} loads {address} from elsewhere")
    return found


def main() -> None:
    """Check a site; exit with 1 where it needs anything from elsewhere."""
    site = Path(sys.argv[1])
    found = complaints(site)
    sys.stderr.writelines(f"{line}\n" for line in found)
    if found or not (site / "index.html").is_file():
        sys.exit(1)


if __name__ == "__main__":
    main()

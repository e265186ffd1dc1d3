"""Takes the screenshots of the pages with a headless Chromium: the report of a run, whole and in parts.

python -m docs.making.screenshots runs/photos/report.html docs/images/report.webp [--height 1500]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
#: Largest picture that a page should load.
MOST_BYTES = 150_000
_QUALITIES = (82, 70, 58, 46)


def shoot(page: Path, target: Path, *, width: int, height: int) -> None:
    """Draw a page and write it as WebP, as fine as its size allows.

    Args:
        page: An HTML file.
        target: The picture.
        width: Of the window, in pixels.
        height: Of the window.

    Raises:
        SystemExit: There is no Chromium here.
    """
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("docs: a screenshot needs Chromium, which is not installed")
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "page.png"
        where = [f"--user-data-dir={folder}/profile", f"--screenshot={drawn}"]
        size = f"--window-size={width},{height}"
        subprocess.run(
            [browser, *_QUIET, *where, size, page.resolve().as_uri()],
            check=True,
            capture_output=True,
            timeout=120,
        )
        with Image.open(drawn) as opened:
            picture = opened.convert("RGB")
    target.parent.mkdir(parents=True, exist_ok=True)
    for quality in _QUALITIES:
        picture.save(target, "WEBP", quality=quality, method=6)
        if target.stat().st_size <= MOST_BYTES:
            return


def main() -> None:
    """Take one screenshot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path, help="HTML file, such as a run's report.html")
    parser.add_argument("target", type=Path, help="WebP file to write")
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--height", type=int, default=1500)
    arguments = parser.parse_args()
    shoot(arguments.page, arguments.target, width=arguments.width, height=arguments.height)


if __name__ == "__main__":
    main()

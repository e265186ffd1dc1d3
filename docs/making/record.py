"""Records what the blocks of pages say: walks through pages and writes `docs/outputs/`.

python -m docs.making.record [PAGE ...]

Without a page, all that record something. Slow blocks are run too: some minutes a tutorial on two cores.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.record import provenance
from docs.making import recordings
from docs.making.pages import DOCS, Block, Page, pages
from docs.making.walk import Said, Walks


def main() -> None:
    """Record the pages named."""
    wanted = [Page(DOCS / f"{name}.md") for name in sys.argv[1:]] or pages()
    names = {page.name for page in wanted}
    origin = provenance()

    def hear(block: Block, said: Said) -> None:
        sys.stderr.write(f"{block.where}: {said.seconds:.1f} s\n")
        if "output" in block.options and block.page in names:
            recordings.write(block, said.text, said.seconds, origin)

    with tempfile.TemporaryDirectory() as folder:
        os.environ["AUTOTL_CACHE_DIR"] = str(Path(folder) / "cache")
        os.environ["AUTOTL_DATA_DIR"] = str(Path(folder) / "data")

        def make_folder(name: str) -> Path:
            place = Path(folder) / "pages" / name.replace("/", "-")
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            return place

        walks = Walks(make_folder, slow=True, hear=hear)
        for page in wanted:
            if any("output" in block.options for block in page.blocks):
                walks.through(page)


if __name__ == "__main__":
    main()

"""How Sphinx builds the site, for `scripts/docs`; neither build nor readers load anything from elsewhere."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from autotl.cli import app as autotl_app  # noqa: E402
from docs.making.commands import write_pages  # noqa: E402
from docs.making.pages import GENERATED  # noqa: E402

write_pages(autotl_app, GENERATED)

project = "autotl"
author = "the autotl contributors"
project_copyright = author
version = release = version_of("autotl")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "docs.making.directives",
    "docs.making.docstrings",
]
default_role = "code"  # what single backticks of docstrings mean
source_suffix = {".md": "markdown"}
exclude_patterns = ["outputs", "images", "making"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_title = "autotl"
html_static_path = ["static"]
html_css_files = ["autotl.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options = {
    "navbar_align": "left",
    "show_nav_level": 1,
    "navigation_depth": 3,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars: dict[str, list[str]] = {page: [] for page in ("index", "engine", "measurements", "errors")}

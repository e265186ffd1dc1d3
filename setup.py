"""Names the packages: those under `autotl/`, and `search_spaces/` as `autotl.search_spaces`.

All else is in `pyproject.toml`, which cannot say "all found packages, and this one from elsewhere".
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["autotl", "autotl.*"]), "autotl.search_spaces"],
    package_dir={"autotl.search_spaces": "search_spaces"},
)

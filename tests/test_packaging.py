"""What a built distribution holds, and that the rules of the project cover all of it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from autotl.backbones.catalogue import space_files

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: list[str]) -> set[str]:
    """Distribution names of requirements."""
    return {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in requirements}


def test_search_spaces_are_found_beside_the_package_or_in_it():
    assert {"image", "text"} <= set(space_files())


@pytest.mark.slow
@pytest.mark.skipif(find_spec("setuptools") is None, reason="setuptools is not installed")
def test_a_wheel_holds_search_spaces_templates_types_and_licence(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("autotl", "search_spaces", "pyproject.toml", "setup.py", "LICENSE", "README.md"):
        (source / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, "."]
    subprocess.run(command, check=True, capture_output=True, cwd=source)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    spaces = {f"autotl/search_spaces/{path.name}" for path in (ROOT / "search_spaces").glob("*.toml")}
    templates = {f"autotl/report/templates/{p.name}" for p in (ROOT / "autotl/report/templates").iterdir()}
    pages = {f"autotl/ui/page/{path.name}" for path in (ROOT / "autotl/ui/page").iterdir()}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "autotl").rglob("*.py")}
    assert {"autotl/py.typed", *spaces, *templates, *pages, *modules} <= held
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_every_direct_dependency_has_a_tested_version(pyproject):
    project = pyproject["project"]
    wanted = names(project["dependencies"]).union(*map(names, project["optional-dependencies"].values()))
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert wanted == names([line for line in lines if line and not line.startswith("#")])


def test_every_module_has_a_layer(pyproject):
    (layers,) = (c for c in pyproject["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    layered = {name for line in layers["layers"] for name in re.findall(r"[\w.]+", line)}
    there = {
        f"autotl.{path.stem}"
        for path in (ROOT / "autotl").iterdir()
        if not path.stem.startswith((".", "_")) and (path.suffix == ".py" or (path / "__init__.py").is_file())
    }
    within = {
        f"autotl.modalities.{path.stem}"
        for path in (ROOT / "autotl" / "modalities").iterdir()
        if not path.stem.startswith("_")
    }
    assert layered == (there - {"autotl.modalities"}) | within


@pytest.mark.parametrize(
    "script", ["scripts/demo", "scripts/test", "scripts/check", "scripts/bench", ".ci/run"]
)
def test_scripts_can_be_run_and_are_well_formed(script):
    assert (ROOT / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", ROOT / script], check=True)

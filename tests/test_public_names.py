"""The public names of the package, pinned: to change them is a decision."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest

import autotl


def test_the_package_offers_these_names_and_no_others():
    assert autotl.__all__ == ["AutoTL", "load", "__version__"]
    assert all(hasattr(autotl, name) for name in autotl.__all__)


def test_the_version_is_that_of_the_distribution():
    assert autotl.__version__ == version("autotl")


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'AutoML'"):
        autotl.AutoML  # noqa: B018


def test_load_takes_a_bundle_and_where_it_runs():
    assert list(inspect.signature(autotl.load).parameters) == ["bundle", "device"]


def test_the_estimator_takes_these_parameters():
    expected = {
        *("time_budget", "trials", "metric", "task", "space", "backbones", "license", "quality", "seed"),
        *("max_latency_ms", "max_size_mb", "max_memory_mb", "latency_batch", "latency_threads"),
        *("target", "group", "text", "image", "test_share", "val_share", "val", "test"),
        *(
            "engine",
            "ray_address",
            "trial_cpus",
            "trial_gpus",
            "scheduler",
            "device",
            "threads",
            "offline",
            "out",
            "resume",
            "cache_dir",
            "cache_limit",
            "experience",
            "reference_rows",
            "compress",
            "mlflow",
            "from_run",
            "distill_to",
            "listener",
            "verbose",
        ),
    }
    parameters = inspect.signature(autotl.AutoTL).parameters
    assert set(parameters) == expected
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_importing_the_package_imports_no_library():
    code = (
        "import sys, autotl; heavy = {'torch', 'numpy', 'onnxruntime', 'pandas', 'typer'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

"""A bundle that is missing, incomplete, changed or hostile is refused, and the message says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotl.errors import BundleError
from autotl.serve.bundle import manifest_sha256, read_bundle, sha256_of
from autotl.serve.predictor import Predictor


def _edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    change(manifest)
    manifest["sha256"] = manifest_sha256(manifest)
    (bundle / "bundle.json").write_text(json.dumps(manifest))


def test_a_whole_bundle_says_what_it_is(bundle):
    info = read_bundle(bundle)
    assert info.task.classes == ("red", "grün", "blue")
    assert info.spec.modality == "text"
    assert info.spec.assets == {"tokenizer.json": bundle / "tokenizer.json"}
    assert info.columns == ("text",)
    assert info.outputs == ("probabilities", "features")
    assert info.model == bundle / "model.onnx"


def test_a_missing_folder(tmp_path):
    with pytest.raises(BundleError, match=r"no such bundle; found nothing at .*nowhere"):
        read_bundle(tmp_path / "nowhere")


def test_a_file_instead_of_a_folder(bundle):
    with pytest.raises(BundleError, match=r"not a bundle; found the file .*model\.onnx; expected a folder"):
        read_bundle(bundle / "model.onnx")


def test_a_folder_without_manifest_points_to_the_bundle_inside_it(bundle):
    with pytest.raises(BundleError, match=r"no bundle\.json in .*Did you mean .*/model\?"):
        read_bundle(bundle.parent)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "README.md"])
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"the bundle is incomplete; found no file .*{name}"):
        read_bundle(bundle, check=False)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "README.md", "requirements.txt"])
def test_a_changed_file_is_named(bundle, name):
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(
        BundleError, match=rf"{name} was changed after the export; found sha256 [0-9a-f]{{16}}"
    ):
        Predictor(bundle)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": "other"}', "{" * 100_000, "\ud800"])
def test_a_malformed_manifest(bundle, text):
    (bundle / "bundle.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BundleError, match=r"bundle\.json is (malformed|no manifest)"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["task", "preprocessing", "columns", "outputs", "files"])
@pytest.mark.parametrize("value", [None, "text", 3])
def test_a_manifest_with_a_field_of_another_type(bundle, name, value):
    _edit(bundle, lambda m: m.update({name: value}))
    with pytest.raises(BundleError, match=rf"bundle\.json is malformed; found {name} = "):
        read_bundle(bundle)


@pytest.mark.parametrize("task", [{}, {"kind": "guess", "classes": [], "metric": "r2"}])
def test_a_manifest_with_a_broken_task(bundle, task):
    _edit(bundle, lambda m: m.update(task=task))
    with pytest.raises(BundleError, match=r"bundle\.json is malformed"):
        read_bundle(bundle)


@pytest.mark.parametrize("value", [["other"], []])
def test_a_manifest_that_was_changed_is_named(bundle, value):
    manifest = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**manifest, "columns": value}))
    with pytest.raises(BundleError, match=r"bundle\.json was changed after the export"):
        read_bundle(bundle)
    assert read_bundle(bundle, check=False).columns == tuple(value)


def test_a_manifest_written_in_another_style_is_the_same(bundle):
    manifest = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps(dict(reversed(manifest.items())), indent=4))
    assert read_bundle(bundle).columns == ("text",)


@pytest.mark.parametrize(("version", "hint"), [(3, "pip install --upgrade autotl"), (1, "autotl export RUN")])
def test_another_format_version(bundle, version, hint):
    _edit(bundle, lambda m: m.update(format_version=version))
    with pytest.raises(BundleError, match=rf"found format version {version}; expected version 2\. .*{hint}"):
        read_bundle(bundle)


ESCAPES = ["../secret", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "x\0y", "bundle.json", 7]


@pytest.mark.parametrize("name", ESCAPES, ids=repr)
@pytest.mark.parametrize("place", ["assets", "files"])
def test_names_that_lead_out_of_the_bundle(bundle, name, place):
    (bundle.parent / "secret").write_text("s")
    entry = {"sha256": sha256_of(bundle.parent / "secret")}
    if place == "assets":
        _edit(bundle, lambda m: m["preprocessing"]["assets"].append(name))
    else:  # JSON makes keys strings
        name = str(name) if isinstance(name, str) else "../7"
        _edit(bundle, lambda m: m["files"].update({name: entry}))
    with pytest.raises(BundleError, match="names a file outside of the bundle"):
        read_bundle(bundle)


def test_a_link_that_leads_out_of_the_bundle(bundle):
    outside = bundle.parent / "outside.json"
    (bundle / "tokenizer.json").rename(outside)
    (bundle / "tokenizer.json").symlink_to(outside)
    with pytest.raises(BundleError, match=r"tokenizer\.json leads out of the bundle"):
        read_bundle(bundle)


def test_an_asset_without_sha256_cannot_slip_in(bundle):
    (bundle / "extra.json").write_text("{}")
    _edit(bundle, lambda m: m["preprocessing"]["assets"].append("extra.json"))
    with pytest.raises(BundleError, match=r"gives no sha256 of extra\.json"):
        read_bundle(bundle)


def test_a_model_that_does_not_fit_its_manifest(bundle):
    _edit(bundle, lambda m: m.update(outputs=["values", "features"]))
    with pytest.raises(BundleError, match=r"model\.onnx does not fit its manifest"):
        Predictor(bundle)


@pytest.mark.parametrize("outputs", [["probabilities"], ["probabilities", {}], [1, 2]])
def test_a_manifest_with_other_than_two_names_of_outputs(bundle, outputs):
    _edit(bundle, lambda m: m.update(outputs=outputs))
    with pytest.raises(BundleError, match=r"model\.onnx does not fit its manifest"):
        Predictor(bundle)


def test_a_torn_model_is_refused_even_where_checks_are_off(bundle):
    content = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError, match="ONNX Runtime cannot open"):
        Predictor(bundle, check=False)


def test_a_modality_that_is_not_installed(bundle):
    _edit(bundle, lambda m: m["preprocessing"].update(modality="smell"))
    with pytest.raises(BundleError, match="unknown modality; found 'smell'"):
        Predictor(bundle)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["task", "preprocessing", "columns", "outputs", "files"]), value=JSON)
def test_no_manifest_makes_reading_fail_otherwise_than_by_a_bundle_error(bundle, name, value):
    good = (bundle / "bundle.json").read_text()
    _edit(bundle, lambda m: m.update({name: value}))
    try:
        read_bundle(bundle)
    except BundleError:
        pass
    finally:
        (bundle / "bundle.json").write_text(good)
    assert read_bundle(bundle).task.classes

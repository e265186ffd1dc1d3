"""A bundle that is missing, incomplete, changed or hostile is refused, and the message says why."""

from __future__ import annotations

import json
import os

import pytest

from autotl.errors import BundleError
from autotl.serve.bundle import read_bundle, sha256_of
from autotl.serve.manifest import MOST_BYTES, MOST_DEPTH
from autotl.serve.predictor import Predictor
from autotl.testing.bundles import reseal


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


NESTED = '{"a":' * (MOST_DEPTH + 1) + "1" + "}" * (MOST_DEPTH + 1)
HUGE = '{"format": ' + "9" * 5000 + "}"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"format": "other"}', "{" * 100_000, "\ud800", NESTED, HUGE]
)
def test_a_malformed_manifest(bundle, text):
    (bundle / "bundle.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BundleError, match=r"bundle\.json is (malformed|no manifest)"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["task", "preprocessing", "columns", "outputs", "files"])
@pytest.mark.parametrize("value", [None, "text", 3])
def test_a_manifest_with_a_field_of_another_type(bundle, name, value):
    reseal(bundle, lambda m: m.update({name: value}))
    with pytest.raises(BundleError, match=rf"bundle\.json is malformed; found {name} = "):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ({"kind": None}, "task.kind = None; expected a text"),
        ({"kind": "guess"}, "task.kind = 'guess'; expected binary, multiclass"),
        ({"classes": "abc"}, "task.classes = 'abc'; expected a list"),
        ({"classes": ["a", 3]}, r"task.classes = \['a', 3\]; expected a list of texts"),
        ({"classes": []}, r"task.classes = \[\]; expected one class or more"),
        ({"metric": "r2"}, "task.metric = 'r2'; expected accuracy"),
        ({"target": 3}, "task.target = 3; expected a text"),
    ],
)
def test_a_manifest_with_a_broken_task(bundle, task, found):
    reseal(bundle, lambda m: m["task"].update(task))
    with pytest.raises(BundleError, match=rf"bundle\.json is malformed; found {found}"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("preprocessing", "message"),
    [
        ({"modality": []}, r"malformed; found preprocessing\.modality = \[\]; expected a text"),
        ({"options": []}, r"malformed; found preprocessing\.options = \[\]; expected an object"),
        ({"assets": {}}, r"malformed; found preprocessing\.assets = {}; expected a list"),
        ({"assets": []}, r"does not say how inputs are decoded; found KeyError: 'tokenizer\.json'"),
        ({"options": {}}, r"does not say how inputs are decoded; found KeyError: 'max_length'"),
        ({"options": {"max_length": []}}, "does not say how inputs are decoded; found TypeError"),
        ({"options": {"max_length": -1}}, "does not say how inputs are decoded; found OverflowError"),
        ({"modality": "image", "options": {"draft": "x"}}, "how inputs are decoded; found ValueError"),
        (
            {"modality": "image", "options": {"draft": 0}},
            "how inputs are decoded; found DataError: impossible",
        ),
    ],
)
def test_preprocessing_that_cannot_be_followed(bundle, preprocessing, message):
    reseal(bundle, lambda m: m["preprocessing"].update(preprocessing))
    with pytest.raises(BundleError, match=message):
        Predictor(bundle)


@pytest.mark.parametrize("name", ["parity", "monitoring", "versions", "data", "record"])
def test_a_further_part_that_is_no_object(bundle, name):
    reseal(bundle, lambda m: m.update({name: ["a"]}))
    with pytest.raises(BundleError, match=rf"malformed; found {name} = \['a'\]; expected an object"):
        read_bundle(bundle)


def test_what_a_manifest_says_is_quoted_briefly(bundle):
    reseal(bundle, lambda m: m.update(task="a" * 100_000))
    with pytest.raises(BundleError, match=r"found task = 'aaa") as raised:
        read_bundle(bundle)
    assert len(str(raised.value)) < 600


def test_a_manifest_that_is_too_long_is_not_read(bundle):
    with (bundle / "bundle.json").open("a") as file:
        file.write(" " * MOST_BYTES)
    with pytest.raises(BundleError, match=r"bundle\.json is too long; found 16,.* bytes"):
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
    reseal(bundle, lambda m: m.update(format_version=version))
    with pytest.raises(BundleError, match=rf"found format version {version}; expected version 2\. .*{hint}"):
        read_bundle(bundle)


ESCAPES = [
    "../secret",
    "/etc/passwd",
    "a/b",
    "..",
    ".",
    "",
    "a\\b",
    "x\0y",
    "\x1b[2J",
    "\ud800",
    "bundle.json",
]


@pytest.mark.parametrize("name", ESCAPES, ids=repr)
@pytest.mark.parametrize("place", ["assets", "files"])
def test_names_that_lead_out_of_the_bundle(bundle, name, place):
    (bundle.parent / "secret").write_text("s")
    entry = {"sha256": sha256_of(bundle.parent / "secret")}
    if place == "assets":
        reseal(bundle, lambda m: m["preprocessing"]["assets"].append(name))
    reseal(bundle, lambda m: m["files"].update({name: entry}))
    with pytest.raises(BundleError, match="names a file outside of the bundle"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["tokenizer.json", "bundle.json", "README.md"])
def test_a_link_in_a_place_of_a_file(bundle, name):
    outside = bundle.parent / "outside"
    (bundle / name).rename(outside)
    (bundle / name).symlink_to(outside)
    with pytest.raises(BundleError, match=rf"{name} is a link; expected a file of the bundle's own"):
        read_bundle(bundle)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_in_the_place_of_one(bundle, make):
    (bundle / "tokenizer.json").unlink()
    make(bundle / "tokenizer.json")
    with pytest.raises(BundleError, match=r"the bundle is incomplete; found no file .*tokenizer\.json"):
        read_bundle(bundle, check=False)


def test_a_name_that_is_too_long_for_a_file(bundle):
    reseal(bundle, lambda m: m["files"].update({"a" * 5000: {"sha256": "0"}}))
    with pytest.raises(BundleError, match="the bundle is incomplete; found no file") as raised:
        read_bundle(bundle)
    assert len(str(raised.value)) < 500
    with pytest.raises(BundleError, match="cannot read the bundle; found File name too long"):
        read_bundle("a" * 5000)


def test_what_the_manifest_does_not_list_is_no_part_of_the_bundle(bundle):
    (bundle / "notes.txt").write_text("mine")
    info = read_bundle(bundle)
    assert info.file("README.md") == bundle / "README.md"
    with pytest.raises(BundleError, match=r"gives no sha256 of notes\.txt"):
        info.file("notes.txt")
    info.copy(bundle.parent / "copy")
    assert set(os.listdir(bundle.parent / "copy")) == {"bundle.json", *info.files}
    assert read_bundle(bundle.parent / "copy").manifest == info.manifest


def test_an_asset_without_sha256_cannot_slip_in(bundle):
    (bundle / "extra.json").write_text("{}")
    reseal(bundle, lambda m: m["preprocessing"]["assets"].append("extra.json"))
    with pytest.raises(BundleError, match=r"gives no sha256 of extra\.json"):
        read_bundle(bundle)


def test_a_model_that_does_not_fit_its_manifest(bundle):
    reseal(bundle, lambda m: m.update(outputs=["values", "features"]))
    with pytest.raises(BundleError, match=r"model\.onnx does not fit its manifest"):
        Predictor(bundle)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["probabilities"], r"model\.onnx does not fit its manifest"),
        (["features", "features"], r"model\.onnx does not fit its manifest"),
        (["probabilities", {}], r"bundle\.json is malformed; .* expected a list of texts"),
    ],
)
def test_a_manifest_with_other_than_two_names_of_outputs(bundle, outputs, message):
    reseal(bundle, lambda m: m.update(outputs=outputs))
    with pytest.raises(BundleError, match=message):
        Predictor(bundle)


def test_a_model_with_other_classes_than_the_manifest_says(bundle):
    reseal(bundle, lambda m: m["task"]["classes"].append("black"))
    with pytest.raises(BundleError, match=r"does not fit its manifest; .* of 4 numbers a row"):
        Predictor(bundle)


def test_a_torn_model_is_refused_even_where_checks_are_off(bundle):
    content = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError, match=r"model\.onnx is no ONNX file"):
        Predictor(bundle, check=False)
    (bundle / "model.onnx").write_bytes(b"\x3a\x00")  # a graph of nothing
    with pytest.raises(BundleError, match="ONNX Runtime cannot open"):
        Predictor(bundle, check=False)


def test_a_modality_that_is_not_installed(bundle):
    reseal(bundle, lambda m: m["preprocessing"].update(modality="smell"))
    with pytest.raises(BundleError, match="unknown modality; found 'smell'"):
        Predictor(bundle)

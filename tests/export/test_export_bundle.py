"""An exported bundle is whole, faithful, and never absent while it is replaced."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from huggingface_hub import ModelCard

from autotl.config import TrialConfig
from autotl.errors import BundleError, DecodeError, ExportError, ParityError, StorageError
from autotl.export import bundle as bundle_module
from autotl.export import swap
from autotl.export.bundle import add_metrics, copy_bundle, export_bundle, rewriting
from autotl.export.swap import exchange, swap_in
from autotl.serve.bundle import previous_folder, read_bundle
from autotl.serve.predictor import Predictor
from autotl.strategies.registry import strategy
from autotl.task import TaskKind
from autotl.testing.data import odd_images
from autotl.testing.workbench import tiny_workbench


@pytest.mark.parametrize("kind", list(TaskKind))
def test_every_kind_of_task_is_exported_with_parity_on_256_texts(text_case, tmp_path, kind):
    model, dataset = text_case(kind)
    bundle = export_bundle(model, dataset, np.arange(len(dataset)), tmp_path / "model")
    assert bundle.manifest["parity"]["model.onnx"]["rows"] == 256
    assert bundle.manifest["parity"]["model.onnx"]["single_rows"] == 32
    assert bundle.manifest["parity"]["model.onnx"]["largest_difference"] < 1e-5
    primary = "values" if kind is TaskKind.REGRESSION else "probabilities"
    assert bundle.manifest["outputs"] == [primary, "features"]


@pytest.mark.parametrize("kind", list(TaskKind))
def test_every_kind_of_task_is_exported_with_parity_on_images_of_many_sizes(image_case, tmp_path, kind):
    model, dataset = image_case(kind)
    bundle = export_bundle(model, dataset, np.arange(len(dataset)), tmp_path / "model")
    assert bundle.manifest["parity"]["model.onnx"]["rows"] == 40
    assert bundle.manifest["inputs"] == ["image"]
    assert bundle.manifest["graph"] == {"opset": 20, "ir_version": 9, "exporter": "torchscript"}


@pytest.mark.parametrize("choice", [{"depths": "all", "share": 0.1}, {"head": "mlp"}], ids=str)
def test_heads_on_chosen_features_and_with_a_hidden_layer_are_exported_with_parity(tmp_path, choice):
    bench = tiny_workbench(tmp_path)
    config = TrialConfig("tiny-image", "linear_probe", choice)
    run = strategy("linear_probe").start(bench, config)
    run.step()
    bundle = export_bundle(run.model(), bench.dataset, bench.splits.test, tmp_path / "model")
    assert bundle.manifest["parity"]["model.onnx"]["largest_difference"] < 1e-4


def test_pairs_of_texts_are_exported(text_case, tmp_path):
    model, dataset = text_case(TaskKind.REGRESSION, rows=40, pairs=True)
    export_bundle(model, dataset, np.arange(40), tmp_path / "model")
    predictor = Predictor(tmp_path / "model", threads=1)
    assert predictor.bundle.columns == ("first", "second")
    there, back = predictor.predict([dataset.items[0], dataset.items[0][::-1]])
    assert there != back


def test_the_graph_alone_takes_raw_pixels_of_any_size_and_knows_its_classes(image_case, tmp_path):
    model, dataset = image_case()
    folder = export_bundle(model, dataset, np.arange(4), tmp_path / "model").folder
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    for shape in ((1, 17, 90, 3), (3, 64, 64, 3)):
        pixels = np.full(shape, 128, np.uint8)
        probabilities, features = session.run(["probabilities", "features"], {"image": pixels})
        assert probabilities.shape == (shape[0], 3)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        assert features.shape == (shape[0], 24 + 32)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == ["red", "grün", "blue, dark"]
    assert about["task"] == "multiclass"
    assert about["autotl_version"]


def test_the_folder_holds_what_serving_needs_and_a_sha256_of_each_file(text_case, tmp_path):
    model, dataset = text_case()
    record = {
        "metrics": {"validation": {"accuracy": np.float32(0.5)}},
        "seed": 0,
        "data": {"fingerprint": "f"},
    }
    bundle = export_bundle(model, dataset, np.arange(8), tmp_path / "model", record=record)
    names = {*("model.onnx", "bundle.json", "parity.npz", "tokenizer.json", "README.md", "requirements.txt")}
    assert set(os.listdir(bundle.folder)) == names
    manifest = json.loads((bundle.folder / "bundle.json").read_text())
    assert set(manifest["files"]) == names - {"bundle.json"}
    assert manifest["metrics"] == {"validation": {"accuracy": 0.5}}
    assert manifest["record"] == {"seed": 0}
    assert manifest["data"] == {"source": "a test", "rows": 300, "fingerprint": "f"}
    assert manifest["licence"] == "Apache-2.0"
    assert manifest["temperature"] == 0.7
    assert {"autotl", "onnxruntime", "torch", "python"} <= set(manifest["versions"])
    pins = (bundle.folder / "requirements.txt").read_text().split()
    assert f"onnxruntime=={onnxruntime.__version__}" in pins
    assert not [pin for pin in pins if pin.startswith("torch")]
    assert bundle.manifest["files"]["model.onnx"]["bytes"] == (bundle.folder / "model.onnx").stat().st_size


def test_scores_that_come_later_are_part_of_manifest_and_card(text_case, tmp_path):
    model, dataset = text_case()
    record = {"metrics": {"validation": {"accuracy": 0.5}}, "winner": {"refitted": True}}
    folder = export_bundle(model, dataset, np.arange(8), tmp_path / "model", record=record).folder
    add_metrics(folder, "test", {"accuracy": 0.625})
    manifest = read_bundle(folder).manifest
    assert manifest["metrics"] == {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.625}}
    card = (folder / "README.md").read_text()
    assert "| test accuracy | 0.6250 |" in card
    assert "fitted again, on the validation rows too" in card
    assert Predictor(folder, threads=1).predict(dataset.items[:2])
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".model")]


def test_the_card_says_what_it_is_and_how_to_use_it(text_case, tmp_path):
    model, dataset = text_case()
    record = {"metrics": {"test": {"accuracy": 0.91234}}, "licence": "other:gemma"}
    folder = export_bundle(model, dataset, np.arange(8), tmp_path / "model", record=record).folder
    card = ModelCard.load(folder / "README.md")
    data, text = card.data, card.text
    assert (data.license, data.license_name, data.pipeline_tag) == ("other", "gemma", "text-classification")
    (result,) = data.eval_results
    assert (result.dataset_split, result.metric_type, result.metric_value) == ("test", "accuracy", 0.91234)
    assert "| test accuracy | 0.9123 |" in text
    assert "`blue, dark`" in text
    assert "its inputs are made with `tokenizer.json`" in text
    code = text.split("```python\n")[1].split("```")[0].replace("path/to/this/folder", str(folder))
    exec(compile(code, "README.md", "exec"), {})  # a card whose code fails would be worse than none


def test_odd_images_are_answered_as_in_training(image_case, tmp_path):
    model, dataset = image_case()
    paths = odd_images(tmp_path / "odd")
    names = [path.name for path in paths]
    odd = replace(dataset, items=paths, names=names, targets=np.arange(len(paths)) % 3)
    parity = export_bundle(model, odd, np.arange(len(paths)), tmp_path / "model").manifest["parity"][
        "model.onnx"
    ]
    assert (parity["rows"], parity["label_flips"], parity["ties"]) == (len(paths), 0, 0)
    assert parity["largest_difference"] < 1e-4


def test_verify_rows_bounds_the_comparison(text_case, tmp_path):
    model, dataset = text_case()
    bundle = export_bundle(model, dataset, np.arange(300), tmp_path / "model", verify_rows=10)
    parity = bundle.manifest["parity"]["model.onnx"]
    assert parity["rows"] == parity["single_rows"] == 10


def test_a_bundle_is_replaced_and_nothing_is_left_beside_it(text_case, tmp_path):
    model, dataset = text_case()
    target = tmp_path / "out" / "model"
    export_bundle(model, dataset, np.arange(8), target, record={"number": 1})
    export_bundle(model, dataset, np.arange(8), target, record={"number": 2})
    assert read_bundle(target).manifest["record"] == {"number": 2}
    assert os.listdir(target.parent) == ["model"]


def test_a_copy_holds_what_the_bundle_lists_and_nothing_else(text_case, tmp_path):
    model, dataset = text_case()
    folder = export_bundle(model, dataset, np.arange(8), tmp_path / "model").folder
    listed = set(os.listdir(folder))
    (tmp_path / "secret").write_text("a secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "notes.txt").write_text("mine")
    assert set(os.listdir(copy_bundle(folder, tmp_path / "copy"))) == listed
    assert set(read_bundle(folder).files) == listed - {"bundle.json"}


def test_what_was_changed_is_not_sealed_anew(text_case, tmp_path):
    model, dataset = text_case()
    folder = export_bundle(model, dataset, np.arange(8), tmp_path / "model").folder
    (folder / "requirements.txt").write_text("something-else\n")
    for act in (lambda: copy_bundle(folder, tmp_path / "copy"), lambda: add_metrics(folder, "test", {})):
        with pytest.raises(BundleError, match=r"requirements\.txt was changed after the export"):
            act()
    assert (folder / "requirements.txt").read_text() == "something-else\n"
    assert not (tmp_path / "copy").exists()


def test_a_folder_that_is_no_bundle_is_never_replaced(text_case, tmp_path):
    model, dataset = text_case()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(b"x")
    with pytest.raises(ExportError, match="something else lies where the bundle should go"):
        export_bundle(model, dataset, np.arange(8), tmp_path / "photos")
    assert os.listdir(tmp_path / "photos") == ["me.jpg"]


@pytest.mark.parametrize("content", ["{}", "[]", '{"files": {"app.js": {}}}', "not JSON"])
def test_a_manifest_of_other_software_makes_no_bundle(text_case, tmp_path, content):
    model, dataset = text_case()
    (tmp_path / "bundle.json").write_text(content)
    before = set(os.listdir(tmp_path))
    with pytest.raises(ExportError, match="something else lies where the bundle should go"):
        export_bundle(model, dataset, np.arange(8), tmp_path)
    assert set(os.listdir(tmp_path)) == before


def test_what_somebody_put_into_a_bundle_is_never_lost(text_case, tmp_path):
    model, dataset = text_case()
    folder = export_bundle(model, dataset, np.arange(8), tmp_path / "model").folder
    (folder / ".DS_Store").touch()
    add_metrics(folder, "test", {"accuracy": 0.5})
    assert not (folder / ".DS_Store").exists()
    (folder / ".git").mkdir()
    (folder / "app.py").write_text("mine")
    before = (folder / "bundle.json").read_text()
    for act in (
        lambda: export_bundle(model, dataset, np.arange(8), folder),
        lambda: add_metrics(folder, "test", {}),
    ):
        with pytest.raises(ExportError, match=r"found \.git, app\.py in .*Move it away"):
            act()
    assert (folder / "app.py").read_text() == "mine"
    assert (folder / "bundle.json").read_text() == before


def test_what_is_put_there_during_an_export_is_not_lost_either(text_case, tmp_path):
    model, dataset = text_case()
    folder = export_bundle(model, dataset, np.arange(8), tmp_path / "model").folder
    with pytest.raises(ExportError, match=r"found app\.py in"), rewriting(folder):
        (folder / "app.py").write_text("mine")
    assert (folder / "app.py").read_text() == "mine"


def test_no_rows_are_refused(text_case, tmp_path):
    model, dataset = text_case()
    with pytest.raises(ExportError, match="cannot export without an example; found no rows"):
        export_bundle(model, dataset, np.arange(0), tmp_path / "model")


@pytest.mark.parametrize(
    "failure",
    [
        ParityError("differs"),
        DecodeError("broken"),
        KeyboardInterrupt(),
        OSError(28, "No space left on device"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_failed_export_leaves_the_old_bundle_and_no_debris(text_case, tmp_path, monkeypatch, failure):
    model, dataset = text_case()
    target = tmp_path / "out" / "model"
    export_bundle(model, dataset, np.arange(8), target, record={"number": 1})

    def fail(*_args, **_options):
        raise failure

    monkeypatch.setattr(bundle_module, "prove_on", fail)
    expected = StorageError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected):
        export_bundle(model, dataset, np.arange(8), target, record={"number": 2})
    assert read_bundle(target).manifest["record"] == {"number": 1}
    assert os.listdir(target.parent) == ["model"]


def test_a_bundle_that_does_not_fit_on_the_disk(text_case, tmp_path, files_of_at_most):
    model, dataset = text_case()
    target = tmp_path / "out" / "model"
    export_bundle(model, dataset, np.arange(8), target, record={"number": 1})
    with files_of_at_most(1000), pytest.raises(StorageError) as caught:
        export_bundle(model, dataset, np.arange(8), target, record={"number": 2})
    assert str(caught.value) == (
        f"cannot write the bundle; found {target} (File too large). Free space, or choose --out."
    )
    assert read_bundle(target).manifest["record"] == {"number": 1}
    assert os.listdir(target.parent) == ["model"]


def test_two_processes_rewrite_a_bundle_and_each_makes_a_whole_one(text_case, tmp_path):
    model, dataset = text_case()
    folder = export_bundle(model, dataset, np.arange(4), tmp_path / "out" / "model").folder
    with rewriting(folder) as (_, manifest):
        manifest["metrics"]["last"] = {"accuracy": 0.5}
        add_metrics(folder, "first", {"accuracy": 0.25})
        assert "first" in read_bundle(folder).manifest["metrics"]
    assert read_bundle(folder).manifest["metrics"] == {"last": {"accuracy": 0.5}}
    assert os.listdir(tmp_path / "out") == ["model"]


def test_what_a_died_process_left_is_deleted_and_what_is_being_made_stays(text_case, tmp_path):
    model, dataset = text_case()
    left, made = (f".model.{digit * 32}.new" for digit in "01")
    former, foreign = ".model.new", ".model.my.new"
    names = {left, made, former, foreign}
    for name in names:
        (tmp_path / name).mkdir()
    for name in (left, former, foreign):
        os.utime(tmp_path / name, (0, 0))
    export_bundle(model, dataset, np.arange(4), tmp_path / "model")
    assert {made, foreign} == names & set(os.listdir(tmp_path))


# --- the swap ---------------------------------------------------------------------------------------------


def _folders(tmp_path, text_case):
    model, dataset = text_case()
    old = export_bundle(model, dataset, np.arange(4), tmp_path / "swap" / "model", record={"n": 1}).folder
    new = export_bundle(
        model, dataset, np.arange(4), tmp_path / "swap" / ".model.new", record={"n": 2}
    ).folder
    return old, new


@pytest.mark.parametrize("atomic", [True, False])
def test_a_swap_puts_the_new_one_in_place(text_case, tmp_path, monkeypatch, atomic):
    old, new = _folders(tmp_path, text_case)
    if not atomic:
        monkeypatch.setattr(swap, "exchange", lambda first, second: False)
    swap_in(new, old)
    assert read_bundle(old).manifest["record"] == {"n": 2}
    assert os.listdir(old.parent) == ["model"]


def test_a_crash_between_the_two_renames_loses_nothing(text_case, tmp_path):
    old, new = _folders(tmp_path, text_case)
    old.rename(previous_folder(old))  # the process dies here
    assert read_bundle(old).manifest["record"] == {"n": 1}
    assert len(Predictor(old, threads=1).predict(["a good film"])) == 1
    swap_in(new, old)  # the next export
    assert read_bundle(old).manifest["record"] == {"n": 2}
    assert os.listdir(old.parent) == ["model"]


def test_readers_find_a_whole_bundle_at_every_moment_of_many_swaps(text_case, tmp_path):
    model, dataset = text_case(rows=8)
    target = tmp_path / "swap" / "model"
    export_bundle(model, dataset, np.arange(4), target, record={"n": 0})
    copy = tmp_path / "copy"
    shutil.copytree(target, copy)
    if not exchange(copy, target):
        pytest.skip("this file system cannot exchange folders")
    done = threading.Event()

    def write() -> None:
        for _ in range(30):
            fresh = target.with_name(".model.new")
            shutil.copytree(target, fresh)
            swap_in(fresh, target)
            time.sleep(0.01)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    opened = 0
    while not done.is_set() or opened < 3:
        assert Predictor(target, threads=1).predict(["a good film"])
        opened += 1
    writer.join()

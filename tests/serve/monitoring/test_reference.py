"""What a bundle remembers of held-out rows is small, comes back as it was, and can leave out single rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from drift_world import World

from autotl.errors import BundleError, DataError
from autotl.export.bundle import add_reference, leave_out_rows
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.serve.bundle import BundleInfo, read_bundle
from autotl.serve.monitoring import reference as reference_module
from autotl.serve.monitoring.monitor import Monitor
from autotl.serve.monitoring.reference import FILE, KEY, Reference, read_reference
from autotl.serve.predictor import Predictor
from autotl.task import TaskKind
from autotl.testing.bundles import reseal


@pytest.fixture
def described(bundle, texts):
    """A bundle that describes a hundred texts."""
    predictor = Predictor(bundle, threads=1)
    found = Reference.of(predictor.task, *predictor.outputs(texts), np.arange(100) % 3)
    add_reference(bundle, found)
    return bundle


@pytest.mark.parametrize("kind", list(TaskKind))
def test_it_comes_back_as_it_was_written(kind, tmp_path):
    world = World(kind)
    reference = world.reference(200)
    manifest = {KEY: json.loads(json.dumps(reference.write(tmp_path, world.task)))}
    spec = PreprocessingSpec("text", {})
    again = read_reference(BundleInfo(tmp_path, world.task, spec, (), (), {FILE: ""}, manifest))
    assert (again.part, again.count, again.sketch.rest) == ("test", 200, reference.sketch.rest)
    assert set(again.arrays) == set(reference.arrays)
    for name, array in reference.arrays.items():
        assert again.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(again.arrays[name], array)
    rows = world.rows(100)
    monitors = [Monitor(world.task, either) for either in (reference, again)]
    first, second = (monitor.check(rows.outputs, rows.features).to_json() for monitor in monitors)
    assert first == second


def test_the_manifest_tells_shares_and_distributions(described):
    said = read_bundle(described).manifest[KEY]
    assert (said["part"], said["rows"], said["row_embeddings"]) == ("test", 100, 100)
    assert said["true_shares"] == {"red": 0.34, "grün": 0.33, "blue": 0.33}
    assert sum(said["predicted_shares"].values()) == pytest.approx(1, abs=1e-3)
    assert sum(said["certainties"]["counts"]) == sum(said["distances"]["counts"]) == 100


def test_it_is_bounded_however_many_rows_and_features_there_are(tmp_path):
    rng = np.random.default_rng(0)
    world = World(TaskKind.BINARY)
    features = rng.normal(0, 1, (3000, 1280)).astype(np.float32)
    outputs = rng.dirichlet([1, 1], 3000).astype(np.float32)
    reference = Reference.of(world.task, outputs, features)
    reference.write(tmp_path, world.task)
    assert reference.arrays["rows"].shape == (512, 256)
    assert len(reference.arrays["certainties"]) == 2048
    assert (tmp_path / FILE).stat().st_size < 400_000
    reference.without_rows().write(tmp_path, world.task)
    assert (tmp_path / FILE).stat().st_size < 120_000


def test_rows_can_be_left_out_and_no_embedding_stays(described):
    before = read_reference(read_bundle(described))
    leave_out_rows(described)
    bundle = read_bundle(described)
    after = read_reference(bundle)
    assert not after.has_rows
    assert set(before.arrays) - set(after.arrays) == {"rows", "row_classes", "row_distances"}
    assert {name for name, array in after.arrays.items() if array.ndim > 1} == {"confusion"}
    assert bundle.manifest[KEY]["row_embeddings"] == 0
    card = (described / "README.md").read_text()
    assert "embeddings of single rows were left out" in card


def test_the_card_says_that_embeddings_are_in_the_bundle(described):
    card = (described / "README.md").read_text()
    assert "**Embeddings of 100 of these rows are in the bundle**" in card
    assert "100 rows of the test part" in card
    assert "--no-reference-rows" in card


def test_a_bundle_without_statistics_names_the_way_out(bundle):
    with pytest.raises(BundleError, match=r"no statistics of held-out rows in .*--reference HELD_OUT$"):
        read_reference(read_bundle(bundle))


def test_changed_statistics_are_refused_by_name(described):
    path = described / FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"monitoring\.npz was changed after the export"):
        Predictor(described, threads=1)


def test_statistics_that_the_manifest_gives_no_sha256_of_are_refused(described):
    reseal(described, lambda manifest: manifest["files"].pop(FILE))
    with pytest.raises(BundleError, match=r"gives no sha256 of monitoring\.npz"):
        read_reference(read_bundle(described))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 torn"], ids=["empty", "other", "torn"])
def test_malformed_statistics_are_named(described, content):
    (described / FILE).write_bytes(content)
    with pytest.raises(BundleError, match=r"monitoring\.npz is malformed"):
        read_reference(read_bundle(described, check=False))


def test_pickled_objects_are_not_read(described):
    np.savez(described / FILE, mean=np.array([object()]), allow_pickle=True)
    with pytest.raises(BundleError, match=r"malformed; found ValueError: mean\.npy holds objects"):
        read_reference(read_bundle(described, check=False))


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"seed": -1}, r"monitoring\.seed = -1; expected more than 0"),
        ({"seed": "0"}, r"monitoring\.seed = '0'; expected an integer"),
        ({"rest": 0}, r"monitoring\.rest = 0; expected more than 0"),
        ({"rest": float("nan")}, r"monitoring\.rest = nan; expected a finite number"),
        ({"part": None}, r"monitoring\.part = None; expected a text"),
        ({"rows": 1.5}, r"monitoring\.rows = 1\.5; expected an integer"),
    ],
)
def test_what_the_manifest_says_of_them_must_be_of_its_kind(described, said, found):
    reseal(described, lambda manifest: manifest[KEY].update(said))
    with pytest.raises(BundleError, match=rf"bundle\.json is malformed; found {found}"):
        read_reference(read_bundle(described))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"mean": None}, "no array 'mean'"),
        ({"certainties": None}, "no array 'certainties'"),
        ({"row_classes": None}, "no array 'row_classes'"),
        ({"scale": np.ones(31, np.float32)}, r"'scale' of shape \(31,\)"),
        ({"axes": np.ones((5, 20), np.float32)}, r"'axes' of shape \(5, 20\)"),
        ({"predicted": np.ones(4, np.int32)}, r"'predicted' of shape \(4,\)"),
        ({"confusion": np.ones((3, 2), np.int32)}, r"'confusion' of shape \(3, 2\)"),
        ({"distances": np.empty(0, np.float32)}, r"'distances' of shape \(0,\)"),
        ({"distances": np.array(["a"])}, "'distances' of shape .* and type <U1"),
        ({"another": np.ones(3)}, "'another' of shape"),
    ],
)
def test_statistics_that_do_not_fit_the_model_are_named(described, change, found):
    arrays = {
        name: array for name, array in {**np.load(described / FILE), **change}.items() if array is not None
    }
    np.savez(described / FILE, **arrays)
    with pytest.raises(BundleError, match=rf"monitoring\.npz is malformed; found {found}"):
        read_reference(read_bundle(described, check=False))


def test_statistics_of_a_later_version_are_named(described):
    bundle = read_bundle(described)
    bundle.manifest[KEY]["format_version"] = 2
    with pytest.raises(BundleError, match=r"found format version 2; expected version 1\. Upgrade"):
        read_reference(bundle)


def test_rows_that_cannot_be_described(world):
    rows = world.rows(5)
    with pytest.raises(DataError, match="found 1 rows"):
        Reference.of(world.task, rows.outputs[:1], rows.features[:1])
    rows.features[2, 3] = np.nan
    with pytest.raises(DataError, match="not finite"):
        Reference.of(world.task, rows.outputs, rows.features)


def test_two_rows_are_enough_to_be_described(world):
    rows = world.rows(2)
    reference = Reference.of(world.task, rows.outputs, rows.features, rows.targets)
    assert np.isfinite(reference.threshold)


def test_more_rows_than_are_kept_leave_evenly_spread_quantiles():
    values = np.random.default_rng(0).permutation(10_000).astype(np.float32)
    kept = reference_module._quantiles(values)
    assert len(kept) == 2048
    assert np.median(kept) == pytest.approx(5000, abs=5)
    assert np.diff(kept).max() <= 5

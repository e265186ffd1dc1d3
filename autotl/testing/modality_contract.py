"""`ModalityContract`: what every modality must keep. Subclass it in a test module and fill in the fixtures.

class TestMyModality(ModalityContract):
    @pytest.fixture
    def modality(self): return MODALITY
    ...
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autotl.errors import DecodeError
from autotl.modalities.modality import (
    Example,
    Item,
    Modality,
    Rectangle,
    SupportsExamine,
    SupportsExtent,
    SupportsOcclusion,
    SupportsPreview,
    SupportsThumbnail,
)
from autotl.modalities.preprocessing import PreprocessingSpec


class ModalityContract:
    """Tests that any modality passes. Fixtures to fill in: `modality`, `items`, `alike`, `bad_item`, ..."""

    @pytest.fixture
    def modality(self) -> Modality:
        """The modality under test."""
        raise AssertionError("the subclass gives the modality under test")

    @pytest.fixture
    def items(self) -> list[Item]:
        """At least four different, not empty, readable items."""
        raise AssertionError("the subclass gives items")

    @pytest.fixture
    def alike(self, items: list[Item]) -> tuple[Item, Item]:
        """Two items that are near duplicates but not equal; the first may be one of `items`."""
        raise AssertionError("the subclass gives two near duplicates")

    @pytest.fixture
    def empty_item(self) -> Item:
        """A readable item without information."""
        raise AssertionError("the subclass gives an empty item")

    @pytest.fixture
    def bad_item(self) -> Item:
        """An item that cannot be decoded."""
        raise AssertionError("the subclass gives an unreadable item")

    @pytest.fixture
    def requirements(self) -> dict[str, Any]:
        """What a backbone asks for (`BackboneInfo.input`, and its assets)."""
        return {}

    @pytest.fixture
    def spec(self, modality: Modality, items: list[Item], requirements: dict[str, Any]) -> PreprocessingSpec:
        """A specification for the items."""
        return modality.preprocessing(requirements, modality.describe(items), {})

    def test_it_recognises_its_own_items_and_no_numbers(self, modality: Modality, items: list[Item]) -> None:
        """Sniffing separates items from numbers."""
        assert 0.5 < modality.sniff(items) <= 1
        assert modality.sniff([1.5, 2.5, float("nan")]) == 0
        assert modality.sniff([]) == 0

    def test_extensions_are_lower_case_endings(self, modality: Modality) -> None:
        """File endings have a dot and no capitals."""
        assert all(ending.startswith(".") and ending == ending.lower() for ending in modality.extensions)

    def test_equal_items_and_only_they_share_a_fingerprint(
        self, modality: Modality, items: list[Item]
    ) -> None:
        """Fingerprints identify content."""
        prints = [modality.fingerprint(item) for item in items]
        assert len(set(prints)) == len(items)
        assert prints == [modality.fingerprint(item) for item in items]

    def test_near_keys_are_close_for_near_duplicates_only(
        self, modality: Modality, items: list[Item], alike: tuple[Item, Item]
    ) -> None:
        """Hamming distances fall on the right side of `near_bits`."""
        first, second = (modality.near_key(item) for item in alike)
        assert first.dtype == np.uint64
        assert first.ndim == 1
        assert _distance(first, second) <= modality.near_bits()
        keys = [modality.near_key(item) for item in items]
        apart = [_distance(a, b) for i, a in enumerate(keys) for b in keys[:i]]
        assert min(apart) > modality.near_bits()

    def test_examining_tells_what_the_single_questions_tell(
        self, modality: Modality, items: list[Item], empty_item: Item, bad_item: Item
    ) -> None:
        """One pass gives fingerprint, near key and emptiness."""
        if not isinstance(modality, SupportsExamine):
            pytest.skip("no examination in one pass")
        for item in (*items, empty_item):
            fingerprint, key, empty = modality.examine(item)
            assert fingerprint == modality.fingerprint(item)
            assert np.array_equal(key, modality.near_key(item))
            assert empty == modality.is_empty(item)
        with pytest.raises(DecodeError):
            modality.examine(bad_item)

    def test_a_thumbnail_is_a_small_square(
        self, modality: Modality, items: list[Item], bad_item: Item
    ) -> None:
        """Of every item, and different ones of different items."""
        if not isinstance(modality, SupportsThumbnail):
            pytest.skip("no pictures")
        found = [modality.thumbnail(item, 24) for item in items]
        assert {(one.shape, str(one.dtype)) for one in found} == {((24, 24, 3), "uint8")}
        assert len({one.tobytes() for one in found}) == len(items)
        with pytest.raises(DecodeError):
            modality.thumbnail(bad_item, 24)

    def test_the_extent_of_an_item_is_known_before_it_is_decoded(
        self, modality: Modality, items: list[Item], bad_item: Item
    ) -> None:
        """It counts something, in a unit, and refuses what is unreadable."""
        if not isinstance(modality, SupportsExtent):
            pytest.skip("no extents")
        assert modality.extent_unit
        assert all(modality.extent(item) > 0 for item in items)
        with pytest.raises(DecodeError):
            modality.extent(bad_item)

    def test_default_parameters_are_accepted(
        self, modality: Modality, items: list[Item], requirements: dict[str, Any]
    ) -> None:
        """Every parameter has a default in its domain, and preprocessing takes the defaults."""
        domains = modality.parameters()
        assert all(domain.contains(domain.default) for domain in domains.values())
        params = {name: domain.default for name, domain in domains.items()}
        spec = modality.preprocessing(requirements, modality.describe(items), params)
        assert spec.modality == modality.name

    def test_only_an_empty_item_is_empty(
        self, modality: Modality, items: list[Item], empty_item: Item
    ) -> None:
        """Emptiness is told."""
        assert modality.is_empty(empty_item)
        assert not any(modality.is_empty(item) for item in items)

    def test_a_description_is_json_and_repeatable(self, modality: Modality, items: list[Item]) -> None:
        """Descriptions are plain data."""
        facts = modality.describe(items)
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts
        assert facts == modality.describe(items)
        assert json.dumps(modality.describe([]))

    def test_a_description_survives_an_unreadable_item(
        self, modality: Modality, items: list[Item], bad_item: Item
    ) -> None:
        """One bad item does not end the profile."""
        assert modality.describe([*items, bad_item])

    def test_an_unreadable_item_raises_a_decode_error(
        self, modality: Modality, bad_item: Item, spec: PreprocessingSpec
    ) -> None:
        """Every way to read an item raises `DecodeError`, and nothing else."""
        for read in (
            modality.decoder(spec).decode,
            modality.fingerprint,
            modality.near_key,
            modality.is_empty,
        ):
            with pytest.raises(DecodeError):
                read(bad_item)

    def test_a_specification_survives_json(self, spec: PreprocessingSpec) -> None:
        """A bundle can store it."""
        folder = next((Path(path).parent for path in spec.assets.values()), Path())
        again = PreprocessingSpec.from_json(json.loads(json.dumps(spec.to_json())), folder)
        assert again.key == spec.key
        assert dict(again.options) == dict(spec.options)

    def test_decoding_is_repeatable(
        self, modality: Modality, items: list[Item], spec: PreprocessingSpec
    ) -> None:
        """Two decoders of one specification give the same arrays."""
        for item in items:
            first, second = modality.decoder(spec).decode(item), modality.decoder(spec).decode(item)
            assert first.keys() == second.keys()
            assert all(np.array_equal(first[name], second[name]) for name in first)

    def test_collating_adds_a_batch_axis(
        self, modality: Modality, items: list[Item], spec: PreprocessingSpec
    ) -> None:
        """Every array of a batch has one row an example."""
        decoder = modality.decoder(spec)
        examples = [decoder.decode(item) for item in items]
        if not decoder.ragged:
            examples = [
                example for example in examples if decoder.length(example) == decoder.length(examples[0])
            ]
        feeds = decoder.collate(examples)
        assert all(len(value) == len(examples) for value in feeds.values())

    def test_batch_one_and_batch_n_agree_exactly(
        self, modality: Modality, items: list[Item], spec: PreprocessingSpec
    ) -> None:
        """What the graph makes of an item does not depend on its neighbours."""
        graph = modality.graph(spec)
        if graph is None:
            pytest.skip("inputs pass as they are")
        import onnxruntime

        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        decoder = modality.decoder(spec)
        first = decoder.decode(items[0])
        same = [e for e in map(decoder.decode, items) if decoder.length(e) == decoder.length(first)]
        assert len(same) > 1
        together = session.run(None, decoder.collate(same))
        for row, example in enumerate(same):
            alone = session.run(None, decoder.collate([example]))
            assert all(np.array_equal(a[0], b[row]) for a, b in zip(alone, together, strict=True))

    def test_augmentation_keeps_shapes_and_follows_its_seed(
        self, modality: Modality, items: list[Item], spec: PreprocessingSpec
    ) -> None:
        """Same seed, same change; "none" changes nothing; an unknown strength is refused."""
        torch = pytest.importorskip("torch")
        batch = {name: torch.from_numpy(value) for name, value in _prepared(modality, items, spec).items()}
        before = {name: value.clone() for name, value in batch.items()}
        assert modality.augmentations[0] == "none"
        for strength in modality.augmentations:
            first, second = (
                modality.augment(batch, strength, torch.Generator().manual_seed(7)) for _ in range(2)
            )
            for name, value in batch.items():
                assert torch.equal(value, before[name])
                assert first[name].shape == value.shape
                assert first[name].dtype == value.dtype
                assert torch.equal(first[name], second[name])
                assert strength != "none" or torch.equal(first[name], value)
        with pytest.raises(ValueError, match="unknown augmentation"):
            modality.augment(batch, "no-such-strength", torch.Generator())

    def test_a_preview_is_short_safe_html(
        self, modality: Modality, items: list[Item], bad_item: Item
    ) -> None:
        """Reports can show any item."""
        if not isinstance(modality, SupportsPreview):
            pytest.skip("no preview")
        for item in (*items, bad_item):
            shown = modality.preview(item)
            assert len(shown) < 20_000
            assert "<script" not in shown

    def test_an_input_can_be_hidden_piece_by_piece(
        self, modality: Modality, items: list[Item], bad_item: Item, spec: PreprocessingSpec
    ) -> None:
        """With nothing hidden it is what decoding gives; each piece, and each group, then changes it."""
        decoder = modality.decoder(spec)
        if not isinstance(decoder, SupportsOcclusion):
            pytest.skip("no explanations")
        with pytest.raises(DecodeError):
            decoder.occlusion(bad_item)
        for item in items:
            divided, example = decoder.occlusion(item), decoder.decode(item)
            pieces = len(divided.pieces)
            assert pieces > 0
            assert divided.groups.shape == (len(divided.groups), pieces)
            assert len(set(divided.pieces)) == pieces
            assert _same(divided.hide(np.zeros(pieces, bool)), example)
            for mask in (*np.eye(pieces, dtype=bool), *divided.groups, np.ones(pieces, bool)):
                assert mask.any()
                assert not _same(divided.hide(mask), example)
            for piece in divided.pieces:
                if isinstance(piece, Rectangle):
                    assert not isinstance(divided.shown, tuple)
                    assert divided.shown[piece.top : piece.bottom, piece.left : piece.right].size
                else:
                    assert divided.shown[piece.text][piece.start : piece.stop].strip()

    def test_decoding_never_imports_torch_or_onnx(
        self, modality: Modality, items: list[Item], spec: PreprocessingSpec
    ) -> None:
        """Serving has neither."""
        code = (
            "import pickle, sys; sys.path[:0] = sys.argv[1:]; decoder, items = pickle.load(sys.stdin.buffer);"
            "decoder = decoder[0].decoder(decoder[1]);"
            "decoder.collate([decoder.decode(item) for item in items[:1]]);"
            "sys.exit(any(name in sys.modules for name in ('torch', 'onnx', 'onnxruntime', 'pandas')))"
        )
        sent = pickle.dumps(((modality, spec), items))
        assert (
            subprocess.run([sys.executable, "-c", code, *sys.path], input=sent, check=False).returncode == 0
        )


def _same(a: Example, b: Example) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def _distance(a: Any, b: Any) -> int:
    return int(np.bitwise_count(a ^ b).sum())


def _prepared(modality: Modality, items: list[Item], spec: PreprocessingSpec) -> dict[str, Any]:
    """Network inputs of items, one graph run each."""
    decoder = modality.decoder(spec)
    examples = [decoder.decode(item) for item in items]
    graph = modality.graph(spec)
    if graph is None:
        return decoder.collate(examples)
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    rows = [session.run(names, decoder.collate([example])) for example in examples]
    return {name: np.concatenate([row[place] for row in rows]) for place, name in enumerate(names)}

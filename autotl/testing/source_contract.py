"""What every backbone and every source must do, as pytest classes to subclass.

A plug-in author subclasses `SourceContract` in a test module and defines the fixtures that it names:

    class TestMySource(SourceContract):
        @pytest.fixture(scope="class")
        @classmethod
        def source(cls):
            return SOURCE

        @pytest.fixture(scope="class")
        @classmethod
        def info(cls):  # weights that can be loaded here
            return BackboneInfo(...)

        @pytest.fixture(scope="class")
        @classmethod
        def absent(cls):  # weights that cannot
            return BackboneInfo(...)
"""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from autotl.backbones.backbone import Backbone, BackboneInfo, Batch, Source
from autotl.errors import BackboneUnavailableError

_TOLERANCE = 1e-4


def random_batch(backbone: Backbone, rows: int = 2) -> Batch:
    """A network input of random pixels or tokens; the last text is half padding."""
    generator = torch.Generator().manual_seed(7)
    if backbone.info.modality == "text":
        ids = torch.randint(5, 30, (rows, 10), generator=generator)
        mask = torch.ones_like(ids)
        mask[-1, 5:] = 0
        return {"input_ids": ids, "attention_mask": mask}
    size = int(backbone.info.input["size"])
    pixels = torch.randint(0, 256, (rows, size, size, 3), generator=generator)
    return {"pixels": pixels.to(torch.uint8)}


def embedding(backbone: Backbone, batch: Batch) -> torch.Tensor:
    """The network's own embedding (B, F)."""
    with torch.inference_mode():
        return backbone.pool(backbone.run(batch), backbone.depth)


def _assert_equal(found: Batch, wanted: Batch) -> None:
    torch.testing.assert_close(found["hidden"], wanted["hidden"], rtol=_TOLERANCE, atol=_TOLERANCE)


class BackboneContract:
    """Needs the fixture `backbone`."""

    def test_blocks_partition_the_parameters(self, backbone: Backbone) -> None:
        """Each weight lies in one block, and all of them in the module."""
        held = Counter(id(weight) for block in backbone.blocks() for weight in block.parameters())
        assert set(held) == {id(weight) for weight in backbone.module.parameters()}
        assert set(held.values()) <= {1}

    def test_depth_is_the_number_of_blocks(self, backbone: Backbone) -> None:
        """`depth` counts `blocks()`."""
        assert backbone.depth == len(backbone.blocks()) >= 1

    def test_running_in_two_parts_equals_running_at_once(self, backbone: Backbone) -> None:
        """A cut at any depth changes nothing."""
        batch = random_batch(backbone)
        with torch.inference_mode():
            whole = backbone.run(batch)
            hidden = batch
            for depth in range(1, backbone.depth + 1):
                hidden = backbone.run(hidden, depth - 1, depth)
                assert hidden["hidden"].shape[0] == 2
                if depth in (1, backbone.depth // 2):
                    rest = backbone.run(hidden, depth, None)
                    torch.testing.assert_close(
                        rest["hidden"], whole["hidden"], rtol=_TOLERANCE, atol=_TOLERANCE
                    )
        _assert_equal(hidden, whole)

    def test_pooled_features_have_the_stated_size_at_every_depth(self, backbone: Backbone) -> None:
        """`pool` gives (B, feature_dim(depth)) float32."""
        hidden = random_batch(backbone)
        with torch.inference_mode():
            for depth in range(1, backbone.depth + 1):
                hidden = backbone.run(hidden, depth - 1, depth)
                pooled = backbone.pool(hidden, depth)
                assert pooled.shape == (2, backbone.feature_dim(depth))
                assert pooled.dtype == torch.float32
        assert backbone.feature_dim() == backbone.feature_dim(backbone.depth)

    def test_it_is_deterministic_and_in_eval_mode(self, backbone: Backbone) -> None:
        """The same input gives the same embedding."""
        assert not any(module.training for module in backbone.module.modules())
        batch = random_batch(backbone)
        torch.testing.assert_close(embedding(backbone, batch), embedding(backbone, batch), rtol=0, atol=0)

    def test_a_row_does_not_depend_on_the_others_of_its_batch(self, backbone: Backbone) -> None:
        """A batch of one gives what a batch of two gives."""
        batch = random_batch(backbone)
        alone = {name: values[:1] for name, values in batch.items()}
        both = embedding(backbone, batch)
        torch.testing.assert_close(embedding(backbone, alone), both[:1], rtol=1e-3, atol=1e-3)

    def test_padding_does_not_change_a_text(self, backbone: Backbone) -> None:
        """A text gives the same embedding with and without padding."""
        if backbone.info.modality != "text":
            pytest.skip("images are not padded")
        batch = random_batch(backbone)
        bare = {name: values[-1:, :5] for name, values in batch.items()}
        padded = embedding(backbone, batch)[-1:]
        torch.testing.assert_close(embedding(backbone, bare), padded, rtol=1e-3, atol=1e-3)

    def test_a_text_backbone_brings_its_tokenizer(self, backbone: Backbone) -> None:
        """`assets` names files that exist."""
        assets = backbone.assets()
        assert all(path.is_file() for path in assets.values())
        assert ("tokenizer.json" in assets) == (backbone.info.modality == "text")

    def test_gradients_reach_every_block(self, backbone: Backbone) -> None:
        """A loss on the embedding has a gradient in each block that has weights."""
        backbone.module.zero_grad()
        backbone.pool(backbone.run(random_batch(backbone)), backbone.depth).square().sum().backward()  # type: ignore[no-untyped-call]
        for block in backbone.blocks():
            weights = list(block.parameters())
            assert not weights or any(weight.grad is not None for weight in weights)
        backbone.module.zero_grad()


class SourceContract(BackboneContract):
    """Needs the fixtures `source`, `info` (can be loaded) and `absent` (cannot), of class scope."""

    @pytest.fixture(scope="class")
    @classmethod
    def backbone(cls, source: Source, info: BackboneInfo) -> Backbone:
        """The backbone that the source loads."""
        return source.load(info, offline=False)

    def test_a_source_says_that_weights_are_available(self, source: Source, info: BackboneInfo) -> None:
        """With a reason in words."""
        found = source.availability(info, offline=False)
        assert found.available
        assert found.reason

    def test_a_source_says_why_weights_are_not_available(self, source: Source, absent: BackboneInfo) -> None:
        """It does not raise."""
        found = source.availability(absent, offline=True)
        assert not found.available
        assert found.reason

    def test_absent_weights_are_refused(self, source: Source, absent: BackboneInfo) -> None:
        """With the error of the tree, never a network of random weights."""
        with pytest.raises(BackboneUnavailableError):
            source.load(absent, offline=True)

    def test_loading_twice_gives_the_same_weights(
        self, source: Source, info: BackboneInfo, backbone: Backbone
    ) -> None:
        """Nothing is left to chance."""
        again = source.load(info, offline=False).module.state_dict()
        for name, values in backbone.module.state_dict().items():
            torch.testing.assert_close(values, again[name], rtol=0, atol=0)

    def test_from_scratch_gives_other_weights_of_the_same_shapes(
        self, source: Source, info: BackboneInfo, backbone: Backbone
    ) -> None:
        """`pretrained=False` is the control of a search."""
        scratch = dict(source.load(info, offline=False, pretrained=False).module.named_parameters())
        trained = dict(backbone.module.named_parameters())
        assert {name: v.shape for name, v in scratch.items()} == {
            name: v.shape for name, v in trained.items()
        }
        assert any(not torch.equal(scratch[name], trained[name]) for name in trained)

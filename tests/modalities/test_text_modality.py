"""The text modality: contract, tokenization, lengths, keys, description, augmentation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from autotl.errors import BackboneError, BundleError, DataError, DecodeError, SpaceError
from autotl.modalities.registry import modality as modality_named
from autotl.modalities.text import MODALITY
from autotl.modalities.text.language import languages
from autotl.testing.data import make_texts, write_text_table
from autotl.testing.modality_contract import ModalityContract

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "a",
    "dog",
    "ran",
    "query",
    ":",
    "far",
    "away",
]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A word-level tokenizer with BERT's template; padding and truncation are set, and must be ignored."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    machine = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    machine.pre_tokenizer = pre_tokenizers.Whitespace()
    machine.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    machine.enable_padding(pad_id=0, pad_token="[PAD]", length=32)
    machine.enable_truncation(5)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    machine.save(str(path))
    return path


def decoder(tokenizer: Path, **needs: Any) -> Any:
    return MODALITY.decoder(MODALITY.preprocessing({"tokenizer": str(tokenizer), **needs}, {}, {}))


class TestTextModality(ModalityContract):
    @pytest.fixture
    def modality(self) -> Any:
        return MODALITY

    @pytest.fixture
    def items(self) -> list[Any]:
        return [
            "the cat sat on the mat",
            "a dog ran far away",
            ("the cat ran", "the dog sat"),
            "<script>cat</script> on",
        ]

    @pytest.fixture
    def alike(self, items: list[Any]) -> tuple[Any, Any]:
        return items[0], "The cat sat on the mat!"

    @pytest.fixture
    def empty_item(self) -> Any:
        return " \n\t "

    @pytest.fixture
    def bad_item(self) -> Any:
        return float("nan")

    @pytest.fixture
    def requirements(self, tokenizer: Path) -> dict[str, Any]:
        return {"tokenizer": str(tokenizer), "max_length": 64}


def test_it_is_found_by_the_registry() -> None:
    assert modality_named("text") is MODALITY


def test_a_text_becomes_ids_between_markers(tokenizer: Path) -> None:
    example = decoder(tokenizer).decode("the cat flew")
    assert example.keys() == {"input_ids"}
    assert example["input_ids"].tolist() == [2, 4, 5, 1, 3]
    assert example["input_ids"].dtype == np.int64


def test_a_pair_uses_the_tokenizers_own_template(tokenizer: Path) -> None:
    example = decoder(tokenizer).decode(("the cat", "a dog"))
    assert example["input_ids"].tolist() == [2, 4, 5, 3, 9, 10, 3]


def test_more_than_two_texts_are_a_first_and_a_rest(tokenizer: Path) -> None:
    tokens = decoder(tokenizer)
    assert tokens.decode(("the", "cat", "sat"))["input_ids"].tolist() == [2, 4, 3, 5, 6, 3]
    assert np.array_equal(tokens.decode(("the",))["input_ids"], tokens.decode("the")["input_ids"])


def test_the_prefix_comes_first(tokenizer: Path) -> None:
    example = decoder(tokenizer, prefix="query: ").decode("the cat")
    assert example["input_ids"].tolist() == [2, 12, 13, 4, 5, 3]


def test_long_texts_are_cut_and_keep_their_markers(tokenizer: Path) -> None:
    short = decoder(tokenizer, max_length=8)
    ids = short.decode("cat " * 50)["input_ids"]
    assert ids.tolist() == [2, 5, 5, 5, 5, 5, 5, 3]
    pair = short.decode(("cat " * 50, "dog"))["input_ids"].tolist()
    assert len(pair) == 8
    assert pair.count(10) == 1


def test_a_batch_is_padded_to_its_longest_text(tokenizer: Path) -> None:
    tokens = decoder(tokenizer)
    examples = [tokens.decode(text) for text in ("the", "the cat sat")]
    feeds = tokens.collate(examples)
    assert feeds["input_ids"].tolist() == [[2, 4, 3, 0, 0], [2, 4, 5, 6, 3]]
    assert feeds["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert {value.dtype for value in feeds.values()} == {np.dtype(np.int64)}
    assert [tokens.length(example) for example in examples] == [(3,), (5,)]
    with pytest.raises(DataError, match="found no text"):
        tokens.collate([])


def test_the_pad_id_is_found_where_the_file_sets_no_padding(tokenizer: Path, tmp_path: Path) -> None:
    settings_of_file = json.loads(tokenizer.read_text())
    settings_of_file["padding"] = None
    vocabulary = settings_of_file["model"]["vocab"]
    vocabulary["<pad>"] = vocabulary.pop("[PAD]")
    vocabulary["far"], vocabulary["<pad>"] = 0, vocabulary["far"]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(settings_of_file))
    tokens = decoder(path)
    feeds = tokens.collate([tokens.decode("the"), tokens.decode("the cat")])
    assert feeds["input_ids"][0].tolist() == [2, 4, 3, vocabulary["<pad>"]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.text(), st.tuples(st.text(), st.text())), min_size=1, max_size=6))
def test_many_at_once_agree_with_one_by_one(tokenizer: Path, items: list[Any]) -> None:
    tokens = decoder(tokenizer)
    for item, example in zip(items, tokens.decode_many(items), strict=True):
        alone = tokens.decode(item)
        assert alone.keys() == example.keys()
        assert all(np.array_equal(alone[name], example[name]) for name in alone)


def test_empty_texts_and_lone_surrogates_are_decoded(tokenizer: Path) -> None:
    tokens = decoder(tokenizer)
    assert tokens.decode("")["input_ids"].tolist() == [2, 3]
    assert tokens.decode("the \ud800")["input_ids"].tolist() == [2, 4, 1, 3]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (None, r"^a missing text cannot be used; found None; expected a string\. Fill it"),
        (float("nan"), r"^a missing text cannot be used; found nan"),
        (("a", None), r"^a missing text cannot be used; found None in \('a', None\)"),
        (3, r"^an input is not a text; found 3; expected a string\. Convert it with str\(\) first\.$"),
        (b"bytes", "an input is not a text; found b'bytes'"),
        ((), r"^cannot use an input without any text; found \(\)"),
    ],
)
def test_what_is_no_text_is_named(tokenizer: Path, item: Any, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        decoder(tokenizer).decode(item)


def test_the_length_follows_the_data_and_the_network(tokenizer: Path) -> None:
    def length(description: dict[str, Any], **needs: Any) -> int:
        needs = {"tokenizer": str(tokenizer), **needs}
        return MODALITY.preprocessing(needs, description, {}).options["max_length"]

    assert length({}) == 128
    assert length({"words": {"p99": 20.0}}) == 40
    assert length({"words": {"p99": 900.0}}, max_length=512) == 512
    assert length({"words": {"p99": 0.0}}) == 8


def test_a_backbone_without_a_tokenizer_is_refused() -> None:
    with pytest.raises(
        BackboneError, match=r"a text backbone without a tokenizer; expected .* autotl backbones"
    ):
        MODALITY.preprocessing({"max_length": 128}, {}, {})


@pytest.mark.parametrize("content", [None, "not json", "{}", '{"model": {"type": "Nonsense"}}'])
def test_a_broken_tokenizer_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BundleError, match=r"cannot read the tokenizer; found .*tokenizer\.json \("):
        decoder(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: settings["post_processor"]["special_tokens"].pop(
            "[CLS]"
        ),  # is a panic of the library
        lambda settings: settings["model"].update(unk_token="[NONE]"),
    ],
)
def test_a_tokenizer_that_cannot_be_used_is_named(tokenizer: Path, tmp_path: Path, change: Any) -> None:
    settings = json.loads(tokenizer.read_text())
    change(settings)
    (tmp_path / "tokenizer.json").write_text(json.dumps(settings))
    broken = r"cannot read the tokenizer; found .*tokenizer\.json \("
    with pytest.raises(BundleError, match=broken):
        decoder(tmp_path / "tokenizer.json").decode("an unheard-of word")
    with pytest.raises(BundleError, match=broken):
        decoder(tmp_path / "tokenizer.json").decode_many(["an unheard-of word"])


def test_fingerprints_keep_case_and_ignore_white_space() -> None:
    assert MODALITY.fingerprint("a  cat\n") == MODALITY.fingerprint("a cat")
    assert MODALITY.fingerprint("caf\u00e9") == MODALITY.fingerprint("cafe\u0301")
    assert MODALITY.fingerprint("A cat") != MODALITY.fingerprint("a cat")
    assert MODALITY.fingerprint(("a", "cat")) != MODALITY.fingerprint(("a cat",))


def test_near_keys_follow_the_overlap_of_texts() -> None:
    text = "transfer learning reuses a network that was trained on another task with much more data"
    close = "Transfer learning reuses a network that was trained on another task, with much more data."
    edited = text.replace("much more", "far more")
    other = "the weather in the mountains changed quickly and the climbers had to go back to the hut"

    def gap(a: str, b: str) -> int:
        return int(np.bitwise_count(MODALITY.near_key(a) ^ MODALITY.near_key(b)).sum())

    assert gap(text, close) == 0
    assert 0 < gap(text, edited) <= MODALITY.near_bits()
    assert gap(text, other) > 90
    assert gap("yes", "no") > MODALITY.near_bits()


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_any_text_has_a_key_a_fingerprint_and_a_preview(text: str) -> None:
    assert MODALITY.near_key(text).shape == (4,)
    assert len(MODALITY.fingerprint(text)) == 64
    assert "<" not in MODALITY.preview(text)


def test_a_long_text_has_a_key_in_bounded_memory() -> None:
    words = " ".join(str(number) for number in range(60_000))
    gap = np.bitwise_count(MODALITY.near_key(words) ^ MODALITY.near_key(words[:-100])).sum()
    assert gap <= 3


def test_a_description_counts_words_and_characters() -> None:
    facts = MODALITY.describe(["one two three", "", ("a b", "c"), None])
    assert (facts["sampled"], facts["unreadable"], facts["parts"]) == (4, 1, 2)
    assert facts["words"]["median"] == 3
    assert facts["words"]["max"] == 3
    assert facts["characters"]["max"] == 13
    assert facts["vocabulary"] == 6
    assert facts["empty_share"] == pytest.approx(1 / 3)


def test_a_character_of_chinese_counts_as_a_word() -> None:
    assert MODALITY.describe(["\u4eca\u5929\u5929\u6c14\u5f88\u597d"])["words"]["max"] == 6


def test_languages_are_told_with_their_shares() -> None:
    english = ["the train to the city leaves at nine in the morning"] * 3
    german = ["der Zug in die Stadt verkehrt am Morgen um neun Uhr"] * 1
    shares = languages(english + german)
    assert list(shares) == ["en", "de"]
    assert shares["en"] == pytest.approx(0.75, abs=0.05)
    assert languages(["12345", "", "!!"]) == {}


@pytest.mark.parametrize(
    ("values", "score"),
    [
        (["a cat sat", "two words"], 1.0),
        (["red", "blue"], 0.5),
        (["a cat sat", None, float("nan")], 1.0),
        (["photos/a.jpg", "b.png", "https://example.org/a b", "3.5", ""], 0.2),
        (["Mr. Smith went to Washington.", "It costs 3.50"], 1.0),
        ([("a cat", "a dog")], 1.0),
        ([3, b"a cat"], 0.0),
    ],
)
def test_sniffing_knows_texts_from_names_and_paths(values: list[Any], score: float) -> None:
    assert MODALITY.sniff(values) == pytest.approx(score)


def test_token_dropout_hides_inner_tokens_only() -> None:
    mask = torch.ones(400, 20, dtype=torch.int64)
    mask[::2, 12:] = 0
    batch = {"input_ids": torch.arange(8000).view(400, 20), "attention_mask": mask}
    shares = []
    for strength in ("light", "strong"):
        changed = MODALITY.augment(batch, strength, torch.Generator().manual_seed(0))
        hidden = mask - changed["attention_mask"]
        assert torch.equal(changed["input_ids"], batch["input_ids"])
        assert hidden.min() == 0
        assert changed["attention_mask"][:, 0].all()
        assert changed["attention_mask"][::2, 11].all()
        assert changed["attention_mask"][1::2, 19].all()
        shares.append(float(hidden.sum() / mask.sum()))
    assert shares[0] == pytest.approx(0.1, abs=0.03)
    assert shares[1] == pytest.approx(0.2, abs=0.05)
    with pytest.raises(SpaceError, match="found 'wild'; expected none, light, strong"):
        MODALITY.augment(batch, "wild", torch.Generator())


def test_a_preview_is_escaped_and_short() -> None:
    assert MODALITY.preview(("a <b>", "c & d")) == "a &lt;b&gt; | c &amp; d"
    assert len(MODALITY.preview("word " * 1000)) <= 160
    assert MODALITY.preview(None).startswith("<em>a missing text")


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("multiclass", "text,label"),
        ("multilabel", "text,labels"),
        ("regression", "text,score"),
        ("pair", "text_a,text_b,label"),
    ],
)
def test_synthetic_tables_have_their_columns(tmp_path: Path, kind: str, columns: str) -> None:
    path = write_text_table(tmp_path / "t.csv", kind=kind, rows=30)
    lines = path.read_text().splitlines()
    assert lines[0] == columns
    assert len(lines) == 31
    targets = {line.rsplit(",", 1)[1] for line in lines[1:]}
    assert len(targets) > 1


def test_synthetic_texts_are_seeded_and_balanced() -> None:
    texts, names = make_texts(9, classes=3, seed=4)
    assert (texts, names) == make_texts(9, classes=3, seed=4)
    assert texts != make_texts(9, classes=3, seed=5)[0]
    assert {names.count(name) for name in names} == {3}
    with pytest.raises(ValueError, match="classes <= 6 must hold, but got classes=7"):
        make_texts(9, classes=7)

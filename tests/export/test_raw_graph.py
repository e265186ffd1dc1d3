"""A second graph takes files and texts themselves, and answers as the first does, or is refused."""

from __future__ import annotations

import io
import json
import re
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as state
from PIL import Image

from autotl.errors import BundleError, DecodeError, ExportError, MissingExtraError, ParityError
from autotl.export import compress as compressing
from autotl.export.bundle import export_bundle
from autotl.export.compress import Rows, compress
from autotl.export.raw import add_raw_graph
from autotl.modalities.image.modality import ImageModality
from autotl.modalities.registry import modality
from autotl.serve.bundle import read_bundle
from autotl.serve.evidence import Answers
from autotl.serve.predictor import Predictor
from autotl.serve.raw import RAW, RawGraph
from autotl.serve.session import open_session
from autotl.task import TaskKind


def exported(case, folder):
    model, dataset = case
    export_bundle(model, dataset, np.arange(32), folder)
    return folder, dataset


def in_word_pieces(case):
    """The same model with BERT's tokenizer over the same words."""
    model, _ = case
    path = model.spec.assets["tokenizer.json"]
    settings = json.loads(path.read_text())
    vocabulary = settings["model"]["vocab"]
    settings["model"] = {
        "type": "WordPiece",
        "vocab": vocabulary,
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
    }
    settings["normalizer"] = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    }
    path.write_text(json.dumps(settings))
    return case


def test_files_of_images_are_taken_as_they_are(image_case, tmp_path):
    folder, dataset = exported(image_case(), tmp_path / "model")
    told = add_raw_graph(folder, dataset)
    assert told.startswith("raw.onnx takes 'encoded' and decides 0 of 32 rows otherwise")
    bundle = read_bundle(folder)
    certificate = bundle.manifest["parity"][RAW]
    assert (certificate["rows"], certificate["label_flips"], certificate["tolerance"]) == (32, 0, None)
    assert certificate["largest_difference"] < 1e-5  # a PNG has one meaning
    graph = RawGraph(bundle, threads=1)
    found = graph.run(graph.decode(dataset.items[:5]))
    wanted = Predictor(folder).outputs(dataset.items[:5])
    for own, other in zip(found, wanted, strict=True):
        assert np.abs(own - other).max() < 1e-5 < np.ptp(other, axis=0).max() / 10  # images differ by more


def test_texts_are_taken_as_they_are_and_cut_at_the_same_token(text_case, tmp_path):
    model, dataset = in_word_pieces(text_case(rows=60))
    model.spec.options["max_length"] = 16  # shorter than many of them
    folder, dataset = exported((model, dataset), tmp_path / "model")
    assert "decides 0 of 32 rows otherwise" in add_raw_graph(folder, dataset)
    graph = RawGraph(read_bundle(folder), threads=1)
    texts = ["Card  IS\tlate", "", "words nobody knows", " ".join(["card"] * 40)]
    found, wanted = graph.run(graph.decode(texts))[0], Predictor(folder).predict_proba(texts)
    assert np.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(("kind", "name"), [("image_case", "photo.png"), ("text_case", "text.txt")])
def test_the_card_shows_how_it_is_run_without_autotl(request, tmp_path, capsys, kind, name):
    case = request.getfixturevalue(kind)()
    folder, dataset = exported(in_word_pieces(case) if kind == "text_case" else case, tmp_path / "model")
    assert RAW not in (folder / "README.md").read_text()
    add_raw_graph(folder, dataset)
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
    (code,) = [block for block in blocks if RAW in block]
    code = code.replace("path/to/this/folder", str(folder)).replace("photo.jpg", str(dataset.items[0]))
    exec(compile(code, name, "exec"), {})
    assert "array(" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mode", "form", "most"),
    [
        *(("RGB", "PNG", 0), ("L", "PNG", 0), ("RGBA", "PNG", 0), ("P", "PNG", 0)),
        *(("RGB", "JPEG", 40), ("L", "JPEG", 0)),
    ],
)
def test_images_of_each_kind_are_decoded_nearly_as_pillow_does(mode, form, most):
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (6, 9, 3), np.uint8)).resize(
        (90, 60), Image.Resampling.BICUBIC
    )
    buffer = io.BytesIO()
    smooth.convert(mode).save(buffer, form)
    kind = modality("image")
    session = open_session(kind.raw_graph(None), threads=1, extensions=True)
    (found,) = session.run(None, {"encoded": kind.raw_value(buffer.getvalue())})
    with Image.open(buffer) as image:
        wanted = np.asarray(image.convert("RGB"))
    assert found.shape == (1, *wanted.shape)
    assert np.abs(found[0].astype(int) - wanted).max() <= most


def jpeg(mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, (30, 20), 90 if mode == "L" else None).save(buffer, "JPEG")
    return buffer.getvalue()


def png(pixels, interlaced=False):
    """A PNG; one pixel has the same data interlaced and not."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    if interlaced:
        content[28] = 1
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    return bytes(content)


BROKEN = {
    "nothing": b"",
    "a byte": b"\xff",
    "words": b"no image at all, but a text of some length",
    "WebP": b"RIFF\x24\0\0\0WEBPVP8 " + bytes(30),
    "nearly PNG": b"\x89PN" + b"x" * 40,
    "PNG as text": png(np.zeros((4, 4, 3), np.uint8)).replace(b"\r\n", b"\n"),
    "interlaced PNG": png(np.zeros((1, 1, 3), np.uint8), interlaced=True),
    "half a JPEG": jpeg()[:300],
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_decoded_whole_is_an_error_and_ends_nothing(content):
    session = open_session(modality("image").raw_graph(None), threads=1, extensions=True)
    with pytest.raises(state.Fail, match="neither_JPEG_nor_PNG"):
        session.run(None, {"encoded": np.frombuffer(content, np.uint8)})


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_that_is_not_in_colour_is_an_error_and_no_other_picture(mode):
    session = open_session(modality("image").raw_graph(None), threads=1, extensions=True)
    with pytest.raises(state.Fail, match="no_grey_nor_CMYK_JPEG"):
        session.run(None, {"encoded": np.frombuffer(jpeg(mode), np.uint8)})


def test_images_of_other_formats_are_sent_as_png(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.webp", lossless=True)
    kind = modality("image")
    (tmp_path / "photo.gif").write_bytes(png(pixels))  # an ending says nothing
    turned = png(pixels[:1, :1], interlaced=True)
    assert kind.raw_value(turned).tobytes() != turned
    assert kind.raw_value(jpeg("L")).tobytes() != jpeg("L")
    assert kind.raw_value(jpeg()).tobytes() == jpeg()
    for item in (tmp_path / "photo.webp", tmp_path / "photo.gif", pixels, Image.fromarray(pixels)):
        with Image.open(io.BytesIO(kind.raw_value(item).tobytes())) as image:
            assert image.format == "PNG"
            assert np.array_equal(np.asarray(image), pixels)


def test_a_tokenizer_without_an_operator_is_refused_and_the_bundle_stays_as_it_was(text_case, tmp_path):
    folder, dataset = exported(text_case(), tmp_path / "model")
    before = (folder / "bundle.json").read_text()
    with pytest.raises(
        ExportError, match=r"no operator for this tokenizer; found WordLevel, Lowercase, Bert"
    ):
        add_raw_graph(folder, dataset)
    assert (folder / "bundle.json").read_text() == before


def test_several_texts_are_refused(text_case, tmp_path):
    folder, dataset = exported(in_word_pieces(text_case(pairs=True)), tmp_path / "model")
    with pytest.raises(ExportError, match="have to take several inputs; found first, second"):
        add_raw_graph(folder, dataset)
    assert RAW not in read_bundle(folder).manifest["files"]


def test_other_data_have_nothing_to_compare_on(image_case, tmp_path):
    folder, dataset = exported(image_case(), tmp_path / "model")
    with pytest.raises(ExportError, match=r"nothing to compare raw\.onnx on"):
        add_raw_graph(folder, dataset.take(np.arange(33, 40)))


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", [TaskKind.MULTICLASS, TaskKind.REGRESSION])
def test_a_graph_that_decides_otherwise_is_refused(image_case, tmp_path, monkeypatch, kind):
    folder, dataset = exported(image_case(kind), tmp_path / "model")
    before = files_of(folder)
    known = Answers.read(read_bundle(folder))
    others = replace(known, outputs=known.outputs[..., ::-1] + (3 if kind is TaskKind.REGRESSION else 0))
    monkeypatch.setattr(Answers, "read", lambda folder: others)
    found = "a value is" if kind is TaskKind.REGRESSION else "rows are decided otherwise; expected at most 2"
    with pytest.raises(ParityError, match=found):
        add_raw_graph(folder, dataset)
    assert files_of(folder) == before


def test_rows_that_the_graph_cannot_decode_are_told_as_such(image_case, tmp_path, monkeypatch):
    folder, dataset = exported(image_case(), tmp_path / "model")
    monkeypatch.setattr(ImageModality, "raw_value", lambda self, item: np.frombuffer(b"no image", np.uint8))
    with pytest.raises(DecodeError, match=r"raw\.onnx cannot decode an input; found .*neither_JPEG_nor_PNG"):
        add_raw_graph(folder, dataset)


def with_tokenizer(case, change):
    """The same model with its tokenizer changed."""
    model, _ = in_word_pieces(case)
    path = model.spec.assets["tokenizer.json"]
    settings = json.loads(path.read_text())
    change(settings)
    path.write_text(json.dumps(settings))
    return case


def test_the_tokens_around_a_text_are_those_of_its_tokenizer(text_case, tmp_path):
    def rename(settings):
        text = json.dumps(settings).replace("[CLS]", "<s>").replace("[SEP]", "</s>")
        settings.clear()
        settings.update(json.loads(text))

    folder, dataset = exported(with_tokenizer(text_case(rows=60), rename), tmp_path / "model")
    assert "decides 0 of 32 rows otherwise" in add_raw_graph(folder, dataset)
    assert read_bundle(folder).manifest["parity"][RAW]["largest_difference"] < 1e-5


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda s: s["model"]["vocab"].update(late=1000), "ids with gaps"),
        (lambda s: s["normalizer"].update(clean_text=False), "text that is not cleaned"),
        (
            lambda s: s.update(post_processor={"type": "RobertaProcessing"}),
            "the template of a RobertaProcessing",
        ),
    ],
)
def test_a_tokenizer_that_only_looks_like_berts_is_refused(text_case, change, found):
    model, _ = with_tokenizer(text_case(rows=2), change)
    with pytest.raises(ExportError, match=found):
        modality("text").raw_graph(model.spec)


def test_without_the_package_its_name_is_told(image_case, tmp_path, monkeypatch):
    folder, dataset = exported(image_case(), tmp_path / "model")
    monkeypatch.setitem(sys.modules, "onnxruntime_extensions", None)
    before = files_of(folder)
    with pytest.raises(MissingExtraError, match="pip install onnxruntime-extensions"):
        add_raw_graph(folder, dataset)
    assert files_of(folder) == before


def test_a_bundle_without_one_says_how_to_get_it(image_case, tmp_path):
    folder, _ = exported(image_case(), tmp_path / "model")
    with pytest.raises(BundleError, match="autotl export RUN --raw"):
        RawGraph(read_bundle(folder))


def test_another_network_in_the_bundle_leaves_no_old_one_beside_it(image_case, tmp_path, monkeypatch):
    folder, dataset = exported(image_case(), tmp_path / "model")
    add_raw_graph(folder, dataset)
    monkeypatch.setattr(compressing, "decide", lambda *_, **__: (True, "as the test wants it"))
    compress(folder, Rows(dataset.items[:16], dataset.items, dataset.targets))
    manifest = read_bundle(folder).manifest
    assert RAW not in manifest["files"]
    assert "raw" not in manifest
    assert RAW not in (folder / "README.md").read_text()

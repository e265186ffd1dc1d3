"""The Open Inference Protocol: health, metadata, and inference with JSON and binary tensors."""

from __future__ import annotations

import base64
import json
import struct

import numpy as np
import pytest
from PIL import Image

from autotl import __version__
from autotl.serve.predictor import Predictor
from autotl.task import TaskKind

INFER = "/v2/models/model/infer"


def tensor(data, **changes) -> dict:
    return {"name": "text", "datatype": "BYTES", "shape": [len(data)], "data": data, **changes}


def output(answer, name: str) -> np.ndarray:
    (found,) = (each for each in answer.json()["outputs"] if each["name"] == name)
    return np.array(found["data"]).reshape(found["shape"])


def binary(document: dict, *elements: bytes, raw: bytes | None = None) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request whose input follows the JSON."""
    tail = b"".join(struct.pack("<I", len(e)) + e for e in elements) if raw is None else raw
    document["inputs"][0].pop("data", None)
    document["inputs"][0]["parameters"] = {"binary_data_size": len(tail)}
    head = json.dumps(document).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return head + tail, headers


def test_the_server_tells_of_itself(serve, text_bundles):
    client = serve(text_bundles())
    assert client.get("/v2").json() == {
        "name": "autotl",
        "version": __version__,
        "extensions": ["binary_tensor_data"],
    }
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/model/ready").json() == {"name": "model", "ready": True}


def test_metadata_of_texts(serve, text_bundles):
    bundle = text_bundles()
    found = serve(bundle).get("/v2/models/model").json()
    sha256 = json.loads((bundle / "bundle.json").read_text())["files"]["model.onnx"]["sha256"]
    assert found == {
        "name": "model",
        "versions": [sha256[:12]],
        "platform": "autotl_onnx",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "features", "datatype": "FP32", "shape": [-1, 32]},
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
        ],
    }


def test_metadata_of_images_names_both_ways_in(serve, image_bundle):
    inputs = serve(image_bundle).get("/v2/models/model").json()["inputs"]
    assert [(i["name"], i["datatype"], i["shape"]) for i in inputs] == [
        ("image", "BYTES", [-1]),
        ("pixels", "UINT8", [-1, -1, -1, 3]),
    ]


def test_every_answer_has_the_shapes_that_metadata_tell(serve, text_bundles, texts):
    client = serve(text_bundles())
    wanted = [{"name": o["name"]} for o in client.get("/v2/models/model").json()["outputs"]]
    answer = client.post(INFER, json={"inputs": [tensor(texts[:5])], "outputs": wanted})
    told = {o["name"]: o for o in client.get("/v2/models/model").json()["outputs"]}
    for found in answer.json()["outputs"]:
        assert found["datatype"] == told[found["name"]]["datatype"]
        assert found["shape"] == [5, *told[found["name"]]["shape"][1:]]
        assert len(found["data"]) == np.prod(found["shape"])


def test_inference_on_texts(serve, text_bundles, texts):
    answer = serve(text_bundles()).post(INFER, json={"id": "17", "inputs": [tensor(texts)]})
    predictor = Predictor(text_bundles(), threads=1)
    assert answer.status_code == 200
    assert answer.json()["id"] == "17"
    assert answer.json()["model_name"] == "model"
    assert [o["name"] for o in answer.json()["outputs"]] == ["probabilities", "label"]
    np.testing.assert_allclose(output(answer, "probabilities"), predictor.predict_proba(texts), atol=1e-5)
    assert output(answer, "label").tolist() == predictor.predict(texts)


def test_features_on_request(serve, text_bundles, texts):
    body = {"inputs": [tensor(texts[:3])], "outputs": [{"name": "features"}]}
    answer = serve(text_bundles()).post(INFER, json=body)
    expected = Predictor(text_bundles(), threads=1).embed(texts[:3])
    np.testing.assert_allclose(output(answer, "features"), expected, atol=1e-5)


def test_a_version_can_be_named(serve, text_bundles):
    client = serve(text_bundles())
    (version,) = client.get("/v2/models/model").json()["versions"]
    path = f"/v2/models/model/versions/{version}"
    assert client.get(path).json()["name"] == "model"
    assert client.get(f"{path}/ready").json()["ready"] is True
    assert client.post(f"{path}/infer", json={"inputs": [tensor(["a"])]}).status_code == 200
    assert client.get("/v2/models/model/versions/2").status_code == 404


def test_multilabel_labels_are_json_lists(serve, text_bundles, texts):
    bundle = text_bundles(TaskKind.MULTILABEL)
    answer = serve(bundle).post(INFER, json={"inputs": [tensor(texts[:9])]})
    found = [json.loads(text) for text in output(answer, "label")]
    assert found == Predictor(bundle, threads=1).predict(texts[:9])


def test_a_regression_has_values_and_no_label(serve, text_bundles, texts):
    bundle = text_bundles(TaskKind.REGRESSION)
    answer = serve(bundle).post(INFER, json={"inputs": [tensor(texts[:9])]})
    assert [o["name"] for o in answer.json()["outputs"]] == ["values"]
    assert output(answer, "values").shape == (9,)
    expected = Predictor(bundle, threads=1).predict(texts[:9])
    np.testing.assert_allclose(output(answer, "values"), expected, atol=1e-5)


def test_rows_of_several_columns(serve, text_bundles):
    bundle = text_bundles(columns=("a", "b"))
    client = serve(bundle)
    rows = [["a good film", "so sad"], ["so sad", "a good film"]]
    expected = Predictor(bundle, threads=1).predict_proba([tuple(row) for row in rows])
    assert client.get("/v2/models/model").json()["inputs"][0]["shape"] == [-1, 2]
    for data in (rows, [text for row in rows for text in row]):
        answer = client.post(INFER, json={"inputs": [tensor(data, shape=[2, 2])]})
        np.testing.assert_allclose(output(answer, "probabilities"), expected, atol=1e-5)


def test_images_as_base64_as_bytes_and_as_pixels_are_one(serve, image_bundle, images):
    client, paths = serve(image_bundle), images[:6:3]  # of one size
    contents = [path.read_bytes() for path in paths]
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    expected = Predictor(image_bundle, threads=1).predict_proba(paths)
    strings = [base64.b64encode(content).decode() for content in contents]
    image = tensor(strings, name="image")
    array = {"name": "pixels", "datatype": "UINT8", "shape": list(pixels.shape)}
    body, headers = binary({"inputs": [dict(image)]}, *contents)
    raw, raw_headers = binary({"inputs": [dict(array)]}, raw=pixels.tobytes())
    answers = (
        client.post(INFER, json={"inputs": [image]}),
        client.post(INFER, json={"inputs": [{**image, "shape": [2, 1]}]}),
        client.post(INFER, json={"inputs": [{**array, "data": pixels.tolist()}]}),
        client.post(INFER, content=body, headers=headers),
        client.post(INFER, content=raw, headers=raw_headers),
    )
    for answer in answers:
        np.testing.assert_allclose(output(answer, "probabilities"), expected, atol=1e-5)


def test_binary_outputs(serve, text_bundles, texts):
    document = {"inputs": [tensor(texts[:4])], "parameters": {"binary_data_output": True}}
    body, headers = binary(document, *(text.encode() for text in texts[:4]))
    answer = serve(text_bundles()).post(INFER, content=body, headers=headers)
    predictor = Predictor(text_bundles(), threads=1)
    head = int(answer.headers["Inference-Header-Content-Length"])
    first, second = json.loads(answer.content[:head])["outputs"]
    cut = head + first["parameters"]["binary_data_size"]
    assert len(answer.content) == cut + second["parameters"]["binary_data_size"]
    found = np.frombuffer(answer.content[head:cut], "<f4").reshape(first["shape"])
    np.testing.assert_allclose(found, predictor.predict_proba(texts[:4]), atol=1e-5)
    names = [name.encode() for name in predictor.predict(texts[:4])]
    assert answer.content[cut:] == b"".join(struct.pack("<I", len(n)) + n for n in names)


BAD = {
    "no inputs": ({}, "the request lacks 'inputs'"),
    "two tensors": ({"inputs": [tensor(["a"]), tensor(["a"])]}, "wrong inputs"),
    "another name": ({"inputs": [tensor(["a"], name="image")]}, "unknown input"),
    "another datatype": ({"inputs": [tensor(["a"], datatype="FP32")]}, "wrong datatype of 'text'"),
    "another rank": ({"inputs": [tensor(["a"], shape=[1, 1, 1])]}, "wrong shape of 'text'"),
    "a negative edge": ({"inputs": [tensor(["a"], shape=[-1])]}, "wrong shape of 'text'"),
    "an edge that is true": ({"inputs": [tensor(["a"], shape=[True])]}, "wrong shape of 'text'"),
    "less data": ({"inputs": [tensor(["a"], shape=[2])]}, "the data do not fill the shape"),
    "no data": ({"inputs": [{**tensor(["a"]), "data": None}]}, "a tensor has no data"),
    "numbers": ({"inputs": [tensor([1])]}, "element 0 is no string"),
    "ragged": ({"inputs": [tensor(["a", ["b"]])]}, "the data of a tensor are ragged"),
    "nothing": ({"inputs": [tensor([])]}, "nothing to predict"),
    "an unknown output": (
        {"inputs": [tensor(["a"])], "outputs": [{"name": "logits"}]},
        "unknown or repeated output",
    ),
    "an id that is no string": ({"inputs": [tensor(["a"])], "id": 3}, "impossible id"),
    "a binary size without bytes": (
        {
            "inputs": [
                {k: v for k, v in tensor(["a"], parameters={"binary_data_size": 5}).items() if k != "data"}
            ]
        },
        "wrong binary_data_size",
    ),
    "data twice": (
        {"inputs": [tensor(["a"], parameters={"binary_data_size": 5})]},
        "a tensor has data twice",
    ),
}


@pytest.mark.parametrize(("body", "what"), BAD.values(), ids=list(BAD))
def test_a_bad_request_is_400_with_a_string_in_error(serve, text_bundles, body, what):
    answer = serve(text_bundles()).post(INFER, json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, what)


@pytest.mark.parametrize(
    "tail", [b"\x01\0\0", b"\x05\0\0\0ab", b"\x01\0\0\0a\x01\0\0\0b", b"\xff\xff\xff\xffa"]
)
def test_a_binary_tensor_that_is_cut_off_or_too_long(serve, text_bundles, tail):
    body, headers = binary({"inputs": [tensor(["a"])]}, raw=tail)
    assert serve(text_bundles()).post(INFER, content=body, headers=headers).status_code == 400


@pytest.mark.parametrize("length", ["-1", "1e3", "99999", "x", "9" * 40])
def test_an_impossible_header_length(serve, text_bundles, length):
    body, headers = binary({"inputs": [tensor(["a"])]}, b"a")
    headers["Inference-Header-Content-Length"] = length
    assert serve(text_bundles()).post(INFER, content=body, headers=headers).status_code == 400


def test_another_model_is_404(serve, text_bundles):
    client = serve(text_bundles())
    for answer in (
        client.get("/v2/models/other"),
        client.get("/v2/models/other/ready"),
        client.post("/v2/models/other/infer", json={"inputs": [tensor(["a"])]}),
    ):
        assert answer.status_code == 404
        assert answer.json() == {"error": "no such model", "found": "'other'", "expected": "'model'"}


def test_another_content_type_is_415(serve, text_bundles):
    answer = serve(text_bundles()).post(INFER, content=b"text\na", headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json()["error"]) == (415, "cannot read a body of this kind")

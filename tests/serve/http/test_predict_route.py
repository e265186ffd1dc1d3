"""POST /predict answers what a Predictor says, for every kind of input and of task."""

from __future__ import annotations

import base64
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from autotl.serve.predictor import Predictor
from autotl.task import TaskKind

PAIR = ("a", "b")


def probabilities(answer, classes) -> np.ndarray:
    return np.array(
        [[row["probabilities"][name] for name in classes] for row in answer.json()["predictions"]]
    )


def encoded(paths) -> list[str]:
    return [base64.b64encode(path.read_bytes()).decode() for path in paths]


def test_texts_in_json(serve, text_bundles, texts):
    answer = serve(text_bundles()).post("/predict?probabilities=true", json={"inputs": texts})
    predictor = Predictor(text_bundles(), threads=1)
    assert answer.status_code == 200
    assert [row["label"] for row in answer.json()["predictions"]] == predictor.predict(texts)
    found = probabilities(answer, predictor.classes)
    np.testing.assert_allclose(found, predictor.predict_proba(texts), atol=2e-6)
    assert np.ptp(found, axis=0).max() > 1e-3  # else order could not be seen


def test_images_in_json_and_in_forms(serve, image_bundle, images):
    client = serve(image_bundle)
    expected = Predictor(image_bundle, threads=1).predict_proba(images)
    as_json = client.post("/predict?probabilities=true", json={"inputs": encoded(images)})
    files = [("files", (path.name, path.read_bytes(), "image/png")) for path in images]
    as_form = client.post("/predict?probabilities=true", files=files)
    for answer in (as_json, as_form):
        np.testing.assert_allclose(probabilities(answer, ("red", "grün", "blue")), expected, atol=2e-6)


def test_labels_of_a_multilabel_task(serve, text_bundles, texts):
    bundle = text_bundles(TaskKind.MULTILABEL)
    rows = serve(bundle).post("/predict", json={"inputs": texts}).json()["predictions"]
    assert rows == [{"labels": labels} for labels in Predictor(bundle, threads=1).predict(texts)]


def test_values_of_a_regression(serve, text_bundles, texts):
    bundle = text_bundles(TaskKind.REGRESSION)
    rows = serve(bundle).post("/predict", json={"inputs": texts}).json()["predictions"]
    expected = Predictor(bundle, threads=1).predict(texts)
    assert [row["value"] for row in rows] == pytest.approx(expected, abs=1e-5)
    assert {tuple(row) for row in rows} == {("value",)}


def test_without_being_asked_only_the_best_class_is_given(serve, text_bundles):
    (row,) = serve(text_bundles()).post("/predict", json={"inputs": ["good"]}).json()["predictions"]
    assert set(row) == {"label", "confidence"}


def test_pairs_as_objects_csv_and_tables_in_forms_are_one(serve, text_bundles):
    bundle = text_bundles(columns=PAIR)
    client = serve(bundle)
    expected = Predictor(bundle, threads=1).predict_proba([("a good film", "so sad")])
    row = {"a": "a good film", "b": "so sad"}
    table = b"label,b,a\nx,so sad,a good film\n"
    url = "/predict?probabilities=true"
    answers = (
        client.post(url, json={"inputs": [row]}),
        client.post(url, content=table, headers={"Content-Type": "text/csv"}),
        client.post(url, files={"files": ("new.csv", table)}),
        client.post(url, files={"files": ("new", table, "text/csv; charset=utf-8")}),
        client.post(url, files={"files": ("new.jsonl", json.dumps(row).encode())}),
    )
    for answer in answers:
        np.testing.assert_allclose(probabilities(answer, ("red", "grün", "blue")), expected, atol=2e-6)


def test_texts_as_objects_csv_and_text_files_are_one(serve, text_bundles):
    client = serve(text_bundles())
    url = "/predict?probabilities=true"
    answers = [
        client.post(url, json={"inputs": ["a good film"]}),
        client.post(url, json={"inputs": [{"text": "a good film", "id": "7"}]}),
        client.post(url, content="text\na good film\n", headers={"Content-Type": "text/csv; charset=utf-8"}),
        client.post(url, files={"files": ("one.txt", b"a good film")}),
    ]
    rows = [answer.json()["predictions"] for answer in answers]
    assert rows == [rows[0]] * 4


@pytest.mark.parametrize("kind", ["text", "image"])
def test_many_clients_get_their_own_answers_from_shared_batches(serve, request, text_bundles, images, kind):
    bundle = text_bundles() if kind == "text" else request.getfixturevalue("image_bundle")
    items = request.getfixturevalue("texts") if kind == "text" else images * 5
    inputs = items if kind == "text" else encoded(items)
    client = serve(bundle, batch_items=16)
    predictor = client.service.predictor
    run = predictor.run_batch

    def slow(examples):
        time.sleep(0.01)  # so that others arrive
        return run(examples)

    client.service.batcher._run = slow
    url = "/predict?probabilities=true"
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda value: client.post(url, json={"inputs": [value]}), inputs))
    found = np.concatenate([probabilities(answer, predictor.classes) for answer in answers])
    np.testing.assert_allclose(found, predictor.predict_proba(items), atol=2e-6)
    metrics = dict(re.findall(r"^autotl_batch_items_(sum|count) (.*)$", client.get("/metrics").text, re.M))
    assert float(metrics["sum"]) == len(items)
    assert float(metrics["count"]) < len(items) / 2


BAD_TEXTS = {
    "no JSON": (b'{"inputs": ["a"', 400, "the body is not JSON"),
    "no object": (b"[]", 400, "the body is no JSON object"),
    "another member": (b'{"inputs": ["a"], "model": "x"}', 400, "the body has an unknown member"),
    "no inputs": (b'{"texts": ["a"]}', 400, "the body lacks 'inputs'"),
    "an empty list": (b'{"inputs": []}', 400, "nothing to predict"),
    "no list": (b'{"inputs": "a"}', 400, "'inputs' is no list"),
    "a number": (b'{"inputs": ["a", 3]}', 400, "input 1 is no row"),
    "null": (b'{"inputs": [null]}', 400, "input 0 is no row"),
    "a row without the text": (b'{"inputs": [{"body": "a"}]}', 400, "input 0 has no text 'text'"),
    "NaN": (b'{"inputs": [NaN]}', 400, "the body is not JSON"),
    "too deep": (b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "the body is not JSON"),
    "a huge number": (b'{"inputs": [' + b"9" * 10_000 + b"]}", 400, "the body is not JSON"),
    "not UTF-8": (b'{"inputs": ["\xff"]}', 400, "the body is not UTF-8"),
    "empty": (b"", 400, "the body is not JSON"),
}


@pytest.mark.parametrize(("body", "status", "what"), BAD_TEXTS.values(), ids=list(BAD_TEXTS))
def test_a_bad_body_is_told_what_is_wrong(serve, text_bundles, body, status, what):
    answer = serve(text_bundles()).post(
        "/predict", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]) == (status, what)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "image/png"])
def test_another_content_type_is_told_which_are_taken(serve, text_bundles, kind):
    answer = serve(text_bundles()).post("/predict", content=b"x", headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert answer.json()["expected"] == "application/json, text/csv, multipart/form-data"


def test_a_table_cannot_name_images(serve, image_bundle, images):
    table = f"path\n{images[0]}\n".encode()
    client = serve(image_bundle)
    assert client.post("/predict", content=table, headers={"Content-Type": "text/csv"}).status_code == 415
    answer = client.post("/predict", files={"files": ("photos.csv", table)})
    assert (answer.status_code, answer.json()["found"]) == (422, "no known image format")


def test_a_string_is_never_taken_for_a_path(serve, image_bundle, tmp_path, monkeypatch, images):
    monkeypatch.chdir(tmp_path)
    name = "abcd"  # is base64, too
    (tmp_path / name).write_bytes(images[0].read_bytes())
    client = serve(image_bundle)
    for text in (name, str(images[0]), f"file://{images[0]}"):
        answer = client.post("/predict", json={"inputs": [text]})
        assert answer.status_code in (400, 422)
        assert str(tmp_path) not in answer.text.replace(text, "")


def test_an_unreadable_image_is_named_by_its_number(serve, image_bundle, images):
    broken = base64.b64encode(images[0].read_bytes()[:60]).decode()
    answer = serve(image_bundle).post("/predict", json={"inputs": [*encoded(images[:2]), broken]})
    assert answer.status_code == 422
    assert answer.json()["error"] == "input 2: cannot decode the image of 60 bytes"


def test_a_table_without_the_column(serve, text_bundles):
    answer = serve(text_bundles()).post(
        "/predict", content="body\nhello\n", headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 422
    assert answer.json() == {
        "error": "table.csv lacks a column",
        "found": "body",
        "expected": "text",
        "hint": "Name the columns as in the training data.",
    }


def test_a_form_that_is_cut_off(serve, text_bundles):
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nhello'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = serve(text_bundles()).post("/predict", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "the form is cut off")


def test_a_form_field_that_is_no_file_is_an_input_too(serve, text_bundles):
    body = b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\na good film\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    client = serve(text_bundles())
    answer = client.post("/predict", content=body, headers=headers)
    assert answer.json() == client.post("/predict", json={"inputs": ["a good film"]}).json()


def test_a_form_field_of_another_name(serve, text_bundles):
    answer = serve(text_bundles()).post("/predict", files={"file": ("a.txt", b"a")})
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "the form has an unknown field",
        "found": "'file'",
        "expected": "'files'",
        "hint": "With curl: -F files=@NAME, once for each file.",
    }


def test_parquet_stays_closed(serve, text_bundles):
    answer = serve(text_bundles()).post("/predict", files={"files": ("new.parquet", b"PAR1\xff\xfe")})
    assert (answer.status_code, answer.json()["error"]) == (400, "'new.parquet' is not UTF-8")


def test_a_lone_surrogate_is_answered(serve, text_bundles):
    body = rb'{"inputs": ["\ud800"], "\udfff": 1}'
    client = serve(text_bundles())
    json_type = {"Content-Type": "application/json"}
    assert client.post("/predict", content=body, headers=json_type).status_code == 400
    assert client.post("/predict", content=body[:21] + b"}", headers=json_type).status_code == 200


def test_an_unknown_path_and_a_wrong_method_are_json_too(serve, text_bundles):
    client = serve(text_bundles())
    assert client.get("/nothing").json()["error"] == "not found"
    answer = client.get("/predict")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["error"] == "method not allowed"

"""Whatever is sent, the parsers give items or an error of the tree, never another exception.

AUTOTL_EXAMPLES sets the number of examples of each test:
AUTOTL_EXAMPLES=1000000 scripts/test --timeout=0 THIS_FILE.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autotl.errors import AutotlError
from autotl.serve.bundle import read_bundle
from autotl.serve.http.contract import Contract, Tensor
from autotl.serve.http.failures import plain, status_of
from autotl.serve.http.infer import parse_infer
from autotl.serve.http.inputs import parse_inputs
from autotl.serve.http.limits import Limits

LIMITS = Limits(items=5, characters=1000, body_bytes=100_000)
many = settings.get_profile("many")
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["", "aGk=", "text"])
)
names = st.sampled_from(
    ["inputs", "outputs", "id", "parameters", "name", "shape", "datatype", "data", "text", "a", "b"]
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | st.text(), inner, max_size=5)
)
inputs_documents = st.fixed_dictionaries({"inputs": st.lists(values, max_size=7) | values})
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["text", "image", "pixels"]) | scalars,
        "datatype": st.sampled_from(["BYTES", "UINT8", "FP32"]) | scalars,
        "shape": st.lists(st.integers(-1, 5) | scalars, max_size=4) | values,
        "data": st.lists(scalars | st.lists(scalars, max_size=3), max_size=6) | values,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 30) | scalars})
        | values,
    },
)
infer_documents = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, min_size=1, max_size=2) | values},
    optional={
        "id": scalars,
        "parameters": values,
        "outputs": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["label", "features"]) | scalars})
        ),
    },
)


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


documents = st.one_of(values, inputs_documents, infer_documents).map(as_json)
bodies = st.one_of(
    documents, st.binary(max_size=300), st.text(max_size=300).map(lambda t: t.encode("utf-8", "replace"))
)
tables = st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=4).map(",".join), max_size=7).map(
    lambda rows: ("\n".join(["text,b", *rows])).encode("utf-8", "replace")
)
filenames = st.sampled_from(["a.txt", "a.csv", "b.jsonl", ".csv", "x\\.tsv", "a.parquet", ""]) | st.text(
    max_size=20
)


@st.composite
def forms(draw) -> bytes:
    """A form, whole or damaged."""
    parts = draw(st.lists(st.tuples(filenames, tables | bodies), max_size=6))
    body = b"".join(
        b'--B\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\n%b\r\n'
        % (name.encode("utf-8", "replace"), content)
        for name, content in parts
    )
    body += b"--B--\r\n"
    cut = draw(st.integers(0, len(body)) | st.just(len(body)))
    extra = draw(st.binary(max_size=5))
    return body[:cut] + extra


def refused(error: AutotlError) -> None:
    """An error must be the client's, and can be told."""
    assert status_of(error) in (400, 413, 415, 422)
    answer = json.loads(plain(400, error.what, found=error.found, expected=error.expected).body)
    assert answer["error"]


@pytest.fixture(scope="session")
def bundles(image_bundle, text_bundles):
    folders = image_bundle, text_bundles(), text_bundles(columns=("a", "b"))
    return [read_bundle(folder, check=False) for folder in folders]


@many
@given(
    which=st.integers(0, 2),
    kind=st.sampled_from(["application/json", "text/csv", "multipart/form-data; boundary=B", "text/html"])
    | st.text(max_size=30),
    body=bodies | tables | forms(),
)
@example(which=1, kind="multipart/form-data; boundary=" + "b" * 300, body=b"")
@example(which=1, kind="text/csv", body=b"text\na\rb\n")
@example(which=1, kind="application/json", body=b'{"inputs":["\\ud800"]}')
def test_any_body_of_predict_gives_items_or_an_error(bundles, which, kind, body):
    bundle = bundles[which]
    try:
        items = parse_inputs(bundle, LIMITS, kind, body)
    except AutotlError as error:
        refused(error)
        return
    assert 1 <= len(items) <= LIMITS.items
    wanted = (bytes, str, tuple)[which]
    assert all(type(item) is wanted for item in items)


CONTRACTS = (
    Contract("m", "1", Tensor("image", "BYTES", (-1,)), Tensor("pixels", "UINT8", (-1, -1, -1, 3)), {}),
    Contract("m", "1", Tensor("text", "BYTES", (-1,)), None, {"label": Tensor("label", "BYTES", (-1,))}),
    Contract(
        "m", "1", Tensor("text", "BYTES", (-1, 2)), None, {"features": Tensor("features", "FP32", (-1, 4))}
    ),
)


@many
@given(
    which=st.integers(0, 2),
    body=infer_documents.map(as_json) | bodies,
    tail=st.binary(max_size=30),
    header=st.none() | st.integers(0, 400) | st.just(-1),
)
def test_any_infer_request_gives_items_or_an_error(which, body, tail, header):
    contract = CONTRACTS[which]
    try:
        length = len(body) if header == -1 else header
        asked = parse_infer(contract, LIMITS, which == 0, body + tail if header is not None else body, length)
    except AutotlError as error:
        refused(error)
        return
    assert 1 <= len(asked.items) <= LIMITS.items
    assert set(asked.outputs) <= set(contract.outputs)
    if which == 2:
        assert all(len(item) == 2 for item in asked.items)


@many
@given(texts=st.lists(st.text(max_size=50), min_size=1, max_size=5))
def test_texts_come_through_json_as_they_are(bundles, texts):
    body = json.dumps({"inputs": texts}).encode()
    assert parse_inputs(bundles[1], LIMITS, "application/json", body) == texts


@many
@given(contents=st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_files_come_through_forms_as_they_are(bundles, contents):
    boundary = b"0123456789abcdef-a-boundary-that-does-not-occur"
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="files"; filename="x"\r\n\r\n%b\r\n'
        % (boundary, content)
        for content in contents
    )
    kind = f"multipart/form-data; boundary={boundary.decode()}"
    assert parse_inputs(bundles[0], LIMITS, kind, body + b"--%b--\r\n" % boundary) == contents

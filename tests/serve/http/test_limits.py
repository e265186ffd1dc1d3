"""Beyond a limit a request is refused before memory grows, and what it held is free again."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from starlette.requests import ClientDisconnect, Request

from autotl.data.tables import parse_table
from autotl.errors import OverloadedError, SettingsError, TooLargeError
from autotl.serve.http.documents import JSON_COSTS, parse_json
from autotl.serve.http.limits import REQUEST_BYTES, Gate, Limits
from autotl.serve.http.service import Service
from autotl.serve.http.settings import Settings

JSON = {"Content-Type": "application/json"}
NOTHING = (0, 0)


def held(client) -> tuple[int, int]:
    return client.service.gate.items, client.service.gate.bytes


def hold_up(client) -> threading.Event:
    """Let the model run only once the event is set."""
    may_run, run = threading.Event(), client.service.predictor.run_batch

    def patient(examples):
        may_run.wait(20)
        return run(examples)

    client.service.batcher._run = patient
    return may_run


def until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def png(width: int, height: int, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.new("1" if kind == "PNG" else "RGB", (width, height)).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def test_a_declared_length_beyond_the_limit(serve, text_bundles):
    client = serve(text_bundles(), {"body_bytes": 1000})
    answer = client.post("/predict", content=b" " * 1001, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (413, "the body is too large")
    assert held(client) == NOTHING


def test_a_body_without_a_length_is_cut_off_at_the_limit(serve, text_bundles):
    client = serve(text_bundles(), {"body_bytes": 1000})
    sent = []

    def endless():
        for number in range(1000):
            sent.append(number)
            yield b" " * 100

    answer = client.post("/predict", content=endless(), headers=JSON)
    assert "content-length" not in {name.lower() for name in answer.request.headers}
    assert (answer.status_code, answer.json()["error"]) == (413, "the body is too large")
    assert held(client) == NOTHING


def test_a_compressed_body_is_refused(serve, text_bundles):
    body = gzip.compress(b'{"inputs": ["a"]}')
    answer = serve(text_bundles()).post(
        "/predict", content=body, headers={**JSON, "Content-Encoding": "gzip"}
    )
    assert answer.status_code == 415


def test_too_many_inputs(serve, text_bundles):
    client = serve(text_bundles(), {"items": 3})
    assert client.post("/predict", json={"inputs": ["a"] * 3}).status_code == 200
    csv = {"content": "text\n" + "a\n" * 4, "headers": {"Content-Type": "text/csv"}}
    files = {"files": [("files", (f"{n}.txt", b"a")) for n in range(4)]}
    for body in ({"json": {"inputs": ["a"] * 4}}, csv, files):
        answer = client.post("/predict", **body)
        assert answer.status_code == 413
    tensor = {"name": "text", "datatype": "BYTES", "shape": [4], "data": ["a"] * 4}
    assert client.post("/v2/models/model/infer", json={"inputs": [tensor]}).status_code == 413


def test_a_text_that_is_too_long(serve, text_bundles):
    client = serve(text_bundles(), {"characters": 10})
    assert client.post("/predict", json={"inputs": ["a" * 10]}).status_code == 200
    answer = client.post("/predict", json={"inputs": ["a", "a" * 11]})
    assert answer.status_code == 413
    assert answer.json() == {
        "error": "input 1 is too large",
        "found": "11 characters",
        "expected": "at most 10",
    }


@pytest.mark.parametrize(("width", "height"), [(300, 300), (9000, 9000), (30_000, 30_000)])
def test_an_image_of_too_many_pixels_is_refused_by_its_head(
    serve, image_bundle, width, height, monkeypatch, recwarn
):
    client = serve(image_bundle, {"pixels": 80_000})
    content = png(width, height) if width < 10_000 else bomb(width, height)
    monkeypatch.setattr("autotl.modalities.image.reading._rgb_of_image", lambda *_: pytest.fail("decoded"))
    answer = client.post("/predict", json={"inputs": [content]})
    assert (answer.status_code, answer.json()["error"]) == (413, "input 0 is too large")


def bomb(width: int, height: int) -> str:
    """The head of an image that says it is huge."""
    head = bytearray(base64.b64decode(png(8, 8)))
    head[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    import zlib

    head[29:33] = zlib.crc32(head[12:29]).to_bytes(4, "big")
    return base64.b64encode(head).decode()


def test_pixels_of_tensors_are_limited_too(serve, image_bundle):
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": [1, 20, 20, 3], "data": [0] * 1200}
    answer = serve(image_bundle, {"pixels": 399}).post("/v2/models/model/infer", json={"inputs": [tensor]})
    assert (answer.status_code, answer.json()["error"]) == (413, "the images are too large")


@pytest.mark.parametrize("kind", ["ICO", "PCX", "PDF", "EPS"])
def test_formats_beyond_those_of_the_modality_stay_closed(serve, image_bundle, kind):
    answer = serve(image_bundle).post("/predict", json={"inputs": [png(40, 40, kind)]})
    assert (answer.status_code, answer.json()["found"]) == (422, "no known image format")


@pytest.mark.parametrize("value", [b"{}", b"[]", b'""', b"1.5", b'{"a":0}'])
def test_json_of_too_many_values_is_refused_unparsed(serve, text_bundles, value):
    body = b'{"inputs":[' + b",".join([value] * 2_000_000) + b"]}"
    answer = serve(text_bundles()).post("/predict", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (413, "the body holds too many values")
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            parse_json(body)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "value", [b"{}", b"[]", b"[0]", b"[[]]", b'"ab"', b"1.5", b"999", b'{"a":0}', b'{"%x":0}', b'"%x":0']
)
def test_json_takes_no_more_memory_than_its_marks_tell(value):
    count = 20_000
    values = b",".join(value % i if b"%" in value else value for i in range(count))
    content = b"{" + values + b"}" if value == b'"%x":0' else b"[" + values + b"]"
    tracemalloc.start()
    try:
        parsed = parse_json(content)
        peak = tracemalloc.get_traced_memory()[1] - len(content)  # the text of it
    finally:
        tracemalloc.stop()
    assert len(parsed) == count
    assert peak < sum(cost * content.count(mark) for mark, cost in JSON_COSTS.items())


WIDE = b",".join(b"%x" % number for number in range(2_000_000))
OWN_KEYS = b"\n".join(b'{"%x": "a"}' % number for number in range(20_000))
TABLES = {
    "a header of very many columns": ("a.csv", WIDE, 413, "a.csv holds too many values"),
    "a header of many columns": ("a.csv", WIDE[:100_000], 413, "a.csv has too many columns"),
    "one row of many fields": ("a.tsv", b"text\na" + b"\t" * 99_999, 422, "a.tsv is ragged"),
    "too many rows": ("a.csv", b"text\n" + b"a\n" * 257, 413, "a.csv has too many rows"),
    "a column for each row": ("a.jsonl", OWN_KEYS, 413, "a.jsonl has too many rows"),
    "many columns in a row": (
        "a.jsonl",
        b"{" + b",".join(b'"%x":0' % n for n in range(1001)) + b"}",
        413,
        "a.jsonl has too many columns",
    ),
    "columns twice": ("a.csv", b"a,b,a,b,c\n", 422, "a.csv has two columns of one name"),
}


@pytest.mark.parametrize(("name", "content", "status", "error"), TABLES.values(), ids=list(TABLES))
def test_a_table_is_refused_before_it_grows(serve, text_bundles, name, content, status, error):
    client = serve(text_bundles())
    tracemalloc.start()
    began = time.monotonic()
    try:
        answer = client.post("/predict", files={"files": (name, content)})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert time.monotonic() - began < 5
    assert peak < 40 * 2**20 + 6 * len(content)  # the body, and copies of it
    assert held(client) == NOTHING


def test_cells_are_counted_although_few_of_them_are_filled(serve, text_bundles):
    client = serve(text_bundles(), {"items": 2000, "queue_items": 2000})
    answer = client.post("/predict", files={"files": ("a.jsonl", OWN_KEYS)})
    assert (answer.status_code, answer.json()["error"]) == (413, "a.jsonl has too many cells")


def test_a_form_of_tables_holds_no_more_inputs_than_a_request_may(serve, text_bundles):
    client = serve(text_bundles(), {"items": 3})
    files = [("files", (f"{number}.csv", b"text\na\nb\n")) for number in range(3)]
    answer = client.post("/predict", files=files)
    assert (answer.status_code, answer.json()["error"]) == (413, "too many inputs in one request")
    assert client.post("/predict", files=files[:1]).status_code == 200


def test_only_what_is_tiny_is_parsed_where_requests_arrive(serve, text_bundles, monkeypatch):
    seen = []

    def watched(name, content, **options):
        seen.append((len(content), threading.current_thread().name))
        return parse_table(name, content, **options)

    monkeypatch.setattr("autotl.serve.http.inputs.parse_table", watched)
    client = serve(text_bundles())
    for length in (10, 5000, 100_000):
        content = b"text\n" + b"a" * length
        assert client.post("/predict", content=content, headers={"Content-Type": "text/csv"}).is_success
    threads = [name for length, name in seen if length > 4096]
    assert len(seen) == 3
    assert len(threads) == 2
    assert all(name.startswith("autotl-decode") for name in threads)


def test_a_full_queue_answers_429_and_recovers(serve, text_bundles):
    client = serve(text_bundles(), {"items": 4, "queue_items": 8}, batch_items=1)
    may_run = hold_up(client)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(client.post, "/predict", json={"inputs": ["a"] * 4}) for _ in range(2)]
        until(lambda: client.service.gate.items == 8)
        refused = client.post("/predict", json={"inputs": ["b"]})
        may_run.set()
        answers = [each.result() for each in waiting]
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["found"] == "8 inputs waiting and 1 more"
    assert [answer.status_code for answer in answers] == [200, 200]
    assert held(client) == NOTHING
    assert client.post("/predict", json={"inputs": ["b"]}).status_code == 200


def test_full_memory_answers_429_before_the_body_is_read(serve, text_bundles):
    most = 100_000
    client = serve(text_bundles(), {"body_bytes": 50_000, "queue_bytes": most})
    may_run = hold_up(client)
    body = b'{"inputs": ["a"]}' + b" " * 49_000
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.post, "/predict", content=body, headers=JSON)
        until(lambda: client.service.gate.items == 1)
        for content in (body, iter([body])):
            refused = client.post("/predict", content=content, headers=JSON)
            assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
        may_run.set()
        assert waiting.result().status_code == 200
    assert held(client) == NOTHING


def test_a_request_that_takes_too_long_is_504_and_frees_its_place(serve, text_bundles):
    client = serve(text_bundles(), {"timeout_seconds": 0.3}, batch_items=1)
    may_run = hold_up(client)
    answer = client.post("/predict", json={"inputs": ["a", "b", "c"]})
    assert answer.status_code == 504
    assert answer.json()["found"] == "still waiting for the model after 0.3 s"
    assert held(client) == NOTHING
    assert len(client.service.batcher._queue) == 0
    may_run.set()
    assert client.post("/predict", json={"inputs": ["a"]}).status_code == 200


def test_a_body_that_never_ends_is_504(text_bundles):
    service = Service(Settings(str(text_bundles()), "model", limits=Limits(timeout_seconds=0.1)))

    async def main():
        async def receive():
            await asyncio.sleep(60)

        await service.start()
        scope = {"type": "http", "method": "POST", "headers": [], "state": {}}
        try:
            await service.answer(Request(scope, receive), lambda body: [], lambda items: items)
        finally:
            await service.stop()

    with pytest.raises(TimeoutError, match="still reading the request"):
        asyncio.run(main())
    assert (service.gate.items, service.gate.bytes) == NOTHING


def test_a_client_that_leaves_frees_its_place(text_bundles):
    service = Service(Settings(str(text_bundles()), "model", threads=1))
    may_run = threading.Event()

    async def main():
        messages = iter([{"type": "http.request", "body": b"x"}])
        left = asyncio.Event()

        async def receive():
            for message in messages:
                return message
            await left.wait()
            return {"type": "http.disconnect"}

        await service.start()
        service.batcher._run = lambda examples: may_run.wait(10)
        scope = {"type": "http", "method": "POST", "headers": [], "state": {}}
        request = Request(scope, receive)
        task = asyncio.ensure_future(service.answer(request, lambda body: ["a", "b"], lambda items: items))
        while service.gate.items != 2:
            await asyncio.sleep(0.001)
        left.set()
        with pytest.raises(ClientDisconnect):
            await task
        assert (service.gate.items, service.gate.bytes, len(service.batcher._queue)) == (0, 0, 0)
        may_run.set()
        await service.stop()

    asyncio.run(main())


def test_after_any_mixture_of_requests_nothing_is_held(serve, image_bundle, images):
    client = serve(image_bundle, {"items": 4, "queue_items": 6, "timeout_seconds": 5.0}, batch_items=2)
    good = base64.b64encode(images[0].read_bytes()).decode()
    bodies = [[good], [good] * 4, ["AAAA"], [good, "AAAA"], [good] * 5, []] * 8

    def ask(inputs):
        return client.post("/predict", json={"inputs": inputs}).status_code

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, bodies))
    assert set(found) <= {200, 400, 413, 422, 429}
    assert {200, 400, 413} <= set(found)
    assert held(client) == NOTHING
    assert client.service.batcher.expected == 0


def test_a_gate_counts_nothing_of_what_it_refuses():
    gate = Gate(Limits(items=5, queue_items=5))
    with gate.hold() as first:
        first.take(items=4)
        with gate.hold() as second:
            with pytest.raises(OverloadedError, match="4 inputs waiting and 2 more"):
                second.take(items=2, size=10)
            assert (gate.items, gate.bytes) == (4, 2 * REQUEST_BYTES)
    assert (gate.items, gate.bytes) == NOTHING


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"items": 0}, "impossible limit items; found 0"),
        ({"timeout_seconds": float("nan")}, "impossible limit timeout_seconds"),
        ({"items": 2000}, "the queue is too small for one request, in items"),
        ({"body_bytes": 2**30}, "the queue is too small for one request, in bytes"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(limits, message):
    with pytest.raises(SettingsError, match=message):
        Limits(**limits)


def test_settings_survive_the_way_to_a_worker():
    settings = Settings("runs/a/model", "a", workers=3, limits=Limits(items=7))
    assert Settings.from_json(settings.to_json()) == settings

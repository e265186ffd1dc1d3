"""What other pages, other names and hostile requests get from the page: nothing."""

from __future__ import annotations

import re
from importlib.resources import files
from unittest.mock import Mock

import pytest
from run_folders import begin_run, cards, png
from starlette.testclient import TestClient

from autotl.errors import ParityError
from autotl.ui.app import create_app
from autotl.ui.guard import is_loopback, is_ours

STATIC = sorted([*(path.name for path in files("autotl.ui").joinpath("page").iterdir()), "names.js"])
ODD_NAMES = ("%2e%2e", "%2e%2e%2f%2e%2e", "..%2f..%2fetc", "photos%2f..%2fmails", "a\0b", "/etc", "photos%20")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8500",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "",
        "[::1",
        "10.0.0.7",
    ],
)
def test_a_name_that_was_turned_to_this_address_is_refused(page, host):
    for path in ("/", "/api/runs", "/runs/photos/report.html"):
        answer = page.get(path, headers={"Host": host})
        assert answer.status_code == 421, path
        assert "photos" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8500", "localhost", "LOCALHOST:9000", "[::1]:8500"])
def test_names_of_this_machine_are_served(page, host):
    assert page.get("/api/runs", headers={"Host": host}).status_code == 200


def test_beyond_this_machine_addresses_are_served_and_names_of_others_are_not():
    assert is_ours("10.0.0.7:8500", "0.0.0.0")
    assert is_ours("[2001:db8::1]:8500", "::")
    assert is_ours("lab1:8500", "lab1")
    assert not is_ours("evil.example", "0.0.0.0")
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "lab1")] == [
        *(True, True, True),
        *(False, False),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_forms_of_other_pages_are_refused(page, headers):
    send = {"files": {"files": ("a.png", png())}}
    assert page.post("/api/runs/photos/predict", headers=headers, **send).status_code == 403
    ours = {"Origin": "http://127.0.0.1:8500", "Sec-Fetch-Site": "same-origin"}
    assert page.post("/api/runs/photos/predict", headers=ours, **send).status_code == 200


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize(
    "path", ["/api/runs/{}", "/api/runs/{}/live", "/runs/{}/report.html", "/runs/{}/model.zip"]
)
def test_only_names_of_runs_are_found(page, runs, path, name):
    (runs.parent / "report.html").write_text("secret")
    answer = page.get(path.format(name.replace("\0", "%00")))
    assert answer.status_code in (404, 405)
    assert "secret" not in answer.text


@pytest.mark.parametrize("name", [*ODD_NAMES, "app.py", "__init__.py", "ui.css%00", "../app.py"])
def test_only_files_of_the_page_are_found(page, name):
    assert page.get("/page/" + name.replace("\0", "%00")).status_code == 404


def test_links_that_lead_out_of_a_run_are_not_followed(page, runs, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("classified")
    for name in ("report.html", "leaderboard.csv", "model/README.md"):
        path = runs / "photos" / name
        path.unlink(missing_ok=True)
        path.symlink_to(secret)
    assert page.get("/runs/photos/report.html").status_code == 404
    assert page.get("/runs/photos/leaderboard.csv").status_code == 404
    assert b"classified" not in page.get("/runs/photos/model.zip").content


def test_names_that_look_like_markup_or_addresses_are_names(runs, page):
    odd = ["<script>alert(1)</script>"[:8] + "b>", "a b?c#d", "ü\u202e", "x" * 200]
    for name in odd:
        begin_run(runs, name)
    assert set(odd) <= set(cards(page))
    from urllib.parse import quote

    for name in odd:
        assert page.get(f"/api/runs/{quote(name, safe='')}").json()["name"] == name


def test_hidden_folders_and_names_that_are_no_text_are_left_out(runs, page):
    begin_run(runs, ".hidden")
    begin_run(runs, "broken\udcff")
    assert list(cards(page)) == ["mails", "photos", "letters"]


@pytest.mark.parametrize(
    "path", ["/", "/api/runs", "/page/main.js", "/nowhere", "/runs/photos/leaderboard.csv"]
)
def test_every_answer_says_what_the_browser_may_do_with_it(page, path):
    headers = page.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_a_report_runs_apart_from_the_page(page):
    policy = page.get("/runs/photos/report.html").headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy


def test_nothing_is_loaded_from_elsewhere_and_no_text_becomes_markup(page):
    for name in STATIC:
        answer = page.get(f"/page/{name}")
        assert answer.status_code == 200
        found = set(re.findall(r"https?://[^\s\"']+", answer.text))
        assert found <= {"http://www.w3.org/2000/svg"}, name
        assert not re.search(r"innerHTML\s*=[^=]|insertAdjacentHTML|document\.write|eval\(", answer.text), (
            name
        )


def test_other_methods_are_refused(page):
    assert page.delete("/api/runs/photos").status_code == 405
    assert page.post("/api/runs").status_code == 405
    assert page.get("/api/runs/photos/predict").status_code == 405


def test_an_error_of_the_program_has_its_cause_in_the_log(page, monkeypatch, caplog):
    error = ParityError("secret")
    monkeypatch.setattr("autotl.ui.app.card", Mock(side_effect=error))
    answer = page.get("/api/runs")
    assert (answer.status_code, answer.json()["error"]) == (500, "internal error")
    (record,) = (each for each in caplog.records if each.name == "autotl.ui.app")
    assert record.exc_info[1] is error


def test_an_unexpected_error_tells_no_details(runs, monkeypatch):
    def fails(*_):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("autotl.ui.app.card", fails)
    with TestClient(create_app(runs), base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.get("/api/runs")
    assert (answer.status_code, answer.json()["error"]) == (500, "internal error")

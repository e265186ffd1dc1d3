"""What the documentation shows is true: blocks run, recordings are of them, links and pages are there."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest

from autotl.cli import app
from autotl.modalities.registry import modalities
from autotl.serve.http.app import create_app
from autotl.serve.http.service import Service
from autotl.serve.http.settings import Settings
from autotl.strategies.registry import strategies
from autotl.task import TaskKind
from docs.making import parts, recordings
from docs.making.commands import command_pages, verbs
from docs.making.pages import DOCS, GENERATED, OPTIONS, pages
from docs.making.walk import plain_command

PAGES = pages()
BLOCKS = [block for page in PAGES for block in page.blocks]
#: Blocks that nobody runs: each gives its reason, and they stay few.
MOST_NOT_RUN = 9
#: Blocks that run only to be recorded.
MOST_SLOW = 24


def by_name(page):
    return page.name


@pytest.fixture
def messages(walks):
    """The run of the tutorial on texts."""
    return walks.through(next(page for page in PAGES if page.name == "tutorials/texts")) / "runs/messages"


def untimed(text):
    """Progress without its clock."""
    return re.sub(r"^\[\d+:\d\d\] ", "", text, flags=re.M)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(b.runs for b in page.blocks)], ids=by_name)
def test_the_blocks_of_a_page_run_and_say_what_it_shows(page, walks, said):
    walks.through(page)
    exact = [block for block in page.blocks if "exact" in block.options]
    shown = {block.where: recordings.read(block.options["output"]).said for block in exact}
    assert {block.where: untimed(said[block.where].text) for block in exact} == {
        where: untimed(text) for where, text in shown.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_recording_is_shown_and_is_of_the_block_as_it_stands(page):
    recorded = {block.options["output"]: block for block in page.blocks if "output" in block.options}
    assert sorted(page.recorded) == sorted(recorded)
    for name, block in recorded.items():
        recording = recordings.read(name)
        assert recording.typed == block.text, f"scripts/docs record {page.name}"
        assert recording.origin.startswith("Recorded on 20")


def test_no_recording_is_left_over():
    used = {recordings.path_of(block.options["output"]) for block in BLOCKS if "output" in block.options}
    assert set(recordings.FOLDER.rglob("*.txt")) == used


def test_blocks_that_cannot_run_say_why_and_are_few():
    without = {block.where: block.options["no-run"] for block in BLOCKS if "no-run" in block.options}
    assert all(len(reason) > 10 for reason in without.values())
    assert len(without) <= MOST_NOT_RUN, "\n".join(f"{where}: {why}" for where, why in without.items())


def test_blocks_that_are_only_recorded_are_few_and_have_an_output():
    slow = [block for block in BLOCKS if "slow" in block.options]
    assert all("output" in block.options for block in slow)
    assert len(slow) <= MOST_SLOW, "\n".join(block.where for block in slow)


def test_blocks_have_no_unknown_option():
    unknown = {
        block.where: sorted(set(block.options) - set(OPTIONS))
        for block in BLOCKS
        if set(block.options) - set(OPTIONS)
    }
    assert unknown == {}


def test_every_command_that_a_page_shows_can_be_parsed():
    """Also those that are not run here: their options exist, and values are of the right kind."""
    commands = [
        (block.where, words)
        for block in BLOCKS
        if block.language == "bash" and "exit" not in block.options
        for line in block.text.replace("\\\n", " ").splitlines()
        if (words := plain_command(re.split(r" (?:[|>&]|2>)", line)[0]))
    ]
    assert len(commands) > 30
    for where, (verb, *arguments) in commands:
        assert verb in verbs(app), where
        verbs(app)[verb].make_context(verb, arguments)


def test_internal_links_and_images_lead_to_files_that_are_there():
    verb_pages = {(GENERATED / f"{name}.md").resolve() for name in command_pages(app)}
    lost = []
    for page in PAGES:
        figures = [b.text.split()[0] for b in page.blocks if b.language in ("{image}", "{figure}")]
        for target in [*page.links, *figures]:
            path = unquote(target.partition("#")[0])
            if re.match(r"[a-z]+:", target) or not path:
                continue
            there = (page.path.parent / path).resolve()
            if not there.is_file() and there not in verb_pages:
                lost.append(f"{page.name}: {target}")
    assert lost == []


def test_every_page_is_in_a_table_of_contents():
    listed = {
        (page.path.parent / f"{entry}.md").resolve()
        for page in PAGES
        for block in page.blocks
        if block.language == "{toctree}"
        for entry in block.text.split()
        if not entry.startswith(":")
    }
    assert {page.path.resolve() for page in PAGES} - listed == {DOCS / "index.md"}


def test_every_verb_has_a_page_with_all_its_options_and_is_shown_in_use():
    made = command_pages(app)
    assert set(made) == {"index", *verbs(app)}
    for name, verb in verbs(app).items():
        options = {option for parameter in verb.params for option in parameter.opts if option[:2] == "--"}
        assert {option for option in options - {"--help"} if option not in made[name]} == set()
    written = "\n".join(page.text for page in PAGES)
    assert [name for name in verbs(app) if f"autotl {name}" not in written] == []


@pytest.mark.slow
def test_the_files_of_a_run_are_all_explained(messages):
    explained = "\n".join((DOCS / f"reference/{name}.md").read_text() for name in ("run-folder", "bundle"))
    explained += parts.run_folder() + parts.bundle()
    for place in (messages, messages / "model"):
        assert [path.name for path in place.iterdir() if f"`{path.name}" not in explained] == []


@pytest.mark.slow
def test_the_keys_of_a_manifest_are_all_explained(messages):
    manifest = json.loads((messages / "model/bundle.json").read_text())
    text = (DOCS / "reference/bundle.md").read_text()
    assert [key for key in manifest if f"`{key}`" not in text] == []


@pytest.mark.slow
def test_the_routes_of_a_server_are_all_explained(messages):
    served = create_app(Service(Settings(str(messages / "model"), "messages")))
    text = (DOCS / "reference/http.md").read_text()
    routes = [path for path in served.openapi()["paths"] if "/versions/" not in path]
    assert routes
    assert [path for path in routes if not re.search(rf"`(GET|POST) {re.escape(path)}`", text)] == []


def test_every_declared_parameter_is_explained_and_no_other():
    text = (DOCS / "guides/search-space.md").read_text()
    section = text.partition("\n## What the parameters mean\n")[2].partition("\n## ")[0]
    explained = re.findall(r"^\| `(\w+)` \|", section, re.M)
    profiles = [
        {"modality": kind, "task": {"kind": task, "classes": ["a", "b"], "metric": "accuracy"}}
        for kind in ("image", "text")
        for task in TaskKind
    ]
    packaged = [one for one in strategies().values() if type(one).__module__.startswith("autotl.")]
    declared = {name for profile in profiles for one in packaged for name in one.parameters(profile)}
    declared |= {name for kind in ("image", "text") for name in modalities()[kind].parameters()}
    assert sorted(explained) == sorted(declared)


def test_a_plain_command_is_told_from_what_needs_a_shell():
    assert plain_command('autotl predict runs/x "where is my card?" --json') == [
        *("predict", "runs/x", "where is my card?", "--json")
    ]
    for line in ("autotl fit x | head", "echo x", "autotl fit $DATA", "autotl fit *.csv", 'autotl "torn'):
        assert plain_command(line) is None


def test_a_recording_is_read_as_it_was_written():
    recording = recordings.Recording("Recorded on 2026-11-27.", "autotl fit a\nautotl b\n", "one\n\ntwo\n")
    text = recording.to_text()
    assert text.splitlines()[:2] == ["# Recorded on 2026-11-27.", "$ autotl fit a"]
    assert recordings.Recording.from_text(text) == recording

"""Bad input as a user meets it at the command line: exit code 2, nothing on standard output, these words.

What readers say of bad data is tested in `tests/data/test_bad_data.py`; `tests/test_bad_input_kinds.py` lists
every kind with its test.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WORDS = ("red lorry", "yellow lorry", "green bus", "blue bus", "old train", "new train")
LAYOUTS = "class folders, train/ val/ test/ of class folders, or a table such as train.csv"
ROWS = "a header and one row for each input"


def rows(count: int = 30) -> list[str]:
    return [f"{WORDS[i % 6]} number {i},{'ab'[i % 2]}" for i in range(count)]


def write(name: str, lines: list[str]) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder of its own to work in, with good data to go wrong with."""
    monkeypatch.chdir(tmp_path)
    write("good.csv", ["text,label", *rows()])
    for i in range(12):
        folder = Path("pics") / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return tmp_path


def check_refused(result, message: str) -> None:
    """The verb ended with this error and nothing else."""
    assert result.stderr == f"Error: {message}\n"
    assert (result.exit_code, result.stdout) == (2, "")


TABLES = {
    "an empty file": ([], "set.csv is empty; expected {ROWS}."),
    "a header only": (["text,label"], "set.csv holds no rows; expected {ROWS}."),
    "one row": (
        ["text,label", "some text,a"],
        "too few rows to train on; found 1 row; expected at least 10.",
    ),
    "one class": (
        ["text,label", *[f"some text {i},a" for i in range(12)]],
        "the target 'label' has one value only, so there is nothing to learn; found 'a'; "
        "expected two or more classes.",
    ),
    "constant texts": (
        ["text,label", *["same," + "ab"[i % 2] for i in range(12)]],
        "no column of set.csv looks like an input; found text (one value only), label; "
        "expected a column of image or text.\nName it with --text COL or --image COL.",
    ),
    "blank texts": (
        ["text,label", *["," + "ab"[i % 2] for i in range(12)]],
        "no column of set.csv looks like an input; found text (empty), label; "
        "expected a column of image or text.\nName it with --text COL or --image COL.",
    ),
    "two columns of one name": (
        ["text,label,label", "a,b,c"],
        "set.csv has two columns of one name; found 'label'; expected unique names.",
    ),
    "no target column": (
        ["text,colour", *rows()],
        "cannot tell which column of set.csv is the target; found text, colour.\nName it with --target COL.",
    ),
    "labels that are missing": (
        ["text,label", *rows(20), "no label one,", "no label two,nan"],
        "2 rows of 22 have no value in the target 'label'; found set.csv:22, set.csv:23; "
        "expected fewer than 5%.\n"
        "Fill in or take out these rows, or choose another column with --target COL.",
    ),
    "images that do not exist": (
        ["image,label", *[f"no/{i}.jpg,{'ab'[i % 2]}" for i in range(12)]],
        "12 files of 12 named in set.csv do not exist; found {cwd}/no/0.jpg (set.csv:2), "
        "{cwd}/no/1.jpg (set.csv:3) and 10 more; expected paths relative to the folder of set.csv.",
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_bad_table(call, here, kind):
    lines, message = TABLES[kind]
    if lines:
        write("set.csv", lines)
    else:
        Path("set.csv").touch()
    filled = {"{ROWS}": ROWS, "{cwd}": here.resolve().as_posix()}
    for mark, value in filled.items():
        message = message.replace(mark, value)
    check_refused(call("space", here / "set.csv", "--offline"), message)


def test_constant_texts_that_are_named_as_the_input(call):
    write("set.csv", ["text,label", *["same," + "ab"[i % 2] for i in range(12)]])
    check_refused(
        call("space", "set.csv", "--text", "text", "--offline"),
        "all inputs are alike, so there is nothing to learn from them; found 12 rows with the input of "
        "set.csv:2; expected different inputs.\n"
        "Is the input right? Choose another column with --text COL or --image COL.",
    )


FIT = ("--trials", "1", "--offline")
OPTIONS = {
    "a missing path": (("nowhere", *FIT), "no such file or folder: nowhere.\nPaths are relative to {cwd}."),
    "a file that is no data": (
        ("pics/a/0.png", *FIT),
        "cannot read 0.png: unknown file type; found '.png'; "
        "expected .csv, .tsv, .jsonl, .parquet, or a folder of class folders.",
    ),
    "an unknown column": (
        ("good.csv", "--target", "topic", *FIT),
        "no column 'topic' in good.csv; expected one of text, label.\n"
        "Name the label column with --target COL.",
    ),
    "a metric of another task": (
        ("good.csv", "--metric", "r2", *FIT),
        "no metric of a binary task; found 'r2', of regression tasks; "
        "expected accuracy, balanced_accuracy, macro_f1, f1, auroc, mcc, log_loss.",
    ),
    "classes for a regression": (
        ("good.csv", "--task", "regression", *FIT),
        "the target 'label' of a regression task holds what is no finite number; found 'a' (good.csv:2), "
        "'b' (good.csv:3), 'a' (good.csv:4); expected numbers.\nFor classes, give --task multiclass.",
    ),
    "an unknown scheduler": (
        ("good.csv", "--scheduler", "luck", *FIT),
        "unknown scheduler; found 'luck'; expected asha, fifo, gain, pasha.",
    ),
    "an unknown device": (
        ("good.csv", "--device", "abacus", *FIT),
        "no such device; found abacus; expected auto, cpu, cuda, cuda:N or mps that this machine has.",
    ),
    "a space file that is missing": (
        ("good.csv", "--space", "no.toml", *FIT),
        "cannot read the search space; found no.toml (No such file or directory); expected a TOML file.",
    ),
    "malformed TOML": (
        ("good.csv", "--space", "bad.toml", *FIT),
        "bad.toml, line 2: malformed TOML; found Invalid value; expected TOML 1.0.",
    ),
    "an unknown key in TOML": (
        ("good.csv", "--space", "key.toml", *FIT),
        "key.toml, line 2: unknown key; found 'speed'; "
        "expected backbones, inherit, parameters, portfolio, strategies.",
    ),
    "an output that is a file": (
        ("good.csv", "--out", "good.csv", *FIT),
        "cannot write the run folder; found good.csv (File exists).\nChoose another with --out.",
    ),
    "an output inside of a file": (
        ("good.csv", "--out", "good.csv/run", *FIT),
        "cannot write the run folder; found good.csv/run (Not a directory).\nChoose another with --out.",
    ),
    "an output that holds a run": (
        ("good.csv", "--out", "old", *FIT),
        "the run folder already holds a run; found old.\n"
        "Go on with it: --resume. Or choose another with --out.",
    ),
    "a cache folder that is a file": (
        ("good.csv", "--cache-dir", "good.csv", *FIT),
        "cannot make the cache folder; found good.csv (File exists).\nChoose another with --cache-dir.",
    ),
    "resume without a run folder": (
        ("good.csv", "--resume", *FIT),
        "cannot tell which run to go on with; found resume without a run folder.\n"
        "Name it: autotl fit DATA --out RUN --resume",
    ),
    "resume where no run was begun": (
        ("good.csv", "--out", "pics", "--resume", *FIT),
        "not a run folder; found no run.json in pics.\nStart one: autotl fit DATA",
    ),
    "resume of a malformed run": (
        ("good.csv", "--out", "old", "--resume", *FIT),
        "old/run.json is malformed; found no settings, data, task.\nBegin a new run with another --out.",
    ),
    "resume with other data": (
        ("good.csv", "--out", "other", "--resume", *FIT),
        "the run was begun on other data; found fingerprint {print}; expected 000000000000.\n"
        "Choose another folder with --out.",
    ),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_fit_with_a_bad_option(call, here, kind):
    write("bad.toml", ["[parameters]", "epochs = = 3"])
    write("key.toml", ["# mine", "speed = 3"])
    write("old/run.json", ["{}"])
    task = {"kind": "binary", "classes": ["a", "b"], "metric": "accuracy"}
    write("other/run.json", [json.dumps({"settings": {}, "data": {"fingerprint": "0" * 64}, "task": task})])
    before = {path for path in here.rglob("*") if "runs" not in path.parts}
    result = call("fit", *OPTIONS[kind][0])
    said = [line for line in result.stderr.splitlines() if not line.startswith("[0:")]
    wanted = f"Error: {OPTIONS[kind][1]}".replace("{cwd}", str(Path.cwd())).splitlines()
    assert [line.partition("{print}")[0] for line in wanted] == [
        line[: len(expected.partition("{print}")[0])] for line, expected in zip(said, wanted, strict=True)
    ]
    assert (result.exit_code, result.stdout) == (2, "")
    assert {path for path in here.rglob("*") if "runs" not in path.parts} == before
    assert not any(Path("runs").glob("*")), "an empty run folder is left behind"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--seed", "-1", "greater than or equal to 0"),
        ("--seed", str(2**32), "less than or equal to 4294967295"),
        ("--threads", "0", "greater than or equal to 1"),
        ("--threads", "100000", "less than or equal to 1024"),
        ("--license", "mine", "'mine' is not one of 'any', 'permissive'"),
    ],
)
def test_an_option_out_of_range(call, monkeypatch, option, value, message):
    monkeypatch.setenv("COLUMNS", "200")
    result = call("fit", "good.csv", option, value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Invalid value for '{option}'" in result.stderr
    assert message in result.stderr


NONE_LEFT = "expected at least one that licence, limits and language admit and whose weights are here.\n"
AT_LEAST = "unavailable: not cached, and this run is offline: run once without --offline"
BACKBONES = {
    "an unknown backbone": (
        ("good.csv", "--backbones", "no-such"),
        "unknown text backbone; found 'no-such'; expected a name of the catalogue.\n"
        "List them with `autotl backbones`, or give timm/ID, hf:ID or local:PATH[:ARCHITECTURE].",
    ),
    "a backbone of another modality": (
        ("good.csv", "--backbones", "timm/resnet18"),
        "timm has no text networks; found 'timm/resnet18'; expected hf:ID or local:PATH.",
    ),
    "a local backbone that is missing": (
        ("pics", "--backbones", "local:no/where:resnet18"),
        "a local backbone is missing; found nothing at no/where.\nCheck the path.",
    ),
    "offline with hub backbones only": (
        ("pics", "--backbones", "resnet50,vit-small"),
        f"no backbone is left to search with; found resnet50, vit-small: {AT_LEAST}; {NONE_LEFT}"
        "Look at them: autotl backbones.",
    ),
    "a licence that excludes all": (
        ("pics", "--backbones", "dinov3-small", "--license", "permissive"),
        "no backbone is left to search with; found dinov3-small: licence other:dinov3-license is not "
        f"permissive; --license any admits it; {NONE_LEFT}Look at them: autotl backbones.",
    ),
}


@pytest.mark.parametrize("kind", BACKBONES)
def test_no_backbone_to_search_with(call, kind):
    arguments, message = BACKBONES[kind]
    check_refused(call("space", *arguments, "--offline"), message)


def test_a_device_or_pipe_is_no_data(call):
    os.mkfifo("pipe.csv")
    check_refused(
        call("space", "pipe.csv"),
        "cannot read pipe.csv; found a device or a pipe; expected a file or a folder.",
    )


def test_links_that_lead_nowhere_but_to_each_other(call):
    os.symlink("there", "here")
    os.symlink("here", "there")
    check_refused(
        call("space", "here"), f"no such file or folder: here.\nPaths are relative to {Path.cwd()}."
    )


RUNS = {
    "leaderboard of no run": (
        ("leaderboard", "pics"),
        "not a run folder; found no run.json in pics.\nStart one: autotl fit DATA",
    ),
    "leaderboard of a file": (
        ("leaderboard", "good.csv"),
        "not a run folder; found no run.json in good.csv.\nStart one: autotl fit DATA",
    ),
    "leaderboard of a run that is no text": (
        ("leaderboard", "binary"),
        "binary/run.json is malformed; found 'utf-8' codec can't decode byte 0xff in position 0: "
        "invalid start byte.",
    ),
    "leaderboard of a run that is no object": (
        ("leaderboard", "list"),
        "list/run.json is malformed; found list; expected an object.",
    ),
    "a leaderboard that is none": (
        ("leaderboard", "board"),
        "leaderboard.json holds no leaderboard; found KeyError: 'rows'.",
    ),
    "a damaged trial": (
        ("leaderboard", "trial"),
        "trial/trials/0000/result.json is malformed; found KeyError: 'config'.\n"
        "To do without this trial, delete the folder trial/trials/0000",
    ),
    "export of no run": (
        ("export", "nowhere"),
        "not a run folder; found no run.json in nowhere.\nStart one: autotl fit DATA",
    ),
    "export of a trial that is not there": (
        ("export", "board", "--trial", "3"),
        "no finished trial 3 in board; expected none is finished.\nSee them: autotl leaderboard board",
    ),
    "export before any trial": (("export", "board"), "no finished trial to export; found board."),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_folder_that_is_no_good_run(call, kind):
    for name, content in (("binary", b"\xff\xfe"), ("list", b"[]"), ("board", b'{"task": {}}')):
        Path(name).mkdir()
        (Path(name) / "run.json").write_bytes(content)
    write("board/leaderboard.json", ["{}"])
    write("trial/run.json", ['{"task": {}}'])
    write("trial/trials/0000/result.json", ["{}"])
    arguments, message = RUNS[kind]
    check_refused(call(*arguments), message)


BUNDLES = {
    "predict with no bundle": (
        ("predict", "pics", "good.csv"),
        "not a bundle; found no bundle.json in pics.\nExport it again: autotl export RUN",
    ),
    "predict with a missing bundle": (
        ("predict", "nowhere", "good.csv"),
        "no such bundle; found nothing at nowhere.\nPaths are relative to {cwd}.",
    ),
    "predict with a file for a bundle": (
        ("predict", "good.csv", "good.csv"),
        "not a bundle; found the file good.csv; expected a folder with bundle.json.",
    ),
    "predict a missing file": (("predict", "BUNDLE", "no.jpg"), "no such file or folder: no.jpg."),
    "predict an empty folder": (
        ("predict", "BUNDLE", "void"),
        "no inputs in the folder void; expected files that end in {endings}.",
    ),
    "predict into a format that is not known": (
        ("predict", "BUNDLE", "pics", "--out", "labels.xlsx"),
        "cannot tell in which format to write labels.xlsx; found '.xlsx'; "
        "expected .csv, .json, .jsonl, .ndjson.",
    ),
    "predict into a missing folder": (
        ("predict", "BUNDLE", "pics", "--out", "no/labels.csv"),
        "cannot write a file; found no/labels.csv (No such file or directory).\nMake its folder first.",
    ),
    "predict as JSON into a CSV file": (
        ("predict", "BUNDLE", "pics", "--json", "--out", "labels.csv"),
        "--json and labels.csv ask for different formats; "
        "expected one of .json, .jsonl, .ndjson, or no --json.",
    ),
    "predict into a folder": (
        ("predict", "BUNDLE", "pics", "--out", "pics.csv"),
        "cannot write a file; found pics.csv (Is a directory).\nName a file; this is a folder.",
    ),
    "evaluate on unknown classes": (
        ("evaluate", "BUNDLE", "pics"),
        "the target 'label' holds classes that the model does not know; found a, b; expected dark, bright.",
    ),
    "evaluate on data of another kind": (
        ("evaluate", "BUNDLE", "good.csv"),
        "no column of good.csv looks like an input; found text, label; expected a column of image.\n"
        "Name it with --image COL.",
    ),
    "evaluate on a part that is not there": (
        ("evaluate", "BUNDLE", "known", "--part", "val"),
        "no rows in the part 'val'; found data without parts; expected a part that the data have.",
    ),
    "evaluate on missing data": (
        ("evaluate", "BUNDLE", "nowhere"),
        "no such file or folder: nowhere.\nPaths are relative to {cwd}.",
    ),
}


@pytest.mark.parametrize("kind", BUNDLES)
def test_a_bundle_used_wrongly(call, make_bundle, images, kind):
    from autotl.modalities.registry import modality

    Path("void").mkdir()
    Path("pics.csv").mkdir()
    images.rename("known")
    arguments, message = BUNDLES[kind]
    bundle = make_bundle()
    endings = ", ".join(sorted(modality("image").extensions))
    message = message.replace("{cwd}", str(Path.cwd())).replace("{endings}", endings)
    check_refused(call(*(bundle if argument == "BUNDLE" else argument for argument in arguments)), message)


def uncounted(text: str) -> str:
    """Without the number of bytes that a decoder left, which is its own affair."""
    return re.sub(r"\(\d+ bytes", "(N bytes", text)


def truncated(path: Path) -> str:
    whole = Path("whole.jpg")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)).save(whole)
    path.write_bytes(whole.read_bytes()[:-2000])
    return (
        f"cannot decode the image {path}; found image file is truncated (N bytes not processed); "
        "expected a complete image file that Pillow can read. Repair or remove the file."
    )


def no_image(path: Path) -> str:
    path.write_bytes(b"no picture")
    return (
        f"cannot decode the image {path}; found no known image format; "
        "expected a complete image file that Pillow can read. Repair or remove the file."
    )


def huge(path: Path) -> str:
    Image.new("1", (10_000, 10_000)).save(path, format="PNG")
    return (
        f"the image {path} is too large to decode; found 100000000 pixels; expected at most 89,478,485. "
        "Scale it down first."
    )


@pytest.mark.parametrize("damage", [truncated, no_image, huge], ids=lambda damage: damage.__name__)
def test_an_image_that_cannot_be_used_costs_only_its_own_row(call, make_bundle, images, damage):
    bad = images / "bright" / "3.jpg"
    message = damage(bad)
    result = call("predict", make_bundle(), images / "bright", "--json")
    found = [json.loads(uncounted(line)) for line in result.stdout.splitlines()]
    assert result.exit_code == 2
    assert uncounted(result.stderr) == message + "\n"
    assert [row.get("label") for row in found].count("bright") == 6
    assert [row["error"] for row in found if row["name"] == str(bad)] == [message]


@pytest.mark.parametrize(
    ("mode", "ending", "value"),
    [
        ("CMYK", "jpg", (0, 0, 0, 20)),
        ("I;16", "png", 60_000),
        ("RGBA", "png", (0, 0, 0, 10)),
        ("LA", "png", (0, 10)),
        ("P", "gif", 250),
        ("1", "png", 1),
    ],
)
def test_an_unusual_image_is_predicted_like_any_other(call, make_bundle, mode, ending, value):
    image = Image.new(mode, (20, 20), value)
    if mode == "P":
        image = Image.new("L", (20, 20), value)
        image.save("odd.gif", save_all=True, append_images=[Image.new("L", (20, 20), 0)])
    else:
        image.save(f"odd.{ending}")
    result = call("predict", make_bundle(), f"odd.{ending}", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["label"] == "bright"

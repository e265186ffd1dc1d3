"""Whatever lies in a bundle's folder, it works or is refused as a bundle, and no file elsewhere is opened.

AUTOTL_EXAMPLES sets the number of examples: AUTOTL_EXAMPLES=1000000 scripts/test --timeout=0 THIS_FILE.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import autotl
from autotl.errors import BundleError
from autotl.export.bundle import add_reference
from autotl.serve import predictor as predicting
from autotl.serve.bundle import manifest_sha256
from autotl.serve.evidence import Answers, Certificate
from autotl.serve.monitoring.reference import Reference, read_reference
from autotl.serve.predictor import Predictor

many = settings.get_profile("many")
MANIFEST, TOKENIZER, MODEL, CARD = "bundle.json", "tokenizer.json", "model.onnx", "README.md"
ARCHIVES = ("parity.npz", "monitoring.npz")


# --- what is opened meanwhile ------------------------------------------------------------------------------


class Watch:
    """Hears which files Python opens, once it was made for as long as the process lives."""

    def __init__(self) -> None:
        self._opened: list[Path] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._opened is None or event not in ("open", "os.listdir", "os.scandir"):
            return
        if isinstance(arguments[0], (str, bytes, os.PathLike)):
            self._opened.append(Path(os.path.realpath(os.fsdecode(arguments[0]))))

    @contextmanager
    def within(self, folder: Path) -> Iterator[None]:
        """Fail where a file is opened that lies elsewhere and belongs to no program."""
        self._opened = []
        try:
            yield
        finally:
            opened, self._opened = self._opened, None
        allowed = (folder.resolve(), *PROGRAMS)
        assert [path for path in opened if not any(path.is_relative_to(place) for place in allowed)] == []


PROGRAMS = [Path(path).resolve() for path in (*sysconfig.get_paths().values(), "/proc", "/sys")]
PROGRAMS.append(Path(autotl.__file__).resolve().parent)
WATCH = Watch()


# --- bundles to start from ---------------------------------------------------------------------------------


class Draft:
    """A bundle that is being changed: what lies in its folder, and its manifest."""

    def __init__(self, files: dict[str, bytes], manifest: Any) -> None:
        self.files, self.manifest = files, manifest
        #: The manifest as it is written, where that is no JSON of it.
        self.text: bytes | None = None
        #: Names in whose place something else lies: "link", "folder" or "nothing".
        self.instead: dict[str, str] = {}

    @classmethod
    def of(cls, folder: Path) -> Draft:
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST}
        return cls(files, json.loads((folder / MANIFEST).read_text()))

    def seal(self) -> None:
        """Let it pass for a bundle that was exported so."""
        for name, content in self.files.items():
            with suppress(TypeError, KeyError, AttributeError):
                self.manifest["files"][name]["sha256"] = hashlib.sha256(content).hexdigest()
        if isinstance(self.manifest, dict):
            self.manifest["sha256"] = manifest_sha256(self.manifest)


class Place:
    """Where a bundle is written, and a file beside it that nobody may open."""

    def __init__(self, root: Path) -> None:
        self.folder, self.secret = root / "model", root / "secret"
        self.folder.mkdir()
        self.secret.write_text("{}")
        self._there: dict[str, tuple[str, bytes]] = {}

    def write(self, draft: Draft) -> None:
        """Make the folder hold a bundle, touching what differs."""
        text = json.dumps(draft.manifest).encode() if draft.text is None else draft.text
        wanted = {
            name: (draft.instead.get(name, "file"), content)
            for name, content in {**draft.files, MANIFEST: text}.items()
            if Path(name).name == name
        }
        for name in [name for name, what in self._there.items() if wanted.get(name) != what]:
            path, (kind, _) = self.folder / name, self._there.pop(name)
            path.rmdir() if kind == "folder" else path.unlink()
        for name in [name for name in wanted if name not in self._there]:
            with suppress(OSError, ValueError):  # not every name can be that of a file
                self._make(self.folder / name, *wanted[name])
                self._there[name] = wanted[name]

    def _make(self, path: Path, kind: str, content: bytes) -> None:
        if kind == "link":
            path.symlink_to(self.secret)
        elif kind == "folder":
            path.mkdir()
        elif kind == "file":
            path.write_bytes(content)
        else:
            raise OSError("nothing lies there")


@pytest.fixture(scope="module")
def drafts(text_bundles, image_bundle, texts, images, tmp_path_factory) -> list[Draft]:
    """A model of texts and one of images, each with all that a bundle can hold."""
    folder = tmp_path_factory.mktemp("drafts")
    found = []
    for source, items in ((text_bundles(), texts), (image_bundle, images)):
        target = Path(shutil.copytree(source, folder / source.name))
        predictor = Predictor(target, threads=1)
        targets = np.arange(len(items)) % 3
        add_reference(target, Reference.of(predictor.task, *predictor.outputs(items), targets))
        found.append(Draft.of(target))
    return found


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        yield Place(Path(folder))


@pytest.fixture(scope="module", autouse=True)
def sessions(drafts) -> Iterator[None]:
    """Open a graph that was not changed only once: that takes longer than everything else together."""
    opens = predicting.open_session
    known = {draft.files[MODEL]: opens(draft.files[MODEL], threads=1) for draft in drafts}

    def cached(path: Path, **options: Any) -> Any:
        return known.get(path.read_bytes()) or opens(path, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predicting, "open_session", cached)
        yield


# --- what is changed ---------------------------------------------------------------------------------------

names = st.sampled_from([MODEL, TOKENIZER, CARD, *ARCHIVES, "a", "", "..", "../secret", MANIFEST, "a" * 300])
names |= st.text(max_size=4)
scalars = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 1, 2**31, 2**63, -(2**70), 10**4000, 0.5, float("inf"), float("nan")])
    | st.sampled_from(["text", "image", "binary", "regression", "multilabel", "features", "values"])
    | names
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
pieces = st.binary(max_size=8) | st.sampled_from([b"", b"\x00" * 64, b"\xff" * 16, b"9" * 5000, b"[" * 2000])
#: Stand for a place among as many as there are.
numbers = st.integers(0, 2**16)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each place in JSON where a value stands: the object or list, and the key in it."""
    found, pending = [], [value]
    while pending:
        outer = pending.pop()
        keys = range(len(outer)) if isinstance(outer, list) else list(outer)
        found += [(outer, key) for key in keys]
        pending += [outer[key] for key in keys if isinstance(outer[key], (dict, list))]
    return found


@dataclass
class OfJson:
    """Replace, add, move or take out one value, wherever it stands."""

    act: str
    at: int
    source: int
    value: Any
    name: str

    def change(self, document: Any) -> None:
        known = places(document)
        if not known:
            return
        outer, key = known[self.at % len(known)]
        value = deepcopy(self.value)
        if self.act == "copy":
            source, other = known[self.source % len(known)]
            value = deepcopy(source[other])
        if self.act == "remove":
            del outer[key]
        elif self.act in ("replace", "copy"):
            outer[key] = value
        elif isinstance(outer, list):
            outer.insert(key, value)
        else:
            outer[self.name] = outer.pop(key) if self.act == "rename" else value


@dataclass
class Manifest(OfJson):
    """One value of the manifest is another, or stands elsewhere."""

    def __call__(self, draft: Draft) -> None:
        if isinstance(draft.manifest, (dict, list)):
            self.change(draft.manifest)


@dataclass
class Tokenizer(OfJson):
    """One value of the tokenizer is another, or stands elsewhere."""

    def __call__(self, draft: Draft) -> None:
        with suppress(ValueError, KeyError, RecursionError):  # it was changed before, or there is none
            document = json.loads(draft.files[TOKENIZER])
            if isinstance(document, (dict, list)):
                self.change(document)
                draft.files[TOKENIZER] = json.dumps(document).encode()


@dataclass
class Content:
    """Something is cut out of a file, or of the manifest, and something else stands there."""

    name: str
    at: int
    length: int
    piece: bytes

    def __call__(self, draft: Draft) -> None:
        content = draft.files.get(self.name, json.dumps(draft.manifest).encode())
        at = self.at % (len(content) + 1)
        changed = content[:at] + self.piece + content[at + self.length :]
        if self.name in draft.files:
            draft.files[self.name] = changed
        else:
            draft.text = changed


@dataclass
class Arrays:
    """An array of an archive is of another shape and type."""

    file: str
    at: int
    shape: list[int]
    kind: str
    adds: bool

    def __call__(self, draft: Draft) -> None:
        arrays: dict[str, Any] = {}
        with suppress(Exception), np.load(io.BytesIO(draft.files[self.file])) as file:
            arrays.update(file)
        if not arrays:  # it was torn before, or there is none
            return
        name = sorted(arrays)[self.at % len(arrays)]
        arrays["another" if self.adds else name] = np.zeros(self.shape, self.kind)
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        draft.files[self.file] = stream.getvalue()


@dataclass
class Instead:
    """A link, a folder or nothing lies where a file should."""

    name: str
    kind: str

    def __call__(self, draft: Draft) -> None:
        draft.instead[self.name] = self.kind


@dataclass
class Renamed:
    """A file has the name of another, or one that no file should have."""

    name: str
    other: str

    def __call__(self, draft: Draft) -> None:
        draft.files[self.other] = draft.files.get(self.name, b"")


acts = st.sampled_from(["replace", "replace", "remove", "rename", "add", "copy"])
of_json = {"act": acts, "at": numbers, "source": numbers, "value": values, "name": names}
files = st.sampled_from([MODEL, TOKENIZER, CARD, MANIFEST, *ARCHIVES])
kinds = st.sampled_from(["<f4", "<f8", "<f2", "<i4", "<i8", "<U64", "<U0", "|b1", "|S3", "<c8", "<M8[s]"])
shapes = st.lists(st.sampled_from([0, 1, 3, 8, 31, 32, 100]), max_size=3)
changes = st.one_of(
    st.builds(Manifest, **of_json),
    st.builds(Manifest, **of_json),
    st.builds(Manifest, **of_json),
    st.builds(Tokenizer, **of_json),
    st.builds(Content, files, numbers, st.sampled_from([0, 1, 2, 4, 16, 2**17]), pieces),
    st.builds(Arrays, st.sampled_from(ARCHIVES), numbers, shapes, kinds, st.booleans()),
    st.builds(Instead, files, st.sampled_from(["link", "folder", "nothing"])),
    st.builds(Renamed, files, names),
)


# --- what is done with it ----------------------------------------------------------------------------------

PICTURE = io.BytesIO()
Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)).save(PICTURE, "PNG")


def use(folder: Path, *, check: bool) -> int:
    """How many of the things that can be done with a bundle went well."""
    try:
        predictor = Predictor(folder, threads=1, check=check)
    except BundleError:
        return 0
    bundle, columns = predictor.bundle, len(predictor.bundle.columns)
    text = "a good film" if columns < 2 else ("a good film",) * columns
    item = PICTURE.getvalue() if bundle.spec.modality == "image" else text
    acts: list[Callable[[], Any]] = [
        lambda: predictor.predict([item]),
        lambda: Answers.read(bundle),
        lambda: Certificate.read(bundle),
        lambda: read_reference(bundle),
    ]
    done = 0
    for act in acts:
        with suppress(BundleError):
            act()
            done += 1
    return done


@pytest.mark.parametrize("which", [0, 1])
def test_a_bundle_that_was_not_changed_works_and_opens_nothing_else(drafts, place, which):
    place.write(drafts[which])
    with WATCH.within(place.folder):
        assert use(place.folder, check=True) == 4
    with pytest.raises(AssertionError, match="secret"), WATCH.within(place.folder):
        place.secret.read_text()


@many
@given(
    which=st.integers(0, 1),
    changed=st.lists(changes, min_size=1, max_size=3),
    is_sealed=st.sampled_from([True] * 7 + [False]),
    check=st.booleans(),
)
def test_whatever_was_changed_it_works_or_is_refused_and_opens_nothing_else(
    drafts, place, which, changed, is_sealed, check
):
    draft = deepcopy(drafts[which])
    for change in changed:
        change(draft)
    if is_sealed:
        draft.seal()
    place.write(draft)
    with WATCH.within(place.folder):
        use(place.folder, check=check)

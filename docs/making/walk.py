"""Walks through pages as a reader would: types each block in a folder, and keeps what was said.

Lines that only call `autotl` run in this process, where torch is imported once; all else runs in a shell.
Where a page serves at port 8000, a free port stands in for it.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autotl.versions import install_command
from docs.making.pages import Block, Page

_WIDTH = "100"
_PORT = "8000"
_HOME = "/home/you"
#: An extra as it is installed here, from a folder, and as a page names it.
_INSTALLED = (install_command("").removesuffix("[]'"), "pip install 'autotl")
_PATIENCE_SECONDS = 600
#: Characters that mean something to a shell where they are not quoted.
_SHELL = frozenset("();<>|&$`*?[{~#")
#: Smaller files are copied for the next page: a block may change them in place.
_LINKED_BYTES = 2**20


class BlockFailedError(AssertionError):
    """A block ended otherwise than its page says."""


@dataclass(frozen=True)
class Said:
    """What came of a block.

    Attributes:
        code: Exit code.
        text: Standard output and error, in the order in which they came.
        seconds: How long it took.
    """

    code: int
    text: str
    seconds: float


@dataclass
class Walk:
    """Someone who follows a page.

    Attributes:
        folder: Where everything is typed.
        names: What Python blocks have defined.
    """

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})

    def run(self, block: Block) -> Said:
        """Do what a block says.

        Raises:
            BlockFailedError: It ended with another exit code than its page says.
        """
        if "file" in block.options:
            target = self.folder / block.options["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
            return Said(0, "", 0.0)
        begun = time.monotonic()
        with _at(self.folder):
            code, text = self._python(block.text) if block.language == "python" else self._bash(block.text)
        said = Said(code, self._plain(text), time.monotonic() - begun)
        wanted = int(block.options.get("exit", "0"))
        if said.code != wanted:
            raise BlockFailedError(
                f"{block.where} ended with {said.code}, expected {wanted}:\n{block.text}\n{said.text}"
            )
        return said

    def _plain(self, text: str) -> str:
        """What was said, without blanks at ends of lines, and as if it had been said at home."""
        lines = text.replace(str(self.folder.resolve()), _HOME).replace(*_INSTALLED).splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def _python(self, text: str) -> tuple[int, str]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            exec(compile(text, "page", "exec"), self.names)
        return 0, printed.getvalue()

    def _bash(self, text: str) -> tuple[int, str]:
        commands = [plain_command(line) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
        if not all(commands):
            return _shell(text)
        code, said = 0, ""
        for command in commands:
            code, more = _autotl(command or [])
            said += more
            if code:
                break
        return code, said


class Walks:
    """Walks through pages, each once; a page that goes on from others gets what they left.

    Args:
        make_folder: Gives a new folder by the name of a page.
        slow: Whether slow blocks are run too.
        hear: Called with each block that was run, and what came of it.
    """

    def __init__(
        self,
        make_folder: Callable[[str], Path],
        *,
        slow: bool = False,
        hear: Callable[[Block, Said], None] = lambda block, said: None,
    ) -> None:
        self._make_folder, self._slow, self._hear = make_folder, slow, hear
        self._done: dict[str, Path | BlockFailedError] = {}

    def through(self, page: Page) -> Path:
        """The folder as a page leaves it.

        Raises:
            BlockFailedError: A block of it, or of a page before it, failed; again at each further call.
        """
        if page.name not in self._done:
            try:
                self._done[page.name] = self._walk(page)
            except BlockFailedError as error:
                self._done[page.name] = error
        found = self._done[page.name]
        if isinstance(found, BlockFailedError):
            raise found
        return found

    def _walk(self, page: Page) -> Path:
        folder = self._make_folder(page.name)
        for former in page.starts_from:
            shutil.copytree(self.through(former), folder, dirs_exist_ok=True, copy_function=_hand_on)
        walk = Walk(folder)
        for block in page.blocks:
            if block.runs and (self._slow or "slow" not in block.options):
                self._hear(block, walk.run(block))
        return folder


def plain_command(line: str) -> list[str] | None:
    """The arguments of a line that calls `autotl` and nothing else; None for any other line."""
    try:
        words, bare = shlex.split(line), shlex.split(line, posix=False)
    except ValueError:
        return None
    unquoted = "".join(word for word in bare if word[0] not in "'\"")
    return words[1:] if words[:1] == ["autotl"] and not _SHELL & set(unquoted) else None


def _autotl(arguments: list[str]) -> tuple[int, str]:
    from typer.testing import CliRunner

    from autotl.cli import app

    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def _shell(text: str) -> tuple[int, str]:
    port = _free_port() if f":{_PORT}" in text or f"--port {_PORT}" in text else _PORT
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text.replace(_PORT, port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.replace(port, _PORT)


def _hand_on(source: str, target: str) -> None:
    if Path(source).stat().st_size < _LINKED_BYTES:
        shutil.copy2(source, target)
    elif not Path(target).exists():
        os.link(source, target)


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def _lies_in(folder: Path, module: object) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}")


@contextmanager
def _at(folder: Path) -> Iterator[None]:
    """In a folder, as a terminal and Python are there: a fixed width, programs and modules at hand."""
    changed = {
        "COLUMNS": _WIDTH,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    former = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    sys.path.insert(0, str(folder))
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name, module in sys.modules.items() if _lies_in(folder, module)]:
            del sys.modules[name]  # another page may have one of the same name
        for name, value in former.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

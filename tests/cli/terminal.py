"""A terminal for tests: runs a program in a pseudo-terminal, and shows what a person would see there."""

from __future__ import annotations

import codecs
import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

_PATIENCE_SECONDS = 60
_SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")
#: The beginning of a sequence that goes on in the next piece.
_CUT = re.compile(r"(\x1b(\[[?\d;]*)?)?$")
_COLOUR = re.compile(r"\x1b\[[\d;]*\b(3[0-7]|9[0-7]|38;[\d;]+)m")


class Screen:
    """What a stream of characters makes of a screen; knows the sequences that Rich writes, and no others."""

    def __init__(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self.rows = [""]
        self.row = self.column = 0

    @property
    def top(self) -> int:
        """The first row that is seen; those before it were scrolled away."""
        return max(len(self.rows) - self.lines, 0)

    @property
    def seen(self) -> list[str]:
        """The rows of the screen."""
        return [row.rstrip() for row in self.rows[self.top :]]

    def resize(self, columns: int) -> None:
        """Another width: lines that no longer fit are broken, as most terminals do."""
        pieces = [
            [row[i : i + columns] for i in range(0, max(len(row.rstrip()), 1), columns)] for row in self.rows
        ]
        self.row = sum(len(found) for found in pieces[: self.row + 1]) - 1
        self.rows = [piece for found in pieces for piece in found]
        self.columns = columns

    def feed(self, text: str) -> None:
        """Take in characters."""
        place = 0
        while place < len(text):
            found = _SEQUENCE.match(text, place)
            if found:
                self._control(found[1], found[2])
                place = found.end()
                continue
            assert text[place] != "\x1b", f"unknown sequence {text[place : place + 12]!r}"
            self._put(text[place])
            place += 1

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self._down()
        else:
            if self.column == self.columns:
                self._down()
                self.column = 0
            row = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = row[: self.column] + letter + row[self.column + 1 :]
            self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append("")

    def _control(self, numbers: str, letter: str) -> None:
        if letter == "A":
            self.row = max(self.row - int(numbers or 1), self.top)
        elif letter == "K":
            assert numbers == "2"
            self.rows[self.row] = ""
        elif letter == "H":
            assert numbers == ""
            self.row, self.column = self.top, 0
        elif letter == "J":
            assert numbers == "2"
            self.rows[self.top :] = [""] * len(self.rows[self.top :])
        else:
            assert letter in "mhl", f"unknown sequence {numbers}{letter}"


class Terminal:
    """A program in a pseudo-terminal.

    Args:
        code: Python to run.
        columns, lines: Size.
        environment: Further variables.
        arguments: Of the program.
    """

    def __init__(
        self,
        code: str,
        columns: int = 80,
        lines: int = 30,
        arguments: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        self.raw = ""
        self.screen = Screen(columns, lines)
        self._lines = lines
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._held = ""
        self._ended = False
        self._ours, theirs = os.openpty()
        settings = termios.tcgetattr(theirs)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        self._set_size(columns)
        clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**clean, "TERM": "xterm-256color", **environment},
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def resize(self, columns: int) -> None:
        """Make the window wider or narrower."""
        self._set_size(columns)
        self.screen.resize(columns)

    def wait_for(self, pattern: str) -> list[str]:
        """Read until the screen shows something, and is then quiet; gives its rows."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not re.search(pattern, "\n".join(self.screen.seen)):
            given_up = self._ended or time.monotonic() > deadline
            assert not given_up, "\n".join(self.screen.seen)
            self.read(0.1)
        # not in the middle of a drawing
        while not self._ended and select.select([self._ours], [], [], 0.1)[0]:
            self.read(0.05)
        return self.screen.seen

    def read(self, seconds: float) -> None:
        """Take in what comes within some seconds."""
        until = time.monotonic() + seconds
        while not self._ended and (left := until - time.monotonic()) > 0:
            if not select.select([self._ours], [], [], left)[0]:
                return
            try:
                text = self._held + self._decoder.decode(os.read(self._ours, 65536))
            except OSError:  # the program has ended: its side stays readable, and gives nothing
                self._ended = True
                return
            whole = len(text) - len(_CUT.search(text)[0])
            self._held = text[whole:]
            self.raw += text[:whole]
            self.screen.feed(text[:whole])

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._ours, text.encode())

    @property
    def has_colours(self) -> bool:
        """Whether anything was written in a colour."""
        return _COLOUR.search(self.raw) is not None

    def _set_size(self, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", self._lines, columns, 0, 0))

"""How a verb ends that cannot go on: a message in red and an exit code, in place of a traceback.

2 for what the user can put right (`AutotlError`, a missing extra, a full disk, a forbidden file), 130 for
Ctrl-C. Any other exception is a defect of the program and is let through with its traceback.
"""

from __future__ import annotations

import errno
import re
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

import typer
from typer.core import TyperGroup

from autotl.errors import AutotlError, MissingExtraError, StorageError
from autotl.versions import install_command

_DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "Pillow", "conformal_clip_data": "conformal-clip-data"}
#: What verbs need that work without the rest of its extra.
_ALONE = ("scikit-learn",)
_DISK_REFUSES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


class Verbs(TyperGroup):
    """The group of all verbs; turns errors into messages and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen verb."""
        debug = bool(ctx.params.get("debug"))
        try:
            return super().invoke(ctx)
        except (AutotlError, ModuleNotFoundError, OSError) as error:
            told = in_words(error)
            if debug or told is None:
                raise
            complain(told)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            if debug:
                raise
            typer.echo("Interrupted.", err=True)
            raise typer.Exit(130) from None


def in_words(error: Exception) -> AutotlError | None:
    """The error that tells a person what to do; None where the program is at fault."""
    if isinstance(error, AutotlError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return missing_extra(error)
    if isinstance(error, OSError) and error.errno in _DISK_REFUSES:
        return StorageError(
            "the disk takes no more",
            found=f"{error.strerror}, writing {error.filename}" if error.filename else error.strerror,
            hint="Free some space, or choose another disk with --out; a run goes on with --resume.",
        )
    if isinstance(error, PermissionError):
        return StorageError(
            "no permission to read or write",
            found=error.filename or error.strerror,
            hint="Change its permissions, or choose another place.",
        )
    return None


def complain(error: AutotlError) -> None:
    """Print an error's message to standard error, its hint on a line of its own."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    message = str(error)
    if error.hint is not None:
        message = message.removesuffix(error.hint).rstrip()
    console.print(Text("Error: ", style="bold red").append(message, style="red"))
    if error.hint is not None:
        console.print(Text(error.hint))


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """The error that names the extra which brings a missing module; None where no extra does."""
    module = (error.name or "").partition(".")[0]
    wanted = _normal(_DISTRIBUTIONS.get(module, module))
    for requirement in _requirements():
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", requirement)
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if extra and name and _normal(name[0]) == wanted:
            command = f"pip install {name[0]}" if wanted in _ALONE else install_command(extra[1])
            return MissingExtraError(
                f"this needs the package {name[0]}, which is not installed", hint=f"Install it: {command}"
            )
    return None


def _requirements() -> list[str]:
    try:
        return requires("autotl") or []
    except PackageNotFoundError:
        return []


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

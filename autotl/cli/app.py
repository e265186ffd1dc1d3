"""The Typer app that verbs join, and what holds for all of them."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from autotl.console.failures import Verbs

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from autotl import __version__

        typer.echo(f"autotl {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: [bold]autotl fit photos/ --time 10m[/]")
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The best deployable model that transfer learning makes of your data, within a budget of time."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")  # one odd file name is not to cost the rest

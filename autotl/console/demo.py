"""`autotl demo`: write data, fit, show the leaderboard, predict what was held out."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from autotl.console.demo_data import DemoData, write_images, write_texts
from autotl.console.fitting import fit_and_show
from autotl.console.output import show, show_line
from autotl.search.budget import parse_duration
from autotl.trial.run_folder import free_folder

_FOLDER = Path("demo_data")


def run_demo(kind: str, *, time_budget: str, out: Path | None, threads: int | None, seed: int) -> None:
    """Run the demo in the current folder.

    Args:
        kind: "image" or "text".
        time_budget: Budget of the search, such as "3m".
        out: Run folder; the first free `runs/demo-KIND` where None.
        threads: CPU threads.
        seed: Seed of the search.
    """
    parse_duration(time_budget)  # a mistake in it should not leave data behind
    data = write_texts(_FOLDER) if kind == "text" else write_images(_FOLDER)
    out = out or free_folder(Path("runs") / f"demo-{kind}")
    show_line(f"autotl fit {data.train} --time {time_budget} --out {out}\n")
    fit_and_show(data.train, as_json=False, time_budget=time_budget, out=out, threads=threads, seed=seed)
    arguments = [str(path) for path in data.held_out]
    shown = " ".join([*arguments[:2], *(["..."] if arguments[2:] else [])])
    show_line(f"\nautotl predict {out / 'model'} {shown}\n")
    show(held_out_view(out / "model", data))


def held_out_view(bundle: Path, data: DemoData) -> Table:
    """The held-out inputs, what the bundle says of them, and what they are."""
    from autotl.console.predictions import predictions
    from autotl.serve.inputs import read_inputs
    from autotl.serve.predictor import Predictor

    predictor = Predictor(bundle)
    names, items = read_inputs(predictor.bundle, [str(path) for path in data.held_out], sys.stdin)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("input", "predicted", "confidence", "truth"):
        table.add_column(column)
    rows = list(predictions(predictor, names, items))
    for row, item, truth in zip(rows, items, data.labels, strict=True):
        shown = row["name"] if isinstance(item, Path) else str(item)
        style = "" if row["label"] == truth else "red"
        table.add_row(escape(shown), escape(row["label"]), f"{row['confidence']:.3f}", truth, style=style)
    return table

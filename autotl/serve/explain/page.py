"""Explanations as one self-contained HTML page, and as JSON: what `autotl explain --out` writes.

The page loads nothing, runs no script, and follows the viewer's light or dark theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from autotl.serve.answers import describe
from autotl.serve.explain.explanation import Explanation
from autotl.serve.explain.neighbours import Neighbour
from autotl.serve.explain.rendering import html_of
from autotl.serve.explain.words import legend, summary

_STYLE = """
:root { color-scheme: light dark;
  --paper: #fcfcfa; --card: #fff; --ink: #1b1d21; --soft: #5c636e; --line: #dfe1e5; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #15171a; --card: #1c1f23; --ink: #e9eaec; --soft: #a3abb6; --line: #353a41; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { background: var(--paper); color: var(--ink); }
article { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 1rem 1.25rem; }
article { margin: 1rem 0; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1rem; margin: 0; }
img { max-width: 100%; height: auto; display: block; } .soft, caption, th { color: var(--soft); }
.shown { margin: .75rem 0; white-space: pre-wrap; } table { border-collapse: collapse; font-size: .9rem; }
td, th { padding: .15rem 1.25rem .15rem 0; text-align: left; } caption { text-align: left; }
th, td:first-child { white-space: nowrap; } td { min-width: 6ch; }
"""


def row(name: str, explanation: Explanation, nearest: Sequence[Neighbour]) -> dict[str, Any]:
    """An explanation as a JSON-ready row: what is predicted, why, and what is near."""
    return {
        "name": name,
        **describe(explanation.task, explanation.outputs, probabilities=True),
        **explanation.to_json(),
        "summary": summary(explanation),
        "nearest": [asdict(neighbour) for neighbour in nearest],
    }


def answer(explanation: Explanation) -> str:
    """What is predicted, in a few words, and what is explained where that is something else."""
    found = describe(explanation.task, explanation.outputs, probabilities=False)
    if "value" in found:
        return f"{explanation.name} {found['value']:.4g}"
    if "labels" in found:
        said = ", ".join(found["labels"]) or "no label"
    else:
        said = f"{found['label']} {found['confidence']:.3g}"
        if found["label"] == explanation.name:
            return said
    return f"{said}; explained: {explanation.name} {explanation.output:.3g}"


def card(name: str, explanation: Explanation, nearest: Sequence[Neighbour]) -> str:
    """One explanation as an `<article>` of the page."""
    return (
        f"<article><h2>{escape(name)}</h2><div>{escape(answer(explanation))}</div>"
        f'<div class="shown">{html_of(explanation)}</div><p>{escape(summary(explanation))}</p>'
        f'<p class="soft">{escape(legend(explanation))}</p>{_table(nearest)}</article>'
    )


def failure(name: str, error: str) -> str:
    """An input that could not be read, as an `<article>` of the page."""
    return f"<article><h2>{escape(name)}</h2><p>{escape(error)}</p></article>"


def page(title: str, cards: Iterable[str]) -> str:
    """The page.

    Args:
        title: Its heading, plain text.
        cards: What `card` and `failure` give.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>{''.join(cards)}</main></body></html>\n"
    )


def _table(nearest: Sequence[Neighbour]) -> str:
    if not nearest:
        return ""
    rows = "".join(
        f"<tr><td>{n.similarity:.3f}</td><td>{escape(n.label)}</td><td>{escape(n.name)}</td></tr>"
        for n in nearest
    )
    head = "<tr><th>similarity</th><th>label</th><th>row</th></tr>"
    return f"<table><caption>nearest training rows</caption>{head}{rows}</table>"

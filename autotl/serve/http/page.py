"""GET /docs: the OpenAPI document as a page with commands to copy. No script, nothing from elsewhere."""

from __future__ import annotations

import html
import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from autotl.serve.http.service import Service

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #222; }
h2 { margin-top: 2.5rem; font-size: 1.1rem; } code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: #f4f4f4; padding: .75rem; overflow-x: auto; border-radius: 4px; }
.verb { color: #fff; background: #2d6a4f; border-radius: 4px; padding: .1rem .5rem; margin-right: .5rem; }
summary { cursor: pointer; color: #555; } td { padding-right: 1.5rem; vertical-align: top; }
@media (prefers-color-scheme: dark) {
 body { background: #1b1b1b; color: #ddd; } pre { background: #2a2a2a; } a { color: #8ab4f8; } }
"""
_LONGEST_EXAMPLE = 1200


def add_routes(router: APIRouter, service: Service) -> None:
    """Add the page."""

    @router.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    async def docs(request: Request) -> HTMLResponse:
        document = request.app.openapi()
        return HTMLResponse(
            page(document, str(request.base_url).rstrip("/")),
            headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        )


def page(document: dict[str, Any], base: str) -> str:
    """The page of an OpenAPI document.

    Args:
        document: The document.
        base: URL of the server, for the commands.
    """
    title = html.escape(document["info"]["title"])
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>',
        f"<h1>{title}</h1><p>{html.escape(document['info']['description'])}</p>",
        '<p>Machines read <a href="openapi.json">openapi.json</a>.</p>',
    ]
    for path, operations in document["paths"].items():
        if "/versions/" in path:
            continue
        for verb, operation in operations.items():
            parts.append(_operation(path, verb, operation, base))
    return "".join(parts) + "</body></html>\n"


def _operation(path: str, verb: str, operation: dict[str, Any], base: str) -> str:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    shown = [
        f'<h2><span class="verb">{verb.upper()}</span><code>{html.escape(path)}</code></h2>',
        f"<p>{html.escape(operation['summary'])}</p>",
        *(_query(p) for p in operation.get("parameters", []) if p["in"] == "query"),
    ]
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        shown.append(f"<pre>curl {html.escape(base + path)}</pre>")
    for kind, body in content.items():
        shown.append(f"<pre>{html.escape(_command(base + path, kind, body))}</pre>")
    rows = "".join(
        f"<tr><td>{status}</td><td>{html.escape(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    schema = (
        operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
    )
    text = html.escape(json.dumps(schema, indent=1, ensure_ascii=False))
    shown.append(f"<details><summary>Answers</summary><table>{rows}</table><pre>{text}</pre></details>")
    return "".join(shown)


def _query(parameter: dict[str, Any]) -> str:
    values = html.escape(", ".join(parameter["schema"].get("enum", [])))
    name, text = html.escape(parameter["name"]), html.escape(parameter.get("description", ""))
    return f"<p><code>?{name}=</code> {values}: {text}</p>"


def _command(url: str, kind: str, body: dict[str, Any]) -> str:
    """A curl command that sends an example."""
    if kind == "multipart/form-data":
        return f"curl {url} -F files=@FILE -F files=@ANOTHER"
    example = body.get("example", "")
    text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
    if len(text) > _LONGEST_EXAMPLE:
        text = "@request.json"
    quoted = text.replace("'", "'\\''")
    return f"curl {url} -H 'Content-Type: {kind}' --data-binary '{quoted}'"

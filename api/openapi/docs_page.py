"""The page at `/docs`: the OpenAPI document as self-contained HTML for offline use."""

import json
from functools import lru_cache
from html import escape
from typing import Any

from .document import examples_of, operations
from .examples import Json

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2 { font-weight: 600; } h2 { margin-top: 3rem; border-bottom: 1px solid #d8cdb8; }
details { margin: .5rem 0; border: 1px solid #d8cdb8; border-radius: 4px; background: #fdfaf4; }
summary { padding: .5rem .75rem; cursor: pointer; } details > div { padding: 0 .75rem .75rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; } pre { background: #f3ecdf; padding: .6rem; overflow: auto; }
.method { display: inline-block; width: 4rem; font-weight: 700; } .note { color: #665; }
td { text-align: left; vertical-align: top; padding: .2rem .9rem .2rem 0; }
"""


def reference_page(document: Json) -> str:
    """Returns a self-contained HTML page with all operations of an OpenAPI document."""
    return _reference_page(json.dumps(document))


@lru_cache(maxsize=4)
def _reference_page(text: str) -> str:
    document: Json = json.loads(text)
    info = document["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<link rel=icon href=favicon.ico>",
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        *(f"<p>{_prose(block)}</p>" for block in info.get("description", "").strip().split("\n\n")),
        "<p>Machine-readable version, with all types: <a href=openapi.json>openapi.json</a>.</p>",
    ]
    for tag, tagged in operations(document):
        parts.append(f"<h2>{escape(tag['name'])}</h2><p class=note>{_prose(tag['description'])}</p>")
        parts += [_operation(*operation) for operation in tagged]
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Json) -> str:
    body = [f"<p>{_prose(operation.get('description', ''))}</p>"]
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code><td>{escape(p['in'])}<td>{_prose(p.get('description', ''))}"
        for p in operation.get("parameters", [])
    )
    body.append(f"<table>{rows}</table>")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        body += [f"<pre>{_json(value)}</pre>" for _, value in examples_of(content)]
    for status, response in operation["responses"].items():
        body.append(f"<p><strong>{escape(str(status))}</strong> {_prose(response['description'])}</p>")
    head = (
        f"<span class=method>{method}</span> <code>{escape(path)}</code> "
        f"<span class=note>{escape(operation.get('summary', ''))}</span>"
    )
    return _details(head, "\n".join(body), operation.get("operationId", ""))


def _details(head: str, body: str, anchor: str) -> str:
    return f"<details id='{escape(anchor)}'><summary>{head}</summary><div>{body}</div></details>"


def _prose(text: str) -> str:
    """Returns `text` escaped, with text in backticks as code elements."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))


def _json(value: Any) -> str:
    return escape(json.dumps(value, indent=2, ensure_ascii=False))

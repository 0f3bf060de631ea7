"""The reference of the HTTP interface, from its OpenAPI document."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from foxing.api import problems
from foxing.api.openapi.docs_page import Json, examples_of, operations, schema_names
from foxing.api.openapi.examples import BANK, MESSAGE_ID, PAGE_ID, problem_example
from foxing.api.problems import ProblemKind

HEAD = """\
<!-- Written by docs/generate.py; do not edit. -->
# The HTTP interface

The same for programs is [openapi.json](openapi.json). A running service has it at `/openapi.json`, and a reference of
its own version at `/docs`.
"""
RULES = """\
- Every call with a body takes JSON in UTF-8 with `Content-Type: application/json`. A field that the call does not know
  is an error.
- Where the service has a key (`FOXING_API_KEY`), add `-H "Authorization: Bearer $FOXING_API_KEY"` to the examples.
  `/healthz`, `/readyz`, `/docs` and `/openapi.json` need none.
- A time is written `2026-03-02T09:15:00Z` or `2026-03-02T18:15:00+09:00`, a length of time as in ISO 8601: `P7D`,
  `PT30S`.
- Every answer has an `X-Request-ID`: the one that was sent, or a new one. The log has the request under it.
- Every call under `/v1` may answer the [problems](#problems) 401, 422, 500 and 503, one with a body also 400, 413 and
  415; what else it may answer stands with the call.
"""
PATH_VALUES = {"bank": BANK, "page_id": PAGE_ID, "message_id": MESSAGE_ID}
PROBLEM_VALUES = ("Problem", "FieldError")
BASE = "http://127.0.0.1:8765"

#: Slug → what the caller does about it.
ADVICE = {
    "invalid-request": "Correct the fields that `errors` names; nothing was stored.",
    "invalid-json": "Send a JSON document; `detail` says where it breaks off.",
    "invalid-encoding": "Send the body in UTF-8; nothing was stored.",
    "invalid-text": "Leave out the lone surrogate, or send both halves of the pair.",
    "unsupported-media-type": "Send `Content-Type: application/json`.",
    "body-too-large": "Send fewer messages in one request, or raise `FOXING_MAX_BODY_BYTES`.",
    "unauthorized": "Send `Authorization: Bearer <key>` with the key of the service.",
    "wrong-host": "Call the service as `127.0.0.1` or `localhost`, or set `FOXING_API_KEY` to serve other names.",
    "no-such-path": "Look the path up here.",
    "method-not-allowed": "Use a method that the header `Allow` names.",
    "http-error": "`detail` says why; the status may be another one.",
    "internal": "Report it with what the log has under `request_id`.",
    "invalid-time": "Give the time an offset, one that lies not in the future, or words that are a time.",
    "invalid-policy": "Correct what `detail` names: ages must ascend, tiers must go down.",
    "invalid-cursor": "Pass `next_cursor` as it came, with the same question; or begin without one.",
    "message-too-large": "Split the message, or raise `FOXING_MAX_MESSAGE_BYTES`.",
    "invalid-input": "Correct what `detail` names; nothing was stored.",
    "not-found": "Check the bank's name, or list what there is.",
    "conflict": "Give new content a new id, a new request a new idempotency key. Messages cannot be changed.",
    "forgotten": "Ask for the tier that the page is held at, or a lower one.",
    "time-travel-forbidden": "Leave `now` out; for a test, set `FOXING_TIME_TRAVEL=true`.",
    "database-too-new": "Upgrade Foxing, or restore a backup from before the upgrade.",
    "storage": "`detail` says whether the file is read-only, full, locked or damaged. What was stored before is whole; "
    "repeat the request when it is put right.",
    "reader-failed": "Repeat the request when what reads pages elsewhere answers again; `detail` says what it said.",
    "tokens-unreadable": "Restore the page from a backup, or go back to the codec and the weights that wrote it; where "
    "another codec did, `foxing reencode` moves it.",
    "codec": "`detail` says what the codec lacks: its weights, the device, or the tier.",
    "invalid-settings": "Correct the setting that `detail` names, and start the service again.",
}


def http_page(document: Json) -> str:
    """Markdown: every call with its fields, an example of request and answer; the values; the problems."""
    info = document["info"]
    schemas: Mapping[str, Json] = document["components"]["schemas"]
    everywhere = _always(document)
    parts = [HEAD, info["description"], RULES, _contents(document)]
    for tag, listed in operations(document):
        parts += [f"## Calls: {tag['name']}", tag["description"]]
        for method, path, operation in listed:
            parts += _call(method, path, operation, schemas, everywhere)
    parts += ["## Values", "What answers hold, and the parts of requests."]
    every = [operation for _, listed in operations(document) for *_, operation in listed]
    only_asked = {n for o in every for n in _body_names(o)} - {n for o in every for n in _answer_names(o)}
    for name in sorted(set(schemas) - only_asked - set(PROBLEM_VALUES)):
        parts += [f"### {name}", schemas[name].get("description", ""), _fields(schemas[name])]
    parts += _problems(schemas)
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _contents(document: Json) -> str:
    rows = ["| call | does |", "|---|---|"]
    for _, listed in operations(document):
        for method, path, operation in listed:
            rows.append(f"| [`{method} {path}`](#{_anchor(f'{method} {path}')}) | {operation['summary']} |")
    return "\n".join(rows)


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def _call(method: str, path: str, operation: Json, schemas: Mapping[str, Json], everywhere: Iterable[str]) -> list[str]:
    parts = [f"### `{method} {path}`", f"{operation['summary']}. {_flowing(operation['description'])}"]
    parameters = operation.get("parameters", [])
    if parameters:
        rows = [
            (f"`{p['name']}`", p["in"], _type(p["schema"]), _default(p["schema"]), p.get("description", ""))
            for p in parameters
        ]
        parts.append(_table(("parameter", "in", "type", "default", "what it is"), rows))
    for name in _body_names(operation):
        parts += [f"The body. {schemas[name].get('description', '')}", _fields(schemas[name])]
    parts += _requests(method, path, operation)
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            parts += _answer(status, answer)
    others = [
        f"- {status}: {answer['description']}"
        for status, answer in operation["responses"].items()
        if not status.startswith("2") and status not in everywhere
    ]
    return parts + (["Problems of this call:", "\n".join(others)] if others else [])


def _always(document: Json) -> set[str]:
    """The statuses that RULES says of every call."""
    listed = [o for _, found in operations(document) for _, path, o in found if path.startswith("/v1/")]
    with_body = [o for o in listed if "requestBody" in o]
    return set.intersection(*(set(o["responses"]) for o in listed)) | set.intersection(
        *(set(o["responses"]) & {"400", "413", "415"} for o in with_body)
    )


def _body_names(operation: Json) -> list[str]:
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return [name for content in contents for name in schema_names(content["schema"])]


def _answer_names(operation: Json) -> list[str]:
    contents = [c for answer in operation["responses"].values() for c in answer["content"].values()]
    return [name for content in contents for name in schema_names(content.get("schema", {}))]


def _requests(method: str, path: str, operation: Json) -> list[str]:
    """Each example of the call as a line for curl."""
    url = BASE + path
    for name, value in PATH_VALUES.items():
        url = url.replace("{" + name + "}", value)
    verb = "" if method == "GET" else f" -X {method}"
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        media_types = next(a for s, a in operation["responses"].items() if s.startswith("2"))["content"]
        binary = [m for m in media_types if "json" not in m and not m.startswith("text/")]
        output = f" -o {'page.png' if binary == ['image/png'] else 'page.safetensors'}" if binary else ""
        return [f"```sh\ncurl{verb} {url}{output}\n```"]
    parts = []
    for summary, value in examples_of(content):
        body = shlex.quote(_json(value))
        parts.append(f"{summary}:" if summary else "")
        parts.append(f"```sh\ncurl{verb} {url} \\\n  -H 'Content-Type: application/json' -d {body}\n```")
    return parts


def _answer(status: str, answer: Json) -> list[str]:
    parts = []
    for media_type, content in answer["content"].items():
        schema = content.get("schema", {})
        names = " or ".join(f"[{name}](#{_anchor(name)})" for name in schema_names(schema))
        shown = f"{status}, {names}" if names else f"{status}, `{media_type}`"
        parts.append(f"Answer: {shown}. {answer['description']}")
        for summary, value in examples_of(content):
            text = value if isinstance(value, str) else _json(value)
            if summary:
                parts.append(f"With `{summary}`:")
            parts.append(f"```{'text' if isinstance(value, str) else 'json'}\n{text.strip()}\n```")
    return parts


def _fields(schema: Json) -> str:
    needed = schema.get("required", [])
    rows = [
        (f"`{name}`", _type(field), "needed" if name in needed else _default(field), field.get("description", ""))
        for name, field in schema["properties"].items()
    ]
    if set(needed) == set(schema["properties"]):  # as in answers, where nothing is left out
        rows = [(name, kind, "", what) for name, kind, _, what in rows]
    return _table(("field", "type", "default", "what it is"), rows)


def _default(schema: Json) -> str:
    default = schema.get("default")
    return "" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Without the columns that are empty, but for the last."""
    shown = [n for n in range(len(head)) if n == len(head) - 1 or any(row[n] for row in rows)]
    lines = [[head[n] for n in shown], ["---"] * len(shown), *([_cell(row[n]) for n in shown] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "any")
    if kind == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_type(part) for part in schema['prefixItems'])}]"
        return f"list of {_type(schema['items'])}"
    if kind == "object":
        return f"object of {_type(schema['additionalProperties'])}"
    if schema.get("format") == "date-time":
        return "time"
    return f"{kind}{_bounds(schema)}"


def _bounds(schema: Json) -> str:
    unit = " characters" if "maxLength" in schema or "minLength" in schema else ""
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    if low is None and high is None:
        return ""
    if low is not None and high is not None:
        return f" ({low:g} to {high:g}{unit})"
    return f" (at most {high:g}{unit})" if low is None else f" (at least {low:g}{unit})"


def _problems(schemas: Mapping[str, Json]) -> list[str]:
    kinds = {kind.slug: kind for kind in _kinds()}
    if set(kinds) != set(ADVICE):
        raise SystemExit(f"ADVICE in {__file__} and the problems differ: {sorted(set(kinds) ^ set(ADVICE))}")
    rows = ["| type | status | title | what to do |", "|---|---|---|---|"]
    for kind in sorted(kinds.values(), key=lambda kind: (kind.status, kind.slug)):
        rows.append(f"| `{problems.TYPE_PREFIX}{kind.slug}` | {kind.status} | {kind.title} | {ADVICE[kind.slug]} |")
    example = problem_example("conflict", kinds["conflict"].title, kinds["conflict"].status)
    return [
        "## Problems",
        f"Errors are problem documents (RFC 9457, `{problems.MEDIA_TYPE}`). A program tells them apart by `type`, "
        "which never changes; `detail` is a sentence for people that says what to do.",
        f"```json\n{_json(example)}\n```",
        "\n".join(rows),
        *(part for name in PROBLEM_VALUES for part in (f"### {name}", _fields(schemas[name]))),
    ]


def _kinds() -> list[ProblemKind]:
    """Every kind of problem that the service may answer."""
    alone = [value for value in vars(problems).values() if isinstance(value, ProblemKind)]
    return [*alone, *(kind for _, kind in problems.KINDS)]


def _json(value: Any, indent: str = "") -> str:
    """JSON with a line for each field, and lists of plain values on one line."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        rows = [f"{deeper}{json.dumps(key)}: {_json(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(deeper + _json(item, deeper) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def _flowing(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _flowing(text).replace("|", "\\|")

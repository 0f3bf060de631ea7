"""The reference of the HTTP interface, from its OpenAPI document."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from foxing.api import problems
from foxing.api.openapi.document import DEFAULT, examples_of, operations, problem_example, schema_names
from foxing.api.openapi.examples import (
    BANK,
    FACT_ID,
    HOLD_ID,
    JOB_ID,
    KEY_ID,
    MESSAGE_ID,
    PAGE_ID,
    QUARANTINED_ID,
    TEXT_HASH,
    Json,
)
from foxing.memory.problems import TYPE_PREFIX
from foxing.renderer.errors import FoxingError, NoEngine, ProblemKind

from .markdown import table

HEAD = """\
<!-- Written by docs/generate.py; do not edit. -->
# The HTTP interface

[openapi.json](openapi.json) is the machine-readable form of this page. A running service serves its own at
`/openapi.json`, and a reference at `/docs`.
"""
RULES = """\
- Request bodies are JSON in UTF-8 with `Content-Type: application/json`, but for files to import. An unknown field
  is an error.
- If the service has a key (`FOXING_API_KEY`, or one of `foxing keys create`), add
  `-H "Authorization: Bearer $FOXING_API_KEY"` to the examples. `/healthz`, `/readyz`, `/docs` and `/openapi.json` need
  no key. [Permissions](permissions.md) has the role that each call needs.
- Times are written `2026-03-02T09:15:00Z` or `2026-03-02T18:15:00+09:00`, durations as in ISO 8601: `P7D`, `PT30S`.
- Every response has an `X-Request-ID`: the one that the client sent, or a new one. Log entries of the request carry it.
- Every call under `/v1` can fail with the [problems](#problems) 401, 403, 421, 422, 500 and 503, and one with a body
  also with 400, 408, 413 and 415. Further problems are listed with the call.
"""
PATH_VALUES = {
    "bank": BANK,
    "thread": "titan-planning",
    "page_id": PAGE_ID,
    "message_id": MESSAGE_ID,
    "import_id": JOB_ID,
    "job_id": JOB_ID,
    "fact_id": FACT_ID,
    "hash": TEXT_HASH,
    "key_id": KEY_ID,
    "hold_id": HOLD_ID,
}
PROBLEM_VALUES = ("Problem", "FieldError")
ANY_JSON = "JsonValue"  # pydantic's name for it; it has no fields to show
BASE = "http://127.0.0.1:8765"

#: What the caller should do, by slug of the problem.
ADVICE = {
    "invalid-request": "Correct the fields listed in `errors`. Nothing was stored.",
    "invalid-json": "Send a valid JSON document; `detail` gives the position of the error.",
    "invalid-encoding": "Send the body in UTF-8. Nothing was stored.",
    "invalid-text": "Remove the lone surrogate, or send both halves of the pair.",
    "unsupported-media-type": "Send `Content-Type: application/json`; a file to import as `application/octet-stream`.",
    "body-too-large": "Send fewer messages per request, or raise `FOXING_MAX_BODY_BYTES`; for a file to import, "
    "`FOXING_MAX_IMPORT_BYTES`.",
    "unauthorized": "Send `Authorization: Bearer <key>` with a key that works.",
    "limit-reached": "Send it again after `Retry-After`; see [limits](../guides/team.md#limits-and-usage).",
    "quota-reached": "Erase what is not needed, or have an operator raise the limit that `detail` names.",
    "held": "Release the hold that `detail` names, if you may; see [legal hold](../guides/retention.md#legal-hold).",
    "forbidden": "Use a key with the role that `detail` names; see [keys](../guides/team.md#keys).",
    "wrong-host": "Address the service as `127.0.0.1` or `localhost`, or set `FOXING_API_KEY` to allow other names.",
    "cross-site": "Call the service from outside of a browser, or set `FOXING_API_KEY` and send the key.",
    "no-such-path": "Check the path against this page.",
    "method-not-allowed": "Use a method listed in the `Allow` header.",
    "http-error": "See `detail`; the status can differ.",
    "internal": "Report a bug, with the log entries of this `request_id`.",
    "invalid-time": "Give a time with an offset that is not in the future, or words that denote a time.",
    "invalid-bundle": "Export the bank again, or upgrade the service; see [move a bank](../guides/moving.md).",
    "invalid-policy": "Correct what `detail` names: ages must increase and tiers must decrease.",
    "invalid-cursor": "Pass `next_cursor` unchanged with the same parameters, or start without a cursor.",
    "message-too-large": "Split the message, or raise `FOXING_MAX_MESSAGE_BYTES`.",
    "choice-needed": "Send the file again with the option that `errors` names (`format`, `dates`). Nothing was stored.",
    "invalid-input": "Correct what `detail` names. Nothing was stored.",
    "unknown-reader": "Use a name of [readers](readers.md), or add a reader in `foxing.toml`.",
    "not-found": "Check the bank and the id, or list what exists.",
    "request-timeout": "Send the request again, with fewer messages.",
    "conflict": "Use a new id for new content and a new idempotency key for a new request. Messages cannot be changed.",
    "forgotten": "Request the tier at which the page is held, or a lower one. Erased messages do not come back.",
    "time-travel-forbidden": "Omit `now`, or set `FOXING_TIME_TRAVEL=true` for a test.",
    "busy": "Send the request again after `Retry-After` seconds.",
    "closed": "Send the request again once the service is back.",
    "plugin-broken": "See `detail`, or the log of the service; upgrade or remove the package that has the plug-in.",
    "database-too-new": "Upgrade Foxing, or restore a backup made before the upgrade.",
    "storage": "See `detail`: the database is read-only, full, locked or damaged. What was stored before is intact; "
    "retry the request once the cause is fixed.",
    "pool": "See `detail`. No call of the service uses a pool of workers; commands with `--ray` do.",
    "embedder": "See `detail`: set `FOXING_EMBEDDER`; `none` recalls by words alone.",
    "reader-failed": "Retry the request when the model behind the endpoint responds again; `detail` has its answer.",
    "tokens-unreadable": "Restore the page from a backup, or return to the codec and weights that wrote it. Pages of "
    "another codec can be moved with `foxing reencode`.",
    "codec": "See `detail`: the codec lacks its weights, the device or the tier.",
    "invalid-settings": "Correct the setting that `detail` names and restart the service.",
}


def http_page(document: Json) -> str:
    """Markdown: every call with its fields and examples, then the schemas, then the problems."""
    info = document["info"]
    schemas: Mapping[str, Json] = document["components"]["schemas"]
    common = _common_statuses(document)
    parts = [HEAD, info["description"], RULES, _contents(document)]
    for tag, listed in operations(document):
        parts += [f"## Calls: {tag['name']}", tag["description"]]
        for method, path, operation in listed:
            parts += _call(method, path, operation, schemas, common)
    parts += ["## Values", "The objects in responses, and parts of requests."]
    calls = [operation for _, listed in operations(document) for *_, operation in listed]
    only_requested = {n for o in calls for n in _body_names(o)} - {n for o in calls for n in _answer_names(o)}
    for name in sorted(set(schemas) - only_requested - set(PROBLEM_VALUES) - {ANY_JSON}):
        parts += [f"### {name}", schemas[name].get("description", ""), _fields(schemas[name])]
    parts += _problems(schemas)
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _contents(document: Json) -> str:
    rows = [
        (f"[`{method} {path}`](#{_anchor(f'{method} {path}')})", operation["summary"])
        for _, listed in operations(document)
        for method, path, operation in listed
    ]
    return table(("call", "description"), rows)


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def _call(method: str, path: str, operation: Json, schemas: Mapping[str, Json], common: Iterable[str]) -> list[str]:
    parts = [f"### `{method} {path}`", f"{operation['summary']}. {_one_line(operation['description'])}"]
    parameters = operation.get("parameters", [])
    if parameters:
        rows = [
            (f"`{p['name']}`", p["in"], _type(p["schema"]), _default(p["schema"]), p.get("description", ""))
            for p in parameters
        ]
        parts.append(table(("parameter", "in", "type", "default", "description"), rows))
    for name in _body_names(operation):
        parts += [f"Body: {schemas[name].get('description', '')}", _fields(schemas[name])]
    parts += _requests(method, path, operation)
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            parts += _answer(status, answer)
    others = [
        f"- {status}: {answer['description']}"
        for status, answer in operation["responses"].items()
        if not status.startswith("2") and status not in common
    ]
    return parts + (["Further problems:", "\n".join(others)] if others else [])


def _common_statuses(document: Json) -> set[str]:
    """The statuses that RULES gives for every call."""
    calls = [o for _, listed in operations(document) for _, path, o in listed if path.startswith("/v1/")]
    with_body = [o for o in calls if "requestBody" in o]
    return set.intersection(*(set(o["responses"]) for o in calls)) | set.intersection(
        *(set(o["responses"]) & {"400", "413", "415"} for o in with_body)
    )


def _body_names(operation: Json) -> list[str]:
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return [name for content in contents for name in schema_names(content["schema"])]


def _answer_names(operation: Json) -> list[str]:
    contents = [c for answer in operation["responses"].values() for c in answer["content"].values()]
    return [name for content in contents for name in schema_names(content.get("schema", {}))]


def _first(examples: list[Any]) -> Any:
    """The first example, or the first item of one that is a list."""
    return examples[0][0] if isinstance(examples[0], list) else examples[0]


def _requests(method: str, path: str, operation: Json) -> list[str]:
    """Each example request as a curl command."""
    url = BASE + path.replace("quarantine/{message_id}", f"quarantine/{QUARANTINED_ID}")
    for name, value in PATH_VALUES.items():
        url = url.replace("{" + name + "}", value)
    required = (each for each in operation.get("parameters", []) if each["in"] == "query" and each.get("required"))
    query = "&".join(f"{each['name']}={_first(each['schema']['examples'])}" for each in required)
    url = f"'{url}?{query}'" if query else url
    verb = "" if method == "GET" else f" -X {method}"
    contents = operation.get("requestBody", {}).get("content", {})
    if "application/octet-stream" in contents:
        if path.endswith("/bundle"):
            take = f"curl {BASE}/v1/banks/{BANK}/export -o bank.foxing"
            return [f"```sh\n{take}\ncurl{verb} {url.replace(BANK, 'moved')} -T bank.foxing\n```"]
        line = json.dumps({"role": "user", "content": "We ship Titan on 14 March."})
        send = f"curl{verb} '{url}?filename=history.jsonl' -T history.jsonl"
        return [f"```sh\necho '{line}' > history.jsonl\n{send}\n```"]
    content = contents.get("application/json")
    if content is None:
        media_types = next(a for s, a in operation["responses"].items() if s.startswith("2"))["content"]
        binary = [m for m in media_types if "json" not in m and not m.startswith("text/")]
        names = {"image/png": "page.png", "application/x-tar": "bank.foxing"}
        output = f" -o {names.get(binary[0], 'page.safetensors')}" if binary else ""
        return [f"```sh\ncurl{verb} {url}{output}\n```"]
    parts = []
    for summary, value in examples_of(content):
        body = shlex.quote(_json(value))
        parts.append(f"{summary}:")
        parts.append(f"```sh\ncurl{verb} {url} \\\n  -H 'Content-Type: application/json' -d {body}\n```")
    return parts


def _answer(status: str, answer: Json) -> list[str]:
    parts = []
    for media_type, content in answer["content"].items():
        schema = content.get("schema", {})
        names = " or ".join(f"[{name}](#{_anchor(name)})" for name in schema_names(schema))
        shown = f"{status}, {names}" if names else f"{status}, `{media_type}`"
        parts.append(f"Response: {shown}. {answer['description']}")
    return parts


def _fields(schema: Json) -> str:
    required = schema.get("required", [])
    rows = [
        (f"`{name}`", _type(field), "required" if name in required else _default(field), field.get("description", ""))
        for name, field in schema["properties"].items()
    ]
    if set(required) == set(schema["properties"]):  # as in responses, which have every field
        rows = [(name, kind, "", description) for name, kind, _, description in rows]
    return table(("field", "type", "default", "description"), rows)


def _default(schema: Json) -> str:
    default = schema.get("default", schema.get(DEFAULT))
    return "" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name == ANY_JSON:
            return "any JSON"
        return f"[{name}](#{_anchor(name)})"
    choices = schema.get("anyOf", schema.get("oneOf"))
    if choices is not None:
        return " or ".join(_type(part) for part in choices)
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
        raise SystemExit(f"ADVICE in docs/generators/http.py lacks or has too much: {sorted(set(kinds) ^ set(ADVICE))}")
    rows = [
        (f"`{TYPE_PREFIX}{kind.slug}`", str(kind.status), kind.title, ADVICE[kind.slug])
        for kind in sorted(kinds.values(), key=lambda kind: (kind.status, kind.slug))
    ]
    example = problem_example(kinds["conflict"].status)
    return [
        "## Problems",
        f"Errors are problem documents (RFC 9457, `{problems.MEDIA_TYPE}`). `type` is stable, for programs; `detail` "
        "is a sentence for people that says what to do.",
        f"```json\n{_json(example)}\n```",
        table(("type", "status", "title", "what to do"), rows),
        *(part for name in PROBLEM_VALUES for part in (f"### {name}", _fields(schemas[name]))),
    ]


def _kinds() -> list[ProblemKind]:
    """Every kind of problem that the service can respond with."""
    defined = [value for value in vars(problems).values() if isinstance(value, ProblemKind)]
    return [*defined, *_error_kinds(FoxingError)]


def _error_kinds(error: type[FoxingError]) -> Iterator[ProblemKind]:
    """The kinds of an error and of those that derive from it, but for those that clients alone raise."""
    yield error.kind
    for derived in error.__subclasses__():
        if not derived.__module__.startswith("foxing.integrations.") and derived is not NoEngine:
            yield from _error_kinds(derived)


def _json(value: Any, indent: str = "") -> str:
    """JSON with one line per field; lists of plain values stay on one line."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        rows = [f"{deeper}{json.dumps(key)}: {_json(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(deeper + _json(item, deeper) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def _one_line(text: str) -> str:
    return " ".join(text.split())

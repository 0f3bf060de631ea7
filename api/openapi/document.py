"""The OpenAPI document of the service, and the response descriptions shared by the endpoints."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer

from foxing.api.problems import (
    BODY_TOO_LARGE,
    INTERNAL,
    INVALID_JSON,
    INVALID_REQUEST,
    MEDIA_TYPE,
    REQUEST_TIMEOUT,
    UNAUTHORIZED,
    UNSUPPORTED_MEDIA,
    WRONG_HOST,
)
from foxing.memory import Conflict, Forgotten, NotFound, Problem, StorageError, TimeTravelForbidden
from foxing.renderer import ProblemKind

from .examples import BANK, BODIES, Example, Json

DESCRIPTION = """\
Optical memory for LLM agents: messages are typeset onto pages, and pages are stored as vision tokens, which move to
lower tiers and fade as they age. Recall returns what the memory still holds, with the confidence of each reading.

Times have an offset (RFC 3339). Lists return `next_cursor`: pass it as `cursor` to get the next page; it is null on the
last page. Errors are problem documents (RFC 9457) with a stable `type` and a `detail` that says what to do.
"""

TAGS: list[Json] = [
    {"name": "messages", "description": "Store messages, and read or erase single messages."},
    {"name": "recall", "description": "Find messages by query and time, and build prompts."},
    {"name": "pages", "description": "Pages, their contents and their tiers."},
    {"name": "import", "description": "Import histories, such as exports of ChatGPT or Slack."},
    {"name": "records", "description": "JSON values of agent frameworks, returned exactly as stored."},
    {"name": "savings", "description": "What models billed, and what folding saved."},
    {"name": "banks", "description": "Banks, which are isolated memories, and their statistics."},
    {"name": "ageing", "description": "Seal open messages, move pages to lower tiers, and undo that."},
    {"name": "service", "description": "Health, metrics and the API reference."},
]

#: Declares the API key in the document. `RequestGuard` checks it, before a request is routed.
bearer = HTTPBearer(
    scheme_name="key", description="The FOXING_API_KEY of the service, if one is set.", auto_error=False
)


class _StatusProblem(NamedTuple):
    """Description and example of an error status."""

    #: Kind of the example.
    kind: ProblemKind
    description: str
    #: Detail of the example.
    detail: str


_PROBLEMS = (
    _StatusProblem(
        INVALID_JSON,
        "The body is not valid JSON or not UTF-8.",
        "the body is not valid JSON: Expecting value at character 12",
    ),
    _StatusProblem(
        UNAUTHORIZED,
        "The API key is missing or wrong.",
        "an API key is required: send the header 'Authorization: Bearer <key>' with the FOXING_API_KEY of the service",
    ),
    _StatusProblem(
        TimeTravelForbidden.kind,
        "The settings do not allow `now`; or no API key is set and the request is cross-site.",
        "this service does not accept 'now': omit it, or set FOXING_TIME_TRAVEL=true",
    ),
    _StatusProblem(NotFound.kind, "The bank, page or message does not exist.", "there is no bank 'agent-7'"),
    _StatusProblem(
        REQUEST_TIMEOUT,
        "The body took too long to arrive.",
        "the request body did not arrive within 60 s; send fewer messages per request",
    ),
    _StatusProblem(
        Conflict.kind,
        "The id or the idempotency key was used with different content, or a record was changed by another writer.",
        "the id 'msg_01jqz5d8e2' belongs to another message; messages cannot be changed, so store it under a new id",
    ),
    _StatusProblem(
        Forgotten.kind,
        "The memory no longer holds the requested version or data.",
        "the page is held at 'tiny'; its 'base' version is forgotten",
    ),
    _StatusProblem(
        BODY_TOO_LARGE,
        "The body or a message is too large.",
        "the request body is larger than 4194304 bytes; send fewer messages per request, or raise "
        "FOXING_MAX_BODY_BYTES",
    ),
    _StatusProblem(
        UNSUPPORTED_MEDIA,
        "The body is not declared as JSON.",
        "send the body as JSON with the header 'Content-Type: application/json', not 'text/plain'",
    ),
    _StatusProblem(
        WRONG_HOST,
        "No API key is set, and the service does not accept this host name.",
        "without an API key the service accepts only the hosts 127.0.0.1, ::1, localhost, not 'example.org'; set "
        "FOXING_API_KEY to serve it under another name",
    ),
    _StatusProblem(
        INVALID_REQUEST,
        "The request is invalid.",
        "the request has 1 error: body.messages.0.created_at: a time needs an offset; write "
        "2026-03-02T09:15:00Z or 2026-03-02T18:15:00+09:00",
    ),
    _StatusProblem(
        INTERNAL,
        "A bug in Foxing, or vision tokens that cannot be read.",
        "this is a bug in Foxing, not in the request; see the log for request id 4f1c",
    ),
    _StatusProblem(
        StorageError.kind,
        "The database or the remote codec is unavailable, or too many requests are in progress.",
        "the database cannot be written: the disk is full; what was stored before is intact",
    ),
)
_BY_STATUS = {problem.kind.status: problem for problem in _PROBLEMS}
#: Error statuses of all operations under /v1, and additional ones of operations with a body.
V1_STATUSES = (401, 403, 421, 422, 500, 503)
BODY_STATUSES = (400, 408, 413, 415)


def problem_responses(*statuses: int) -> dict[int | str, Json]:
    """Returns OpenAPI responses for error statuses, each with an example."""
    reference = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": _BY_STATUS[status].description,
            "content": {MEDIA_TYPE: {"schema": reference, "example": problem_example(status)}},
        }
        for status in statuses
    }


def problem_example(status: int) -> Json:
    """Returns an example of a problem document."""
    kind, _, detail = _BY_STATUS[status]
    problem = Problem.of(kind, detail, f"/v1/banks/{BANK}", request_id="4f1c0b7e2d9a4c55a1f06c3b8e7d2f10")
    return problem.document()


def binary_response(media_type: str, description: str) -> dict[int | str, Json]:
    """Returns the OpenAPI success response of an endpoint that returns bytes."""
    schema = {"type": "string", "contentMediaType": media_type, "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


def openapi_document(app: FastAPI) -> Json:
    """Returns the OpenAPI document of `app`, which is built once and cached."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document["components"]["schemas"]
        schemas.update(schema.pop("$defs", {}))
        schemas["Problem"] = schema
        for methods in document["paths"].values():
            for operation in methods.values():
                _complete(operation)
        _move_defaults(document)
        app.openapi_schema = document
    return app.openapi_schema


#: Where the default of a field of a request body is in the document. Generators of types, such as openapi-typescript,
#: take a field with `default` for one that is always there, which is so in a response, not in a request.
DEFAULT = "x-default"


def _move_defaults(document: Json) -> None:
    """Moves the defaults of the fields of request bodies to `DEFAULT`."""
    schemas = document["components"]["schemas"]
    waiting: list[Any] = [
        operation["requestBody"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    seen = set[str]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        if not isinstance(value, dict):
            continue
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name in schemas and name not in seen:
            seen.add(name)
            waiting.append(schemas[name])
            for field in schemas[name].get("properties", {}).values():
                if "default" in field:
                    field[DEFAULT] = field.pop("default")
        waiting += [inner for key, inner in value.items() if key not in ("example", "examples", DEFAULT)]


def _complete(operation: Json) -> None:
    """Adds examples of requests, from which FastAPI would remove nulls, and errors of request bodies."""
    responses = operation["responses"]
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        content = operation["requestBody"]["content"]["application/json"]
        (name,) = schema_names(content["schema"])
        content["examples"] = {str(number): example._asdict() for number, example in enumerate(BODIES[name], 1)}
        responses |= {str(status): response for status, response in problem_responses(*BODY_STATUSES).items()}
    operation["responses"] = dict(sorted(responses.items()))


class HttpOperation(NamedTuple):
    """One method of one path."""

    #: Upper case.
    method: str
    path: str
    #: The OpenAPI operation object.
    operation: Json


class TagOperations(NamedTuple):
    """A tag and its operations."""

    #: The OpenAPI tag object.
    tag: Json
    operations: list[HttpOperation]


def operations(document: Json) -> Iterator[TagOperations]:
    """Yields the tags of an OpenAPI document with their operations, in the order of the document."""
    for tag in document.get("tags", []):
        tagged = [
            HttpOperation(method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation.get("tags", [])
        ]
        yield TagOperations(tag, tagged)


def examples_of(content: Json) -> list[Example]:
    """Returns the examples of an OpenAPI media type object."""
    return [Example(entry["summary"], entry["value"]) for entry in content.get("examples", {}).values()]


def schema_names(schema: Json) -> list[str]:
    """Returns the names of the schemas that `schema` refers to, directly or through `anyOf` or `oneOf`."""
    return [
        part["$ref"].rpartition("/")[2]
        for part in [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
        if isinstance(part.get("$ref"), str)
    ]

"""The OpenAPI document of the service, and the response descriptions shared by the endpoints."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer

from foxing.api.problems import (
    BODY_TOO_LARGE,
    BUSY,
    CROSS_SITE,
    INTERNAL,
    INVALID_JSON,
    INVALID_REQUEST,
    MEDIA_TYPE,
    REQUEST_TIMEOUT,
    UNAUTHORIZED,
    UNSUPPORTED_MEDIA,
    WRONG_HOST,
)
from foxing.memory import (
    Conflict,
    Forbidden,
    Forgotten,
    LimitReached,
    NotFound,
    Problem,
    QuotaReached,
    StorageError,
    TimeTravelForbidden,
)

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
    {"name": "bundles", "description": "Banks as portable archives."},
    {"name": "facts", "description": "What the messages of a bank state that still holds."},
    {"name": "pages", "description": "Pages, their contents and their tiers."},
    {"name": "import", "description": "Import histories, such as exports of ChatGPT or Slack."},
    {"name": "jobs", "description": "Jobs of banks: imports, and calls that take longer than a request."},
    {"name": "records", "description": "JSON values of agent frameworks, returned exactly as stored."},
    {"name": "quarantine", "description": "Messages that policies have quarantined."},
    {"name": "savings", "description": "What models billed, and what folding saved."},
    {"name": "banks", "description": "Banks, which are isolated memories, and their statistics."},
    {"name": "ageing", "description": "Seal open messages, move pages to lower tiers, and undo that."},
    {"name": "rights", "description": "Erase and export what a person said, and keep it by a legal hold."},
    {"name": "keys", "description": "API keys, their roles and their banks."},
    {"name": "audit", "description": "Who did what and when, without words."},
    {"name": "service", "description": "Health, metrics and the API reference."},
]

#: Declares the API key in the document. `RequestGuard` checks it, before a request is routed.
bearer = HTTPBearer(
    scheme_name="key", description="FOXING_API_KEY or a key of `foxing keys create`, if there is one.", auto_error=False
)


#: Kinds of problems that describe their statuses.
_KINDS = (
    *(INVALID_JSON, UNAUTHORIZED, Forbidden.kind, TimeTravelForbidden.kind, CROSS_SITE, NotFound.kind),
    *(REQUEST_TIMEOUT, Conflict.kind, Forgotten.kind, BODY_TOO_LARGE, QuotaReached.kind, UNSUPPORTED_MEDIA, WRONG_HOST),
    *(INVALID_REQUEST, LimitReached.kind, INTERNAL, StorageError.kind),
    BUSY,
)
#: Error statuses of all operations under /v1, and additional ones of operations with a body.
V1_STATUSES = (401, 403, 421, 422, 429, 500, 503)
BODY_STATUSES = (400, 408, 413, 415)


def problem_responses(*statuses: int) -> dict[int | str, Json]:
    """Returns OpenAPI responses for error statuses, each with an example."""
    reference = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": f"{'; '.join(kind.title for kind in _KINDS if kind.status == status)}.",
            "content": {MEDIA_TYPE: {"schema": reference, "example": problem_example(status)}},
        }
        for status in statuses
    }


def problem_example(status: int) -> Json:
    """Returns an example of a problem document."""
    kind = next(kind for kind in _KINDS if kind.status == status)
    problem = Problem.of(kind, kind.title, f"/v1/banks/{BANK}", request_id="4f1c0b7e2d9a4c55a1f06c3b8e7d2f10")
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

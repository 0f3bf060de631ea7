"""The OpenAPI document of the service, and the response descriptions that endpoints share."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
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
from foxing.memory.errors import Conflict, Forgotten, NotFound, StorageError, TimeTravelForbidden
from foxing.memory.problems import Problem
from foxing.renderer.errors import ProblemKind

from .examples import Json, problem_example

DESCRIPTION = """\
Optical memory for LLM agents: messages are typeset onto pages, and pages are stored as vision tokens that move to lower
tiers and fade as they age. Recall returns what the memory still holds and how confident each reading is.

Times carry an offset (RFC 3339). Lists return `next_cursor`, to be passed as `cursor` for the next part and null at the
end. Errors are problem documents (RFC 9457) with a stable `type` and a `detail` that says what to do.
"""

TAGS: list[Json] = [
    {"name": "messages", "description": "Storing messages, and reading single messages as remembered."},
    {"name": "recall", "description": "Finding messages by query and time."},
    {"name": "pages", "description": "Pages, their contents and their tiers."},
    {"name": "records", "description": "Values of agent frameworks that come back exactly."},
    {"name": "banks", "description": "Isolated memories. Nothing crosses banks."},
    {"name": "ageing", "description": "Sealing open messages, and moving pages to lower tiers."},
    {"name": "service", "description": "Health, metrics and the API reference."},
]

#: Declares the API key in the document. `RequestGuard` checks it, before a request is routed.
bearer = HTTPBearer(
    scheme_name="key", description="The FOXING_API_KEY of the service, if one is set.", auto_error=False
)


class StatusProblem(NamedTuple):
    """What the document says of a status."""

    #: Shown as the example.
    kind: ProblemKind
    description: str


_PROBLEMS: Mapping[int, StatusProblem] = {
    400: StatusProblem(INVALID_JSON, "The body is not valid JSON or not UTF-8."),
    401: StatusProblem(UNAUTHORIZED, "The API key is missing or wrong."),
    403: StatusProblem(
        TimeTravelForbidden.kind, "The settings do not allow `now`, or, without a key, a page of another web site asks."
    ),
    404: StatusProblem(NotFound.kind, "The bank, page or message does not exist."),
    408: StatusProblem(REQUEST_TIMEOUT, "The body took too long to arrive."),
    409: StatusProblem(
        Conflict.kind,
        "The id or the idempotency key was used with different content, or a record was changed by another writer.",
    ),
    410: StatusProblem(Forgotten.kind, "The memory no longer holds the requested version."),
    413: StatusProblem(BODY_TOO_LARGE, "The body or a message is too large."),
    415: StatusProblem(UNSUPPORTED_MEDIA, "The body is not declared as JSON."),
    421: StatusProblem(WRONG_HOST, "The service has no key, and does not answer to this host name."),
    422: StatusProblem(INVALID_REQUEST, "The request is invalid."),
    500: StatusProblem(INTERNAL, "A bug in Foxing, or vision tokens that cannot be read."),
    503: StatusProblem(
        StorageError.kind, "The database or the remote decoder is unavailable, or too many requests are in progress."
    ),
}
_V1_STATUSES = (401, 403, 421, 422, 500, 503)
_BODY_STATUSES = (400, 408, 413, 415)


def v1_problem_responses(*statuses: int, body: bool = False) -> dict[int | str, Json]:
    """The error responses of an endpoint under /v1: `statuses`, those common to all such endpoints and, with `body`,
    those common to all with a request body."""
    return problem_responses(*statuses, *_V1_STATUSES, *(_BODY_STATUSES if body else ()))


def problem_responses(*statuses: int) -> dict[int | str, Json]:
    """Error responses with an example each, ordered by status."""
    return {status: _problem_response(status) for status in sorted(set(statuses))}


def _problem_response(status: int) -> Json:
    kind, description = _PROBLEMS[status]
    return {
        "description": description,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": problem_example(kind.slug, kind.title, status),
            }
        },
    }


def json_response(status: int, description: str, example: Any) -> dict[int | str, Json]:
    """The success response of an endpoint that returns JSON."""
    return {status: {"description": description, "content": {"application/json": {"example": example}}}}


def binary_response(media_type: str, description: str) -> dict[int | str, Json]:
    """The success response of an endpoint that returns bytes."""
    schema = {"type": "string", "contentMediaType": media_type, "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


def openapi_document(app: FastAPI, routers: Iterable[APIRouter]) -> Json:
    """The OpenAPI document of `app`, which includes `routers`. Built once and cached."""
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
        _restore_examples(document, routers)
        app.openapi_schema = document
    return app.openapi_schema


def _restore_examples(document: Json, routers: Iterable[APIRouter]) -> None:
    """Restores the response examples of the routes. FastAPI drops nulls from them, but clients must see that
    `next_cursor` is null at the end, not missing."""
    for route in (route for router in routers for route in router.routes):
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            responses = document["paths"][route.path_format][method.lower()]["responses"]
            for status, declared in route.responses.items():
                for media_type, content in declared.get("content", {}).items():
                    examples = {key: content[key] for key in ("example", "examples") if key in content}
                    responses[str(status)]["content"][media_type].update(examples)

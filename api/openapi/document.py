"""The description of the interface: which problems an endpoint may answer, and the parts all endpoints share."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from foxing.api.problems import (
    BODY_TOO_LARGE,
    INTERNAL,
    INVALID_JSON,
    INVALID_REQUEST,
    KINDS,
    MEDIA_TYPE,
    UNAUTHORIZED,
    UNSUPPORTED_MEDIA,
    Problem,
    ProblemKind,
)

from .examples import Json, problem_example

DESCRIPTION = """\
Optical memory for agents: messages are typeset onto pages, pages are kept as vision tokens, and fade through lower
tiers as they age. Recall reads what the memory still holds and says how sure it is of what it read.

Times carry their offset (RFC 3339). Lists answer `next_cursor`, null at the end, which goes back as `cursor`. Errors
are problem documents (RFC 9457) whose `type` never changes and whose `detail` says what to do.
"""

TAGS: list[Json] = [
    {"name": "messages", "description": "Storing messages, and one message as remembered."},
    {"name": "recall", "description": "Finding messages by query and time."},
    {"name": "pages", "description": "Pages, and how they are held."},
    {"name": "banks", "description": "Isolated memories. Nothing crosses banks."},
    {"name": "ageing", "description": "Sealing open messages, and moving pages to lower tiers."},
    {"name": "service", "description": "The service itself."},
]

#: Declares the key; `RequestGuard` checks it before a request is routed.
bearer = HTTPBearer(
    scheme_name="key", description="The FOXING_API_KEY of the service, where one is set.", auto_error=False
)

_BY_STATUS: dict[int, ProblemKind] = {
    **{kind.status: kind for _, kind in reversed(KINDS)},
    **{
        kind.status: kind
        for kind in (INVALID_REQUEST, INVALID_JSON, UNAUTHORIZED, UNSUPPORTED_MEDIA, BODY_TOO_LARGE, INTERNAL)
    },
}
_BY_STATUS[503] = next(kind for _, kind in KINDS if kind.slug == "storage")

_MEANING = {
    400: "The body is not JSON, or not UTF-8.",
    401: "The key is missing or wrong.",
    403: "`now` was given where the settings do not allow it.",
    404: "The bank, page or message does not exist.",
    409: "The id or the idempotency key was used for something else.",
    410: "The memory no longer holds it.",
    413: "The body or a message is too large.",
    415: "The body is not declared as JSON.",
    422: "Something in the request does not make sense.",
    500: "A fault in Foxing, or vision tokens that cannot be read.",
    503: "The database, or what reads pages elsewhere, cannot be used at the moment.",
}
_ALWAYS = (401, 422, 500, 503)
_WITH_BODY = (400, 413, 415)


def problems(*statuses: int, body: bool = False) -> dict[int | str, Json]:
    """The problem answers of an endpoint, beside those that every endpoint may give."""
    listed = sorted({*statuses, *_ALWAYS, *(_WITH_BODY if body else ())})
    return {status: problem_answer(status) for status in listed}


def problem_answer(status: int) -> Json:
    kind = _BY_STATUS[status]
    return {
        "description": _MEANING[status],
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": problem_example(kind.slug, kind.title, status),
            }
        },
    }


def answer(status: int, description: str, example: Any) -> dict[int | str, Json]:
    """The answer of an endpoint when all is well, with an example."""
    return {status: {"description": description, "content": {"application/json": {"example": example}}}}


def binary_answer(media_type: str, description: str) -> dict[int | str, Json]:
    schema = {"type": "string", "contentMediaType": media_type, "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


def describe(app: FastAPI, routers: Iterable[APIRouter]) -> Json:
    """The OpenAPI document of `app`, which has `routers`; made once."""
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
    """Puts the examples of answers in as they were given: FastAPI leaves out every null, and a client must see that
    `next_cursor` is null at the end, not missing."""
    for route in (route for router in routers for route in router.routes):
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            answers = document["paths"][route.path_format][method.lower()]["responses"]
            for status, given in route.responses.items():
                for media_type, content in given.get("content", {}).items():
                    shown = {key: content[key] for key in ("example", "examples") if key in content}
                    answers[str(status)]["content"][media_type].update(shown)

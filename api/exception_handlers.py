"""Turns everything that goes wrong while a request is handled into a problem document."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from foxing.renderer import FoxingError

from .logs import get_logger
from .middleware import problem_response
from .problems import (
    HTTP_ERROR,
    INVALID_JSON,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    NO_SUCH_PATH,
    FieldError,
    ProblemKind,
    RequestError,
    encodable,
    make_problem,
    problem_of,
)
from .routes import ROUTERS

#: Most entries of `errors`; a body of ten thousand wrong messages is not answered in full.
MAX_FIELD_ERRORS = 20

_ADVICE = {
    "timezone_aware": "a time needs its offset; write 2026-03-02T09:15:00Z or 2026-03-02T18:15:00+09:00",
    "extra_forbidden": "there is no such field; leave it out",
    "missing": "it is needed, and missing",
}


def add_handlers(app: FastAPI) -> None:
    app.add_exception_handler(FoxingError, on_foxing_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)


async def on_foxing_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FoxingError)
    problem = problem_of(error, instance=request.url.path, request_id=request_id_of(request))
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        get_logger().error("request failed", request_id=problem.request_id, exc_info=error)
    return problem_response(problem, error.headers if isinstance(error, RequestError) else None)


async def on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    reasons = list(error.errors())
    if reasons and reasons[0]["type"] == "json_invalid":
        cause = reasons[0].get("ctx", {}).get("error", "it cannot be parsed")
        detail = f"the body is not JSON: {cause} at character {reasons[0]['loc'][-1]}"
        return _respond(request, INVALID_JSON, detail)
    fields = [field_error(reason) for reason in reasons[:MAX_FIELD_ERRORS]]
    count = f"{len(reasons)} error{'s' if len(reasons) != 1 else ''}"
    first = f"{fields[0].where}: {fields[0].message}" if fields else "it cannot be used"
    return _respond(request, INVALID_REQUEST, f"the request has {count}: {first}", errors=fields)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _respond(request, NO_SUCH_PATH, f"there is no path {path}; /docs lists the paths")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(allowed_methods(path))
        detail = f"{path} takes {allowed}, not {request.method}"
        return _respond(request, METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed})
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # What json.loads refuses other than by a syntax error: nesting too deep, a number with too many digits.
        return _respond(request, INVALID_JSON, "the body cannot be read as JSON: it is nested too deeply or too large")
    kind = ProblemKind(HTTP_ERROR.slug, error.status_code, HTTPStatus(error.status_code).phrase)
    headers = dict(error.headers) if error.headers else None
    return _respond(request, kind, str(error.detail), headers=headers)


def field_error(reason: Mapping[str, Any]) -> FieldError:
    where = ".".join(str(part) for part in reason["loc"])
    message = _ADVICE.get(reason["type"]) or str(reason["msg"]).removeprefix("Value error, ")
    return FieldError(where=encodable(where), message=encodable(message))


def allowed_methods(path: str) -> list[str]:
    """The methods of all routes whose path matches."""
    return sorted(
        {
            method
            for router in ROUTERS
            for route in router.routes
            if isinstance(route, APIRoute) and route.path_regex.match(path)
            for method in route.methods or ()
        }
    )


def request_id_of(request: Request) -> str | None:
    value: str | None = getattr(request.state, "request_id", None)
    return value


def _respond(
    request: Request,
    kind: ProblemKind,
    detail: str,
    *,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    problem = make_problem(kind, detail, instance=request.url.path, request_id=request_id_of(request), errors=errors)
    return problem_response(problem, headers)

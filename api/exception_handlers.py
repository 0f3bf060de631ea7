"""Exception handlers that answer every failed request with a problem document."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from foxing.memory import Access, ChoiceNeeded, Forbidden, InvalidInput, LimitReached, Problem, QuotaReached
from foxing.memory.problems import FieldError
from foxing.memory.values.base import reason_of
from foxing.renderer import FoxingError, ProblemKind

from .logs import get_logger
from .middleware import PATH, problem_response
from .permissions import needs_of
from .problems import (
    HTTP_ERROR,
    INVALID_JSON,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    NO_SUCH_PATH,
    RequestError,
    encodable,
    problem_of,
)
from .routes import ROUTERS

#: Maximum length of `errors`: a body may contain ten thousand invalid messages.
MAX_FIELD_ERRORS = 20

#: Pydantic error type → message that replaces pydantic's.
_NO_OFFSET = "a time needs an offset; write 2026-03-02T09:15:00Z or 2026-03-02T18:15:00+09:00"


def add_exception_handlers(app: FastAPI) -> None:
    """Adds the exception handlers to `app`."""
    app.add_exception_handler(FoxingError, on_foxing_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)


def _path_of(request: Request) -> str:
    """Returns the path of a request as its caller wrote it."""
    path: str = request.scope["state"].get(PATH, request.url.path)
    return path


async def on_foxing_error(request: Request, error: Exception) -> JSONResponse:
    """Returns the problem document of a `FoxingError`; logs the error if its status is 500 or more."""
    assert isinstance(error, FoxingError)
    problem = problem_of(error, instance=_path_of(request), request_id=request_id_of(request))
    if isinstance(error, Forbidden | LimitReached | QuotaReached):
        needs = needs_of(request.scope)
        request.app.state.service.memory.operations.audit.refuse(needs.action, Access.current(), needs.bank, error)
    if isinstance(error, InvalidInput) and error.index is not None:
        where = FieldError(where=f"body.messages.{error.index}", message=encodable(error.reason))
        problem = problem.model_copy(update={"errors": [where]})
    if isinstance(error, ChoiceNeeded):
        choice = FieldError(where=f"query.{error.option}", message=f"give one of {', '.join(error.choices)}")
        problem = problem.model_copy(update={"errors": [choice]})
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        get_logger().error("request failed", request_id=problem.request_id, exc_info=error)
    return problem_response(problem, error.headers if isinstance(error, RequestError) else None)


async def on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Returns the problem document of a request that fails validation: `invalid-json` or `invalid-request`."""
    assert isinstance(error, RequestValidationError)
    errors = list(error.errors())
    if errors and errors[0]["type"] == "json_invalid":
        cause = errors[0].get("ctx", {}).get("error", "it cannot be parsed")
        detail = f"the body is not valid JSON: {cause} at character {errors[0]['loc'][-1]}"
        return _respond(request, INVALID_JSON, detail)
    fields = [field_error(entry) for entry in errors[:MAX_FIELD_ERRORS]]
    count = f"{len(errors)} error{'s' if len(errors) != 1 else ''}"
    first = f"{fields[0].where}: {fields[0].message}" if fields else "the request is invalid"
    return _respond(request, INVALID_REQUEST, f"the request has {count}: {first}", errors=fields)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Returns the problem document of an HTTP error of Starlette or FastAPI, such as an unknown path."""
    assert isinstance(error, HTTPException)
    path = _path_of(request)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _respond(request, NO_SUCH_PATH, f"the path {path} does not exist; /docs lists the paths")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_allowed_methods(path))
        detail = f"{path} supports {allowed}, not {request.method}"
        return _respond(request, METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed})
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # json.loads failed without a syntax error: the nesting is too deep or a number has too many digits.
        return _respond(request, INVALID_JSON, "the body is nested too deeply or contains a number that is too large")
    kind = ProblemKind(HTTP_ERROR.slug, error.status_code, HTTPStatus(error.status_code).phrase)
    headers = dict(error.headers) if error.headers else None
    return _respond(request, kind, str(error.detail), headers=headers)


def field_error(entry: Mapping[str, Any]) -> FieldError:
    """Returns an entry of pydantic's `ValidationError.errors()` in the form of the problem document."""
    where = ".".join(str(part) for part in entry["loc"])
    message = _NO_OFFSET if entry["type"] == "timezone_aware" else reason_of(entry)
    return FieldError(where=encodable(where), message=encodable(message))


def _allowed_methods(path: str) -> list[str]:
    """Returns the methods of all routes that match `path`, sorted."""
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
    """Returns the id that `RequestLogging` gave the request; None outside of it."""
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
    problem = Problem.of(kind, detail, _path_of(request), request_id=request_id_of(request), errors=errors)
    return problem_response(problem, headers)

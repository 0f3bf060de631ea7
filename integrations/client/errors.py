"""Errors that only a client raises, and the error of a failed response. The others are those of `foxing.memory`."""

from pydantic import ValidationError

from foxing.memory import errors
from foxing.memory.errors import InvalidInput, MemoryFault, Unavailable
from foxing.memory.problems import TYPE_PREFIX, Problem
from foxing.renderer.errors import ProblemKind


class Refused(MemoryFault):
    """The service refuses the request: the API key is missing or wrong, or a setting does not allow it."""


class ServiceFailed(MemoryFault):
    """The service failed; its log says why."""


class Unreachable(Unavailable):
    """No connection to the service."""

    kind = ProblemKind("unreachable", 503, "No connection to the service")


class TimedOut(Unavailable):
    """The service did not answer in time."""

    kind = ProblemKind("timed-out", 504, "The service did not answer in time")


class InvalidResponse(MemoryFault):
    """The answer is not one of Foxing."""

    kind = ProblemKind("invalid-response", 502, "The answer is not one of Foxing")


_REFUSALS = (401, 403, 421)
_UNAVAILABLE = (429, 502, 503, 504)
#: Name of a problem → the error that a memory in process raises.
_ERRORS: dict[str, type[MemoryFault]] = {
    error.kind.slug: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, MemoryFault) and "kind" in vars(error)
}


def error_of(status: int, content: bytes) -> MemoryFault:
    """The error for a failed response."""
    try:
        problem = Problem.model_validate_json(content, extra="allow")
    except ValidationError:
        problem = None
    if problem is None or not problem.type.startswith(TYPE_PREFIX):
        text = content[:200].decode(errors="replace")
        error = _by_status(status)(
            f"the server answered with status {status}, and not as Foxing does: {text!r}; check the address"
        )
        error.kind = ProblemKind("http-error", status, "The request was refused")
        return error
    slug = problem.type.removeprefix(TYPE_PREFIX)
    error = _ERRORS.get(slug, _by_status(status))(problem.detail)
    error.kind = ProblemKind(slug, status, problem.title)
    error.details = problem
    return error


def _by_status(status: int) -> type[MemoryFault]:
    if status in _REFUSALS:
        return Refused
    if status in _UNAVAILABLE:
        return Unavailable
    return ServiceFailed if status >= 500 else InvalidInput

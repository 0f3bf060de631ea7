"""Errors that only clients raise, and the mapping of failed responses to errors."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from pydantic import ValidationError

import foxing.memory.errors as errors
from foxing.memory import InvalidInput, MemoryFault, Problem, Unavailable, UnknownReader
from foxing.memory.problems import TYPE_PREFIX, VERSION_HEADER
from foxing.renderer import ProblemKind
from foxing.renderer.errors import REPAIR_S
from foxing.renderer.plugins import CLIENT

#: Pause after a service that did not respond in time, in seconds.
PATIENCE_S: Final = 30.0


class Refused(MemoryFault):
    """The service rejected the request: the API key is missing or wrong, or a setting forbids it."""


class ServiceFailed(MemoryFault):
    """The service failed with an internal error; see its log."""


class Unreachable(Unavailable):
    """The service cannot be reached."""

    kind = ProblemKind("unreachable", 503, "The service cannot be reached", retry="later")


class TimedOut(Unavailable):
    """The service did not respond in time."""

    kind = ProblemKind("timed-out", 504, "The service did not respond in time").after(PATIENCE_S)


class JobCancelled(MemoryFault):
    """The job of a call was cancelled; what was complete stays."""

    kind = ProblemKind("job-cancelled", 409, "The job was cancelled")


class ReaderRefused(InvalidInput, UnknownReader):
    """The service has no reader of the given name."""

    kind = UnknownReader.kind


class InvalidResponse(MemoryFault):
    """The response is not a response of a Foxing service."""

    kind = ProblemKind("invalid-response", 502, "The response is not from a Foxing service").after(REPAIR_S)


#: Problems that a client meets if it knows more than its service, or less.
_OF_VERSIONS = ("no-such-path", "method-not-allowed", "invalid-request")
_REFUSALS = (401, 403, 421)
_UNAVAILABLE = (429, 502, 503, 504)
#: Problem type → the error that an in-process memory raises.
_ERRORS: dict[str, type[MemoryFault]] = {
    error.kind.slug: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, MemoryFault) and "kind" in vars(error) and error is not Unavailable
} | {ReaderRefused.kind.slug: ReaderRefused}


def error_of(status: int, content: bytes, headers: Mapping[str, str]) -> MemoryFault:
    """Returns the error for a failed response: the class by its problem type, else by its status. Its promise about
    another try is that of the problem document; what is no service of Foxing refuses nothing for ever."""
    try:
        problem = Problem.model_validate_json(content, extra="allow")
    except ValidationError:
        problem = None
    if problem is None or not problem.type.startswith(TYPE_PREFIX):
        text = content[:200].decode(errors="replace")
        error = _by_status(status)(
            f"the server responded with status {status} and without a problem document of Foxing: {text!r}; check the "
            "URL"
        )
        error.kind = ProblemKind("http-error", status, "The request was rejected", retry="later")
        pause = headers.get("Retry-After", "")
        if pause.isdecimal():
            error.after(float(pause))
        elif not isinstance(error, Unavailable):
            error.after(REPAIR_S)
        return error
    slug = problem.type.removeprefix(TYPE_PREFIX)
    detail = f"{problem.detail}{other_version(headers)}" if slug in _OF_VERSIONS else problem.detail
    error = _ERRORS.get(slug, _by_status(status))(detail)
    error.kind = ProblemKind(slug, status, problem.title, problem.retry or "never", problem.retry_after_s)
    error.details = problem
    return error


def other_version(headers: Mapping[str, str]) -> str:
    """Returns what to add to an error that another version of the service may explain; empty if it has the client's.
    `headers`: of the response."""
    own = version(CLIENT)
    theirs = headers.get(VERSION_HEADER)
    if theirs == own:
        return ""
    stated = "does not say its version" if theirs is None else f"is version {theirs}"
    return f"; the service {stated}, and this client is {own}: a call or a field that one of them lacks needs an update"


def _by_status(status: int) -> type[MemoryFault]:
    if status in _REFUSALS:
        return Refused
    if status in _UNAVAILABLE:
        return Unavailable
    return ServiceFailed if status >= 500 else InvalidInput

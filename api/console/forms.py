"""Fields of forms and addresses, and where a form leads."""

from collections.abc import Mapping
from datetime import timedelta
from typing import overload

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from foxing.memory import InvalidInput

from .rendering import HEADERS, inside, url


async def form_fields(request: Request) -> dict[str, str]:
    """Returns the fields of a form."""
    async with request.form(max_files=0, max_fields=50) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def leads_to(path: str, *parts: str, **query: str) -> Response:
    """Leads to a page of the console after a form. See `url`."""
    return RedirectResponse(url(path, *parts, **query), 303, HEADERS)


def leads_back(form: Mapping[str, str], default: str) -> Response:
    """Leads back to the page of the console that a form names."""
    return RedirectResponse(inside(form.get("back", "")) or default, 303, HEADERS)


def check_confirmation(form: Mapping[str, str], expected: str) -> None:
    """Raises `InvalidInput` unless the name of what is to be erased was typed."""
    if not expected or form.get("confirmation", "").strip() != expected.strip():
        raise InvalidInput(f"to erase it, type its name exactly: {expected}; nothing was erased")


def days(text: str, unchanged: str) -> timedelta | None:
    """Returns a number of days; None for an empty field. `unchanged`: what did not happen, for the error. Raises
    `InvalidInput`."""
    if not text.strip():
        return None
    try:
        return timedelta(days=float(text))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"'{text.strip()}' is not a number of days; {unchanged}") from error


@overload
def whole_number(text: str | None, default: int) -> int: ...
@overload
def whole_number(text: str | None, default: None) -> int | None: ...
def whole_number(text: str | None, default: int | None) -> int | None:
    """Returns a number of a form. Raises `InvalidInput`."""
    if not text:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise InvalidInput(f"'{text}' is not a whole number") from error

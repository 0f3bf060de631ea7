"""Forms as `multipart/form-data`, read chunk by chunk."""

from collections.abc import Callable
from dataclasses import dataclass, field

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers

from .problems import INVALID_REQUEST, RequestError


@dataclass
class FormPart:
    """A part of a form."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def options(self) -> dict[bytes, bytes]:
        """Options of its disposition, such as its name."""
        return parse_options_header(self.headers.get("content-disposition", ""))[1]

    @property
    def name(self) -> str:
        """Name of the field."""
        return self.options.get(b"name", b"").decode("utf-8", "replace")

    @property
    def path(self) -> str | None:
        """Name of the file, with the folders that the client gives; None if the part is not a file."""
        name = self.options.get(b"filename")
        return None if name is None else name.decode("utf-8", "replace")


class FormReader:
    """Reads a form chunk by chunk and hands on what its parts hold, see `begin`, `take` and `end`."""

    def __init__(self, headers: Headers) -> None:
        """`headers`: those of the request. Raises `RequestError`."""
        boundary = parse_options_header(headers.get("content-type", ""))[1].get(b"boundary")
        if not boundary:
            raise invalid_form("the form has no boundary; let the client set the header Content-Type")
        events: dict[str, Callable[..., None]] = {
            "on_part_begin": self._part_begins,
            "on_part_data": self._part_data,
            "on_part_end": self.end,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_end": self._form_ends,
        }
        try:
            self._parser = MultipartParser(boundary, events)  # type: ignore[arg-type, unused-ignore]
        except MultipartParseError as error:
            raise _unreadable(error) from error
        self._part = FormPart()
        self._name = self._value = b""
        self._ended = False

    def begin(self, part: FormPart) -> None:
        """Called with a part whose headers have been read."""

    def take(self, data: bytes) -> None:
        """Called with bytes of the part that began last."""

    def end(self) -> None:
        """Called at the end of a part."""

    def write(self, data: bytes) -> None:
        """Reads a chunk. Raises `RequestError`, and what the methods above raise."""
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise _unreadable(error) from error

    def finish(self) -> None:
        """Raises `RequestError` if the form is incomplete."""
        if not self._ended:
            raise _unreadable("it ends too early")

    def _part_begins(self) -> None:
        self._part = FormPart()

    def _part_data(self, data: bytes, start: int, stop: int) -> None:
        self.take(data[start:stop])

    def _header_name(self, data: bytes, start: int, stop: int) -> None:
        self._name += data[start:stop]

    def _header_value(self, data: bytes, start: int, stop: int) -> None:
        self._value += data[start:stop]

    def _header_ends(self) -> None:
        # in Latin-1, as `parse_options_header` takes it; its options are the bytes again
        self._part.headers[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name = self._value = b""

    def _headers_end(self) -> None:
        self.begin(self._part)

    def _form_ends(self) -> None:
        self._ended = True


def _unreadable(reason: Exception | str) -> RequestError:
    return invalid_form(f"the form cannot be read ({reason}); send it again")


def invalid_form(reason: str) -> RequestError:
    """Returns the error of a form that is not as it has to be."""
    return RequestError(INVALID_REQUEST, reason)

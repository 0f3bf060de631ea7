"""Messages with image files as `multipart/form-data`, turned into the JSON body that the endpoint takes.

The field `request` is that body. A part `{"type": "image", "url": "attachment://chart.png"}` stands for the file of
that name; files that no part names are appended to the last message.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers

from .bodies import check_json_body
from .problems import INVALID_REQUEST, RequestError

REQUEST_FIELD = "request"
MAX_FILES = 100
_ATTACHMENT = "attachment://"
_JSON = Headers({"content-type": "application/json"})


@dataclass
class FormPart:
    """A part of a form."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)
    data: bytearray = field(default_factory=bytearray, repr=False)

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
        given = self.options.get(b"filename")
        return None if given is None else given.decode("utf-8", "replace")

    @property
    def filename(self) -> str:
        """Name of the file without its folder; that of the field if it has none."""
        return (self.path or "").replace("\\", "/").rpartition("/")[2] or self.name


def is_form(headers: Headers) -> bool:
    """True if a body is declared as `multipart/form-data`."""
    return headers.get("content-type", "").lower().startswith("multipart/form-data")


def json_of_form(headers: Headers, body: bytes) -> bytes:
    """Returns the JSON body of a form. Raises `RequestError`."""
    parts = _parts(headers, body)
    said = [part for part in parts if part.name == REQUEST_FIELD]
    if len(said) != 1:
        raise invalid_form(f"the form needs one field '{REQUEST_FIELD}' with the JSON body of this endpoint")
    request = bytes(said[0].data)
    check_json_body(_JSON, request)
    try:
        value = json.loads(request)
    except (ValueError, RecursionError) as error:
        raise invalid_form(f"the field '{REQUEST_FIELD}' is invalid JSON ({error}); correct it") from error
    files = [part for part in parts if part.name != REQUEST_FIELD]
    return json.dumps(_with_files(value, files)).encode()


def _with_files(value: Any, files: list[FormPart]) -> Any:
    """Returns the value of the body with the files in its messages."""
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise invalid_form(f"the field '{REQUEST_FIELD}' needs 'messages', a list of at least one message")
    waiting = {part.filename: part for part in files}
    if len(waiting) < len(files):
        raise invalid_form("two files of the form have the same name; rename one")
    named = set[str]()
    for message in messages:
        for part in message.get("content") if isinstance(message.get("content"), list) else ():
            url = part.get("url") if isinstance(part, dict) else None
            if not isinstance(url, str) or not url.startswith(_ATTACHMENT):
                continue
            name = url.removeprefix(_ATTACHMENT)
            if name not in waiting:
                raise invalid_form(f"the form has no file '{name}', which a part names")
            named.add(name)
            del part["url"]
            part |= _image(waiting[name]) | {key: part[key] for key in part}
    last, content = messages[-1], messages[-1].get("content")
    rest = [_image(part) for name, part in waiting.items() if name not in named]
    if rest:
        said = [{"type": "text", "text": content}] if isinstance(content, str) and content else content or []
        last["content"] = [*said, *rest] if isinstance(said, list) else said
    return value


def _image(part: FormPart) -> dict[str, Any]:
    return {"type": "image", "name": part.filename, "data": base64.b64encode(part.data).decode()}


def _parts(headers: Headers, body: bytes) -> list[FormPart]:
    """Returns the parts of a body. Raises `RequestError`."""
    reader = _PartsReader(headers)
    reader.write(body)
    reader.finish()
    return reader.parts


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


class _PartsReader(FormReader):
    """Keeps all parts of a form in memory."""

    def __init__(self, headers: Headers) -> None:
        super().__init__(headers)
        self.parts: list[FormPart] = []

    def begin(self, part: FormPart) -> None:
        """See `FormReader.begin`."""
        if len(self.parts) > MAX_FILES:
            raise invalid_form(f"the form has more than {MAX_FILES} files; send fewer")
        self.parts.append(part)

    def take(self, data: bytes) -> None:
        """See `FormReader.take`."""
        self.parts[-1].data += data


def _unreadable(reason: Exception | str) -> RequestError:
    return invalid_form(f"the form cannot be read ({reason}); send it again")


def invalid_form(reason: str) -> RequestError:
    """Returns the error of a form that is not as it has to be."""
    return RequestError(INVALID_REQUEST, reason)

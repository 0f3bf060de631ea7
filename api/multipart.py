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
class _FormPart:
    """A part of the body."""

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
    def filename(self) -> str:
        """Name of the file without its folder; that of the field if it has none."""
        given = self.options.get(b"filename", b"").decode("utf-8", "replace")
        return given.replace("\\", "/").rpartition("/")[2] or self.name


def is_form(headers: Headers) -> bool:
    """True if a body is declared as `multipart/form-data`."""
    return headers.get("content-type", "").lower().startswith("multipart/form-data")


def json_of_form(headers: Headers, body: bytes) -> bytes:
    """Returns the JSON body of a form. Raises `RequestError`."""
    parts = _parts(headers, body)
    said = [part for part in parts if part.name == REQUEST_FIELD]
    if len(said) != 1:
        raise _invalid(f"the form needs one field '{REQUEST_FIELD}' with the JSON body of this endpoint")
    request = bytes(said[0].data)
    check_json_body(_JSON, request)
    try:
        value = json.loads(request)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"the field '{REQUEST_FIELD}' is invalid JSON ({error}); correct it") from error
    files = [part for part in parts if part.name != REQUEST_FIELD]
    return json.dumps(_with_files(value, files)).encode()


def _with_files(value: Any, files: list[_FormPart]) -> Any:
    """Returns the value of the body with the files in its messages."""
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise _invalid(f"the field '{REQUEST_FIELD}' needs 'messages', a list of at least one message")
    waiting = {part.filename: part for part in files}
    if len(waiting) < len(files):
        raise _invalid("two files of the form have the same name; rename one")
    named = set[str]()
    for message in messages:
        for part in message.get("content") if isinstance(message.get("content"), list) else ():
            url = part.get("url") if isinstance(part, dict) else None
            if not isinstance(url, str) or not url.startswith(_ATTACHMENT):
                continue
            name = url.removeprefix(_ATTACHMENT)
            if name not in waiting:
                raise _invalid(f"the form has no file '{name}', which a part names")
            named.add(name)
            del part["url"]
            part |= _image(waiting[name]) | {key: part[key] for key in part}
    last, content = messages[-1], messages[-1].get("content")
    rest = [_image(part) for name, part in waiting.items() if name not in named]
    if rest:
        said = [{"type": "text", "text": content}] if isinstance(content, str) and content else content or []
        last["content"] = [*said, *rest] if isinstance(said, list) else said
    return value


def _image(part: _FormPart) -> dict[str, Any]:
    return {"type": "image", "name": part.filename, "data": base64.b64encode(part.data).decode()}


def _parts(headers: Headers, body: bytes) -> list[_FormPart]:
    """Returns the parts of a body. Raises `RequestError`."""
    boundary = parse_options_header(headers.get("content-type", ""))[1].get(b"boundary")
    if not boundary:
        raise _invalid("the form has no boundary; let the client set the header Content-Type")
    reader = _FormReader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type, unused-ignore]
        parser.write(body)
        parser.finalize()
    except MultipartParseError as error:
        raise _invalid(f"the form cannot be read ({error}); send it again") from error
    return reader.parts


class _FormReader:
    """Collects the parts of a form from the events of a parser."""

    def __init__(self) -> None:
        self.parts: list[_FormPart] = []
        self._name = self._value = b""

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """Returns the functions to call, by event."""
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
        }

    def _begin(self) -> None:
        if len(self.parts) > MAX_FILES:
            raise _invalid(f"the form has more than {MAX_FILES} files; send fewer")
        self.parts.append(_FormPart())

    def _data(self, data: bytes, start: int, stop: int) -> None:
        self.parts[-1].data += data[start:stop]

    def _header_name(self, data: bytes, start: int, stop: int) -> None:
        self._name += data[start:stop]

    def _header_value(self, data: bytes, start: int, stop: int) -> None:
        self._value += data[start:stop]

    def _header_end(self) -> None:
        name, value = self._name.decode("latin-1").lower(), self._value.decode("utf-8", "replace")
        self.parts[-1].headers[name] = value
        self._name = self._value = b""


def _invalid(reason: str) -> RequestError:
    return RequestError(INVALID_REQUEST, reason)

"""Insertion of text into the JSON of a request, which leaves all other bytes as they are."""

import json
from collections.abc import Iterator, Mapping

from foxing.memory.conversation import ProviderFormat, render_blocks

_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"

#: Place in the text of a value: start and stop.
Span = tuple[int, int]


def insert(body: str, form: ProviderFormat, additions: Mapping[int, str]) -> str:
    """Returns a request with a text in front of the content of some of its messages, which are a list or one string.
    `additions`: place of a message → text. Raises `ValueError` for a body in which there is no such content."""
    start, _ = _member(body, 0, form.member)
    if body[start] == '"':
        at = [(start + 1, _escaped(f"{additions[0]}\n\n"))]
    else:
        spans = list(_items(body, start))
        at = [_before(body, spans[place][0], text, form) for place, text in sorted(additions.items())]
    for position, text in reversed(at):
        body = body[:position] + text + body[position:]
    return body


def _before(body: str, start: int, text: str, form: ProviderFormat) -> tuple[int, str]:
    """Position and text of an insertion into the content of a message."""
    content, _ = _member(body, start, form.content)
    if body[content] == '"':
        return content + 1, _escaped(f"{text}\n\n")
    if body[content] != "[":
        raise ValueError("the content is neither a text nor a list")
    [block] = render_blocks(form.name, [{"type": "text", "text": text}])
    part = json.dumps(block, ensure_ascii=True, separators=(",", ":"))
    empty = body[_skip(body, content + 1)] == "]"
    return content + 1, part if empty else f"{part},"


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)[1:-1]


def _member(body: str, start: int, name: str) -> Span:
    """Span of a member's value of the object that begins at `start`; of the last one, as in parsers."""
    found: Span | None = None
    for key, span in _members(body, _skip(body, start)):
        if key == name:
            found = span
    if found is None:
        raise ValueError(f"there is no member {name}")
    return found


def _members(body: str, start: int) -> Iterator[tuple[str, Span]]:
    if body[start] != "{":
        raise ValueError("not an object")
    at = _skip(body, start + 1)
    while body[at] != "}":
        key, at = _DECODER.raw_decode(body, at)
        at = _skip(body, _skip(body, at) + 1)  # the colon
        end = _DECODER.raw_decode(body, at)[1]
        yield key, (at, end)
        at = _skip(body, end)
        if body[at] == ",":
            at = _skip(body, at + 1)


def _items(body: str, start: int) -> Iterator[Span]:
    if body[start] != "[":
        raise ValueError("not a list")
    at = _skip(body, start + 1)
    while body[at] != "]":
        end = _DECODER.raw_decode(body, at)[1]
        yield at, end
        at = _skip(body, end)
        if body[at] == ",":
            at = _skip(body, at + 1)


def _skip(body: str, at: int) -> int:
    while body[at] in _SPACE:
        at += 1
    return at

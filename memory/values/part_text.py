"""Rendering of a message in parts as the text that is typeset, indexed and recalled. `parse_parts` reverses
`render_parts`.

    Let me see.
    △ find call_1 {"city":"Seoul"}
    ▽ call_1
    The answer of the tool,
    on as many lines as it has.
    ◇
    Text after another part.
    ■ image 1, 640x480 px, chart.png: "Revenue by month"

A line that begins with a mark begins a part; text at the start needs no mark. A content line that begins with a mark,
or with backslashes and a mark, is escaped with a backslash. A tool result that is an error has the word `error` after
its id. An image is a label: its number in the message, its size as it was stored, its file name or URL, and what it
shows. Names and ids with spaces or quotes are JSON strings. Arguments given as a string follow an apostrophe, or are a
JSON string if they contain line breaks.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from foxing.memory.compact_json import compact_json

from .parts import ImagePart, Part, TextPart, ToolCall, ToolResult

#: The marks that the native codec misreads least, of those tried; that of images alone on a short page, too.
TEXT_MARK = "◇"
CALL_MARK = "△"
RESULT_MARK = "▽"
IMAGE_MARK = "■"

_MARKS = TEXT_MARK + CALL_MARK + RESULT_MARK + IMAGE_MARK
_HEAD = re.compile(rf"^([{_MARKS}])(.*)$", re.MULTILINE)
_LOOKS_MARKED = re.compile(rf"^\\*[{_MARKS}]", re.MULTILINE)
_ESCAPED = re.compile(rf"^\\(\\*[{_MARKS}])", re.MULTILINE)
_BARE_WORD = re.compile(r'[^\s"]+')
_ERROR = "error"
_STRING = r'"(?:[^"\\]|\\.)*"'
_IMAGE = re.compile(
    rf" image (\d+)(?:, (\d+)x(\d+) px)?(?:, <([^<>\s\"]+)>)?(?:, ([^\s\":,<>]+|{_STRING}))?(?:: ({_STRING}))?"
)
_BARE_NAME = re.compile(r'[^\s":,<>]+')


def render_parts(parts: Sequence[Part]) -> str:
    """Returns the parts as one text, images as labels."""
    blocks = []
    images = 0
    for number, part in enumerate(parts):
        if isinstance(part, ToolCall):
            blocks.append(f"{CALL_MARK} {_word(part.name)} {_word(part.id)} {_arguments(part)}")
        elif isinstance(part, ToolResult):
            error = f" {_ERROR}" if part.is_error else ""
            blocks.append(f"{RESULT_MARK} {_word(part.id)}{error}{_body(part.content)}")
        elif isinstance(part, ImagePart):
            images += 1
            blocks.append(_label(part, images))
        else:
            blocks.append(TEXT_MARK + _body(part.text) if number else _escape(part.text))
    return "\n".join(blocks)


def parse_parts(text: str) -> tuple[Part, ...] | None:
    """Returns the parts that `render_parts` rendered as `text`, or None if it is not valid, for example because a mark
    or an argument was misread."""
    heads = list(_HEAD.finditer(text))
    if not heads:
        return (TextPart(text=_unescape(text)),)
    parts: list[Part] = []
    if heads[0].start():
        parts.append(TextPart(text=_unescape(text[: heads[0].start() - 1])))
    ends = [head.start() - 1 for head in heads[1:]] + [len(text)]
    try:
        for head, end in zip(heads, ends, strict=True):
            parts.append(_part(head[1], head[2], _unescape(text[head.end() + 1 : end])))
    except (ValueError, RecursionError):
        return None
    return tuple(parts)


def _part(mark: str, head: str, body: str) -> Part:
    """Returns a part. `head`: the line after its mark; `body`: the lines that follow. Raises `ValueError`."""
    if mark == TEXT_MARK:
        if head:
            raise ValueError("a text mark stands alone")
        return TextPart(text=body)
    if mark == IMAGE_MARK:
        if body:
            raise ValueError("a label is one line")
        return _image(head)
    first, head = _take_word(head)
    if mark == CALL_MARK:
        call_id, head = _take_word(head)
        if body:
            raise ValueError("a tool call is one line")
        return ToolCall(id=call_id, name=first, arguments=_parse_arguments(head.removeprefix(" ")))
    if head not in ("", f" {_ERROR}"):
        raise ValueError("an id is followed by nothing but the word for an error")
    return ToolResult(id=first, content=body, is_error=bool(head))


def _label(image: ImagePart, number: int) -> str:
    size = image.labelled_size
    words = [f"{IMAGE_MARK} image {number}"]
    words += [] if size is None else [f"{size[0]}x{size[1]} px"]
    words += [] if image.url is None else [f"<{image.url}>"]
    if image.name is not None:
        words.append(image.name if _BARE_NAME.fullmatch(image.name) else compact_json(image.name))
    return ", ".join(words) + ("" if image.alt is None else f": {compact_json(image.alt)}")


def _image(head: str) -> ImagePart:
    """Returns the image that a label stands for, without its data. Raises `ValueError`."""
    match = _IMAGE.fullmatch(head)
    if match is None:
        raise ValueError("a label says number and size of an image")
    _, width, height, url, name, alt = match.groups()
    return ImagePart.model_construct(
        url=url,
        name=json.loads(name) if name is not None and name[0] == '"' else name,
        alt=None if alt is None else json.loads(alt),
        width=None if width is None else int(width),
        height=None if height is None else int(height),
    )


def image_labels(text: str) -> list[int]:
    """Returns the numbers of the images whose labels stand complete in a text."""
    heads = (_IMAGE.fullmatch(head[2]) for head in _HEAD.finditer(text) if head[1] == IMAGE_MARK)
    return [int(match[1]) for match in heads if match is not None]


def label_of(text: str, number: int) -> str | None:
    """Returns the label of an image in a text, by its number; None if it is not complete."""
    for head in _HEAD.finditer(text):
        match = _IMAGE.fullmatch(head[2]) if head[1] == IMAGE_MARK else None
        if match is not None and int(match[1]) == number:
            return head[0]
    return None


def _body(text: str) -> str:
    """Returns the escaped lines after a mark; empty for an empty text."""
    return "\n" + _escape(text) if text else ""


def _escape(text: str) -> str:
    return _LOOKS_MARKED.sub(r"\\\g<0>", text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _word(word: str) -> str:
    return word if _BARE_WORD.fullmatch(word) else compact_json(word)


def _take_word(text: str) -> tuple[str, str]:
    """Returns the word after a leading space, and the remaining text. Raises `ValueError`."""
    if not text.startswith(" "):
        raise ValueError("a word is missing")
    if text.startswith(' "'):
        word, end = json.JSONDecoder().raw_decode(text, 1)
        return str(word), text[end:]
    word, space, remainder = text[1:].partition(" ")
    if not _BARE_WORD.fullmatch(word):
        raise ValueError("a word with quotes or spaces is a JSON string")
    return word, space + remainder


def _arguments(call: ToolCall) -> str:
    if isinstance(call.arguments, str) and "\n" not in call.arguments:
        return "'" + call.arguments
    return compact_json(call.arguments)


def _parse_arguments(text: str) -> Any:
    """Returns the arguments as a string or an object; does not check their type. Raises `ValueError`."""
    return text[1:] if text.startswith("'") else json.loads(text)

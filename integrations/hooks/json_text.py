"""Edits of JSON texts in place: what is not edited keeps its bytes, comments and trailing commas included."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_BLANK = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SCALAR = re.compile(r"[^\s,\]\}/]+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)


class InvalidJson(ValueError):
    """The text is not JSON."""


@dataclass
class Node:
    """A value in a text, from `start` to `stop`."""

    start: int
    stop: int
    value: Any = None
    #: members of an object, in order; the last of equal names counts
    members: dict[str, "JsonMember"] = field(default_factory=dict)
    #: items of an array
    items: list["Node"] = field(default_factory=list)

    @property
    def children(self) -> list[tuple[int, int]]:
        """Start and stop of each member or item, in order."""
        return [(child.start, child.node.stop) for child in self.members.values()] or [
            (child.start, child.stop) for child in self.items
        ]


@dataclass
class JsonMember:
    """A member of an object; `start` is that of its name."""

    start: int
    node: Node


def parse(text: str) -> Node:
    """Returns the value of a text; comments and trailing commas are allowed. Raises `InvalidJson`."""
    try:
        node, at = _value(text, _skip(text, 0))
    except RecursionError as error:
        raise InvalidJson("nested too deeply") from error
    if _skip(text, at) != len(text):
        raise InvalidJson(f"unexpected text in line {_line(text, at)}")
    return node


def with_member(text: str, path: Sequence[str], name: str, value: Any) -> str:
    """Returns the text with a member added to the object at `path`, which is created if it is not there. An existing
    member of this name is replaced. Raises `InvalidJson` where there is no object."""
    node, missing_steps = _object_at(text, path)
    for step in reversed(path[len(path) - missing_steps :]):
        value, name = {name: value}, step
    if name in node.members:
        old = node.members[name].node
        return text[: old.start] + _dumped(text, value, _depth(text, node) + 1) + text[old.stop :]
    return _added(text, node, f"{json.dumps(name, ensure_ascii=False)}: ", value)


def with_item(text: str, path: Sequence[str], value: Any) -> str:
    """Returns the text with an item at the end of the array at `path`, which is created if it is not there. Raises
    `InvalidJson` where there is something else."""
    node, missing_steps = _object_at(text, path[:-1])
    if missing_steps or path[-1] not in node.members:
        return with_member(text, path[:-1], path[-1], [value])
    array = node.members[path[-1]].node
    if not isinstance(array.value, list):
        raise InvalidJson(f"{'.'.join(path)} is not a list")
    return _added(text, array, "", value)


def without(text: str, path: Sequence[str | int]) -> str:
    """Returns the text without the member or item at `path`."""
    node = parse(text)
    for step in path[:-1]:
        node = node.items[step] if isinstance(step, int) else node.members[step].node
    last = path[-1]
    number = last if isinstance(last, int) else list(node.members).index(last)
    start, stop = node.children[number]
    if number + 1 < len(node.children):  # what follows takes its place
        following = node.children[number + 1][0]
        return text[:start] + text[_own_line(text, stop, following) :]
    comma = _comma(text, stop)
    end = stop if comma is None else comma + 1
    if not number:
        opening = node.start + 1
        tail = text[end : node.stop - 1]
        before = text[opening:start]
        return text[:opening] + (before.rstrip() + tail if (before + tail).strip() else "") + text[node.stop - 1 :]
    previous = node.children[number - 1][1]
    own = _comma(text, previous)
    gap = text[previous:start]
    if comma is None and own is not None:
        gap = text[previous:own] + text[own + 1 : start]
    return text[:previous] + gap.rstrip() + text[end:]


def _object_at(text: str, path: Sequence[str]) -> tuple[Node, int]:
    """Returns the deepest object on a path, and how many steps of the path are missing."""
    node = parse(text)
    for number, step in enumerate(path):
        if not isinstance(node.value, dict):
            raise InvalidJson(f"{'.'.join(path[:number]) or 'the document'} is not an object")
        if step not in node.members:
            return node, len(path) - number
        node = node.members[step].node
    if not isinstance(node.value, dict):
        raise InvalidJson(f"{'.'.join(path) or 'the document'} is not an object")
    return node, 0


def _added(text: str, node: Node, name: str, value: Any) -> str:
    """Returns the text with a member or an item at the end of a container."""
    depth = _depth(text, node)
    line = _newline(text)
    unit = _unit(text)
    closing = node.stop - 1
    new = f"{name}{_dumped(text, value, depth + 1)}"
    one_line = "\n" not in text.strip() and text.strip() != "{}"
    if one_line:
        new = name + json.dumps(value, ensure_ascii=False)
    if not node.children:
        inside = text[node.start + 1 : closing]
        if one_line:
            return f"{text[:closing]}{new}{text[closing:]}"
        if inside.strip():  # comments
            end = len(text[:closing].rstrip())
            tail = text[end:closing] if "\n" in text[end:closing] else f"{line}{unit * depth}"
            return f"{text[:end]}{line}{unit * (depth + 1)}{new}{tail}{text[closing:]}"
        return f"{text[: node.start + 1]}{line}{unit * (depth + 1)}{new}{line}{unit * depth}{text[closing:]}"
    first, last = node.children[0][0], node.children[-1][1]
    comma = _comma(text, last)
    if comma is None:
        text = f"{text[:last]},{text[last:]}"
        closing += 1
    else:
        new += ","
    end = len(text[:closing].rstrip())
    if "\n" not in text[node.start + 1 : first]:  # on one line
        return f"{text[:end]} {name}{json.dumps(value, ensure_ascii=False)}{text[end:]}"
    return f"{text[:end]}{line}{_indent_of(text, first)}{new}{text[end:]}"


def _value(text: str, at: int) -> tuple[Node, int]:
    """Returns the value that begins at `at`, and where it ends."""
    if at >= len(text):
        raise InvalidJson("the text ends too early")
    opened = text[at]
    if opened == "{":
        return _object(text, at)
    if opened == "[":
        return _array(text, at)
    match = (_STRING if opened == '"' else _SCALAR).match(text, at)
    if match is None:
        raise InvalidJson(f"unexpected text in line {_line(text, at)}")
    try:
        return Node(at, match.end(), json.loads(match[0], strict=False)), match.end()
    except ValueError as error:
        raise InvalidJson(f"line {_line(text, at)}: {match[0][:40]} is no value") from error


def _object(text: str, at: int) -> tuple[Node, int]:
    node = Node(at, at, {})
    for place in _places(text, at, "}"):
        match = _STRING.match(text, place.at)
        if match is None:
            raise InvalidJson(f"a name is expected in line {_line(text, place.at)}")
        colon = _skip(text, match.end())
        if text[colon : colon + 1] != ":":
            raise InvalidJson(f"a colon is expected in line {_line(text, colon)}")
        child, place.at = _value(text, _skip(text, colon + 1))
        name = json.loads(match[0], strict=False)
        node.members.pop(name, None)
        node.members[name] = JsonMember(match.start(), child)
        node.value[name] = child.value
        node.stop = place.at
    node.stop = _end(text, node.stop if node.members else at + 1, "}")
    return node, node.stop


def _array(text: str, at: int) -> tuple[Node, int]:
    node = Node(at, at, [])
    for place in _places(text, at, "]"):
        child, place.at = _value(text, place.at)
        node.items.append(child)
        node.value.append(child.value)
        node.stop = place.at
    node.stop = _end(text, node.stop if node.items else at + 1, "]")
    return node, node.stop


@dataclass
class _Place:
    at: int


def _places(text: str, at: int, closing: str) -> Iterator[_Place]:
    """Yields where each child of a container begins; the caller moves the place behind the child."""
    place = _Place(_skip(text, at + 1))
    while text[place.at : place.at + 1] != closing:
        yield place
        place.at = _skip(text, place.at)
        if text[place.at : place.at + 1] == ",":
            place.at = _skip(text, place.at + 1)
        elif text[place.at : place.at + 1] != closing:
            raise InvalidJson(f"a comma is expected in line {_line(text, place.at)}")


def _end(text: str, at: int, closing: str) -> int:
    """Returns the place behind the bracket that closes a container, whose last child ends at `at`."""
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        at = _skip(text, at + 1)
    assert text[at] == closing
    return at + 1


def _skip(text: str, at: int) -> int:
    """Returns the next place that is neither blank nor in a comment."""
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


def _comma(text: str, at: int) -> int | None:
    """Returns the place of the comma that follows a child; None if there is none."""
    place = _skip(text, at)
    return place if text[place : place + 1] == "," else None


def _own_line(text: str, stop: int, following: int) -> int:
    """Returns where to continue behind a child that is taken out, so that what follows keeps comments of its own."""
    comma = _comma(text, stop)
    at = stop if comma is None else comma + 1
    between = text[at:following]
    return following if not between.strip() else at + len(between) - len(between.lstrip())


def _depth(text: str, node: Node) -> int:
    """Returns the depth of the line that a container begins on, in units."""
    unit = _unit(text)
    indent = _indent_of(text, node.start)
    return len(indent) // len(unit) if unit else 0


def _indent_of(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    line = text[start:at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    match = _INDENT.search(text)
    return match[1] if match else "  "


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _dumped(text: str, value: Any, depth: int) -> str:
    """Returns a value as it is written at a depth."""
    unit = _unit(text)
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return f"{_newline(text)}{unit * depth}".join(lines)


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1

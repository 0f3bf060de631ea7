"""Checks JSON against the parameter types that an SDK declares: TypedDicts, unions, literals and lists.

pydantic could read the same types, but it checks an `Iterable` lazily, ignores unknown members, and names neither in
the way of a provider. The rules here are those of the providers' own services: unknown members are refused.
"""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

import typing_extensions
from typing_extensions import ReadOnly, is_typeddict

Kind = Literal["missing", "unknown", "type", "value"]
#: Names of members and numbers of list items.
Path = tuple[str | int, ...]

_WRAPPERS = (Required, NotRequired, ReadOnly)
_SCALARS: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    types.NoneType: "null",
}
#: Members whose literals tell the types of a union apart.
_TAGS = ("type", "role")


@dataclass(frozen=True)
class Flaw:
    """A place where a value differs from its type."""

    path: Path
    #: Path that also names the member of each union that was chosen, as Anthropic's messages do.
    tagged_path: Path
    kind: Kind
    #: What was expected: names of types or values.
    expected: tuple[str, ...] = ()
    value: object = None


@dataclass(frozen=True)
class _Place:
    path: Path = ()
    tagged: Path = ()

    def below(self, key: str | int) -> "_Place":
        return _Place((*self.path, key), (*self.tagged, key))

    def as_tagged(self, tag: str) -> "_Place":
        return _Place(self.path, (*self.tagged, tag))

    def flaw(self, kind: Kind, value: object, *expected: str) -> Flaw:
        return Flaw(self.path, self.tagged, kind, expected, value)


def find_flaw(value: object, annotation: Any, extra: Mapping[str, Any] | None = None) -> Flaw | None:
    """Returns the first place where `value` differs from `annotation`, or None. `extra`: name → type of members of the
    outermost object that are accepted beside those of the type."""
    return next(_flaws(value, annotation, _Place(), dict(extra or {})), None)


@cache
def _members(kind: type) -> dict[str, tuple[Any, bool]]:
    """Name → (type, whether it is required) of a TypedDict."""
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    return {name: _unwrapped(hint) for name, hint in hints.items()}


def _unwrapped(hint: Any) -> tuple[Any, bool]:
    required = False
    while (origin := get_origin(hint)) in _WRAPPERS or origin is Annotated:
        required = required or origin is Required
        hint = get_args(hint)[0]
    return hint, required


@cache
def _options(annotation: Any) -> tuple[Any, ...]:
    """Members of a union, nested unions flattened. Models of responses are left out: parameters have their shapes."""
    found: list[Any] = []
    for option in get_args(annotation):
        option, _ = _unwrapped(option)
        if get_origin(option) in (Union, types.UnionType):
            found += _options(option)
        elif option is object or not isinstance(option, type) or is_typeddict(option) or option in _SCALARS:
            found.append(option)
    return tuple(found)


@cache
def _tags(kind: type, name: str) -> tuple[object, ...] | None:
    """Values that the tag `name` of a TypedDict may have; None if it has no such literal."""
    hint, _ = _members(kind).get(name, (None, False))
    if get_origin(hint) in (Union, types.UnionType):
        hint = next((each for each in get_args(hint) if get_origin(each) is Literal), None)
    return get_args(hint) if get_origin(hint) is Literal else None


def _flaws(value: object, annotation: Any, at: _Place, extra: Mapping[str, Any]) -> Iterator[Flaw]:
    annotation, _ = _unwrapped(annotation)
    origin = get_origin(annotation)
    if is_typeddict(origin if origin is not None else annotation):
        yield from _object_flaws(value, origin or annotation, at, extra)
    elif origin in (Union, types.UnionType):
        yield from _union_flaws(value, annotation, at)
    elif origin is Literal:
        if not any(value == each and type(value) is type(each) for each in get_args(annotation)):
            yield at.flaw("value", value, *map(str, get_args(annotation)))
    elif annotation in _SCALARS:
        if not _is_scalar(value, annotation):
            yield at.flaw("type", value, _SCALARS[annotation])
    elif _is_mapping(origin or annotation):
        yield from _mapping_flaws(value, annotation, at)
    elif _is_list(origin or annotation):
        yield from _list_flaws(value, annotation, at)


def _is_scalar(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind


def _is_mapping(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Mapping)


def _is_list(kind: Any) -> bool:
    return getattr(kind, "__name__", "") in ("list", "Iterable", "Sequence", "SequenceNotStr", "List")


def _mapping_flaws(value: object, annotation: Any, at: _Place) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield at.flaw("type", value, "object")
        return
    arguments = get_args(annotation)
    for key, inner in value.items() if len(arguments) == 2 else ():
        yield from _flaws(inner, arguments[1], at.below(key), {})


def _list_flaws(value: object, annotation: Any, at: _Place) -> Iterator[Flaw]:
    if not isinstance(value, list):
        yield at.flaw("type", value, "array")
        return
    arguments = get_args(annotation)
    for number, inner in enumerate(value) if arguments else ():
        yield from _flaws(inner, arguments[0], at.below(number), {})


def _object_flaws(value: object, kind: type, at: _Place, extra: Mapping[str, Any]) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield at.flaw("type", value, "object")
        return
    members = _members(kind)
    for name, (_, required) in members.items():
        if required and name not in value:
            yield at.below(name).flaw("missing", None)
    for name, inner in value.items():
        if name in members:
            yield from _flaws(inner, members[name][0], at.below(name), {})
        elif name in extra:
            yield from _flaws(inner, extra[name], at.below(name), {})
        else:
            yield at.below(name).flaw("unknown", inner)


def _union_flaws(value: object, annotation: Any, at: _Place) -> Iterator[Flaw]:
    options = _options(annotation)
    if object in options or Any in options:
        return
    if not isinstance(value, dict):
        yield from _plain_flaws(value, options, at)
        return
    objects = [option for option in options if is_typeddict(option)]
    mappings = [each for each in options if not is_typeddict(each) and _is_mapping(get_origin(each) or each)]
    if mappings:  # an open object, whose known members are only a help
        yield from _flaws(value, mappings[0], at, {})
        return
    tag = next((name for name in _TAGS if name in value and any(_tags(each, name) for each in objects)), None)
    if tag is not None:
        fitting = [each for each in objects if value[tag] in (_tags(each, tag) or (value[tag],))]
        tagged = [each for each in fitting if _tags(each, tag)]
        at_tag = at.as_tagged(str(value[tag])) if tag == "type" and (len(objects) > 1 or len(options) > 1) else at
        if tagged:
            yield from _nearest(value, tagged, at_tag)
            return
        untagged = [each for each in fitting if tag not in _members(each)]
        if not untagged:
            known = sorted({str(value) for each in objects for value in _tags(each, tag) or ()})
            yield at.below(tag).flaw("value", value[tag], *known)
            return
    if objects:
        yield from _nearest(value, objects, at)
    else:
        yield from _plain_flaws(value, options, at)


def _plain_flaws(value: object, options: tuple[Any, ...], at: _Place) -> Iterator[Flaw]:
    """Flaws of a value that is not an object."""
    flaws = [next(_flaws(value, option, at, {}), None) for option in options]
    if options and all(flaw is not None for flaw in flaws):
        found = [flaw for flaw in flaws if flaw is not None]
        deep = max(found, key=lambda flaw: len(flaw.path))
        if len(deep.path) > len(at.path):
            yield deep
        elif all(flaw.kind == "value" for flaw in found):
            yield at.flaw("value", value, *(name for flaw in found for name in flaw.expected))
        else:
            yield at.flaw("type", value, *dict.fromkeys(flaw.expected[0] for flaw in found if flaw.kind == "type"))


def _nearest(value: object, options: list[Any], at: _Place) -> Iterator[Flaw]:
    """Flaws by the option that fits best: none if one fits, else those of the one whose first flaw lies deepest."""
    firsts = [next(_flaws(value, option, at, {}), None) for option in options]
    if all(first is not None for first in firsts):
        yield max((first for first in firsts if first is not None), key=lambda flaw: (len(flaw.path), flaw.kind))


def name_of(value: object) -> str:
    """Returns the JSON type of a value, for messages."""
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else _SCALARS.get(type(value), "value")

"""Values out of JSON: a dataclass says by its types what is expected.

Members that are not known are passed over, so that a newer service can say more.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import InvalidResponse

T = TypeVar("T")


def decode(kind: type[T], document: object) -> T:
    """The value of type `kind`, a dataclass, that a JSON document holds. Raises `InvalidResponse`."""
    try:
        value: T = _reader(cast(Any, kind))(document)
        return value
    except (TypeError, ValueError, KeyError) as error:
        raise InvalidResponse(
            f"the service answered with something that is not a {kind.__name__} ({error}); "
            "check the address, and that service and client have the same version"
        ) from error


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of type `kind` out of JSON."""
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(kind)
    if origin in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        inner = _reader(next(argument for argument in arguments if argument is not type(None)))
        return lambda value: None if value is None else inner(value)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        item = _reader(arguments[0])
        return lambda value: tuple(map(item, _of(list, value)))
    if origin is tuple:
        items = [_reader(argument) for argument in arguments]
        return lambda value: tuple(read(part) for read, part in zip(items, _of(list, value), strict=True))
    if origin in (dict, Mapping) and arguments[0] is str:
        member = _reader(arguments[1])
        return lambda value: {key: member(inner) for key, inner in _of(dict, value).items()}
    if kind is datetime:
        return lambda value: datetime.fromisoformat(_of(str, value))
    if kind is float:
        return lambda value: float(_of((int, float), value))
    if origin is Literal:
        return lambda value: _of(str, value)  # a newer service may have further ones
    return (lambda value: _of(kind, value)) if kind in (str, int, bool) else lambda value: value


def _dataclass_reader(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    fields = [(field.name, field, _reader(hints[field.name])) for field in dataclasses.fields(kind)]

    def read(document: Any) -> Any:
        members = _of(dict, document)
        given = {name: read(members[name]) for name, field, read in fields if name in members or _required(field)}
        return kind(**given)

    return read


def _required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _of(kind: type | tuple[type, ...], value: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{type(value).__name__} in the place of {getattr(kind, '__name__', 'a number')}")
    return value

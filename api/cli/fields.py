"""Command options generated from the fields of an input model: names, types, limits, defaults and help."""

from collections.abc import Collection
from datetime import datetime
from inspect import Parameter
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import annotated_types
import typer

from foxing.memory import Value
from foxing.memory.values.signatures import parameters_of

from .context import NowOption, TimezoneOption

#: Fields that are the same option in every command.
_SHARED = {"now": NowOption, "timezone": TimezoneOption}


def options_of(model: type[Value], *, leave_out: Collection[str] = ()) -> list[Parameter]:
    """Returns an option for each field of `model` except those in `leave_out`. An option that is not given has its
    default, or None."""
    parameters = parameters_of(model, leave_out=leave_out)
    return [
        parameter.replace(annotation=_SHARED[parameter.name])
        if parameter.name in _SHARED
        else _option(model, parameter)
        for parameter in parameters
    ]


def help_of(model: type[Value], field: str) -> str:
    """Returns the description of a field, for an argument that is declared separately."""
    return model.model_fields[field].description or ""


def _option(model: type[Value], parameter: Parameter) -> Parameter:
    field = model.model_fields[parameter.name]
    limits = {type(limit): limit for limit in field.metadata}
    low, high = limits.get(annotated_types.Ge), limits.get(annotated_types.Le)
    kind, optional = _plain(field.annotation)
    names = () if field.alias is None else (f"--{field.alias}",)
    option = typer.Option(
        *names,
        help=field.description,
        min=low.ge if isinstance(low, annotated_types.Ge) and isinstance(low.ge, int) else None,
        max=high.le if isinstance(high, annotated_types.Le) and isinstance(high.le, int) else None,
        show_default=field.default is not None and not field.is_required(),
    )
    return parameter.replace(annotation=Annotated[kind | None if optional else kind, option])


def _plain(annotation: Any) -> tuple[Any, bool]:
    """Returns the option type of an annotation, and True if the option may be omitted."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plain(arguments[0])
    if origin in (Union, UnionType):
        kinds = [_plain(argument)[0] for argument in arguments if argument not in (NoneType, datetime)]
        return kinds[0], NoneType in arguments or any(_plain(argument)[1] for argument in arguments)
    return list[str] if origin in (tuple, list) else annotation, False

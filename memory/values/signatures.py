"""Signatures of commands and tools, derived from the fields of an input."""

import inspect
from collections.abc import Callable, Collection, Iterable
from inspect import Parameter
from typing import Annotated, ParamSpec, TypeVar

from pydantic import Field

from .base import Value

P = ParamSpec("P")
R = TypeVar("R")


def parameters_of(model: type[Value], *, leave_out: Collection[str] = ()) -> list[Parameter]:
    """Returns a keyword parameter for each field of `model` except those in `leave_out`, annotated with the type,
    description and limits of the field."""
    return [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.is_required() else field.default,
            annotation=Annotated[(field.annotation, Field(description=field.description), *field.metadata)],
        )
        for name, field in model.model_fields.items()
        if name not in leave_out
    ]


def takes(parameters: Iterable[Parameter]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Returns a decorator that replaces the `**fields` in the visible signature of a function with `parameters`, for
    frameworks that build commands or tools from signatures."""

    def show(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function, eval_str=True)
        own = [parameter for parameter in signature.parameters.values() if parameter.kind is not Parameter.VAR_KEYWORD]
        listed = [*own, *parameters]
        vars(function)["__signature__"] = signature.replace(parameters=listed)
        function.__annotations__ = {parameter.name: parameter.annotation for parameter in listed}
        return function

    return show

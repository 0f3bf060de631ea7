"""Conversion of LangGraph filters to conditions on records."""

from collections.abc import Mapping
from typing import Literal

from foxing.integrations.frameworks.exact_json import exact_json
from foxing.memory.errors import InvalidInput
from foxing.memory.values.base import Fields

_OPERATORS: Mapping[str, Literal["eq", "ne", "gt", "gte", "lt", "lte"]] = {
    "$eq": "eq",
    "$ne": "ne",
    "$gt": "gt",
    "$gte": "gte",
    "$lt": "lt",
    "$lte": "lte",
}


def conditions(filter: Mapping[str, object] | None) -> list[Fields]:
    """Returns the conditions of a filter. Raises `InvalidInput` for an unknown operator."""
    return [condition for member, wanted in (filter or {}).items() for condition in _of_member(member, wanted)]


def _of_member(member: str, wanted: object) -> list[Fields]:
    if not isinstance(wanted, Mapping):
        return [{"member": member, "op": "eq", "value": exact_json(wanted, f"filter.{member}")}]
    unknown = [str(operator) for operator in wanted if operator not in _OPERATORS]
    if unknown or not wanted:
        names = ", ".join(_OPERATORS)
        raise InvalidInput(
            f"filter.{member}: '{', '.join(unknown)}' is not an operator; the operators are {names}. "
            "To compare with an object, write {'$eq': {…}}",
        )
    return [
        {"member": member, "op": _OPERATORS[operator], "value": exact_json(value, f"filter.{member}.{operator}")}
        for operator, value in wanted.items()
    ]

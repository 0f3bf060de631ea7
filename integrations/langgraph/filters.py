"""Conversion of LangGraph filters to conditions on records."""

import math
import sys
from collections.abc import Mapping
from typing import Literal

from foxing.integrations.frameworks.exact_json import exact_json
from foxing.memory import Fields, InvalidInput

_Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte"]
_OPERATORS: Mapping[str, _Operator] = {
    "$eq": "eq",
    "$ne": "ne",
    "$gt": "gt",
    "$gte": "gte",
    "$lt": "lt",
    "$lte": "lte",
}
_LARGEST = sys.float_info.max


def conditions(filter: Mapping[str, object] | None) -> list[Fields] | None:
    """Returns the conditions of a filter; None if no record can meet it. Raises `InvalidInput` for an unknown
    operator."""
    parts = [condition for member, value in (filter or {}).items() for condition in _of_member(member, value)]
    return None if None in parts else [condition for condition in parts if condition]


def _of_member(member: str, rule: object) -> list[Fields | None]:
    if not isinstance(rule, Mapping):
        return [_condition(member, "eq", rule, f"filter.{member}")]
    unknown = [str(operator) for operator in rule if operator not in _OPERATORS]
    if unknown or not rule:
        names = ", ".join(_OPERATORS)
        raise InvalidInput(
            f"filter.{member}: '{', '.join(unknown)}' is not an operator; the operators are {names}. "
            "To compare with an object, write {'$eq': {…}}",
        )
    return [
        _condition(member, _OPERATORS[operator], value, f"filter.{member}.{operator}")
        for operator, value in rule.items()
    ]


def _condition(member: str, op: _Operator, value: object, what: str) -> Fields | None:
    """Returns one condition; empty if every record meets it, None if no record does."""
    if isinstance(value, float) and not math.isfinite(value):
        return _beyond_json(member, op, value)
    return {"member": member, "op": op, "value": exact_json(value, what)}


def _beyond_json(member: str, op: _Operator, value: float) -> Fields | None:
    """Returns the condition for an infinite value or NaN, which no record holds and JSON cannot represent."""
    if op == "ne":
        return {}
    if op in ("lt", "lte") and value == math.inf:
        return {"member": member, "op": "lte", "value": _LARGEST}
    if op in ("gt", "gte") and value == -math.inf:
        return {"member": member, "op": "gte", "value": -_LARGEST}
    return None

"""Which namespaces an operation asks for."""

from collections.abc import Iterable
from itertools import takewhile

from langgraph.store.base import ListNamespacesOp, MatchCondition

ANY = "*"


def literal_prefix(op: ListNamespacesOp) -> tuple[str, ...]:
    """The longest labels that all namespaces asked for begin with."""
    paths = (_path(condition) for condition in op.match_conditions or () if condition.match_type == "prefix")
    return max((tuple(takewhile(lambda label: label != ANY, path)) for path in paths), key=len, default=())


def listed(namespaces: Iterable[tuple[str, ...]], op: ListNamespacesOp) -> list[tuple[str, ...]]:
    """Those that meet all conditions, cut to the depth asked for, each once, in alphabetical order."""
    found = (each for each in namespaces if all(_matches(each, condition) for condition in op.match_conditions or ()))
    return sorted({each if op.max_depth is None else each[: op.max_depth] for each in found})


def _matches(namespace: tuple[str, ...], condition: MatchCondition) -> bool:
    path = _path(condition)
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in (ANY, label) for wanted, label in zip(path, part, strict=True))


def _path(condition: MatchCondition) -> tuple[str, ...]:
    """The labels; a single one may be given as it is."""
    return (condition.path,) if isinstance(condition.path, str) else tuple(condition.path)

"""Matching of namespaces in `ListNamespacesOp`."""

from collections.abc import Iterable
from itertools import takewhile

from langgraph.store.base import ListNamespacesOp, MatchCondition

ANY = "*"


def literal_prefix(op: ListNamespacesOp) -> tuple[str, ...]:
    """Returns the longest prefix without wildcards that all matching namespaces have."""
    paths = (_path(condition) for condition in op.match_conditions or () if condition.match_type == "prefix")
    return max((tuple(takewhile(lambda label: label != ANY, path)) for path in paths), key=len, default=())


def listed(namespaces: Iterable[tuple[str, ...]], op: ListNamespacesOp) -> list[tuple[str, ...]]:
    """Returns the namespaces that match all conditions, truncated to `max_depth`, without duplicates, in alphabetical
    order."""
    matches = (
        namespace
        for namespace in namespaces
        if all(_matches(namespace, condition) for condition in op.match_conditions or ())
    )
    return sorted({namespace if op.max_depth is None else namespace[: op.max_depth] for namespace in matches})


def _matches(namespace: tuple[str, ...], condition: MatchCondition) -> bool:
    path = _path(condition)
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(segment in (ANY, label) for segment, label in zip(path, part, strict=True))


def _path(condition: MatchCondition) -> tuple[str, ...]:
    """Returns the labels of a condition, whose path may also be a single label."""
    return (condition.path,) if isinstance(condition.path, str) else tuple(condition.path)

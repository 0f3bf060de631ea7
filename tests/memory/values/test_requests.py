"""Requests and fields of another type, given to a memory and to its client."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foxing.integrations.client import Client
from foxing.memory import InvalidInput, InvalidPolicy, Memory, MemoryOptions


@pytest.fixture(params=["memory", "client"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A memory, and a client of a service that is not asked."""
    if request.param == "client":
        with Client("http://127.0.0.1:9") as client:
            yield client
    else:
        with Memory(tmp_path / "a.db", options=MemoryOptions(embedder="none")) as memory:
            memory.store("ana", [{"role": "user", "content": "hello"}])
            yield memory


@pytest.mark.parametrize(
    ("method", "given", "reason"),
    [
        ("context", "what does Ana drink?", "give a request, such as ContextRequest(reader=…, budget=…), not a str"),
        ("context", {"reader": "claude"}, "such as ContextRequest(reader=…, budget=…), not a dict"),
        ("fold", [{"role": "user"}], "such as FoldRequest("),
        ("fold", None, "not None"),
        ("fetch", 5, "references must be a list or one text, such as 'k7q', not an int"),
        ("fetch", ["k7q", 5], "references must be a list or one text, such as 'k7q', not a list with an int"),
    ],
)
def test_a_request_of_another_type_is_refused(either: Any, method: str, given: object, reason: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(reason)):
        getattr(either, method)("ana", given)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"content": "hello"}, "messages[0]: role: the field is required but missing"),
        ({"role": "user", "content": "hello", "colour": "red"}, "messages[0]: colour: unknown field; remove it"),
        (
            {"role": "user", "content": None, "tool_calls": ["find"]},
            "messages[0]: tool_calls.0: give an object with named fields",
        ),
    ],
)
def test_invalid_fields_are_named_with_what_to_do(tmp_path: Path, fields: dict[str, object], reason: str) -> None:
    with Memory(tmp_path / "a.db", options=MemoryOptions(embedder="none")) as memory:
        with pytest.raises(InvalidInput, match=re.escape(reason)):
            memory.store("ana", [fields])
        with pytest.raises(InvalidPolicy, match="extra: unknown field; remove it"):
            memory.set_policy("ana", {"extra": 1})

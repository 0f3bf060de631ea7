"""Requests given as values of another type, by a memory and by its client."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foxing.integrations.client import Client
from foxing.memory import InvalidInput, Memory, MemoryOptions


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

"""Recall of messages by who said them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from foxing.memory import InvalidCursor, InvalidInput, Memory, RecallQuery

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("words_alone", "message_ages")]

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
ROLES = ("system", "user", "assistant", "tool", "developer")


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    """Forty messages of five roles, half of them sealed and some faded."""
    messages = [
        {
            "id": f"{ROLES[number % 5]}-{number}",
            "role": ROLES[number % 5],
            "name": "assistant" if number % 5 == 1 else None,  # a name is no role
            "content": f"Titan ships on {1 + number % 28} March, says note {number}.",
            "created_at": NOW - timedelta(days=40) + timedelta(minutes=number),
        }
        for number in range(40)
    ]
    with Memory(database_url, clock=lambda: NOW) as opened:
        opened.store("ana", messages[:20])
        opened.seal("ana")
        opened.age("ana")
        opened.store("ana", messages[20:])
        yield opened


@pytest.mark.parametrize("query", [None, "Titan ships"])
@pytest.mark.parametrize("roles", [["user"], ["tool", "system"], ROLES])
def test_recall_filters_by_role(memory: Memory, query: str | None, roles: list[str]) -> None:
    found = memory.recall("ana", query, roles=roles, limit=100)
    assert sorted(span.role for span in found.spans) == sorted(
        role for role in ROLES if role in roles for _ in range(8)
    )
    assert {span.source == "open" for span in found.spans} == {True, False}


def test_neighbours_are_of_these_roles_too(memory: Memory) -> None:
    found = memory.recall("ana", "note 22", roles=["assistant"], neighbours=5, limit=1)
    assert {span.role for span in found.spans} == {"assistant"}


def test_pages_of_an_answer_keep_to_the_roles(memory: Memory) -> None:
    query = RecallQuery(query="Titan", roles=("user",), limit=3)
    found: list[str] = []
    cursor: str | None = None
    while cursor is not None or not found:
        part = memory.recall("ana", query, cursor=cursor)
        found += [span.message_id for span in part.spans]
        cursor = part.next_cursor
    assert len(found) == len(set(found)) == 8
    with pytest.raises(InvalidCursor, match="another query"):
        memory.recall("ana", "Titan", limit=3, roles=["tool"], cursor=memory.recall("ana", query).next_cursor)


def test_unknown_roles_are_refused(memory: Memory) -> None:
    for roles in (["person"], [], "user", [None]):
        with pytest.raises(InvalidInput, match="roles"):
            memory.recall("ana", "Titan", roles=roles)  # type: ignore[arg-type]

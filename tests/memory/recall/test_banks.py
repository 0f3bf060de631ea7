"""Recall and context over several banks in one call."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foxing.memory import Memory
from foxing.memory.errors import InvalidInput

AT = datetime(2026, 11, 1, 9, tzinfo=UTC)


def said(number: int, text: str, **fields: object) -> dict[str, object]:
    return {"role": "user", "content": text, "id": f"m{number}", "created_at": AT + timedelta(minutes=number), **fields}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "a.db") as memory:
        memory.store(
            "project",
            [
                said(1, "The staging database listens on port 6433."),
                said(2, "We ship the ledger on Thursdays after the settlement job."),
            ],
        )
        memory.store(
            "person",
            [
                said(1, "Mina likes commit messages in the imperative mood."),
                said(2, "The editor of Mina is Helix, with tabs of four."),
                said(3, "The staging database of the old company listened on port 5999."),
            ],
        )
        yield memory


def test_hits_of_several_banks_are_ranked_together_and_name_their_bank(memory: Memory) -> None:
    found = memory.recall("project", "which port does the staging database listen on", banks=["person"])
    assert {(span.bank, span.text[-5:-1]) for span in found.spans[:2]} == {("project", "6433"), ("person", "5999")}
    relevances = [span.relevance or 0 for span in found.spans]
    assert relevances == sorted(relevances, reverse=True)
    assert "user, bank project: The staging database listens" in found.rendered
    assert "user, bank person: The staging database of the old" in found.rendered
    alone = memory.recall("project", "which port does the staging database listen on")
    assert all(span.bank is None for span in alone.spans)
    editor = memory.recall("project", "which editor does Mina use", banks=["person"], limit=1)
    assert [(span.bank, span.message_id) for span in editor.spans] == [("person", "m2")]


def test_a_bank_that_does_not_exist_gives_nothing_and_a_note(memory: Memory) -> None:
    found = memory.recall("project", "which port does the staging database listen on", banks=["branch"])
    assert found.spans[0].text.endswith("6433.")
    assert any("branch" in note for note in found.notes)
    other = memory.recall("branch", "which port does the staging database listen on", banks=["project"])
    assert [span.bank for span in other.spans[:1]] == ["project"]
    nothing = memory.recall("branch", "port", banks=["twig"])
    assert nothing.spans == []
    assert len(nothing.notes) == 2


def test_a_message_of_two_banks_is_given_once(memory: Memory) -> None:
    memory.store("branch", [said(1, "The staging database listens on port 6433.")])
    found = memory.recall("project", "which port does the staging database listen on", banks=["branch"])
    assert [span.bank for span in found.spans if "6433" in span.text] != []
    assert len([span for span in found.spans if "6433" in span.text]) == 1


def test_without_a_query_the_messages_of_all_banks_come_in_time_order(memory: Memory) -> None:
    found = memory.recall("project", banks=["person"])
    times = [span.created_at for span in found.spans]
    assert len(times) == 5
    assert times == sorted(times)


@pytest.mark.parametrize("budget", [12, 40, 80])
def test_the_budget_is_that_of_all_banks(memory: Memory, budget: int) -> None:
    found = memory.recall("project", "staging database port", banks=["person"], max_tokens=budget)
    assert found.text_tokens <= budget
    given = {(span.bank, span.message_id) for span in found.spans}
    assert len(given) + len(found.left_out) >= 1


def test_a_cursor_is_refused_with_what_to_do(memory: Memory) -> None:
    cursor = memory.recall("project", limit=1).next_cursor
    with pytest.raises(InvalidInput, match="several banks has one page"):
        memory.recall("project", banks=["person"], cursor=cursor)


def test_context_recalls_from_several_banks(memory: Memory) -> None:
    fields = {"reader": "text", "budget": 2_000, "query": "which editor does Mina use", "form": "blocks"}
    assert "Helix" not in str(memory.context("project", **fields).content)  # type: ignore[arg-type]
    result = memory.context("project", banks=["person", "branch"], **fields)  # type: ignore[arg-type]
    assert "user, bank person: " in str(result.content)
    assert "The editor of Mina is Helix" in str(result.content)
    assert any("branch" in note for note in result.notes)
    new = memory.context("nowhere", banks=["person"], **{**fields, "reader": "claude"})  # type: ignore[arg-type]
    assert "Helix" in str(new.content)

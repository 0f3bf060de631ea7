"""What a fold keeps: words of the user, plans, and what the latest turn refers to; and a reference for the rest."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from foxing.memory import FoldRequest, FoldResult, Memory
from foxing.memory.values.messages import RecalledMessage

pytestmark = pytest.mark.usefixtures("words_alone")

BANK = "agent"
Json = dict[str, Any]
LISTING = "\n".join(f"-rw-r--r-- 1 root root {n * 7919 % 99991} src/module_{n % 31}/part_{n}.py" for n in range(120))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "bank.db") as opened:
        yield opened


def session(
    calls: int, said: Sequence[tuple[int, str]] = (), *, results: Sequence[tuple[int, str]] = (), plans: bool = False
) -> list[Json]:
    """Returns a conversation: what the user says before a call, and what its tool returns."""
    texts, returned = dict(said), dict(results)
    messages: list[Json] = [{"role": "user", "content": "Please repair the build."}]
    for call in range(calls):
        if call in texts:
            messages.append({"role": "assistant", "content": [{"type": "text", "text": f"Part {call} is done."}]})
            messages.append({"role": "user", "content": [{"type": "text", "text": texts[call]}]})
        name, given = "Bash", {"command": f"make step-{call}"}
        if plans and call % 10 == 5:
            todo = [{"content": f"Task {n} of the plan of step {call}", "status": "pending"} for n in range(12)]
            name, given = "TodoWrite", {"todos": todo}  # type: ignore[dict-item]
        use = {"type": "tool_use", "id": f"toolu_{call:020}", "name": name, "input": given}
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": returned.get(call, LISTING)}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    return messages


def fold(memory: Memory, messages: Sequence[Json], **fields: Any) -> FoldResult:
    given: Json = {"session": "s", "wire": "anthropic", "reader": "text", "cache": "cold"}
    return memory.fold(BANK, FoldRequest(messages=tuple(messages), **(given | fields)))


def folded_text(result: FoldResult) -> str:
    content: Any = result.messages[result.folded_at or 0]["content"]
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def fetched(memory: Memory, text: str) -> list[RecalledMessage]:
    """Returns the messages to which a fold has references."""
    refs = re.findall(r"\[(\w{1,12})\]", text)
    found = [memory.fetch(BANK, refs[start : start + 50]) for start in range(0, len(refs), 50)]
    return [message for part in found for message in part.messages]


def decisions(calls: int, number: int = 40) -> list[tuple[int, str]]:
    """Words of the user in the course of a session, none of which holds a fact that fading keeps."""
    places = [1 + n * (calls - 2) // number for n in range(number)]
    return [
        (place, f"Let us do it the {_word(n)} way rather than the other one, please.") for n, place in enumerate(places)
    ]


def _word(number: int) -> str:
    return "".join(chr(97 + (number * 7 + place * 11) % 26) for place in range(6))


def test_all_that_the_user_typed_stays_word_for_word(memory: Memory) -> None:
    said = decisions(90)
    result = fold(memory, session(90, said))
    assert result.fold == 1
    text = str(result.messages)
    assert [words for _, words in said if words not in text] == []
    assert result.sent_tokens < result.unfolded_tokens / 2


@pytest.mark.slow
def test_what_was_typed_stays_through_many_folds(memory: Memory) -> None:
    said = decisions(120)
    messages = session(120, said)
    for length in range(61, len(messages) + 1, 60):
        length += messages[length - 1]["role"] == "assistant"
        result = fold(memory, messages[:length], budget=40_000)
    result = fold(memory, messages, budget=40_000)
    assert result.fold > 2
    text = str(result.messages)
    assert [words for _, words in said if words not in text] == []


def test_words_around_what_is_pasted_stay_and_the_paste_is_an_excerpt(memory: Memory) -> None:
    pasted = f"Look at this output of the nightly run.\n\n{LISTING}\n\nI want the smaller modules first."
    result = fold(memory, session(40, [(3, pasted)]))
    text = folded_text(result)
    assert "Look at this output of the nightly run." in text
    assert "I want the smaller modules first." in text
    [start] = [match.start() for match in re.finditer("Look at this output", text)]
    assert text.index("I want the smaller", start) - start < len(LISTING) / 2


@pytest.mark.slow
def test_words_of_more_than_half_of_the_budget_give_way_to_references(memory: Memory) -> None:
    long = [(n, f"Message {n}: " + " ".join(f"{_word(n * 97 + m)}" for m in range(200))) for n in range(1, 40)]
    messages = session(48, long)
    result = fold(memory, messages, budget=30_000)
    text = folded_text(result)
    assert long[-3][1] in str(result.messages)
    assert long[0][1] not in text
    assert any("only references are left" in note for note in result.notes)
    assert long[0][1] in [message.text for message in fetched(memory, text)]


@pytest.mark.slow
def test_answers_to_a_question_of_a_tool_are_words_of_the_user(memory: Memory) -> None:
    messages = session(40)
    messages[8]["content"][0]["content"] = "User has answered: which colour? The muted one, as on the old poster."
    messages[7]["content"][0]["name"] = "AskUserQuestion"
    assert "The muted one, as on the old poster." in folded_text(fold(memory, messages))


@pytest.mark.slow
def test_what_the_latest_turn_refers_to_stays(memory: Memory) -> None:
    old = LISTING.replace("part_60.py", "quarterly_ledger.py")
    messages = session(60, [(59, "Open quarterly_ledger.py again, please.")], results=[(4, old)])
    assert re.search(r"src/module_\d+/quarterly_ledger.py", folded_text(fold(memory, messages)))


@pytest.mark.slow
def test_the_open_plan_stays_and_older_ones_fade(memory: Memory) -> None:
    text = folded_text(fold(memory, session(62, plans=True), budget=15_000))
    assert all(f"Task {n} of the plan of step 55" in text for n in range(12))
    assert "Task 11 of the plan of step 15" not in text


@pytest.mark.slow
def test_every_folded_message_has_a_reference_in_the_fold(memory: Memory) -> None:
    result = fold(memory, session(150, decisions(150)))
    text = folded_text(result)
    names = {part for message in fetched(memory, text) for part in message.text.split() if part.startswith("toolu_")}
    assert len(names) == 147  # all but those of the calls that stay


@pytest.mark.slow
def test_a_summary_of_the_client_stays(memory: Memory) -> None:
    summary = (
        "This session is being continued from a previous conversation that ran out of context. We met at the pier."
    )
    messages = session(40)
    messages[0]["content"] = summary
    result = fold(memory, messages)
    assert result.folded_at == 1
    assert result.messages[0]["content"] == summary


@pytest.mark.slow
def test_the_budget_follows_from_the_window_of_the_model(memory: Memory) -> None:
    messages = session(40)
    small = fold(memory, messages, reader="text", cache="warm")
    assert not small.over_budget
    request = FoldRequest(session="s", wire="openai", messages=({"role": "user", "content": "hi"},), reader="gpt-5.6")
    assert request.limit == 204_000
    assert request.model_copy(update={"reader": "claude-haiku-4-5"}).limit == 150_000
    assert request.model_copy(update={"reader": "a-model-of-tomorrow"}).limit == 96_000


@pytest.mark.slow
def test_a_loop_of_tools_is_folded_unless_the_thinking_is_bound(memory: Memory) -> None:
    messages = session(70)
    for message in messages:
        if message["role"] == "assistant":
            message["content"].insert(0, {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"})
    bound = fold(memory, messages, budget=40_000, binds_thinking=True)
    assert bound.fold == 0
    assert bound.over_budget
    assert any("until the user speaks" in note for note in bound.notes)
    free = fold(memory, messages, budget=40_000, binds_thinking=False)
    assert free.fold == 1
    assert free.sent_tokens < 40_000
    latest: Any = free.messages[-2]["content"]
    assert latest[0]["type"] == "thinking"

"""Standing facts of banks, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from support.clock import Clock
from support.databases import execute
from support.texts import chat

from foxing.memory import Access, InvalidInput, InvalidTime, Memory, NotFound

pytestmark = pytest.mark.both_databases
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = NOW + timedelta(days=10)
ALLERGY = "My daughter is allergic to hazel nuts. What do six-year-olds like at parties?"


@pytest.fixture
def clock() -> Clock:
    return Clock(LATER)


@pytest.fixture
def memory(database_url: str, words_alone: None, clock: Clock) -> Iterator[Memory]:
    with Memory(database_url, clock=clock) as memory:
        yield memory


def say(memory: Memory, text: str, at: datetime = NOW, **fields: object) -> str:
    return memory.store("b", [{"role": "user", "content": text, "created_at": at, **fields}]).ids[0]


def texts(memory: Memory, **options: object) -> list[str]:
    return [fact.text for fact in memory.facts("b", **options).facts]  # type: ignore[arg-type]


def test_facts_are_clauses_of_messages(memory: Memory) -> None:
    message_id = say(memory, f"Hi! {ALLERGY}")
    say(memory, "I'll answer in Welsh from now on.", NOW + timedelta(hours=1), role="assistant")
    promise, allergy = memory.facts("b").facts
    assert (promise.kind, promise.subject, promise.role) == ("promise", "assistant", "assistant")
    assert (allergy.kind, allergy.subject, allergy.trust) == ("constraint", "daughter", "user")
    assert allergy.text == f"Hi! {ALLERGY}"[allergy.start : allergy.stop] == "My daughter is allergic to hazel nuts."
    assert (allergy.message_id, allergy.said_at) == (message_id, NOW)
    assert memory.fetch("b", allergy.ref).messages[0].message_id == message_id


def test_data_states_nothing(memory: Memory) -> None:
    for number, (role, trust) in enumerate((("tool", None), ("user", "web"), ("user", "tool"), ("user", "unknown"))):
        say(memory, "From now on I never drink coffee.", role=role, name="page", trust=trust, id=str(number))
    assert texts(memory) == []
    say(memory, "I live in Rome now.", trust="imported")
    [fact] = memory.facts("b").facts
    assert fact.trust == "imported"
    assert "imported" in memory.facts("b").rendered


def test_a_later_statement_replaces_an_earlier_one(memory: Memory) -> None:
    say(memory, "I live in Leeds.")
    say(memory, "I live in York now.", NOW + timedelta(days=3))
    assert texts(memory) == ["I live in York now."]
    assert texts(memory, at=NOW + timedelta(days=1)) == ["I live in Leeds."]
    assert texts(memory, at="2026-03-03") == ["I live in Leeds."]
    assert texts(memory, at=NOW - timedelta(days=1)) == []


def test_another_person_replaces_nothing(memory: Memory) -> None:
    say(memory, "I live in Leeds.", name="Ana")
    say(memory, "I live in York now.", NOW + timedelta(days=3), name="Ben")
    assert texts(memory) == ["I live in York now.", "I live in Leeds."]
    assert texts(memory, subject="ana") == ["I live in Leeds."]
    assert texts(memory, subject="leeds") == ["I live in Leeds."]


def test_a_person_pins_corrects_and_dismisses(memory: Memory, clock: Clock) -> None:
    say(memory, ALLERGY)
    say(memory, "I work in a bakery now.", NOW + timedelta(hours=1))
    bakery, allergy = memory.facts("b").facts
    assert memory.pin_fact("b", allergy.fact_id).pinned
    assert texts(memory)[0] == allergy.text
    assert not memory.pin_fact("b", f"[{allergy.fact_id}]".upper().strip("[]"), pinned=False).pinned
    clock.now = LATER + timedelta(days=1)
    corrected = memory.correct_fact("b", allergy.fact_id, "My daughter may eat anything again.")
    assert (corrected.text, corrected.kind, corrected.role) == (
        "My daughter may eat anything again.",
        "constraint",
        "user",
    )
    assert memory.message("b", corrected.message_id).metadata == {"replaces": allergy.message_id}
    assert texts(memory) == [corrected.text, bakery.text]
    again = memory.correct_fact("b", allergy.fact_id, "My daughter may eat anything again.")
    assert again.message_id == corrected.message_id
    assert memory.dismiss_fact("b", bakery.fact_id).fact_id == bakery.fact_id
    assert texts(memory) == [corrected.text]
    assert texts(memory, at=NOW + timedelta(hours=2)) == [bakery.text, allergy.text]
    assert memory.bank("b").messages == 3


def test_what_is_wrong_is_refused(memory: Memory) -> None:
    with pytest.raises(NotFound):
        memory.facts("nobody")
    say(memory, ALLERGY)
    [fact] = memory.facts("b").facts
    for fact_id in ("", "-", "k7q", "k7q-0", f"{fact.ref}-1", f"{fact.ref}-", f"{fact.ref}-٣", "9" * 4000, "\0", "é-1"):
        with pytest.raises(NotFound):
            memory.pin_fact("b", fact_id)
    memory.store("c", [{"role": "user", "content": "hello"}])
    with pytest.raises(NotFound):
        memory.dismiss_fact("c", fact.fact_id)
    for tokens in (0, -1, 10**9):
        with pytest.raises(InvalidInput):
            memory.facts("b", max_tokens=tokens)
    with pytest.raises(InvalidInput):
        memory.facts("b", subject=" ")
    with pytest.raises(InvalidInput):
        memory.correct_fact("b", fact.fact_id, "")
    with pytest.raises(InvalidTime):
        memory.facts("b", at="no time")
    assert texts(memory) == [fact.text]


def test_no_more_than_the_tokens(memory: Memory) -> None:
    say_of = [{"role": "user", "content": f"I work with number {n} now.", "name": f"Ana {n}"} for n in range(60)]
    memory.store("b", say_of)
    result = memory.facts("b", max_tokens=100)
    assert 0 < result.text_tokens <= 100
    assert result.left_out == 60 - len(result.facts) > 0


def test_facts_go_with_their_messages(memory: Memory, database_url: str) -> None:
    message_id = say(memory, ALLERGY)
    say(memory, "I work in a bakery now.", thread="t")
    memory.seal("b")
    assert len(texts(memory)) == 2
    memory.erase_message("b", message_id)
    assert texts(memory) == ["I work in a bakery now."]
    memory.erase_thread("b", "t")
    assert texts(memory) == []
    assert execute(database_url, "SELECT count(*) FROM facts") == [(0,)]


def test_an_expired_message_states_nothing(memory: Memory, clock: Clock) -> None:
    say(memory, ALLERGY, expires_at=LATER + timedelta(days=1))
    assert len(texts(memory)) == 1
    clock.now = LATER + timedelta(days=2)
    assert texts(memory) == []


def test_a_faded_fact_has_no_words_beyond_recall(memory: Memory, clock: Clock) -> None:
    stated = [
        f"Well, as I was saying the other day, I just work at plant {number} now, more or less, as you may recall."
        for number in range(8)
    ]
    for number, text in enumerate(stated):
        memory.store("b", chat(14, NOW + timedelta(hours=number), seed=number + 1))
        say(memory, text, NOW + timedelta(hours=number, minutes=50), name=f"Ana {number}")
    memory.seal("b")
    whole = memory.facts("b", max_tokens=20_000)
    memory.set_policy("b", {"steps": [{"after": "P1D", "tier": "micro"}]})
    clock.now = LATER + timedelta(days=400)
    memory.age("b")
    result = memory.facts("b", max_tokens=20_000)
    recalled = {message.message_id: message for message in memory.export("b")}
    assert len(whole.facts) == len(result.facts) + result.faded > len(stated) - 1
    assert any(recalled[fact.message_id].gaps and "plant" in fact.text for fact in result.facts)
    for fact in result.facts:
        assert fact.text in recalled[fact.message_id].text


def test_a_fact_of_another_tenant_is_not_there(memory: Memory) -> None:
    with Access(tenant="acme").limiting():
        memory.store("b", [{"role": "user", "content": "I live in Rome now."}])
        [fact] = memory.facts("b").facts
        with Access(tenant="other").limiting(), pytest.raises(NotFound):
            memory.facts("b")
    with Access(tenant="other").limiting():
        memory.store("b", [{"role": "user", "content": "hello"}])
        with pytest.raises(NotFound):
            memory.dismiss_fact("b", fact.fact_id)


def test_a_turn_that_is_stored_more_completely(memory: Memory) -> None:
    call = {"provider": "openai", "session": "s"}
    memory.store("b", [{"role": "user", "content": "I live in Rome now. And"}], **call)  # type: ignore[arg-type]
    memory.store("b", [{"role": "user", "content": "I live in Rome now. And I work at Acme."}], **call)  # type: ignore[arg-type]
    assert "I live in Rome now." in texts(memory)


def test_a_context_begins_with_facts(memory: Memory) -> None:
    say(memory, ALLERGY)
    say(memory, "I work in a bakery now.", NOW + timedelta(hours=1))
    for number in range(40):
        say(memory, f"Chess club notes, part {number}.", NOW + timedelta(days=1, minutes=number))
    without = memory.context("b", reader="text", budget=300, query="dessert for Friday")
    assert without.fact_ids == []
    result = memory.context("b", reader="text", budget=300, query="dessert for Friday", facts=100)
    first = str(result.content[0]["text"])
    assert first.index("hazel") < first.index("bakery")  # the newest last
    assert len(result.fact_ids) == 2
    assert result.billed_tokens <= 300
    assert result.stable_blocks >= 1
    say(memory, "Chess club notes, the last part.", NOW + timedelta(days=2))
    again = memory.context("b", reader="text", budget=300, query="something else", facts=100)
    assert again.content[0] == result.content[0]
    nobody = memory.context("nobody", reader="text", budget=300, query="x", facts=100)
    assert nobody.content == []
    small = memory.context("b", reader="text", budget=60, query="x", facts=20_000)
    assert small.billed_tokens <= 60


@pytest.mark.usefixtures("words_alone")
def test_the_order_of_time_is_that_of_what_was_said(memory: Memory) -> None:
    say(memory, "I work in a bakery now.", NOW)
    say(memory, ALLERGY, NOW - timedelta(days=30))  # stored later, said earlier
    assert texts(memory)[0] == "I work in a bakery now."

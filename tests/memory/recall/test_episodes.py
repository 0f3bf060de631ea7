"""Episodes: a task or a conversation between two long pauses, given as a whole."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import InvalidInput, Memory
from foxing.memory.recall.excerpts import LEFT_OUT
from foxing.memory.text.requests import is_search

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NAMES = ("Mia Garcia", "Noah Brown", "Ivan Kovacs", "Olivia Rossi", "Yusuf Ito", "Ava Santos", "Liam Silva", "Chen Lee")
GO_ON = "Hi, I am Mia Garcia, postcode 28000, do what we agreed on about my order now"

pytestmark = pytest.mark.usefixtures("words_alone")


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW) as opened:
        yield opened


def task(number: int, name: str, at: datetime, variants: int = 4) -> list[dict[str, Any]]:
    """A conversation with a shop, in which an exchange was agreed on and not made."""
    items = [
        {"name": thing, "item_id": f"{number}{n}55500{n}", "price": 10.5 + n, "options": {"colour": "red"}}
        for n, thing in enumerate(("Kettle", "Lamp", "Backpack"))
    ]
    order = {"order_id": f"#W77{number}001", "status": "delivered", "items": items, "payment": f"paypal_99{number}88"}
    colours = ("blue", "green", "black", "white", "yellow", "pink", "violet", "grey")
    product = {
        f"{number}{n}66600{n}": {
            "item_id": f"{number}{n}66600{n}",
            "options": {"colour": colours[n % 8], "size": n // 8},
        }
        for n in range(variants)
    }
    said = (
        ("user", "Hello, I need help with an order."),
        ("assistant", "Gladly. What are your name and your postcode?"),
        ("user", f"I am {name}, postcode 2800{number}."),
        ("tool", json.dumps(order)),
        ("user", "I want another lamp: green instead of red."),
        ("tool", json.dumps(product)),
        ("assistant", "The green lamp is available. Shall I exchange it?"),
        ("user", "Yes, but I have to leave now."),
    )
    return [
        {"id": f"{number}/{n}", "role": role, "content": text, "thread": f"t{number}", "created_at": at + n * MINUTE}
        for n, (role, text) in enumerate(said)
    ]


MINUTE = timedelta(minutes=1)


def fill(memory: Memory, variants: int = 4) -> None:
    for number, name in enumerate(NAMES):
        memory.store("shop", task(number, name, NOW - timedelta(days=40 - number), variants))


@pytest.mark.both_databases
@pytest.mark.parametrize("sealed", [False, True])
def test_what_was_agreed_on_comes_back_as_its_episode(memory: Memory, sealed: bool) -> None:
    fill(memory)
    if sealed:
        memory.seal("shop")
    found = memory.recall("shop", GO_ON, max_tokens=2_048)
    assert [span.message_id for span in found.spans] == [f"0/{n}" for n in range(8)]
    assert {span.episode for span in found.spans} == {"0/0"}
    assert found.rendered.startswith("Episode of 22 April 2026, with user, assistant, tool\nuser: Hello")
    assert found.rendered.count("22 April") == 1
    assert found.text_tokens == count_text_tokens(found.rendered)
    assert all(each in found.rendered for each in ("#W770001", "01555001", "paypal_99088", "01666001"))


def test_a_question_for_a_fact_is_answered_by_messages(memory: Memory) -> None:
    fill(memory)
    found = memory.recall("shop", "Which postcode does Mia Garcia have?")
    assert found.spans[0].message_id == "0/2"
    assert all(span.episode is None for span in found.spans)


@pytest.mark.parametrize(
    ("shape", "query", "whole"),
    [("episode", "Which postcode does Mia Garcia have?", True), ("messages", GO_ON, False), ("auto", GO_ON, True)],
)
def test_a_shape_can_be_asked_for(memory: Memory, shape: Any, query: str, whole: bool) -> None:
    fill(memory)
    found = memory.recall("shop", query, shape=shape)
    assert all((span.episode is not None) == whole for span in found.spans)
    assert [span.message_id for span in found.spans[:8]] == [f"0/{n}" for n in range(8)] or not whole


def test_an_unknown_shape_is_rejected_with_the_choices(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="'auto', 'messages' or 'episode'"):
        memory.recall("shop", GO_ON, shape="scene")  # type: ignore[arg-type]


def test_of_a_long_result_what_later_steps_need_is_given(memory: Memory) -> None:
    fill(memory, variants=120)
    whole = memory.recall("shop", GO_ON, max_tokens=20_000)
    assert all(not span.left_out for span in whole.spans)
    found = memory.recall("shop", GO_ON, max_tokens=700)
    assert found.text_tokens <= 700
    result = next(span for span in found.spans if span.message_id == "0/5")
    assert '"01666001"' in result.text
    assert '"colour": "green"' in result.text
    assert [
        result.text[at:].startswith(LEFT_OUT.strip()) or result.text[at:].startswith(LEFT_OUT) for at in result.left_out
    ]
    assert result.left_out
    assert f"[{result.ref}]" in found.rendered
    assert [span.message_id for span in found.spans][-1] == "0/7"


def test_of_many_variants_the_one_that_was_chosen_is_given(memory: Memory) -> None:
    shades = [(a, b, c) for a in ("red", "blue", "grey") for b in ("small", "large") for c in ("steel", "oak", "felt")]
    chairs = {
        f"55{n:02}4420": {"item": f"55{n:02}4420", "options": {"shade": a, "seat": b, "cover": c}, "price": 31.5}
        for n, (a, b, c) in enumerate(shades)
    }
    said = (
        ("user", "I am Mia Garcia, postcode 28000. Can I have another chair?"),
        ("tool", json.dumps(chairs)),
        ("assistant", "There is a red, small one of oak, a blue, large one of steel, and a grey, small one of felt."),
        ("user", "And a blue, small one of oak? No. Then the blue, large one of felt."),
        ("assistant", "So your chair is exchanged for the blue, large one of felt. Do you confirm?"),
        ("user", "Yes, but later."),
    )
    turns = [(role, text, NOW + number * MINUTE) for number, (role, text) in enumerate(said)]
    memory.store("shop", [{"role": role, "content": text, "created_at": at} for role, text, at in turns])
    found = memory.recall("shop", "Mia Garcia, do what we agreed on", max_tokens=330, shape="episode")
    assert found.text_tokens <= 330
    assert '"item": "55114420"' in found.rendered


def test_pages_of_an_episode_give_each_message_once(memory: Memory) -> None:
    fill(memory)
    seen: list[str] = []
    cursor = None
    while True:
        page = memory.recall("shop", GO_ON, limit=5, cursor=cursor)
        seen += [span.message_id for span in page.spans]
        assert page.rendered
        cursor = page.next_cursor
        if cursor is None:
            break
    assert {f"0/{n}" for n in range(8)} == set(seen[:8])
    assert len(seen) == len(set(seen))


def test_what_is_left_out_is_named(memory: Memory) -> None:
    fill(memory)
    found = memory.recall("shop", GO_ON, limit=5)
    given = {span.message_id for span in found.spans}
    assert {each.message_id for each in found.left_out} == {f"0/{n}" for n in range(8)} - given
    assert "\nLeft out: [" in found.rendered


@pytest.mark.parametrize("tokens", [1, 3, 12, 30])
def test_a_budget_below_one_line_is_kept(memory: Memory, tokens: int) -> None:
    fill(memory)
    for shape in ("auto", "episode"):
        found = memory.recall("shop", GO_ON, max_tokens=tokens, shape=shape)
        assert count_text_tokens(found.rendered) == found.text_tokens <= tokens
        assert len(found.spans) >= 1


def chat(count: int, step: timedelta) -> list[Mapping[str, Any]]:
    return [
        {
            "id": str(n),
            "role": ("user", "assistant")[n % 2],
            "content": f"Message {n} about the garden fence"
            + (" with the oak gate that we agreed on" if n == count // 2 else ""),
            "thread": "one",
            "created_at": NOW - timedelta(days=30) + n * step,
        }
        for n in range(count)
    ]


def test_episodes_of_a_long_thread_have_no_message_twice(memory: Memory) -> None:
    """A pause of five hours ends an episode among messages that come each minute, but not among those that come each
    hour: seen from the second, both are one."""
    messages = chat(600, timedelta(minutes=1))
    for number, message in enumerate(messages[300:]):
        message["created_at"] = messages[299]["created_at"] + timedelta(hours=5 + number)
    for place in (290, 320):
        messages[place]["content"] = f"The oak gate of Kirkwall, number {place}: it is to be oiled."
    memory.store("ana", messages)
    found = memory.recall("ana", "oil the oak gate of Kirkwall", shape="episode", limit=200)
    ids = [span.message_id for span in found.spans]
    assert len(ids) == len(set(ids))
    assert {"290", "320"} <= set(ids)


@pytest.mark.slow
@pytest.mark.parametrize("step", [timedelta(seconds=20), timedelta(0), -timedelta(seconds=20)])
def test_an_episode_of_very_many_messages_is_cut_around_its_matches(memory: Memory, step: timedelta) -> None:
    """Also with one time for all, and with a clock that runs backwards."""
    messages = chat(10_000, step)
    for start in range(0, len(messages), 2_000):
        memory.store("ana", messages[start : start + 2_000])
    found = memory.recall("ana", "go on with the oak gate as agreed", shape="episode", max_tokens=1_000)
    assert found.text_tokens <= 1_000
    assert "5000" in {span.message_id for span in found.spans}
    times = [span.created_at for span in found.spans]
    assert times == sorted(times)


def test_a_bank_that_is_one_thread_falls_into_episodes_at_pauses(memory: Memory) -> None:
    for number, name in enumerate(NAMES):
        at = NOW - timedelta(days=40 - number)
        memory.store("shop", [{**message, "thread": "all"} for message in task(number, name, at)])
    found = memory.recall("shop", GO_ON)
    assert [span.message_id for span in found.spans] == [f"0/{n}" for n in range(8)]


def test_a_thread_of_one_message_is_an_episode(memory: Memory) -> None:
    fill(memory)
    memory.store("shop", [{"id": "alone", "role": "user", "content": "The zebra Kirkwall fence order.", "thread": "z"}])
    found = memory.recall("shop", "zebra Kirkwall", shape="episode")
    assert (found.spans[0].message_id, found.spans[0].episode) == ("alone", "alone")


def test_filters_hold_within_an_episode(memory: Memory) -> None:
    fill(memory)
    found = memory.recall("shop", GO_ON, roles=["user"])
    assert [span.message_id for span in found.spans] == ["0/0", "0/2", "0/4", "0/7"]
    assert {span.episode for span in found.spans} == {"0/0"}


def test_a_context_gives_an_episode_as_well(memory: Memory) -> None:
    fill(memory)
    text = json.dumps(memory.context("shop", reader="text", budget=3_000, query=GO_ON).content)
    assert all(each in text for each in ("#W770001", "paypal_99088", "01666001", "Shall I exchange it"))


def test_a_bank_that_does_not_exist_yet_answers_with_nothing(memory: Memory) -> None:
    found = memory.recall("new", "what do you know of me?")
    assert (found.spans, found.next_cursor) == ([], None)
    assert "there is no bank 'new'" in found.notes[0]
    assert "there is no bank 'new'" in memory.recall_images("new", "what?").notes[0]
    for reader in ("text", "claude"):
        context = memory.context("new", reader=reader, budget=500, query="what?")
        assert context.content == []
        assert "there is no bank 'new'" in context.notes[0]


def test_a_name_that_no_bank_can_have_is_refused(memory: Memory) -> None:
    for ask in (
        lambda bank: memory.recall(bank, "what?"),
        lambda bank: memory.recall_images(bank, "what?"),
        lambda bank: memory.context(bank, reader="text", budget=500, query="what?"),
    ):
        with pytest.raises(InvalidInput, match="a bank's name"):
            ask("$")


def test_a_greeting_finds_next_to_nothing(memory: Memory) -> None:
    fill(memory)
    for greeting in ("hello", "Hi!", "thanks", "안녕하세요"):
        assert len(memory.recall("shop", greeting, limit=100).spans) <= len(NAMES)
    assert len(memory.recall("shop", "hello", limit=100, min_relevance=0).spans) > len(NAMES)


def test_an_answer_ends_where_relevance_falls_away(memory: Memory) -> None:
    walks = (f"{'The harbour' if n % 2 else 'The garden'} was calm on walk {n}." for n in range(80))
    memory.store("ana", [{"role": "user", "content": text} for text in walks])
    memory.store("ana", [{"id": "it", "role": "user", "content": "The zebra Kirkwall crossed the harbour."}])
    asked = "when did the zebra Kirkwall cross the harbour?"
    found = memory.recall("ana", asked, limit=100)
    assert found.spans[0].message_id == "it"
    assert len(found.spans) < 30
    assert found.next_cursor is None
    assert len(memory.recall("ana", asked, limit=100, min_relevance=0).spans) > 40


def test_a_small_budget_holds_excerpts_of_several_long_results(memory: Memory) -> None:
    for number in range(6):
        lines = [f'"part {n}": {{"weight": "{n} kg", "shelf": "A{n}"}}' for n in range(40)]
        lines[17] = f'"zebra": {{"weight": "{number} kg", "shelf": "Z{number}"}}'
        text = "{" + ", ".join(lines) + "}"
        memory.store("ana", [{"id": str(number), "role": "tool", "content": text, "thread": f"t{number}"}])
    found = memory.recall("ana", "on which shelf is the zebra?", max_tokens=512)
    assert found.text_tokens <= 512
    assert len(found.spans) >= 3
    first = found.spans[0]
    assert first.left_out
    assert f'"shelf": "Z{first.message_id}"' in first.text
    assert f"[{first.ref}]" in found.rendered
    assert all(not span.left_out for span in memory.recall("ana", "on which shelf is the zebra?").spans)
    exact = memory.recall("ana", "on which shelf is the zebra?", max_tokens=2_000, fidelity="verbatim")
    assert all(not span.left_out for span in exact.spans)


@pytest.mark.parametrize(
    "question",
    [
        "Can you tell me when John had a picnic with some friends from church?",
        "Could you remind me which hotel we chose for the last trip of the year",
        "Was the first half of September a good month for Nate and Joanna? Answer yes or no.",
        "When? We pushed the great offsite in the mountains to another week",
        "Kannst du mir sagen, wann wir uns das letzte Mal im Park getroffen haben?",
    ],
)
def test_a_question_in_another_form_is_a_question(question: str) -> None:
    assert is_search(question)


@pytest.mark.parametrize(
    "request_",
    ["Could you put through now what we agreed on about my order?", "Please go ahead with it now, will you?"],
)
def test_a_request_is_no_question(request_: str) -> None:
    assert not is_search(request_)


@pytest.mark.parametrize(
    "request_",
    [
        "Why hasn't anybody touched #W770001? I said yes!",
        "#W770001. Now please.",
        "Did you ever get round to the lamp of Mia Garcia (28000)? If not, sort it out now.",
    ],
)
def test_an_episode_that_stands_out_answers_in_any_words(memory: Memory, request_: str) -> None:
    fill(memory)
    assert {span.episode for span in memory.recall("shop", request_).spans} == {"0/0"}


@pytest.mark.parametrize(
    "text",
    [
        "I am so tired today, work was brutal and it rains again.",
        "My lamp is too bright for the bedroom, I think.",
        "Please write a haiku about autumn leaves in the park.",
    ],
)
def test_what_no_episode_has_more_of_than_others_is_answered_by_messages(memory: Memory, text: str) -> None:
    fill(memory)
    assert {span.episode for span in memory.recall("shop", text).spans} <= {None}


def test_a_replaced_statement_is_marked_in_an_episode(memory: Memory) -> None:
    fill(memory)
    texts = (
        "I booked the room in Kirkwall.",
        "The arrival in Kirkwall is on 3 May.",
        "Breakfast is not needed.",
        "The arrival in Kirkwall is on 5 May.",
    )
    at = NOW - timedelta(days=3)
    memory.store(
        "shop",
        [
            {"id": f"k{n}", "role": "user", "content": text, "thread": "k", "created_at": at + n * MINUTE}
            for n, text in enumerate(texts)
        ],
    )
    found = memory.recall("shop", "Go on with the room and the arrival in Kirkwall, as I said.")
    assert [span.message_id for span in found.spans if span.episode] == ["k0", "k1", "k2", "k3"]
    assert [span.superseded_by for span in found.spans] == [None, "k3", None, None]
    assert "on 3 May. (replaced on 29 May" in found.rendered

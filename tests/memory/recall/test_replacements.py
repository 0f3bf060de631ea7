"""Messages that say the same with another value: the newest comes first, unless the past is asked for."""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.texts import chat

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.embedder import NONE
from foxing.memory.values.context import ContextRequest

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
FIRST = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ASKED, PAST = "when do we ship Titan?", "when did we originally ship Titan?"
OLD = "We ship Titan on 14 March, and everyone who ships Titan knows when we ship it."
NEW = "Titan moved to 21 March."
#: Pairs of messages in five languages: siblings, which say the same of another thing, and updates.
PAIRS = Path(__file__).parent / "statements"
BETWEEN = 10  # other messages between those of a pair


@pytest.fixture(params=["use", NONE])
def memory(request: pytest.FixtureRequest, database_url: str) -> Iterator[Memory]:
    with Memory(database_url, options=MemoryOptions(embedder=request.param), clock=lambda: NOW) as opened:
        yield opened


def store(memory: Memory, *texts: str, name: str | None = None, start: int = 0) -> None:
    """Stores messages, a week apart each."""
    said = [
        {"id": f"m{n}", "role": "user", "name": name, "content": text, "created_at": FIRST + 7 * n * DAY}
        for n, text in enumerate(texts, start)
    ]
    memory.store("ana", said)


def links(memory: Memory, question: str, **fields: int | str | None) -> list[tuple[str, str | None]]:
    return [(span.message_id, span.superseded_by) for span in memory.recall("ana", question, **fields).spans]  # type: ignore[arg-type]


@pytest.mark.both_databases
@pytest.mark.parametrize("sealed", [False, True])
def test_the_newest_comes_first_unless_the_past_is_asked_for(memory: Memory, sealed: bool) -> None:
    store(memory, OLD, "Bring a cake.", NEW)
    if sealed:
        memory.seal("ana")
    assert links(memory, ASKED)[:2] == [("m2", None), ("m0", "m2")]
    assert links(memory, PAST)[:2] == [("m0", "m2"), ("m2", None)]
    spans = memory.recall("ana", ASKED).spans
    assert [span.superseded_at for span in spans[:2]] == [None, FIRST + 14 * DAY]
    scores = [span.score or 0 for span in spans]
    assert scores == sorted(scores, reverse=True)


def test_a_time_in_the_question_puts_first_what_held_then(memory: Memory) -> None:
    store(memory, OLD, NEW, "Titan moved to 30 March.")
    assert links(memory, ASKED)[:3] == [("m2", None), ("m1", "m2"), ("m0", "m2")]
    assert links(memory, "when did we ship Titan, as of 10 March 2026?")[0] == ("m1", "m2")
    assert links(memory, PAST)[:3] == [("m0", "m2"), ("m1", "m2"), ("m2", None)]


def test_a_window_is_respected(memory: Memory) -> None:
    store(memory, OLD, NEW)
    assert links(memory, ASKED, until="2026-03-05") == [("m0", None)]
    assert links(memory, ASKED, since="2026-03-05") == [("m1", None)]
    assert [each for each in links(memory, "") if each[1]] == []
    assert [span.superseded_by for span in memory.recall("ana").spans] == [None, None]


def test_the_newest_joins_an_answer_without_it(memory: Memory) -> None:
    store(memory, OLD, NEW)
    assert links(memory, ASKED, limit=1) == [("m1", None)]
    first = memory.recall("ana", ASKED, limit=1)
    second = memory.recall("ana", ASKED, limit=1, cursor=first.next_cursor)
    assert [(span.message_id, span.superseded_by) for span in second.spans] == [("m0", None)]  # each page for itself
    assert links(memory, PAST, limit=1) == [("m0", "m1")]


def test_every_message_comes_once_over_the_pages(memory: Memory) -> None:
    memory.store("ana", chat(40, NOW - 3 * DAY))
    store(memory, OLD, "Titan, Titan, Titan.", NEW, "Who knows when Titan is?", "We are late for Titan.")
    whole = links(memory, ASKED, limit=500)
    cursor, seen = None, []
    while True:
        page = memory.recall("ana", ASKED, limit=2, cursor=cursor)
        seen += [span.message_id for span in page.spans]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(key for key, _ in whole)
    assert len(seen) == len(set(seen))
    assert seen.index("m2") < seen.index("m0")


def test_a_budget_for_one_gives_the_newest(memory: Memory) -> None:
    store(memory, "We ship Titan on 14 March.", NEW)
    one = memory.recall("ana", ASKED, max_tokens=count_text_tokens(f"9 March 2026\nuser: {NEW}"))
    assert [span.message_id for span in one.spans] == ["m1"]
    assert [left.message_id for left in one.left_out] == ["m0"]
    both = memory.recall("ana", ASKED, max_tokens=60)
    assert both.text_tokens == count_text_tokens(both.rendered) <= 60
    assert len(both.spans) == 2


def test_text_for_a_model_says_what_was_replaced(memory: Memory) -> None:
    store(memory, "We ship Titan on 14 March.", NEW, name="Mina")
    assert memory.recall("ana", ASKED).rendered.splitlines() == [
        *("2 March 2026", "Mina: We ship Titan on 14 March. (replaced on 9 March 2026)"),
        *("9 March", "Mina: Titan moved to 21 March."),
    ]


def test_context_shows_what_was_replaced(memory: Memory) -> None:
    store(memory, "We ship Titan on 14 March.", NEW, name="Mina")
    memory.store("ana", chat(40, NOW - DAY))
    answer = memory.context(
        "ana", ContextRequest(reader="claude", budget=1200, query=ASKED, show="text", thread="none")
    )
    assert "(replaced on 9 March 2026)" in str(answer.content)


def test_lookalikes_keep_their_order(memory: Memory) -> None:
    store(memory, "My sister lives in Boston.", "My brother lives in Denver now.", "I live in Kyoto.")
    store(memory, "I live in Porto now.", name="Bo", start=3)
    assert [by for _, by in links(memory, "who lives in which city, where do I live?")] == [None] * 4


def test_neighbours_are_not_compared(memory: Memory) -> None:
    store(memory, OLD, NEW, "Bring a cake.")
    spans = memory.recall("ana", ASKED, limit=1, neighbours=1).spans
    assert [span.score is None for span in spans] == [span.neighbour_of is not None for span in spans]
    assert len({span.message_id for span in spans}) == len(spans)


def test_a_message_names_the_one_that_it_replaces(memory: Memory) -> None:
    def said(key: str, text: str, days: int, replaces: object = None) -> dict[str, object]:
        metadata = {} if replaces is None else {"replaces": replaces}
        created_at = FIRST + days * DAY
        return {"id": key, "role": "user", "content": text, "created_at": created_at, "metadata": metadata}

    memory.store("ana", [said("None", "The office plant is a fern.", 0), said("b", "An office plant from Ana.", 7)])
    assert dict(links(memory, "which office plant?")) == {"None": None, "b": None}
    memory.store("ana", [said("c", "The office plant: a cactus from Ana.", 14, "None")])
    assert dict(links(memory, "which office plant?"))["None"] == "c"
    # of one time, or of no use as an id
    memory.store(
        "ana",
        [
            said("d", "The office plant, a palm.", 21, "e"),
            said("e", "The office plant, a rose.", 21, "d"),
            said("f", "The office plant, a tree.", 28, ["d", 4]),
        ],
    )
    replaced = dict(links(memory, "which office plant?"))
    assert len(replaced) == 6
    assert not {replaced["d"], replaced["e"], replaced["f"]} & {"d", "e"}


def test_messages_of_other_threads_about_other_orders_replace_nothing(memory: Memory) -> None:
    said = {
        "first": "I found the order containing the office chair. The order ID is **#W2890441**, user mei_davis_8935.",
        "second": "The correct order ID is **#W9502127**, user daiki_johnson_9523, I mixed that up.",
        "third": "I'm sorry, but I don't have the order ID with me right now.",
    }
    for day, (thread, text) in enumerate(said.items()):
        at = FIRST + day * DAY
        memory.store("ana", [{"id": thread, "role": "user", "content": text, "created_at": at}], thread=thread)
    assert dict(links(memory, "what is the order ID with the office chair?"))["first"] is None


def test_a_code_that_has_changed_is_replaced_in_another_thread(memory: Memory) -> None:
    for day, code in enumerate(("48213", "99120")):
        said = {"id": code, "role": "user", "content": f"The code of my locker is now {code}."}
        memory.store("ana", [said | {"created_at": FIRST + day * DAY}], thread=f"day {day}")
    assert links(memory, "what is the code of my locker?") == [("99120", None), ("48213", "99120")]


def test_dates_and_amounts_that_have_changed_are_replaced_in_another_thread(memory: Memory) -> None:
    said = ("The budget for Titan is 12000 from 2026-03-14 to 2026-04-20.", "The budget for Titan is now 15000.")
    for day, text in enumerate(said):
        message = {"id": f"m{day}", "role": "user", "content": text, "created_at": FIRST + day * DAY}
        memory.store("ana", [message], thread=f"day {day}")
    assert links(memory, "what is the budget for Titan?") == [("m1", None), ("m0", "m1")]


def pairs_of(name: str) -> list[Mapping[str, str]]:
    lines = (PAIRS / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def recalled(memory: Memory, pair: Mapping[str, str], between: int) -> list[tuple[str, str | None]]:
    """Returns the messages of a pair, as they are recalled, with what is said to replace each."""
    texts = [pair["first"], *(f"{n} {pair['lang']}" for n in range(between)), pair["second"]]
    said = [
        {"id": f"m{n}", "role": "user", "content": text, "created_at": FIRST + 3 * n * DAY}
        for n, text in enumerate(texts)
    ]
    said[0]["id"], said[-1]["id"] = "first", "second"
    bank = f"{pair['id']}-{between}"
    memory.store(bank, said)
    spans = memory.recall(bank, pair["ask"]).spans
    return [(span.message_id, span.superseded_by) for span in spans if span.message_id in ("first", "second")]


@pytest.mark.slow
@pytest.mark.parametrize("between", [0, BETWEEN])
def test_what_is_said_of_another_thing_replaces_nothing(memory: Memory, between: int) -> None:
    given = {pair["id"]: recalled(memory, pair, between) for pair in pairs_of("siblings")}
    assert {key: links for key, links in given.items() if any(by for _, by in links)} == {}
    answers = {pair["id"]: pair["answer"] for pair in pairs_of("siblings")}
    assert {key: links[:1] for key, links in given.items() if links[0] != (answers[key], None)} == {}


@pytest.mark.slow
@pytest.mark.parametrize("between", [0, BETWEEN])
def test_what_is_said_anew_of_the_same_thing_comes_first(memory: Memory, between: int) -> None:
    given = {pair["id"]: recalled(memory, pair, between) for pair in pairs_of("updates")}
    expected = [("second", None), ("first", "second")]
    assert {key: links for key, links in given.items() if links != expected} == {}


INVOICES = [f"Invoice 2026-0{n} is due on {day}." for n, day in ((1, "3 May"), (2, "17 May"), (3, "30 May"))]
FLIGHTS = ["Flight LH 2041 leaves at 9:15.", "Flight LH 2043 leaves at 11:40."]
SPRINTS = ["Sprint 12 ends on 6 March.", "Sprint 13 ends on 20 March."]


@pytest.mark.parametrize(
    ("said", "about_all", "about_one", "right"),
    [
        (INVOICES, "Which invoice is due when?", "When is invoice 2026-02 due?", 1),
        (FLIGHTS, "Which flight leaves when?", "When does flight LH 2041 leave?", 0),
        (SPRINTS, "When does which sprint end?", "When does sprint 12 end?", 0),
    ],
)
def test_an_ordinal_a_code_or_a_number_says_of_what_a_statement_is(
    memory: Memory, said: list[str], about_all: str, about_one: str, right: int
) -> None:
    store(memory, *said)
    assert dict(links(memory, about_all)) == {f"m{n}": None for n in range(len(said))}
    assert links(memory, about_one)[0] == (f"m{right}", None)


def test_a_thing_with_a_number_has_one_value_at_a_time(memory: Memory) -> None:
    store(memory, "Sprint 12 ends on Friday.", "Sprint 13 ends on Monday.", "Sprint 12 was extended to Tuesday.")
    assert dict(links(memory, "When does sprint 12 end?")) == {"m0": "m2", "m1": None, "m2": None}
    assert links(memory, "When does sprint 12 end?")[:2] == [("m2", None), ("m0", "m2")]


def test_statements_of_a_numbered_list_replace_each_other(memory: Memory) -> None:
    other = [
        f"{n}. Plant number {n} of the west garden needs more light and less water than others do." for n in range(40)
    ]
    values = {5: "French", 20: "Danish", 38: "Polish"}
    lines = [
        f"{n}. Anna Becker speaks the language of {values[n]}." if n in values else line for n, line in enumerate(other)
    ]
    store(memory, "\n".join(lines))
    spans = memory.recall("ana", "What language does Anna Becker speak?").spans
    order = [language for span in spans for language in values.values() if language in span.text]
    assert order == ["Polish", "Danish", "French"]
    replaced = {language: span.superseded_by for span in spans for language in values.values() if language in span.text}
    assert replaced == {"French": "m0", "Danish": "m0", "Polish": None}


def test_of_one_time_what_was_stored_last_replaces(memory: Memory) -> None:
    texts = ("The capital of Belania is Norburg.", "The capital of Belania is Torford.")
    memory.store("ana", [{"id": text[-8:-1], "role": "user", "content": text, "created_at": FIRST} for text in texts])
    assert links(memory, "What is the capital of Belania?") == [("Torford", None), ("Norburg", "Torford")]


def test_of_statements_that_answer_equally_the_newest_is_first(memory: Memory) -> None:
    store(memory, "The tip is open till six in the evening.", "Winter hours at the tip: they lock up at four.")
    assert links(memory, "When does the tip close?") == [("m1", None), ("m0", "m1")]
    store(memory, "Prague has a tram to the market hall.", "Brno has a bus to the market hall.", start=2)
    assert links(memory, "How do I get to the market hall in Prague?")[0] == ("m2", None)


@pytest.mark.parametrize(
    ("first", "second", "question"),
    [
        (
            "The parcel comes on Monday.",
            "A lorry broke down, so the parcel people are driving up on Wednesday.",
            "When does the parcel come?",
        ),
        ("Der Kurs ist im Nordflügel.", "Zu eng: der Kurs wandert in die große Halle.", "Wo ist der Kurs?"),
        ("Der Ofen kommt am 3. Mai.", "Laut Fahrer steht der Ofen am 9. vor der Tür.", "Wann kommt der Ofen?"),
        ("La dictée est à 9 h.", "Trop de retards, la dictée attend 10 h.", "À quelle heure est la dictée ?"),
        ("講座は三階です。", "三階は満員で、講座には一階の部屋を借りた。", "講座はどこ？"),
        ("돋보기 모임은 지하.", "습기가 심해서 돋보기 모임은 다락에 모여요.", "돋보기 모임 어디야?"),
    ],
)
def test_what_is_told_in_other_words_replaces(memory: Memory, first: str, second: str, question: str) -> None:
    store(memory, first, second)
    assert links(memory, question) == [("m1", None), ("m0", "m1")]


@pytest.mark.parametrize(
    ("first", "second", "question"),
    [
        ("The quiz is in Cedar.", "Somebody forgot an umbrella at the quiz yesterday.", "Where is the quiz?"),
        ("Crate 70012 goes to Hull.", "The courier dropped crate 70019 off in Cardiff.", "Where does crate 70012 go?"),
        ("Der Kurs ist im Nordflügel.", "Im Kurs haben wir heute viel gelacht.", "Wo ist der Kurs?"),
        ("送別会は別館です。", "送別会の花束は誰が買いますか、教えて。", "送別会はどこ？"),
    ],
)
def test_what_is_told_beside_a_statement_replaces_nothing(
    memory: Memory, first: str, second: str, question: str
) -> None:
    store(memory, first, second)
    assert all(newest is None for _, newest in links(memory, question))


def test_an_original_broadcaster_is_not_in_the_past(memory: Memory) -> None:
    store(memory, "The original broadcaster of Amber Mirror is Holm Records.")
    store(memory, "The original broadcaster of Amber Mirror is Faro Systems.", start=1)
    assert links(memory, "Who is the original broadcaster of Amber Mirror?") == [("m1", None), ("m0", "m1")]


def test_the_work_of_comparing_grows_with_the_text_of_messages(memory: Memory) -> None:
    def calls(times: int) -> int:
        """Calls of functions in a recall of twelve messages, each of which goes on about one thing."""
        more = " ".join(f"It is {number} and green." for number in range(times))
        said = [f"Note {n}: the crate of Titan stands in hall {n}. {more}" for n in range(12)]
        bank = f"ana-{times}"
        memory.store(bank, [{"role": "user", "content": text} for text in said])
        memory.recall(bank, "which crate?")
        count = 0

        def count_one(_: object, event: str, __: object) -> None:
            nonlocal count
            count += event == "call"

        sys.setprofile(count_one)
        try:
            memory.recall(bank, "where is the crate of Titan?")
        finally:
            sys.setprofile(None)
        return count

    assert calls(16) <= 3 * calls(4)


@pytest.mark.parametrize(
    ("older", "newer", "asked"),
    [
        ("Nadia is studying law in Leiden.", "Nadia dropped law, she's doing architecture.", "What does Nadia study?"),
        ("Tom roule en Skoda grise.", "Fini la Skoda, Tom a pris une Mazda rouge.", "En quelle voiture roule Tom ?"),
        ("Der Chor probt im Saal.", "Geprobt wird mit dem Chor inzwischen in der Schule.", "Wo probt der Chor?"),
        ("トムは灰色のスコダに乗っています。", "トムはスコダを手放して赤いマツダを買いました。", "トムの車は何ですか?"),
        ("톰은 회색 스코다를 타요.", "톰이 스코다를 팔고 빨간 마쓰다를 샀어요.", "톰은 무슨 차를 타요?"),
        ("合唱团在社区礼堂排练。", "合唱团最近改到林登小学练习了。", "合唱团在哪里排练?"),
    ],
)
def test_a_change_told_in_other_words_comes_first(memory: Memory, older: str, newer: str, asked: str) -> None:
    store(memory, older, newer)
    assert links(memory, asked)[:2] == [("m1", None), ("m0", "m1")]


@pytest.mark.parametrize(
    ("older", "newer", "asked"),
    [
        (
            "Three tests fail on branch shed-roof now.",
            "On branch shed-door a test fails now.",
            "Which tests fail on shed-roof?",
        ),
        (
            "Filters of the fan are changed monthly.",
            "Filters of the oven are changed yearly.",
            "When are the fan's filters changed?",
        ),
        ("Comité technique : jeudi 9 h.", "Comité éditorial : jeudi 14 h.", "À quelle heure est le comité technique ?"),
        ("箱根の宿は部屋食です。", "熱海の宿は食事なしです。", "箱根は食事どうなってる?"),
        (
            "Den Filter der Lüftung wechseln wir vierteljährlich.",
            "Den Filter der Heizung wechseln wir jährlich.",
            "Wie oft kommt der Lüftungsfilter dran?",
        ),
    ],
)
def test_what_is_said_of_a_sibling_does_not_come_first(memory: Memory, older: str, newer: str, asked: str) -> None:
    store(memory, older, newer)
    assert memory.recall("ana", asked).spans[0].message_id == "m0"

"""Facts of a dialogue: what a word tells beside other messages of its thread."""

from datetime import UTC, datetime

import numpy as np
import pytest

from foxing.renderer import Entry
from foxing.renderer.fading import FACT, MessageWords, text_salience, words_of

AT = datetime(2026, 3, 2, tzinfo=UTC)
GRILLS = (
    '▽ call_5\n{"name": "Grill", "variants": {"7848293342": {"options": {"type": "charcoal", "size": "medium", '
    '"features": "side burner"}}, "5745575001": {"options": {"type": "electric", "size": "portable"}}}}'
)


def facts(*messages: tuple[str, str, str]) -> list[list[str]]:
    """The words of each message (role, thread, text) that are facts."""
    page = [
        MessageWords(Entry(str(n), role, text, AT, thread), words_of(text), np.ones(len(words_of(text))))
        for n, (role, thread, text) in enumerate(messages)
    ]
    return [
        [message.entry.content[a:b] for (a, b), value in zip(message.words, salience, strict=True) if value >= FACT]
        for message, salience in zip(page, text_salience(page), strict=True)
    ]


def test_what_a_user_says_in_the_words_of_a_result_is_a_fact() -> None:
    said = "it becomes a charcoal one of a medium sort with side burner, an ordinary lid"
    _, same, other = facts(("tool", "a", GRILLS), ("user", "a", said), ("user", "b", said))
    assert same == ["charcoal", "medium", "side", "burner"]
    assert other == []


def test_what_an_assistant_repeats_of_a_result_is_a_fact_the_last_time() -> None:
    _, offer, choice, summary = facts(
        ("tool", "a", GRILLS),
        ("assistant", "a", "they have it electric, portable, or with charcoal"),
        ("user", "a", "rather the charcoal"),
        ("assistant", "a", "so the charcoal will replace yours"),
    )
    assert (offer, choice, summary) == ([], ["charcoal"], ["charcoal"])


@pytest.mark.parametrize(
    ("question", "answer", "kept"),
    [
        (
            "Fine. For the cancellation I need a reason: do you want it later, or was it ordered by mistake?",
            "by mistake, sorry",
            "ordered by mistake",
        ),
        ("Alles klar. Soll das Paket zum Nachbarn oder in die Filiale?", "zum Nachbarn", "Filiale"),
        ("Bien. Faut-il livrer chez le voisin ou au magasin?", "chez le voisin", "magasin"),
        ("好的。请问取消的原因是下错单还是太贵？", "下错单", "太贵"),
        ("承知しました。キャンセルの理由は注文の間違いですか？", "間違いです", "理由"),
    ],
)
def test_an_answer_of_few_words_is_a_fact_with_its_question(question: str, answer: str, kept: str) -> None:
    asked, answered = facts(("assistant", "a", question), ("user", "a", answer))
    assert "".join(asked).replace(" ", "").count(kept.replace(" ", ""))
    assert "".join(answered) == "".join(c for c in answer if c.isalnum())


def test_a_question_that_is_answered_at_length_is_no_fact() -> None:
    asked, _ = facts(
        ("assistant", "a", "how is the garden coming along?"),
        ("user", "a", "slowly, the soil turned out to be heavy and the paths took most of the spring to lay"),
    )
    assert asked == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Cancel the order, reason: ordered by mistake. The money goes back.", ["reason", "ordered", "by", "mistake"]),
        ("they called the boat “slow and steady” in the end", ["slow", "and", "steady"]),
        ('she only said "see me after lunch" and left', ["see", "me", "after", "lunch"]),
        ("sie nannten das boot „langsam aber sicher“ und lachten", ["langsam", "aber", "sicher"]),
        ("ils ont écrit « tout va bien » sur la porte", ["tout", "va", "bien"]),
    ],
)
def test_a_value_with_its_label_and_a_quotation_are_facts(text: str, kept: list[str]) -> None:
    (found,) = facts(("assistant", "", text))
    assert [word for word in found if word in kept] == kept


def test_who_is_addressed_is_no_label() -> None:
    assert facts(("user", "", "carol: try again")) == [[]]


def test_a_result_that_a_tool_prints_again_is_a_reference_in_its_thread_alone() -> None:
    again = GRILLS.replace("call_5", "call_8")
    first, second, other = facts(("tool", "a", GRILLS), ("tool", "a", again), ("tool", "b", again))
    assert "7848293342" in "".join(first)
    assert len(second) == 1
    assert "7848293342" in "".join(other)


def worth(word: str, *messages: tuple[str, str, str]) -> float:
    """The salience of a word of the last message (role, name, text) of a thread."""
    page = [
        MessageWords(Entry(str(n), role, text, AT, "a", name), words_of(text), np.ones(len(words_of(text))))
        for n, (role, name, text) in enumerate(messages)
    ]
    last = page[-1]
    spoken = [last.entry.content[start:stop] for start, stop in last.words]
    return float(text_salience(page)[-1][spoken.index(word)])


HEARD = "we painted the old barn and it was an ordinary day with the neighbours"
REPEATED = "painting the barn with the neighbours is what makes it worth the trouble and the long day"


def test_what_another_speaker_has_stated_before_is_worth_less() -> None:
    reply = ("user", "Ben", REPEATED)
    fresh = worth("neighbours", ("user", "Ann", "it was an ordinary day in the end"), reply)
    assert worth("neighbours", ("user", "Ann", HEARD), reply) < fresh
    assert worth("trouble", ("user", "Ann", HEARD), reply) == worth("trouble", reply)


@pytest.mark.parametrize("before", [("user", "Ben", HEARD), ("user", "Ann", f"{HEARD}?"), ("tool", "log", HEARD)])
def test_what_was_asked_printed_or_said_by_oneself_is_no_echo(before: tuple[str, str, str]) -> None:
    reply = ("user", "Ben", REPEATED)
    assert worth("neighbours", before, reply) >= worth("neighbours", reply)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the patience that you put into that garden is a wonder to see", "patience"),
        ("deine Geduld mit dem alten Garten ist ein Wunder und das ist nicht so leicht wie es aussieht", "Geduld"),
    ],
)
def test_what_people_say_about_each_other_is_worth_less_than_other_statements(text: str, word: str) -> None:
    between_people = worth(word, ("user", "Ann", HEARD), ("assistant", "Ben", text))
    assert between_people < worth(word, ("user", "", HEARD), ("user", "", text))


def test_advice_is_worth_no_less() -> None:
    text = "you should run the linter on that branch before the others read it"
    assert worth("linter", ("user", "Ann", HEARD), ("user", "Ben", text)) == worth("linter", ("user", "Ben", text))

"""Excerpts of messages in the folded part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxing.memory.fold.excerpts import FadingMessages, FoldedMessage
from foxing.renderer.marks import GAP_MARK

AT = "2026-01-05T09:30:00+00:00"
LISTING = "\n".join(f"drwxr-xr-x {n} root root src/module_{n}" for n in range(60))
SAID = [
    FoldedMessage("a2", "user", AT, "The Titan release moves to Lisbon on 14 March. Thanks for looking at it."),
    FoldedMessage("b3", "assistant", AT, "I will look at the listing first, and then at the rest of it."),
    FoldedMessage("c4", "tool", AT, f"{LISTING}\nThe build needs Python 3.12 from now on.\n{LISTING}"),
]


def test_nothing_fades_where_there_is_room() -> None:
    assert FadingMessages(SAID).within(100_000) == SAID


def test_statements_outlast_listings() -> None:
    left = {message.ref: message.text for message in FadingMessages(SAID).within(400)}
    assert "The Titan release moves to Lisbon on 14 March." in left["a2"]
    assert "The build needs Python 3.12 from now on." in left["c4"]
    assert len(left["c4"]) < 200


def test_gap_marks_stand_where_something_is_left_out() -> None:
    [*_, tool] = FadingMessages(SAID).within(400)
    assert tool.gaps
    assert all(tool.text[gap] == GAP_MARK for gap in tool.gaps)
    assert tool.text.startswith(f"{GAP_MARK} The build needs Python 3.12 from now on.\n")
    assert f"module_2 {GAP_MARK} drwxr-xr-x 59" in tool.text


def test_what_is_said_again_later_fades_first() -> None:
    files = [
        FoldedMessage(f"d{n}", "tool", AT, f"The parser of file {n} reads UTF-8 only.\n{LISTING}") for n in range(9)
    ]
    again = [*files, *(FoldedMessage(f"e{n}", "tool", AT, message.text) for n, message in enumerate(files))]
    left = {message.ref: message.text for message in FadingMessages(again).within(1_000)}
    assert all(f"The parser of file {n} reads UTF-8 only." in left[f"e{n}"] for n in range(9))
    assert not any(ref.startswith("d") for ref in left)


def test_what_has_faded_fades_further() -> None:
    once = FadingMessages(SAID).within(1_500)
    twice = FadingMessages(once).within(300)
    assert sum(len(message.text) for message in twice) <= 300
    words = {word for message in once for word in message.text.split()}
    assert {word for message in twice for word in message.text.split()} <= words | {GAP_MARK}
    assert all(message.text[gap] == GAP_MARK for message in twice for gap in message.gaps)


SENTENCES = {
    "zh": "灯塔的钥匙放在二号抽屉里。",
    "ja": "灯台の鍵は二番目の引き出しにあります。",
    "ko": "등대 열쇠는 두 번째 서랍에 있습니다. ",
    "de": "Der Schlüssel zum Leuchtturm liegt in Schublade zwei. ",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_pieces_are_whole_sentences_in_each_language(language: str) -> None:
    sentence = SENTENCES[language]
    text = "".join(sentence.replace("二", str(n)).replace("두", str(n)).replace("zwei", str(n)) for n in range(30))
    [left] = FadingMessages([FoldedMessage("a", "user", AT, text)]).within(len(text) // 4)
    pieces = [piece.strip() for piece in left.text.split(GAP_MARK) if piece.strip()]
    assert pieces
    assert all(text[: text.index(piece)].rstrip()[-1:] in ("", ".", "。") for piece in pieces)
    assert all(piece[-1] in ".。" for piece in pieces)


#: Facts without a digit: a time, a negation; and sentences without one.
FACTS = {
    "en": ("We moved the whole office and everything in it the day before yesterday.", "That was quite a nice day. "),
    "de": ("Das Archiv darf auf gar keinen Fall in den feuchten Keller geräumt werden.", "Das war wirklich schön. "),
    "zh": ("大家商量以后决定绝对不要把旧的档案搬到地下室里面去。", "大家都觉得很好。"),
    "ja": ("みんなで相談して古い書類は地下室に移さないことに決めました。", "みんな楽しそうです。"),
    "ko": ("모두 의논한 끝에 오래된 서류는 지하실로 옮기지 않기로 했습니다.", "모두 즐거워 보입니다. "),
}


@pytest.mark.parametrize("language", FACTS)
def test_facts_fade_after_all_else(language: str) -> None:
    fact, other = FACTS[language]
    text = other * 8 + fact + other[len(other.rstrip()) :] + other * 8
    [left] = FadingMessages([FoldedMessage("a", "user", AT, text)]).within(len(fact) + 40)
    assert fact in left.text


def test_marks_alone_are_no_piece() -> None:
    text = "It works on every machine here ! ! . We like the way it looks and feels. " * 12
    [left] = FadingMessages([FoldedMessage("a", "user", AT, text)]).within(len(text) // 4)
    pieces = [piece.strip() for piece in left.text.split(GAP_MARK)]
    assert all(any(map(str.isalnum, piece)) for piece in pieces if piece)


def test_a_message_of_which_nothing_is_left_leaves_a_mark() -> None:
    alone = FoldedMessage("a", "user", AT, "很" * 400 + "。")
    assert [left.text for left in FadingMessages([alone]).within(100)] == [GAP_MARK]
    short = FoldedMessage("b", "user", AT, "The keys are in drawer 2.")
    [first] = FadingMessages([short, alone]).within(60)
    assert first.text == f"{short.text} {GAP_MARK}"
    [last] = FadingMessages([alone, short]).within(60)
    assert last.text == f"{GAP_MARK} {short.text}"


TEXTS = st.text(alphabet=st.sampled_from("ab A.!?\n⋯1,;"), max_size=300)


@given(st.lists(TEXTS, max_size=5), st.integers(0, 600))
def test_an_excerpt_has_words_of_its_message_in_order(texts: list[str], chars: int) -> None:
    messages = [FoldedMessage(str(n), "tool", AT, text) for n, text in enumerate(texts)]
    by_ref = {message.ref: message for message in messages}
    for left in FadingMessages(messages).within(chars):
        shown = "".join(c for n, c in enumerate(left.text) if n not in left.gaps)
        rest = iter(by_ref[left.ref].text)
        assert all(character in rest for character in shown if not character.isspace())

"""Terms of speakers, and of the people that a question names."""

import pytest

from foxing.memory.text.speakers import asked_speakers, index_terms, name_terms
from foxing.memory.text.terms import terms


def test_a_speaker_has_a_term_for_each_word_of_the_name() -> None:
    assert name_terms("Ada Lovelace") == {"ada": 1, "lovelac": 1, "@Ada": 1, "@Lovelace": 1}
    assert name_terms(None) == name_terms("") == {}
    first, last = index_terms("Ada sings. Ben too.", "Ada", [(0, 10), (10, 19)])  # type: ignore[list-item]
    assert first == {"ada": 2, "sing": 1, "@Ada": 1}
    assert last["@Ada"] == 1


def test_no_other_term_begins_like_one() -> None:
    for text in ("@Ada", "a@Ada", "@@Ada", "mail @ada.lovelace or ada@example.org", "＠Ada"):
        assert not any(term.startswith("@") for term in terms(text)), text


@pytest.mark.parametrize(
    ("question", "name", "named"),
    [
        ("What does Ada sing?", "Ada", True),
        ("What is Ada's song?", "Ada", True),
        ("What is Ada’s song?", "Ada", True),
        ("What does Lovelace sing?", "Ada Lovelace", True),
        ("What does mina_42 sing?", "mina_42", True),
        ("Which support plan is it?", "Support", False),
        ("What does ada sing?", "Ada", False),
        ("What does Adam sing?", "Ada", False),
        ("미나는 언제 와?", "미나", True),
        ("小明说过什么？", "小明", True),
        ("Ruthは何と言った？", "Ruth", True),
    ],
)
def test_a_question_names_a_speaker_as_the_name_is_written(question: str, name: str, named: bool) -> None:
    assert bool(asked_speakers(question) & set(name_terms(name))) is named

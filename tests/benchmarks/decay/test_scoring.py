"""The scores of the decay benchmark."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.decay.conversation import Passage, Question
from benchmarks.decay.scoring import answer_words, remains_of, score_answer

SAID = "We did not book the ferry to Jeju, we take the 07:40 train two weeks after Easter."
MARK = " … "


def faded(*runs: str) -> Passage:
    """A passage of runs with a gap between each two; an empty run makes a gap at the edge."""
    text, gaps = "", []
    for number, run in enumerate(runs):
        if number:
            gaps.append((len(text), len(text) + len(MARK)))
            text += MARK
        text += run
    return Passage(text, "m1", gaps)


def test_runs_are_the_text_between_gaps() -> None:
    assert faded("", "not book the ferry", "train").runs == ["", "not book the ferry", "train"]
    assert Passage("a … b").runs == ["a … b"]


def test_a_range_is_held_if_all_of_its_letters_are_left() -> None:
    remains = remains_of(SAID, [faded("", "not book the ferry", "the 07:40 train", "weeks", "Easter.")])

    def holds(part: str) -> bool:
        start = SAID.index(part)
        return remains.holds(start, start + len(part))

    assert holds("not")
    assert holds("book the ferry")
    assert holds("the 07:40 train")
    assert not holds("ferry to Jeju")
    assert not holds("two weeks after Easter")
    assert (remains.words, remains.alone, remains.invented) == (10, 2, [])


@pytest.mark.parametrize("shown", ["We did not book the fer", "boat", "We take the bus"])
def test_words_that_were_not_said_are_invented(shown: str) -> None:
    remains = remains_of(SAID, [Passage(shown, "m1")])
    assert remains.invented == [shown.split()[-1]]


def test_scripts_without_blanks_are_compared_by_character() -> None:
    remains = remains_of("我们三月十四日发布，不含离线地图。", [faded("三月十四日", "不含离线地图")])
    assert remains.holds(2, 7)
    assert not remains.holds(0, 7)
    assert remains.invented == []


def test_an_answer_is_whole_if_its_words_are_in_the_evidence_recalled() -> None:
    originals = {"m1": SAID, "m2": "The train is at platform 9."}
    question = Question("When do we leave?", "at 07:40, by train", frozenset({"m1"}))
    assert answer_words(question, originals) == {"07", "40", "train"}
    assert score_answer(question, originals, [faded("the 07:40 train")]).whole
    half = score_answer(question, originals, [faded("", "07:40", ""), Passage("train", "m2")])
    assert half.found == 1
    assert half.support == pytest.approx(2 / 3)
    assert not half.whole


def test_one_message_is_enough_where_each_has_the_answer() -> None:
    originals = {"m1": SAID, "m2": "The 07:40 train is full."}
    question = Question("When do we leave?", "07:40", frozenset(originals), repeated=True)
    score = score_answer(question, originals, [Passage("The 07:40 train is full.", "m2")])
    assert (score.found, score.support) == (1, 1)
    assert score_answer(question, originals, [faded("07", ""), Passage("40", "m2")]).support == 0.5


def test_a_message_of_which_no_word_is_left_is_not_found() -> None:
    originals = {"m1": SAID}
    question = Question("When do we leave?", "07:40", frozenset({"m1"}))
    score = score_answer(question, originals, [faded("", "")])
    assert (score.found, score.support) == (0, 0)


def test_a_memory_that_names_no_messages_is_scored_by_its_words_alone() -> None:
    question = Question("When do we leave?", "07:40", frozenset({"m1"}))
    score = score_answer(question, {"m1": SAID}, [Passage("They leave at 07:40.")])
    assert (score.found, score.support) == (None, 1)


def test_scoring_and_labels_import_nothing_of_the_package(repository: Path) -> None:
    code = (
        "import sys, benchmarks.decay.scoring, benchmarks.decay.labels\n"
        "assert not [name for name in sys.modules if name.startswith('foxing')]"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=repository)

"""Flipped bytes of a SQLite file: noticed, or without effect, and never a wrong text that looks right.

The places are the same in every run. More of them:

    FLIPPED_PLACES=200 python -m pytest tests/memory/check/test_flipped_bytes.py
"""

import os
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.databases import execute
from support.operations.checks import DAY, NOW, check, options

from foxing.memory import Memory, RecalledMessage
from foxing.renderer import FoxingError

PLACES, SEED = int(os.environ.get("FLIPPED_PLACES", "24")), 29
#: Questions whose answers are read as well.
QUESTIONS = ("tea and coffee", "staging database")


def everything(database: str | Path) -> dict[tuple[str, ...], list[RecalledMessage]]:
    """What the memory shows of each bank: all messages, pages, and what recall finds."""
    shown: dict[tuple[str, ...], list[RecalledMessage]] = {}
    with Memory(database, clock=lambda: NOW + 31 * DAY, options=options()) as memory:
        for bank in (bank.id for bank in memory.banks().banks):
            shown[bank, "all"] = list(memory.export(bank))
            for page in memory.pages(bank).pages:
                shown[bank, "page", page.id] = memory.read_page(bank, page.id).messages
            for question in QUESTIONS:
                shown[bank, question] = memory.recall(bank, question).spans
    return shown


def is_false(shown: RecalledMessage, said: Mapping[str, str]) -> bool:
    """Whether a message shows characters that it had not before, none of which is flagged. What is missing is shown as
    missing."""
    true = said.get(shown.message_id)
    if true is None or shown.text == true or not shown.text:
        return true is None
    if shown.gaps or len(shown.text) != len(true):
        return not (shown.gaps or shown.uncertain)
    unsure = {place for start, stop, _ in shown.uncertain for place in range(start, stop)}
    return any(a != b for place, (a, b) in enumerate(zip(shown.text, true, strict=True)) if place not in unsure)


@pytest.mark.slow
def test_flipped_bytes_are_noticed_or_without_effect(filled_file: str, tmp_path: Path) -> None:
    intact, path = Path(filled_file.removeprefix("sqlite:///")).read_bytes(), tmp_path / "flipped.db"
    path.write_bytes(intact)
    before = everything(path)
    said = {
        bank: {message.message_id: message.text for message in before[bank, "all"]}
        for bank in {name[0] for name in before}
    }
    drawn, outcomes = random.Random(SEED), list[str]()
    for place in (drawn.randrange(len(intact)) for _ in range(PLACES)):
        damaged = bytearray(intact)
        damaged[place] ^= 1 << drawn.randrange(8)
        for left in tmp_path.glob("flipped.db*"):
            left.unlink()
        path.write_bytes(damaged)
        try:
            shown = everything(path)
        except FoxingError:
            outcomes.append("clear error")
            continue
        texts = {name: [message.text for message in shown[name]] for name in shown}
        if texts == {name: [message.text for message in before[name]] for name in before}:
            outcomes.append("no effect on texts")
            continue
        for name, messages in shown.items():
            false = [m for m in messages if name[1] not in QUESTIONS and is_false(m, said.get(name[0], {}))]
            assert not false, (place, name, false[0].text)
        path.write_bytes(damaged)
        try:
            noticed = not check(f"sqlite:///{path}").sound
        except FoxingError:
            noticed = True
        assert noticed, place
        outcomes.append("noticed by the check")
    assert len(outcomes) == PLACES
    assert outcomes.count("clear error") < PLACES / 2


@pytest.mark.slow
@pytest.mark.both_databases
def test_a_text_that_was_changed_is_not_shown_as_certain(filled: str) -> None:
    """An open message has a digest of its text; a keepsake contradicts the tokens that it was drawn into."""
    before = everything(filled)["ana", "all"]
    execute(filled, "UPDATE messages SET content = replace(content, '9f1c', '9f1d')")
    execute(filled, "UPDATE keepsakes SET text = replace(text, '9f1c', '9f1d')")
    for shown, true in zip(everything(filled)["ana", "all"], before, strict=True):
        if shown.source == "open":
            assert (shown.text, shown.uncertain) == (
                true.text.replace("9f1c", "9f1d"),
                [(0, len(shown.text), 0.0)],
            )
            assert shown.confidence == 0
        else:
            assert shown.text == true.text
    assert {shown.source for shown in before} == {"open", "decoded"}

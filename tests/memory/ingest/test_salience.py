"""Salience of words on pages of a bank that is not stored."""

from datetime import UTC, datetime

import numpy as np

from foxing.memory.ingest.salience import salience_in_bank
from foxing.renderer import Entry
from foxing.renderer.fading import MessageWords, Salience, words_of

AT = datetime(2026, 1, 5, tzinfo=UTC)


def refined(page: str, bank: list[str]) -> dict[str, float]:
    """The salience of each word of a page of one message, 1.5 for all of them before."""
    words = words_of(page)
    message = MessageWords(Entry("m", "user", page, AT), words, np.ones(len(words)))
    salience: list[Salience] = [np.full(len(words), 1.5)]
    for refinement in salience_in_bank(bank)([page]):
        salience = refinement([message], salience)
    return dict(zip((page[word.start : word.stop] for word in words), salience[0].tolist(), strict=True))


def test_words_that_few_messages_hold_are_worth_more() -> None:
    salience = refined("harbour quay", ["harbour", "harbour harbour", "harbour and quay"])
    assert 1 < salience["harbour"] < salience["quay"] == 1.5


def test_keepsakes_fade_last_within_their_budget() -> None:
    link = "https://example.org/orders/7f3a91c2"
    assert refined(f"see {link} {'and so on ' * 100}", [])[link] == 2.5
    assert refined(f"see {link}", [])[link] == 1.5  # more than a twentieth of the page

"""Reencoding a bank with damaged pages."""

from collections.abc import Callable

import pytest
from support.other_weights import (
    BANK,
    SampleBank,
    flipped,
    of_unknown_weights,
    reencoded_ids,
    weights_of,
)

from foxing.encoder.bench import accuracy
from foxing.memory import Memory


def test_an_unreadable_page_is_reported_and_left_alone(bank: SampleBank, memory: Memory) -> None:
    bank.change_tokens(bank.tiny, of_unknown_weights)
    bank.change_tokens(bank.small, flipped)
    before = bank.rows()["page_contents"]
    for dry_run in (True, False):
        report = memory.operations.reencode(BANK, dry_run=dry_run)
        assert reencoded_ids(report) == [bank.pinned.id]
        reasons = {page.page_id: page.reason for page in report.unreadable}
        assert set(reasons) == {bank.tiny.id, bank.small.id}
        assert "0" * 12 in reasons[bank.tiny.id]
        assert "damaged" in reasons[bank.small.id]
    after = bank.rows()["page_contents"]
    assert after[:2] == before[:2]
    assert after[2][1] != before[2][1]


@pytest.mark.parametrize("change", [of_unknown_weights, flipped])
def test_kept_text_replaces_tokens_that_cannot_be_read(
    bank: SampleBank, memory: Memory, change: Callable[[bytes], bytes]
) -> None:
    bank.change_tokens(bank.pinned, change)
    assert reencoded_ids(memory.operations.reencode(BANK, dry_run=True)) == bank.page_ids
    report = memory.operations.reencode(BANK)
    assert reencoded_ids(report) == bank.page_ids
    assert report.reencoded[2].from_weights == (None if change is flipped else "0" * 12)
    assert accuracy(bank.pinned.text, memory.read_page(BANK, bank.pinned.id).text) >= 0.97


def test_damaged_text_is_not_replaced_by_a_reading(bank: SampleBank, memory: Memory) -> None:
    ((text,),) = bank.execute("SELECT text FROM page_contents WHERE text IS NOT NULL")
    bank.execute("UPDATE page_contents SET text = ? WHERE text IS NOT NULL", flipped(text))
    report = memory.operations.reencode(BANK)
    assert reencoded_ids(report) == [bank.tiny.id, bank.small.id]
    assert [page.page_id for page in report.unreadable] == [bank.pinned.id]
    assert weights_of(memory)[bank.pinned.id] == bank.weights

"""Reencoding a bank that other weights wrote: what changes and what stays."""

import re
from dataclasses import replace

import numpy as np
import pytest
from support.other_weights import (
    BANK,
    BothWeights,
    LossyTinyTokens,
    SampleBank,
    exactness,
    reencoded_ids,
    weights_of,
)

from foxing.encoder import Reading, VisionTokens, load_codec
from foxing.encoder.bench import accuracy
from foxing.encoder.contract import UNREADABLE
from foxing.memory import Memory, NotFound

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")


@pytest.mark.slow
def test_a_dry_run_reports_pages_and_bytes_and_writes_nothing(bank: SampleBank, memory: Memory) -> None:
    before = bank.rows()
    planned = memory.operations.reencode(BANK, dry_run=True)
    assert bank.rows() == before
    done = memory.operations.reencode(BANK)
    assert (planned.dry_run, done.dry_run) == (True, False)
    assert reencoded_ids(planned) == reencoded_ids(done) == bank.page_ids
    assert planned.bytes_before == done.bytes_before == sum(len(row[1]) for row in before["page_contents"])
    assert all(page.bytes_after > 0 for page in planned.reencoded)  # an estimate
    assert planned.bytes_after == sum(page.bytes_after for page in planned.reencoded)
    assert planned.confidence_after is None
    assert {page.confidence_after for page in planned.reencoded} == {None}


@pytest.mark.slow
def test_tiers_spans_keepsakes_and_the_trash_stay(bank: SampleBank, memory: Memory) -> None:
    pages = memory.pages(BANK).pages
    rows = bank.rows()
    steps: list[tuple[int, int]] = []

    report = memory.operations.reencode(BANK, progress=lambda done, total: steps.append((done, total)))

    assert (report.bank, report.codec, report.weights) == (BANK, "native", memory.codec.weights)
    assert (report.current, report.busy, report.unreadable) == (0, [], [])
    assert steps == [(3, 3)]
    assert set(weights_of(memory).values()) == {memory.codec.weights}
    for old, new in zip(pages, memory.pages(BANK).pages, strict=True):
        changing = {"bytes", "confidence", "vision_tokens"}
        assert new.model_dump(exclude=changing) == old.model_dump(exclude=changing)
        assert memory.page_tokens(BANK, new.id).tier == new.tier
        assert memory.page_tokens(BANK, new.id).count == new.vision_tokens
        if not new.text_kept:
            assert new.confidence == memory.read_page(BANK, new.id).confidence
    for table in ("page_manifests", "keepsakes", "trash"):
        assert bank.rows()[table] == rows[table], table


def test_messages_read_as_before(memory: Memory) -> None:
    spans = {span.message_id: span for span in memory.export(BANK)}
    before = exactness(memory)
    memory.operations.reencode(BANK)
    assert exactness(memory) >= before - 0.02
    again = {span.message_id: span for span in memory.export(BANK)}
    facts = [{(key, span.source, span.tier, span.ref) for key, span in each.items()} for each in (spans, again)]
    assert facts[0] == facts[1]
    kept = [accuracy(span.text, again[key].text) for key, span in spans.items() if span.source == "decoded"]
    assert sum(kept) / len(kept) >= 0.98
    assert "https://nursery.example/spring-2026 and closes on 2026-02-20." in again["garden-0-5"].text


def test_the_report_has_sources_bytes_and_confidence(bank: SampleBank, memory: Memory) -> None:
    pages = memory.pages(BANK).pages
    report = memory.operations.reencode(BANK)
    for page in report.reencoded:
        assert page.from_weights == bank.weights
        assert page.source == ("text" if page.page_id == bank.pinned.id else "decoded")
    ((text_bytes,),) = bank.execute("SELECT sum(text_bytes) FROM pages")
    ((keepsake_bytes,),) = bank.execute("SELECT sum(length(CAST(text AS BLOB))) FROM keepsakes")
    held = sum(memory.page(BANK, page_id).bytes for page_id in reencoded_ids(report))
    assert report.bytes_after == held - text_bytes - keepsake_bytes
    before, after = report.confidence_before, report.confidence_after
    assert before is not None
    assert after is not None
    assert before == pytest.approx(sum(page.confidence for page in pages) / 3, abs=0.001)
    assert after >= before - 0.02


@pytest.mark.slow
def test_the_index_follows_what_is_read_now(memory: Memory) -> None:
    memory.operations.reencode(BANK)
    assert memory.recall(BANK, "which hotel near the beach?").spans[0].message_id == "travel-1-2"
    found = 0
    for span in memory.export(BANK):
        if span.source != "decoded":
            continue
        uncertain = {p for start, stop, _ in span.uncertain for p in range(start, stop)}
        for word in re.finditer(r"\b[a-z]{6,}\b", span.text):
            if span.text.lower().count(word[0]) > 1:
                continue
            holders = [item.message_id for item in memory.recall(BANK, word[0], limit=50).spans]
            assert (span.message_id in holders) == uncertain.isdisjoint(range(*word.span())), word[0]
            found += 1
    assert found > 20


def test_a_second_run_has_nothing_to_do(bank: SampleBank, memory: Memory) -> None:
    memory.operations.reencode(BANK)
    rows = bank.rows()
    for dry_run in (False, True):
        report = memory.operations.reencode(BANK, dry_run=dry_run)
        assert (report.reencoded, report.current, report.bytes_after) == ([], 3, 0)
        assert (report.confidence_before, report.confidence_after) == (None, None)
    assert bank.rows() == rows


def test_a_pinned_page_without_text_is_rewritten_and_stays_pinned(bank: SampleBank, memory: Memory) -> None:
    memory.pin(BANK, bank.tiny.id)
    assert bank.tiny.id in reencoded_ids(memory.operations.reencode(BANK))
    page = memory.page(BANK, bank.tiny.id)
    assert (page.tier, page.pinned, page.text_kept) == ("tiny", True, False)


def test_a_page_that_the_present_weights_cannot_read_keeps_its_tokens(bank: SampleBank) -> None:
    present = load_codec("native", "cpu").weights

    def unread(tokens: VisionTokens, reading: Reading) -> Reading:
        if (tokens.weights, tokens.tier) != (present, "tiny"):
            return reading
        cells = np.full_like(reading.cells, UNREADABLE)
        return replace(reading, cells=cells, confidence=np.zeros_like(reading.confidence))

    with bank.open(BothWeights(bank.codec, alter=unread)) as memory:
        report = memory.operations.reencode(BANK)
        assert reencoded_ids(report) == [bank.small.id, bank.pinned.id]
        assert [page.page_id for page in report.unreadable] == [bank.tiny.id]
        assert "'tiny'" in report.unreadable[0].reason
        assert weights_of(memory)[bank.tiny.id] == bank.weights
        assert accuracy(bank.tiny.text, memory.read_page(BANK, bank.tiny.id).text) >= 0.998


def test_a_page_that_would_lose_characters_stays_as_it_is(bank: SampleBank) -> None:
    with bank.open(LossyTinyTokens(bank.codec)) as memory:
        report = memory.operations.reencode(BANK)
        assert reencoded_ids(report) == [bank.small.id, bank.pinned.id]
        (left,) = report.unreadable
        assert left.page_id == bank.tiny.id
        assert re.search("rewritten at 'tiny' this page would lose [0-9]+% of its characters", left.reason)
        assert weights_of(memory)[bank.tiny.id] == bank.weights
        assert accuracy(bank.tiny.text, memory.read_page(BANK, bank.tiny.id).text) >= 0.99


def test_an_unknown_bank_is_not_found(memory: Memory) -> None:
    with pytest.raises(NotFound):
        memory.operations.reencode("nobody")

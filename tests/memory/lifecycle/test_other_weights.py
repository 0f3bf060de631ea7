"""Pages that other weights wrote, with and without a codec that reads them."""

from dataclasses import replace

import pytest
from support.other_weights import BANK, DAY, END, BothWeights, SampleBank, exactness, reencoded_ids, weights_of

from foxing.encoder import load_codec
from foxing.encoder.bench import accuracy
from foxing.memory import Memory, TokensDamaged

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "message_ages")


@pytest.mark.slow
def test_a_codec_that_reads_other_weights_recalls_their_pages(bank: SampleBank, memory: Memory) -> None:
    assert set(weights_of(memory).values()) == {bank.weights} != {memory.codec.weights}
    for page, tier in zip(bank.pages, ("tiny", "small", "base"), strict=True):
        reading = memory.read_page(BANK, page.id)
        assert (reading.tier, reading.source) == (tier, "decoded")
        assert accuracy(page.text, reading.text) >= 0.998
        assert reading.confidence == pytest.approx(page.confidence, abs=0.002)
        assert memory.page_image(BANK, page.id).startswith(b"\x89PNG")
    assert exactness(memory) >= 0.98
    assert memory.recall(BANK, "which hotel near the beach?").spans[0].message_id == "travel-1-2"
    assert memory.recall(BANK, "해운대").spans[0].message_id == "travel-1-6"
    order = memory.message(BANK, "garden-0-5")
    assert (order.tier, order.source) == ("tiny", "decoded")
    assert "https://nursery.example/spring-2026 and closes on 2026-02-20." in order.text
    assert {image.page_id for image in memory.recall_images(BANK).images} == set(bank.page_ids)


def test_uncertain_characters_are_flagged_by_the_thresholds_of_the_weights_that_wrote_them(bank: SampleBank) -> None:
    """A message decoded on demand is flagged as on its page decoded as a whole, whatever the present thresholds are."""
    codec = BothWeights(bank.codec)
    codec.tiers = {tier: replace(spec, flag_below=0.0) for tier, spec in codec.tiers.items()}
    flagged = 0
    with bank.open(codec) as memory:
        for page in (bank.tiny, bank.small):
            for part in memory.read_page(BANK, page.id).messages:
                held = memory.message(BANK, part.message_id)
                assert held.text == part.text
                assert [run[:2] for run in held.uncertain] == [run[:2] for run in part.uncertain]
                flagged += len(part.uncertain)
    assert flagged


def test_ageing_writes_the_present_weights(bank: SampleBank, memory: Memory) -> None:
    report = memory.age(BANK, now=END + 400 * DAY)
    assert [move.page_id for move in report.moved] == [bank.tiny.id, bank.small.id]
    assert report.busy == []
    weights = weights_of(memory)
    assert weights.pop(bank.pinned.id) == bank.weights
    assert set(weights.values()) == {memory.codec.weights}
    assert {memory.page(BANK, key).tier for key in weights} == {"micro"}
    assert exactness(memory) >= 0.5


def test_without_such_a_codec_pages_are_moved_from_their_text_or_left_alone(bank: SampleBank) -> None:
    before = bank.rows()["page_contents"]
    with bank.open(load_codec("native", "cpu")) as memory:
        span = memory.message(BANK, "garden-0-0")
        assert (span.text, span.confidence) == ("", 0.0)
        with pytest.raises(TokensDamaged, match=f"written by the weights {bank.weights}"):
            memory.read_page(BANK, bank.small.id)
        for dry_run in (True, False):
            report = memory.operations.reencode(BANK, dry_run=dry_run)
            assert reencoded_ids(report) == [bank.pinned.id]
            assert [page.page_id for page in report.unreadable] == [bank.tiny.id, bank.small.id]
            for page in report.unreadable:
                assert f"written by the weights {bank.weights}" in page.reason
        assert weights_of(memory)[bank.pinned.id] == memory.codec.weights
    after = bank.rows()["page_contents"]
    assert after[:2] == before[:2]
    assert after[2] != before[2]

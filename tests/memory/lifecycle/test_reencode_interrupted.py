"""Reencoding that is interrupted, killed, or overtaken by another change."""

import signal
from pathlib import Path

import pytest
from support.other_weights import BANK, BothWeights, SampleBank, exactness, reencoded_ids, weights_of
from support.processes import start_python

#: One page at a time, so that the process can be killed between two.
REENCODE = """
import sys
from pathlib import Path
from support.other_weights import BothWeights
from foxing.encoder.native.codec import NativeCodec
from foxing.memory import Memory
from foxing.memory.lifecycle import reencode
reencode.BATCH = 1
memory = Memory(sys.argv[1], codec=BothWeights(NativeCodec.load(Path(sys.argv[2]), "cpu")))
memory.operations.reencode("ana", progress=lambda done, total: print(done, flush=True))
"""


def test_an_interrupted_run_resumes(bank: SampleBank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxing.memory.lifecycle.reencode.BATCH", 1)
    calls: list[None] = []

    def interrupt_the_second() -> None:
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with bank.open(BothWeights(bank.codec, before_encode=interrupt_the_second)) as memory:
        with pytest.raises(KeyboardInterrupt):
            memory.operations.reencode(BANK)
        assert sorted(weights_of(memory).values()) == sorted([memory.codec.weights, *2 * [bank.weights]])
        assert exactness(memory) >= 0.97
        report = memory.operations.reencode(BANK)
        assert (reencoded_ids(report), report.current, report.busy) == ([bank.small.id, bank.pinned.id], 1, [])
        assert set(weights_of(memory).values()) == {memory.codec.weights}


@pytest.mark.slow
def test_a_killed_process_leaves_every_page_intact(bank: SampleBank, other_weights: Path) -> None:
    with start_python(REENCODE, str(bank.database), str(other_weights)) as process:
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with bank.open() as memory:
        assert exactness(memory) >= 0.97
        for page in memory.pages(BANK).pages:
            tokens = memory.page_tokens(BANK, page.id)
            assert (tokens.tier, tokens.count) == (page.tier, page.vision_tokens)
        first = memory.operations.reencode(BANK)  # the killed process may still hold a lease on a page
        assert first.current >= 1
        bank.execute("UPDATE pages SET lease_until = NULL, lease_owner = NULL")  # as if a minute had passed
        second = memory.operations.reencode(BANK)
        assert reencoded_ids(second) == first.busy
        assert first.current + len(first.reencoded) + len(second.reencoded) == 3
        assert set(weights_of(memory).values()) == {memory.codec.weights}
        assert exactness(memory) >= 0.97


def test_a_page_changed_meanwhile_is_left_for_the_next_run(bank: SampleBank) -> None:
    def pin() -> None:
        with bank.open() as other:
            other.pin(BANK, bank.small.id)

    with bank.open(BothWeights(bank.codec, before_encode=pin)) as memory:
        report = memory.operations.reencode(BANK)
        assert (reencoded_ids(report), report.busy) == ([bank.tiny.id, bank.pinned.id], [bank.small.id])
        assert memory.page(BANK, bank.small.id).pinned
        assert reencoded_ids(memory.operations.reencode(BANK)) == [bank.small.id]

"""A bank over a vision–language model: sealed, aged, read and recalled from its stored tokens.

The weights are random and cannot read, so what the model writes is given; everything around it is real.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from foxing.encoder import VisionTokens
from foxing.encoder.vision.checkpoint import locate
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.deepseek import DeepSeekOcr
from foxing.encoder.vision.digest import weights_digest
from foxing.encoder.vision.generation import Generation
from foxing.encoder.vision.model import FREE_OCR
from foxing.memory import Memory
from foxing.renderer import PageLayout

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
LAYOUT = PageLayout(
    columns=40, rows=20, cell_width_px=32, cell_height_px=64, newline="break", font="dejavu-sans-mono", cropped=False
)
MESSAGES = ("The invoice went to the harbour office.\nIt was late.", "Nobody had read the offer for the kitchen.")
LINES = (
    "◆main ▶user 2026-01-05 08:00 The invoice",
    " went to the harbour office.",
    "It was late.",
    "▶assistant 08:01 Nobody had read the off",
    "er for the kitchen.",
)
#: The same on a printed page.
WIDER_LINES = (
    "◆main ▶user 2026-01-05 08:00 The invoice went to the harbour office.",
    "It was late.",
    "▶assistant 08:01 Nobody had read the offer for the kitchen.",
)


class Dictated(VisionCodec):
    """Writes what it is told. `dictation`: tokens → text and the confidence of each of its characters."""

    dictation: Callable[[VisionTokens], tuple[str, float]]

    def generate(self, tokens: Sequence[VisionTokens], prompt: str = FREE_OCR, subject: str = "") -> list[Generation]:
        for item in tokens:
            self._check(item)
        return [self._dictated(*self.dictation(item)) for item in tokens]

    @staticmethod
    def _dictated(text: str, confidence: float) -> Generation:
        sure = np.full(len(text), confidence, dtype=np.float32)
        return Generation(text, sure, np.zeros(len(text), dtype=bool), "end", confidence)


@pytest.fixture
def codec(deepseek_folder: Path) -> Dictated:
    place = locate(str(deepseek_folder), None)
    model = DeepSeekOcr.load(place, torch.device("cpu"), torch.float32)
    dictated = Dictated(model, weights_digest(place), layout=LAYOUT)
    dictated.dictation = lambda tokens: ("\n".join(LINES), 0.95)
    return dictated


@pytest.fixture
def memory(database_path: Path, codec: Dictated) -> Memory:
    memory = Memory(database_path, codec=codec, clock=lambda: START)
    memory.store(
        "ana",
        [
            {
                "id": f"m{number}",
                "thread": "main",
                "role": "assistant" if number % 2 else "user",
                "content": content,
                "created_at": START + timedelta(minutes=number),
            }
            for number, content in enumerate(MESSAGES)
        ],
    )
    memory.seal("ana")
    return memory


def test_a_page_ages_through_the_modes_and_its_messages_come_back_from_the_tokens(
    memory: Memory, codec: Dictated
) -> None:
    with memory:
        page = memory.pages("ana").pages[0]
        assert (page.tier, page.vision_tokens) == ("base", 256)
        for days, tier, count in ((8, "small", 100), (40, "tiny", 64), (500, "tiny", 64)):
            memory.age("ana", now=START + timedelta(days=days))
            page = memory.pages("ana").pages[0]
            assert (page.tier, page.vision_tokens, page.text_kept) == (tier, count, False)
            stored = memory.page_tokens("ana", page.id)
            assert stored.shape == codec.model.shape(tier)
            assert page.bytes >= count * codec.tiers[tier].bytes_per_token
        for number, content in enumerate(MESSAGES):
            span = memory.message("ana", f"m{number}")
            assert (span.text, span.source) == (content, "decoded")
            assert span.confidence == pytest.approx(0.95, abs=0.01)
            assert span.uncertain == []
        found = memory.recall("ana", "harbour invoice", now=START + timedelta(days=500)).spans
        assert [span.message_id for span in found] == ["m0"]


def test_a_reading_that_stops_early_says_so(memory: Memory, codec: Dictated) -> None:
    with memory:
        for said in ("", "\n".join(LINES[:2])):
            codec.dictation = lambda tokens, said=said: (said, 0.95)
            report = memory.age("ana", now=START + timedelta(days=8))
            assert (report.moved, report.text_dropped) == ([], []), "that is too little to give up the text for"
            assert "read as nothing" in report.unreadable[0].reason
        codec.dictation = lambda tokens: ("\n".join(LINES[:4]), 0.95)
        assert len(memory.age("ana", now=START + timedelta(days=8)).moved) == 1
        assert memory.message("ana", "m0").text == MESSAGES[0]
        lost = memory.message("ana", "m1")
        read = LINES[3].removeprefix("▶assistant 08:01 ")
        assert lost.text.startswith(read)
        assert 0 < lost.confidence < 0.95
        assert sum(stop - start for start, stop, _ in lost.uncertain) == len(lost.text) - len(read)


def test_text_is_not_given_up_for_a_page_that_was_guessed(memory: Memory, codec: Dictated) -> None:
    with memory:
        codec.dictation = lambda tokens: ("\n".join(LINES), 0.1)
        report = memory.age("ana", now=START + timedelta(days=8))
        assert (report.moved, report.text_dropped) == ([], [])
        assert {"read as nothing" in left.reason for left in report.unreadable} == {True}
        assert memory.message("ana", "m0").source == "text"
        found = memory.recall("ana", "harbour", now=START + timedelta(days=9)).spans
        assert [span.message_id for span in found] == ["m0"]


def test_a_bank_laid_out_for_another_codec_does_not_age_until_it_is_typeset_again(
    memory: Memory, database_path: Path, codec: Dictated
) -> None:
    with memory:
        before = memory.page_tokens("ana", memory.pages("ana").pages[0].id)
    wider = Dictated(codec.model, "0123456789ab")
    wider.dictation = lambda tokens: ("nothing of the kind", 0.95)
    with Memory(database_path, codec=wider, clock=lambda: START) as other:
        assert other.age("ana", now=START + timedelta(days=8)).moved == []
        (left,) = other.reencode("ana").unreadable
        assert "would lose" in left.reason
        page = other.pages("ana").pages[0]
        assert (page.tier, page.text_kept) == ("base", True)
        assert other.page_tokens("ana", page.id) == before
        wider.dictation = lambda tokens: ("\n".join(WIDER_LINES), 0.95)
        (moved,) = other.reencode("ana").reencoded
        assert (moved.pages, moved.source) == (1, "text")
        assert other.page_tokens("ana", page.id).weights == "0123456789ab"
        assert other.age("ana", now=START + timedelta(days=8)).moved != []
        for number, content in enumerate(MESSAGES):
            span = other.message("ana", f"m{number}")
            assert (span.text, span.source) == (content, "decoded")

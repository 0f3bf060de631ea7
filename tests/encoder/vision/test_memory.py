"""Banks over vision–language models: sealed, aged, read and recalled from stored tokens.

The weights are random and cannot read, so the generated text is scripted; everything else is real.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from foxing.encoder import VisionTokens
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.digest import weights_digest
from foxing.encoder.vision.generation import Generation
from foxing.encoder.vision.models.checkpoint import locate
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.encoder.vision.models.got import GotOcr2
from foxing.encoder.vision.models.model import VisionModel
from foxing.encoder.vision.models.qwen import QwenVl
from foxing.memory import Memory, MemoryOptions, Policy
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
INVOICE = "The invoice went to the harbour office."
INVOICE_LINES = ("◆main ▶user 2026-01-05 08:00 The invoice", " went to the harbour office.")
#: `LINES` on a printed page.
WIDER_LINES = (
    "◆main ▶user 2026-01-05 08:00 The invoice went to the harbour office.",
    "It was late.",
    "▶assistant 08:01 Nobody had read the offer for the kitchen.",
)


class ScriptedCodec(VisionCodec):
    """Generates a scripted text for every page."""

    text = "\n".join(LINES)
    #: Of every character.
    confidence = 0.95

    def generate(self, tokens: Sequence[VisionTokens]) -> list[Generation]:
        for item in tokens:
            self._check(item)
        confidence = np.full(len(self.text), self.confidence, dtype=np.float32)
        looped = np.zeros(len(self.text), dtype=bool)
        return [Generation(self.text, confidence, looped, "end") for _ in tokens]


@pytest.fixture
def codec(deepseek: DeepSeekOcr, deepseek_weights: str) -> ScriptedCodec:
    return ScriptedCodec(deepseek, deepseek_weights, layout=LAYOUT)


@pytest.fixture
def memory(database_url: str, codec: ScriptedCodec) -> Memory:
    memory = Memory(database_url, codec=codec, clock=lambda: START, options=MemoryOptions(embedder="none"))
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


@pytest.mark.slow
def test_a_page_ages_through_the_tiers_and_is_recalled_from_its_tokens(memory: Memory, codec: ScriptedCodec) -> None:
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
        spans = memory.recall("ana", "harbour invoice", now=START + timedelta(days=500)).spans
        assert spans[0].message_id == "m0"


@pytest.mark.slow
def test_an_incomplete_reading_is_uncertain(memory: Memory, database_url: str, codec: ScriptedCodec) -> None:
    with memory:
        for text in ("", "\n".join(LINES[:2])):
            codec.text = text
            report = memory.age("ana", now=START + timedelta(days=8))
            assert (report.moved, report.text_dropped) == ([], []), "too little was read to drop the text"
            assert "are unreadable now" in report.unreadable[0].reason
        codec.text = "\n".join(LINES[:4])
        report = memory.age("ana", now=START + timedelta(days=8))
        assert (report.moved, memory.message("ana", "m1").source) == ([], "text")
        assert "of its characters; the page is left unchanged" in report.unreadable[0].reason
        codec.text = "\n".join(LINES)
        assert memory.age("ana", now=START + timedelta(days=8.5)).moved == [], "it is not tried again at each tick"
        assert len(memory.age("ana", now=START + timedelta(days=9)).moved) == 1
    codec.text = "\n".join(LINES[:4])
    with Memory(database_url, codec=codec, clock=lambda: START) as memory:
        assert memory.message("ana", "m0").text == MESSAGES[0]
        incomplete = memory.message("ana", "m1")
        read = LINES[3].removeprefix("▶assistant 08:01 ")
        assert incomplete.text.startswith(read)
        assert 0 < incomplete.confidence < 0.95
        assert sum(stop - start for start, stop, _ in incomplete.uncertain) == len(incomplete.text) - len(read)


def uncertain(memory: Memory, message_id: str) -> list[str]:
    """What of a message is flagged."""
    span = memory.message("ana", message_id)
    return [span.text[start:stop] for start, stop, _ in span.uncertain]


@pytest.mark.slow
def test_what_was_read_wrong_stays_flagged_however_certain_the_model_is(
    memory: Memory, database_url: str, codec: ScriptedCodec
) -> None:
    codec.text = codec.text.replace("harbour", "hxrbour").replace("Nobody", "Somebody")
    with memory:
        for days, tier in ((8, "small"), (40, "tiny")):  # at `tiny` it reads just what is drawn
            assert len(memory.age("ana", now=START + timedelta(days=days)).moved) == 1
            page = memory.pages("ana").pages[0]
            assert (page.tier, memory.page_tokens("ana", page.id).misread != b"") == (tier, True)
            assert (uncertain(memory, "m0"), memory.message("ana", "m0").confidence < 0.95) == (["x"], True)
            assert "hxrbour" in memory.message("ana", "m0").text
            hits = memory.recall("ana", "hxrbour", now=START + timedelta(days=days)).spans
            assert [span.message_id for span in hits] == [], "a flagged word is in no index"
        assert memory.read_page("ana", page.id).uncertain != []
    with Memory(database_url, codec=codec, clock=lambda: START) as reopened:
        assert uncertain(reopened, "m0") == ["x"]
        codec.text = "\n".join(codec.text.split("\n")[:3])
        reopened.erase_message("ana", "m1")
        assert uncertain(reopened, "m0") == ["x"], "nor is it forgotten where another message is erased"


def test_a_page_is_not_aged_once_a_twentieth_of_its_text_is_read_wrong(memory: Memory, codec: ScriptedCodec) -> None:
    right = codec.text
    with memory:
        codec.text = right.replace("Nobody", "Xxxxxx")
        report = memory.age("ana", now=START + timedelta(days=8))
        assert (report.moved, memory.message("ana", "m1").source) == ([], "text")
        assert "of its characters; the page is left unchanged" in report.unreadable[0].reason
        codec.text = right.replace("Nobody", "Xxxody")
        assert len(memory.age("ana", now=START + timedelta(days=9)).moved) == 1
        assert uncertain(memory, "m1") == ["Xxx"]  # and what `small` reads is cached
        codec.text = codec.text.replace("kitchen", "kxxxhen")
        report = memory.age("ana", now=START + timedelta(days=40))
        assert (report.moved, memory.pages("ana").pages[0].tier) == ([], "small"), "the two together are too much"
        assert "of its characters; the page is left unchanged" in report.unreadable[0].reason


def test_a_page_that_keeps_no_text_from_the_start_is_compared_too(database_url: str, codec: ScriptedCodec) -> None:
    policy = Policy(fresh="small", steps=(), keep_text="until:base")
    message = {"id": "m", "thread": "main", "role": "user", "content": INVOICE, "created_at": START}
    for bank, text, source in (("ana", "Xxx ixxxxxx xxxx", "text"), ("ben", "The xnvoice went", "decoded")):
        codec.text = "\n".join(INVOICE_LINES).replace("The invoice\n went", text[:11] + "\n" + text[11:])
        with Memory(database_url, codec=codec, clock=lambda: START) as memory:
            memory.set_policy(bank, policy)
            memory.store(bank, [message])
            memory.seal(bank)
            span = memory.message(bank, "m")
            assert span.source == source
            assert [span.text[a:b] for a, b, _ in span.uncertain] == ([] if source == "text" else ["x"])


def test_text_is_kept_if_its_page_reads_with_low_confidence(memory: Memory, codec: ScriptedCodec) -> None:
    with memory:
        codec.confidence = 0.1
        report = memory.age("ana", now=START + timedelta(days=8))
        assert (report.moved, report.text_dropped) == ([], [])
        assert {"are unreadable now" in left.reason for left in report.unreadable} == {True}
        assert memory.message("ana", "m0").source == "text"
        spans = memory.recall("ana", "harbour", now=START + timedelta(days=9)).spans
        assert spans[0].message_id == "m0"


@pytest.mark.slow
def test_a_bank_laid_out_for_another_codec_ages_after_reencoding(
    memory: Memory, database_url: str, codec: ScriptedCodec
) -> None:
    with memory:
        before = memory.page_tokens("ana", memory.pages("ana").pages[0].id)
    wider = ScriptedCodec(codec.model, "0123456789ab")
    wider.text = "something else"
    with Memory(database_url, codec=wider, clock=lambda: START) as other:
        assert other.age("ana", now=START + timedelta(days=8)).moved == []
        (left,) = other.operations.reencode("ana").unreadable
        assert "would lose" in left.reason
        page = other.pages("ana").pages[0]
        assert (page.tier, page.text_kept) == ("base", True)
        assert other.page_tokens("ana", page.id) == before
        wider.text = "\n".join(WIDER_LINES)
        (moved,) = other.operations.reencode("ana").reencoded
        assert (moved.pages, moved.source) == (1, "text")
        assert other.page_tokens("ana", page.id).weights == "0123456789ab"
        assert other.age("ana", now=START + timedelta(days=8)).moved != []
        for number, content in enumerate(MESSAGES):
            span = other.message("ana", f"m{number}")
            assert (span.text, span.source) == (content, "decoded")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "model", "steps"),
    [
        ("got_ocr2", GotOcr2, [(8, "base", 256), (500, "base", 256)]),
        ("qwen3_vl", QwenVl, [(8, "small", 400), (40, "tiny", 256), (500, "tiny", 256)]),
        ("qwen2_vl", QwenVl, [(8, "small", 529), (40, "tiny", 324), (500, "tiny", 324)]),
    ],
)
def test_a_page_ages_through_the_tiers_of_other_models(
    model_folder: Callable[[str], Path],
    database_url: str,
    kind: str,
    model: type[VisionModel],
    steps: list[tuple[int, str, int]],
) -> None:
    checkpoint = locate(str(model_folder(kind)), None)
    loaded = model.load(checkpoint, torch.device("cpu"), torch.float32)
    codec = ScriptedCodec(loaded, weights_digest(checkpoint), layout=LAYOUT)
    codec.text = "\n".join(INVOICE_LINES)
    message = {"id": "m", "thread": "main", "role": "user", "content": INVOICE, "created_at": START}
    with Memory(database_url, codec=codec, clock=lambda: START) as memory:
        memory.store("ana", [message])
        memory.seal("ana")
        assert memory.pages("ana").pages[0].tier == "base"
        for days, tier, count in steps:
            now = START + timedelta(days=days)
            planned = memory.age("ana", now=now, dry_run=True)
            done = memory.age("ana", now=now)
            assert planned.bytes_after == done.bytes_after
            page = memory.pages("ana").pages[0]
            assert (page.tier, page.vision_tokens) == (tier, count)
            stored = memory.page_tokens("ana", page.id)
            assert (stored.shape, stored.dtype) == (loaded.shape(tier), "bfloat16")
        span = memory.message("ana", "m")
        assert (span.text, span.source) == (INVOICE, "text" if kind == "got_ocr2" else "decoded")

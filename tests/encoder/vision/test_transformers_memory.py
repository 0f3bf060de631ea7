"""Banks over models with one tier, and with tokens that cover less than 64 px. The weights are random and cannot read,
so what the model writes is given."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from foxing.encoder import VisionTokens
from foxing.encoder.vision.checkpoint import locate
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.digest import weights_digest
from foxing.encoder.vision.generation import Generation
from foxing.encoder.vision.got import GotOcr2
from foxing.encoder.vision.model import FREE_OCR, VisionModel
from foxing.encoder.vision.qwen import QwenVl
from foxing.memory import Memory
from foxing.renderer import PageLayout

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
LAYOUT = PageLayout(
    columns=40, rows=20, cell_width_px=32, cell_height_px=64, newline="break", font="dejavu-sans-mono", cropped=False
)
TEXT = "The invoice went to the harbour office."
LINES = "◆main ▶user 2026-01-05 08:00 The invoice\n went to the harbour office."


class Dictated(VisionCodec):
    """Writes the same for every page."""

    def generate(self, tokens: Sequence[VisionTokens], prompt: str = FREE_OCR, subject: str = "") -> list[Generation]:
        for item in tokens:
            self._check(item)
        sure, looped = np.full(len(LINES), 0.95, dtype=np.float32), np.zeros(len(LINES), dtype=bool)
        return [Generation(LINES, sure, looped, "end", 0.95) for _ in tokens]


@pytest.mark.parametrize(
    ("kind", "model", "steps"),
    [
        ("got_ocr2", GotOcr2, [(8, "base", 256), (500, "base", 256)]),
        ("qwen3_vl", QwenVl, [(8, "small", 400), (40, "tiny", 256), (500, "micro", 100)]),
        ("qwen2_vl", QwenVl, [(8, "small", 529), (40, "tiny", 324), (500, "micro", 121)]),
    ],
)
def test_a_page_ages_through_the_tiers_there_are(
    model_folder: Callable[[str], Path],
    database_path: Path,
    kind: str,
    model: type[VisionModel],
    steps: list[tuple[int, str, int]],
) -> None:
    place = locate(str(model_folder(kind)), None)
    loaded = model.load(place, torch.device("cpu"), torch.float32)
    codec = Dictated(loaded, weights_digest(place), layout=LAYOUT, token_dtype="int8")
    message = {"id": "m", "thread": "main", "role": "user", "content": TEXT, "created_at": START}
    with Memory(database_path, codec=codec, clock=lambda: START) as memory:
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
            assert (stored.shape, stored.dtype) == (loaded.shape(tier), "int8")
        span = memory.message("ana", "m")
        assert (span.text, span.source) == (TEXT, "text" if kind == "got_ocr2" else "decoded")

"""Held-out accuracy of a network during training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from foxing.encoder.bench import development
from foxing.encoder.bench.documents import dense_pages, read_messages
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.decoder import PageStreams
from foxing.encoder.native.runner import NetworkRunner, to_pixels
from foxing.encoder.native.weights import LoadedWeights
from foxing.renderer import DENSE_PAGE, Typesetter, render
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells

#: Held-out files that are evaluated.
EVALUATED = (
    *("en_sgd", "en_irc", "en_swe_agent", "ko_nsmc", "ja_real_persona_chat", "zh_kdconv", "de_gesetze", "fr_tldr"),
    "ru_tldr",
)
BATCH_PAGES = 4


def held_out_pages(folder: Path, charset: Charset, names: Sequence[str]) -> dict[str, list[Cells]]:
    """Returns the cells of up to two development pages of each file, by its name. No reported figure uses these
    pages."""
    setter = Typesetter(repertoire=charset.repertoire)
    result: dict[str, list[Cells]] = {}
    for name in names:
        path = folder / f"{name}.jsonl.gz"
        if path.exists():
            pages = dense_pages(list(read_messages(path)), setter, 4)
            result[name] = [page.cells for page in development(pages)[:2]]
    return {name: cells for name, cells in result.items() if cells}


def cell_accuracy(runner: NetworkRunner, pages: Sequence[Cells], tier: str) -> float:
    """Returns the share of the characters of `pages` that the encoder recognises, without blanks."""
    right = total = 0
    for start in range(0, len(pages), BATCH_PAGES):
        part = pages[start : start + BATCH_PAGES]
        recognized = runner.recognize(to_pixels([render(cells, DENSE_PAGE, tier) for cells in part]), tier)
        for cells, read in zip(part, recognized.cells, strict=True):
            original = np.where(cells == BLANK, 0x20, cells)
            used = (original != 0x20) & (original != WIDE_TAIL)
            right += int(((read[: len(cells)] == original) & used).sum())
            total += int(used.sum())
    return right / max(1, total)


def evaluate(weights: LoadedWeights, held_out: Mapping[str, Sequence[Cells]]) -> dict[str, float]:
    """Returns the accuracy by "tier/text"."""
    weights.model.eval()
    runner = NetworkRunner(weights.model, weights.charset, PageStreams(weights.prior, weights.charset))
    report = {
        f"{tier}/{name}": round(cell_accuracy(runner, pages, tier), 5)
        for tier in weights.model.dims.tiers
        for name, pages in held_out.items()
    }
    weights.model.train()
    return report

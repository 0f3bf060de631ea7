"""What the demo measures: size and accuracy of the aged pages, and one page at every tier."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zstandard
from rapidfuzz.distance import Levenshtein

from foxing.encoder import Codec
from foxing.memory import InvalidInput, Memory
from foxing.renderer import Page, grid_text, render, shown_text, tier_rank

from .originals import all_pages

ZSTD_LEVEL = 19


@dataclass(frozen=True)
class TierRow:
    """All pages that ended at one tier."""

    tier: str
    pages: int
    #: Of the original pages.
    characters: int
    vision_tokens: int
    token_bytes: int
    #: The text of the original pages, compressed as one stream.
    zstd_bytes: int
    #: 1 − Levenshtein distance / longer length, between the original pages and what their vision tokens decode to.
    accuracy: float

    @property
    def bits_per_character(self) -> float:
        return self.token_bytes * 8 / self.characters

    def to_dict(self) -> dict[str, Any]:
        """The fields and `bits_per_character`, rounded."""
        bits_per_character = round(self.bits_per_character, 3)
        return {**asdict(self), "bits_per_character": bits_per_character, "accuracy": round(self.accuracy, 5)}


def measure_tiers(memory: Memory, bank: str, originals: Mapping[str, Page]) -> list[TierRow]:
    """One row per tier that holds pages, sharpest first. `originals`: pages as first sealed, by id."""
    ids: dict[str, list[str]] = {}
    vision_tokens: dict[str, int] = {}
    for page in all_pages(memory, bank):
        ids.setdefault(page.tier, []).append(page.id)
        vision_tokens[page.tier] = vision_tokens.get(page.tier, 0) + page.vision_tokens
    rows = []
    for tier in sorted(ids, key=tier_rank):
        tokens = [memory.page_tokens(bank, page_id) for page_id in ids[tier]]
        decoded = [reading.text for reading in memory.codec.decode(tokens)]
        typeset = [grid_text(originals[page_id].cells) for page_id in ids[tier]]
        longer = sum(max(len(a), len(b)) for a, b in zip(decoded, typeset, strict=True))
        distance = sum(Levenshtein.distance(a, b) for a, b in zip(decoded, typeset, strict=True))
        stream = "\n".join(typeset).encode("utf-8", "surrogatepass")
        rows.append(
            TierRow(
                tier=tier,
                pages=len(tokens),
                characters=sum(map(len, typeset)),
                vision_tokens=vision_tokens[tier],
                token_bytes=sum(len(part.to_bytes()) for part in tokens),
                zstd_bytes=len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(stream)),
                accuracy=1 - distance / longer,
            )
        )
    return rows


def write_page(page: Page, codec: Codec, output: Path) -> list[Path]:
    """Writes `page-<tier>.png`, and `page-<tier>.txt` with the text decoded from it, for each tier of `codec`.

    Returns the files. Raises `InvalidInput` if one cannot be written.
    """
    files: list[Path] = []
    for tier in sorted(codec.tiers, key=tier_rank):
        image = render(page.cells, page.layout, tier)
        reading = codec.decode(codec.encode([image], tier))[0]
        rows = (shown_text(row).rstrip() for row in reading.cells[: page.rows_used])
        picture, text = output / f"page-{tier}.png", output / f"page-{tier}.txt"
        try:
            image.save(picture)
            text.write_text("\n".join(rows) + "\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise InvalidInput(f"{picture} cannot be written ({error.strerror}); choose another --output") from error
        files += [picture, text]
    return files

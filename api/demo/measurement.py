"""What the demo measures: size and accuracy of the aged pages, and one page at every tier."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zstandard

from foxing.encoder import Codec, PageDrawer, annotate_page
from foxing.encoder.bench.comparison import WordComparison, compare_message
from foxing.encoder.bench.word_classes import WordClass
from foxing.encoder.bench.word_lists import ENGLISH
from foxing.memory import InvalidInput, Memory
from foxing.renderer import Entry, Page, render, shown_text, tier_rank, transcribe_spans

from .originals import all_pages

ZSTD_LEVEL = 19
_FACTS = (WordClass.NAME, WordClass.NUMBER, WordClass.DATE, WordClass.NEGATION)


@dataclass(frozen=True)
class TierRow:
    """All pages that ended at one tier."""

    tier: str
    pages: int
    #: Of the original pages.
    characters: int
    #: Of the pages as they are read now.
    characters_left: int
    vision_tokens: int
    token_bytes: int
    #: The full text of the original pages, compressed exactly as one stream.
    zstd_bytes: int
    #: What is left of it, compressed in the same way.
    zstd_bytes_left: int
    #: Words of the original pages, and those of them that are still read.
    words: int
    words_kept: int
    #: Of these, the names, numbers, dates and negations.
    facts: int
    facts_kept: int
    #: Words that are read and were never there.
    words_invented: int

    @property
    def bits_per_character(self) -> float:
        return self.token_bytes * 8 / self.characters

    def to_dict(self) -> dict[str, Any]:
        """The fields and `bits_per_character`, rounded."""
        return {**asdict(self), "bits_per_character": round(self.bits_per_character, 3)}


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
        counted = WordComparison()
        left: list[str] = []
        for page_id in ids[tier]:
            original = originals[page_id]
            parts = zip(original.spans, transcribe_spans(original), strict=True)
            texts = {span.message_id: part.text for span, part in parts}
            reading = memory.read_page(bank, page_id)
            left.append(reading.text)
            for message in reading.messages:
                compare_message(texts[message.message_id], message.text, message.gaps, ENGLISH, counted)
        typeset = [shown_text(originals[page_id].cells) for page_id in ids[tier]]
        rows.append(
            TierRow(
                tier=tier,
                pages=len(tokens),
                characters=sum(map(len, typeset)),
                characters_left=sum(map(len, left)),
                vision_tokens=vision_tokens[tier],
                token_bytes=sum(len(part.to_bytes()) for part in tokens),
                zstd_bytes=_zstd_bytes(typeset),
                zstd_bytes_left=_zstd_bytes(left),
                words=counted.words.total(),
                words_kept=counted.right.total(),
                facts=sum(counted.words[of] for of in _FACTS),
                facts_kept=sum(counted.right[of] for of in _FACTS),
                words_invented=counted.invented,
            )
        )
    return rows


def _zstd_bytes(texts: Sequence[str]) -> int:
    stream = "\n".join(texts).encode("utf-8", "surrogatepass")
    return len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(stream))


def write_page(page: Page, messages: Mapping[str, Entry], codec: Codec, output: Path) -> list[Path]:
    """Writes `page-<tier>.png`, and `page-<tier>.txt` with the text decoded from it, for each tier of `codec`.

    `messages`: those on the page, by id. Returns the files. Raises `InvalidInput` if one cannot be written.
    """
    files: list[Path] = []
    drawer, annotated = PageDrawer(codec), annotate_page(page, messages)
    for tier in sorted(codec.tiers, key=tier_rank):
        drawn = drawer.draw([annotated], tier)[0]
        reading = drawn.reading or codec.decode([drawn.tokens])[0]
        rows = (shown_text(row).rstrip() for row in reading.cells[: len(drawn.cells)])
        picture, text = output / f"page-{tier}.png", output / f"page-{tier}.txt"
        try:
            render(drawn.cells, page.layout, tier).save(picture)
            text.write_text("\n".join(rows) + "\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise InvalidInput(f"{picture} cannot be written ({error.strerror}); choose another --output") from error
        files += [picture, text]
    return files

"""Measurements of the demo: size and accuracy of the aged pages, and one page at every tier."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zstandard

from foxing.api.cli.context import all_pages
from foxing.encoder.bench.comparison import WordComparison
from foxing.memory import InvalidInput, Memory, NewMessage, PageReading
from foxing.renderer import tier_rank

ZSTD_LEVEL = 19
#: The bank of the page that is shown at every tier.
SHOWN_BANK = "shown"


@dataclass(frozen=True)
class TierRow:
    """All pages that ended at one tier."""

    tier: str
    pages: int
    #: Characters of the original pages.
    characters: int
    #: Characters of the pages as read now.
    characters_left: int
    vision_tokens: int
    token_bytes: int
    #: Size of the original text, compressed losslessly as one stream.
    zstd_bytes: int
    #: Size of the remaining text, compressed in the same way.
    zstd_bytes_left: int
    #: Words of the original pages.
    words: int
    #: Words of the original pages that are still read.
    words_kept: int
    #: Words that never fade by rule, such as names, numbers, dates and negations with what they negate.
    facts: int
    #: Facts that are still read.
    facts_kept: int
    #: Words read that are not in the original pages.
    words_invented: int

    @property
    def bits_per_character(self) -> float:
        """Size of the vision tokens in bits, divided by the characters of the original pages."""
        return self.token_bytes * 8 / self.characters

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields and the rounded `bits_per_character`."""
        return {**asdict(self), "bits_per_character": round(self.bits_per_character, 3)}


def measure_tiers(memory: Memory, bank: str, originals: Mapping[str, PageReading]) -> list[TierRow]:
    """Returns one row per tier that has pages, sharpest first. `originals`: page id → the page as read when it was
    sealed."""
    pages = all_pages(memory, bank)
    rows = []
    for tier in sorted({page.tier for page in pages}, key=tier_rank):
        at_tier = [page for page in pages if page.tier == tier]
        before = [originals[page.id] for page in at_tier]
        after = [memory.read_page(bank, page.id) for page in at_tier]
        counted = WordComparison()
        for original, reading in zip(before, after, strict=True):
            texts = {message.message_id: message.text for message in original.messages}
            for message in reading.messages:
                counted.add(texts[message.message_id], message.text, message.gaps)
        full_text = [reading.text for reading in before]
        remainder = [reading.text for reading in after]
        rows.append(
            TierRow(
                tier=tier,
                pages=len(at_tier),
                characters=sum(map(len, full_text)),
                characters_left=sum(map(len, remainder)),
                vision_tokens=sum(page.vision_tokens for page in at_tier),
                token_bytes=sum(len(memory.page_tokens(bank, page.id).to_bytes()) for page in at_tier),
                zstd_bytes=_zstd_bytes(full_text),
                zstd_bytes_left=_zstd_bytes(remainder),
                words=counted.words,
                words_kept=counted.words_kept,
                facts=counted.facts,
                facts_kept=counted.facts_kept,
                words_invented=counted.invented,
            )
        )
    return rows


def _zstd_bytes(texts: Sequence[str]) -> int:
    stream = "\n".join(texts).encode("utf-8", "surrogatepass")
    return len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(stream))


def write_page(memory: Memory, messages: Sequence[NewMessage], output: Path) -> list[Path]:
    """Seals `messages` in a separate bank and writes its first page at each tier of the codec: the image as
    `page-<tier>.png`, the text decoded from it as `page-<tier>.txt`.

    Returns the files. Raises `InvalidInput` if a file cannot be written.
    """
    tiers = sorted(memory.codec.tiers, key=tier_rank)
    memory.set_policy(SHOWN_BANK, {"fresh": tiers[0], "steps": []})
    memory.store(SHOWN_BANK, messages)
    page_id = memory.seal(SHOWN_BANK).pages[0]
    files: list[Path] = []
    for tier in tiers:
        picture = output / f"page-{tier}.png"
        text = output / f"page-{tier}.txt"
        rows = (line.text.rstrip() for line in memory.read_page(SHOWN_BANK, page_id, tier).lines)
        try:
            picture.write_bytes(memory.page_image(SHOWN_BANK, page_id, tier))
            text.write_text("\n".join(rows) + "\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise InvalidInput(f"{picture} cannot be written ({error.strerror}); choose another --output") from error
        files += [picture, text]
    return files

"""Measures the accuracy of the tiny reader end to end, through storing, ageing and recall.

    python -m training.tiny_reader.bank [--banks 4]

Each bank holds thirty messages of the model's vocabulary, from seeds that training never uses. It is sealed, aged to
`small` and to `tiny`, where pages are drawn from the text decoded before, and recalled by its time window. Pages are
decoded from their stored tokens and compared with the typeset pages row by row, headers included. Silent errors are
wrong characters of recalled messages that are not flagged.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

from foxing.encoder import Codec, load_codec
from foxing.memory import Memory
from foxing.renderer import Entry, Typesetter

from .synthetic_pages import TINY_PAGE, PageGenerator, page_text

WEIGHTS = Path(__file__).parents[2] / "tests" / "encoder" / "vision" / "data" / "tiny-reader"
BANK = "ana"
FIRST_SEED = 77_000_300
MESSAGES = 30
START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
#: Tier → age in days at which the default policy has moved messages there.
AGES = {"base": 0, "small": 8, "tiny": 40}


class Text(NamedTuple):
    """A page or message as read, compared with the original."""

    tier: str
    #: "page" or "message".
    kind: str
    decoded: bool
    wrong: int
    characters: int
    #: Wrong characters of a message that are not flagged; 0 for a page.
    silent: int = 0


def messages(seed: int) -> list[dict[str, Any]]:
    """Returns the messages of one bank, always the same for a seed."""
    generator = PageGenerator(seed)
    return [
        {
            "id": f"m{number:02d}",
            "thread": "main",
            "role": ("user", "assistant")[number % 2],
            "content": generator.text(),
            "created_at": START + timedelta(minutes=3 * number),
        }
        for number in range(MESSAGES)
    ]


def read_back(codec: Codec, folder: Path, seed: int) -> Iterator[Text]:
    """Yields every page and message of one bank at each tier."""
    stored = messages(seed)
    contents = {message["id"]: message["content"] for message in stored}
    entries = [Entry(m["id"], m["role"], m["content"], m["created_at"], m["thread"]) for m in stored]
    typeset = [page_text(page.cells) for page in Typesetter(TINY_PAGE).pages(entries)]
    with Memory(folder / f"{seed}.db", codec=codec, clock=lambda: START + timedelta(hours=2)) as memory:
        memory.store(BANK, stored)
        memory.seal(BANK, now=START + timedelta(hours=2))
        for tier, days in AGES.items():
            now = START + timedelta(days=days, hours=3)
            memory.age(BANK, now=now)
            pages = sorted(memory.pages(BANK, limit=500).pages, key=lambda page: page.first_at)
            readings = codec.decode([memory.page_tokens(BANK, page.id) for page in pages])
            for text, page, reading in zip(typeset, pages, readings, strict=True):
                yield _compared(tier, "page", page.tier == tier, text, page_text(reading.cells))
            found = memory.recall(BANK, since=START, until=START + timedelta(days=1), now=now, limit=500).spans
            for span in found:
                said = _compared(tier, "message", span.source == "decoded", contents[span.message_id], span.text)
                flagged = {place for start, stop, _ in span.uncertain for place in range(start, stop)}
                yield said._replace(silent=_silent(contents[span.message_id], span.text, flagged))


def _compared(tier: str, kind: str, decoded: bool, original: str, read: str) -> Text:
    return Text(tier, kind, decoded, Levenshtein.distance(original, read), max(len(original), len(read)))


def _silent(original: str, read: str, flagged: set[int]) -> int:
    """Number of edits from `original` to `read` that are not at a flagged character, nor beside one if a character is
    missing."""
    edits = [(edit.dest_pos, edit.tag == "delete") for edit in Levenshtein.editops(original, read)]
    return sum(place not in flagged and not (missing and place - 1 in flagged) for place, missing in edits)


def main() -> None:
    """Runs the command and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banks", type=int, default=4, help="number of banks (default: %(default)s)")
    banks = parser.parse_args().banks
    codec = load_codec("deepseek-ocr", "cpu", {"model": str(WEIGHTS)})
    texts: dict[tuple[str, str], list[Text]] = defaultdict(list)
    with TemporaryDirectory() as folder:
        for seed in range(FIRST_SEED, FIRST_SEED + banks):
            for text in read_back(codec, Path(folder), seed):
                texts[text.tier, text.kind].append(text)
    columns = (
        "tier",
        "kind",
        "number",
        "decoded at the tier",
        "below 95 %",
        "accuracy, decoded",
        "accuracy, all",
        "silent errors",
    )
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for (tier, kind), group in texts.items():
        decoded = [text for text in group if text.decoded]
        below = sum(text.wrong > 0.05 * text.characters for text in decoded)
        silent = sum(text.silent for text in decoded) / max(1, sum(text.characters for text in decoded))
        numbers = f"{len(group)} | {len(decoded)} | {below} | {_right(decoded)} | {_right(group)}"
        print(f"| `{tier}` | {kind}s | {numbers} | {f'{silent:.2%}' if kind == 'message' else ''} |")


def _right(texts: list[Text]) -> str:
    characters = sum(text.characters for text in texts)
    return f"{1 - sum(text.wrong for text in texts) / characters:.2%}" if characters else ""


if __name__ == "__main__":
    main()

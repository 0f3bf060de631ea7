"""Measures how well misread pages are aligned with their messages: ten corruptions, alone and in threes.

python -m benchmarks.alignment
python -m benchmarks.alignment --texts FILE.jsonl.gz --pages 20
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.command_line import Advance, add_json_option, at_least, progress_bar, show_rows, write_json
from foxing.api.demo.conversation import STARTS_AT, demo_conversation
from foxing.encoder.bench.documents import entries, read_messages
from foxing.renderer import Entry, FoxingError

from .corruptions import CORRUPTIONS
from .measurement import AlignmentResult, PlacedPage, measure, placed_pages

AT_ONCE = 3
WORST_SHOWN = 3
DOCUMENTS = 300  # read from each file


def demo_entries() -> list[Entry]:
    """Returns the messages of the demo as entries."""
    return [
        Entry(m.id or "", m.role, str(m.content), m.created_at or STARTS_AT, m.thread or "", m.name)
        for m in demo_conversation()
    ]


def combined(pages: list[PlacedPage]) -> Iterator[tuple[tuple[str, ...], AlignmentResult]]:
    """Yields the result of every combination of three corruptions."""
    for names in combinations([name for name in CORRUPTIONS if name != "rows exact"], AT_ONCE):
        yield names, measure(pages, names)


def row(name: str, placement: AlignmentResult, pages: int) -> dict[str, Any]:
    """Returns the table row of one corruption, measured on `pages` pages."""
    return {
        "corruption": name,
        "messages": placement.messages,
        **placement.shares(),
        "misread_bytes": placement.misread_bytes / max(1, pages),
    }


def mean(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the mean of the figures of `rows`, with the total number of messages."""
    figures = {key: fmean(row[key] for row in rows) for key in rows[0] if key not in ("corruption", "messages")}
    return {"corruption": name, "messages": sum(row["messages"] for row in rows), **figures}


def measured(entries: Iterable[Entry], pages: int, several: int, advance: Advance) -> list[dict[str, Any]]:
    """Returns the rows of one text: each corruption, the worst combinations of three, and the mean of all combinations.
    `several`: pages on which combinations are measured; 0 leaves them out."""
    placed = placed_pages(entries, pages)
    rows = []
    for done, name in enumerate(CORRUPTIONS, start=1):
        rows.append(row(name, measure(placed, [name]), len(placed)))
        advance(done, len(CORRUPTIONS))
    if several:
        few = placed[:several]
        combinations = [row(" + ".join(names), found, len(few)) for names, found in combined(few)]
        rows += sorted(combinations, key=lambda item: float(item["right_where_read"]))[:WORST_SHOWN]
        rows.append(mean("three at once, mean", combinations))
    sizes = fmean(page.map_bytes for page in placed)
    return [{**item, "map_bytes": sizes} for item in rows]


def main() -> int:
    """Runs the command. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment", description=__doc__)
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="JSON Lines of documents; default: the demo")
    parser.add_argument(
        "--pages", type=at_least(1), default=60, help="maximum number of pages per text (default: %(default)s)"
    )
    parser.add_argument(
        "--combined",
        type=at_least(0),
        default=6,
        help="pages for combinations of three corruptions (default: %(default)s)",
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    try:
        texts = {path.name: entries(list(islice(read_messages(path), DOCUMENTS))) for path in arguments.texts}
    except (FoxingError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for text, messages in (texts or {"demo": demo_entries()}).items():
        with progress_bar(text) as advance:
            found = measured(messages, arguments.pages, arguments.combined, advance)
        rows += [{"text": text, **item} for item in found]
    if arguments.as_json:
        write_json({"rows": rows})
    else:
        show_rows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

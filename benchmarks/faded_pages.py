"""Excerpts of pages before and after fading to `micro`, with remarks on what is left.

python -m benchmarks.faded_pages --output docs/explanation/faded.md
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path

from foxing.api.demo.conversation import demo_conversation
from foxing.memory import Memory, NewMessage, PageInfo, RecalledMessage
from foxing.renderer import FoxingError

from .command_line import at_least
from .locomo import read_locomo

ROOT = Path(__file__).resolve().parents[1]
#: Id of the first whole message of a page → one or two sentences on what the page still says, and what is lost.
REMARKS = Path(__file__).with_name("faded_remarks.json")
#: Tiers that a page ages through.
STEPS = ("small", "tiny", "micro")
PAGES = 20
#: Messages shown per page: minimum, maximum, and the number of characters from which only the minimum is shown.
LEAST_SHOWN, MOST_SHOWN, SHOWN_CHARACTERS = 8, 12, 1200
INTRODUCTION = """\
# What is left after a year

The beginnings of the first {pages} pages of the demo's conversation, as they were said and as they are read at `micro`,
where the tokens of a page take at most 1,200 bytes. The pages have gone from `base` to `small`, `tiny` and `micro`,
each drawn from what was read at the tier before. A gap (`⋯`) is what has faded; nothing is filled in. Above each table:
what a person still knows of the page, and what not.

Written by `python -m benchmarks.faded_pages`; with `--locomo FILE` it prints the same of LoCoMo, whose licence does not
allow its text here.
"""


@dataclass(frozen=True)
class FadedPage:
    """A page aged to the last of `STEPS`, with its first messages."""

    info: PageInfo
    #: First messages that are on this page alone, in time order: as stored, and as read.
    shown: Sequence[tuple[NewMessage, RecalledMessage]]
    #: Share of the characters of the page's messages that is left.
    kept: float

    @property
    def key(self) -> str:
        """Key of the page in the file of remarks."""
        return self.shown[0][1].message_id


def fade_pages(memory: Memory, bank: str, messages: Sequence[NewMessage], limit: int = PAGES) -> list[FadedPage]:
    """Stores and seals `messages`, which must have ids and times, ages their pages tier by tier, and returns the first
    `limit` of these."""
    memory.store(bank, messages)
    memory.seal(bank)
    aged_at = max(message.created_at for message in messages if message.created_at) + timedelta(days=400)
    for tier in STEPS:
        memory.set_policy(bank, {"steps": [{"after": "P1D", "tier": tier}], "age_from": "message"})
        memory.age(bank, now=aged_at)
    said = {message.id: message for message in messages}
    by_page: dict[str, list[tuple[NewMessage, RecalledMessage]]] = {}
    for message in memory.export(bank):
        if len(message.page_ids) == 1:
            by_page.setdefault(message.page_ids[0], []).append((said[message.message_id], message))
    infos = memory.pages(bank, limit=limit).pages
    return [_faded_page(info, by_page[info.id]) for info in infos if info.id in by_page]


def _faded_page(info: PageInfo, pairs: Sequence[tuple[NewMessage, RecalledMessage]]) -> FadedPage:
    characters = sum(len(before.text) for before, _ in pairs)
    kept = sum(after.kept * len(before.text) for before, after in pairs) / max(1, characters)
    return FadedPage(info, list(_first(pairs)), kept)


def _first(pairs: Sequence[tuple[NewMessage, RecalledMessage]]) -> Iterator[tuple[NewMessage, RecalledMessage]]:
    """Yields `LEAST_SHOWN` to `MOST_SHOWN` messages, more than the minimum only if they are short."""
    characters = 0
    for number, pair in enumerate(islice(pairs, MOST_SHOWN)):
        characters += len(pair[0].text)
        if number >= LEAST_SHOWN and characters > SHOWN_CHARACTERS:
            return
        yield pair


def document(pages: Sequence[FadedPage], remarks: Mapping[str, str]) -> str:
    """Returns the pages as Markdown. `remarks`: as in `REMARKS`."""
    return "\n".join(_section(number, page, remarks.get(page.key)) for number, page in enumerate(pages, start=1))


def _section(number: int, page: FadedPage, remark: str | None) -> str:
    info = page.info
    lines = [
        f"## Page {number}: {info.first_at:%Y-%m-%d} to {info.last_at:%Y-%m-%d}",
        "",
        f"{info.messages} messages; {page.kept:.0%} of their characters are left, in {info.vision_tokens} vision tokens"
        f" and the keepsakes, {info.bytes:,} bytes.",
        "",
    ]
    if remark is not None:
        lines += [remark, ""]
    lines += ["| | before | after |", "|---|---|---|"]
    lines += [f"| {_cell(_speaker(said))} | {_cell(said.text)} | {_cell(left.text)} |" for said, left in page.shown]
    return "\n".join([*lines, ""])


def _speaker(message: NewMessage) -> str:
    return message.name or message.role


def _cell(text: str) -> str:
    """`text` escaped for a cell of a Markdown table."""
    escaped = re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))
    return re.sub(r"\r\n|\r|\n", "<br>", escaped)


def check_remarks(pages: Sequence[FadedPage], remarks: Mapping[str, str]) -> None:
    """Exits with an error if only some of the pages have a remark, or if a remark belongs to none of the pages."""
    keys = {page.key for page in pages}
    if remarks and keys != remarks.keys():
        missing, other = sorted(keys - remarks.keys()), sorted(remarks.keys() - keys)
        sys.exit(f"error: {REMARKS.name}: pages without a remark: {missing}; remarks without a page: {other}")
    if not remarks:
        print(f"{REMARKS.name} is empty; the pages are written without remarks", file=sys.stderr)


def _locomo_messages(file: Path) -> list[NewMessage]:
    """Messages of all LoCoMo conversations."""
    return [message for conversation in read_locomo(file) for message in conversation.messages]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if a file or a remark is invalid."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faded_pages",
        description="Write excerpts of the demo's pages, before and after ageing to micro.",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "docs/explanation/faded.md",
        metavar="FILE",
        help="Output file (default: %(default)s).",
    )
    parser.add_argument(
        "--pages", type=at_least(1), default=PAGES, help="Maximum number of pages (default: %(default)s)."
    )
    parser.add_argument(
        "--locomo", type=Path, metavar="FILE", help="Print pages of LoCoMo to stdout instead; FILE is JSON or gzipped."
    )
    options = parser.parse_args(arguments)
    try:
        messages = demo_conversation() if options.locomo is None else _locomo_messages(options.locomo)
        with tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder, Memory(Path(folder) / "bench.db") as memory:
            pages = fade_pages(memory, "faded", messages, options.pages)
    except FoxingError as error:
        sys.exit(f"error: {error}")
    if options.locomo is not None:
        print(document(pages, {}))
        return
    remarks = json.loads(REMARKS.read_text(encoding="utf-8"))
    check_remarks(pages, remarks)
    text = f"{INTRODUCTION.format(pages=len(pages))}\n{document(pages, remarks)}"
    options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

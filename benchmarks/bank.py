"""Speed of sealing and ageing, and bits per character in the database, by tier.

python -m benchmarks.bank --texts en=dialogue.jsonl.gz de=laws.jsonl.gz --json
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TypedDict

import zstandard

from foxing.api.settings import load_settings
from foxing.encoder import Codec, load_codec
from foxing.encoder.bench import PageSet, first_pages, load_texts, measure, named_file
from foxing.memory import Memory
from foxing.memory.values.banks import BankBytes
from foxing.memory.values.policy import Policy, PolicyStep
from foxing.renderer import Entry

from .command_line import Advance, at_least, command, measuring, write_result

AGED_TIERS = ("small", "tiny", "micro")
AGE = timedelta(days=1)  # simulated time before ageing; enough for every step of a policy
#: Purges dropped data at once, so that only what the tier needs is counted.
NO_UNDO = timedelta(0)


@dataclass(frozen=True)
class BankRow:
    """Figures of a bank with all its pages at one tier. Bits are per character of its messages."""

    language: str
    tier: str
    pages: int
    messages: int
    characters: int
    #: Pages sealed at the fresh tier, which also keeps exact text, or aged from the previous tier. Includes encoding,
    #: decoding, indexing and the database.
    pages_per_second: float
    token_bits: float
    text_bits: float
    index_bits: float
    keepsake_bits: float
    metadata_bits: float
    total_bits: float
    #: zstd -19 over the concatenated contents of all messages.
    zstd_bits: float


class BankMessage(TypedDict, total=False):
    """A message as `Memory.store` takes it."""

    role: str
    content: str
    created_at: datetime
    thread: str
    name: str | None


def measure_bank(memory: Memory, bank: str, language: str, messages: Sequence[BankMessage]) -> list[BankRow]:
    """Stores and seals `messages`, and ages the pages tier by tier from their decoded text. Returns a row for the fresh
    tier and for each tier below it."""
    contents = [message["content"] for message in messages]
    characters = max(1, sum(map(len, contents)))
    zstd_bytes = len(zstandard.ZstdCompressor(level=19).compress("\n".join(contents).encode(errors="surrogatepass")))
    _ = memory.codec  # loads the codec before timing starts
    memory.store(bank, messages)
    rows: list[BankRow] = []
    for tier in _tiers(memory, bank):
        seconds = age_to(memory, bank, tier) if rows else _seal(memory, bank)
        info = memory.bank(bank)
        rows.append(
            BankRow(
                language=language,
                tier=tier,
                pages=info.pages,
                messages=info.messages,
                characters=characters,
                pages_per_second=info.pages / seconds,
                zstd_bits=zstd_bytes * 8 / characters,
                **_bits(info.bytes, characters),
            )
        )
    return rows


def _tiers(memory: Memory, bank: str) -> list[str]:
    served = memory.codec.tiers
    fresh = memory.policy(bank).served_by(served).fresh
    return [fresh, *(tier for tier in AGED_TIERS if tier in served and tier != fresh)]


def _seal(memory: Memory, bank: str) -> float:
    """Seals a bank and returns the seconds taken."""
    start = perf_counter()
    memory.seal(bank)
    return perf_counter() - start


def age_to(memory: Memory, bank: str, tier: str) -> float:
    """Ages all pages to `tier` and returns the seconds taken."""
    step = PolicyStep.model_validate({"after": timedelta(seconds=1), "tier": tier})
    memory.set_policy(bank, Policy(steps=(step,), undo_window=NO_UNDO))
    now = memory.now() + AGE
    start = perf_counter()
    memory.age(bank, now=now)
    return perf_counter() - start


def _bits(held: BankBytes, characters: int) -> dict[str, float]:
    return {
        "token_bits": held.tokens * 8 / characters,
        "text_bits": held.text * 8 / characters,
        "index_bits": held.index * 8 / characters,
        "keepsake_bits": held.keepsakes * 8 / characters,
        "metadata_bits": held.metadata * 8 / characters,
        "total_bits": held.total * 8 / characters,
    }


def measure_groups(
    folder: Path, codec: Codec, groups: Mapping[str, PageSet], progress: Advance | None = None
) -> list[BankRow]:
    """Measures one bank per group, in a new SQLite database in `folder`. Returns the rows of all groups."""
    first_page = first_pages(next(iter(groups.values())), 1)
    for tier in codec.tiers:
        measure(codec, first_page, tier, "")  # warm-up: no figure includes one-time initialisation
    rows: list[BankRow] = []
    with Memory(folder / "bench.db", codec=codec) as memory:
        for number, (language, group) in enumerate(groups.items()):
            rows += measure_bank(memory, f"bench-{number}", language, [_message(entry) for entry in group.messages])
            if progress is not None:
                progress(number + 1, len(groups))
    return rows


def _message(entry: Entry) -> BankMessage:
    return {
        "role": entry.role,
        "content": entry.content,
        "created_at": entry.created_at,
        "thread": entry.thread,
        "name": entry.name,
    }


def _parser() -> argparse.ArgumentParser:
    parser = command(
        "bank",
        "Measure pages sealed or aged per second and bits per character in the database, for a bank at "
        "each tier. Uses the configured codec (FOXING_CODEC).",
        ("pages", 1, 20, "Maximum number of dense pages per file"),
    )
    parser.add_argument(
        "--texts",
        nargs="+",
        action="extend",
        required=True,
        metavar="[NAME=]FILE",
        help="JSON Lines of messages. Files with the same name form one bank; without a name, the name is the 'lang' "
        "of the file's first document.",
    )
    parser.add_argument(
        "--skip",
        type=at_least(0),
        metavar="N",
        help="Pages to skip at the start of each file (default: 3, or half of a short file).",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if a text or a setting is invalid."""
    parser = _parser()
    options = parser.parse_args(arguments)
    with measuring("measuring") as (folder, progress):
        settings = load_settings()
        codec = load_codec(settings.codec, settings.device, settings.codecs.get(settings.codec))
        files = [named_file(text) for text in options.texts]
        groups = load_texts(files, codec, skip=options.skip, limit=options.pages)
        groups = {name: group for name, group in groups.items() if group.pages}
        if not groups:
            parser.error("no page is left to measure; give longer texts, or a smaller --skip")
        rows = measure_groups(folder, codec, groups, progress)
    write_result(options, rows, "bank")


if __name__ == "__main__":
    main()

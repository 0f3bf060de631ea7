"""Measures the disk usage of a bank by tier: bits per character of the vacuumed SQLite file.

python -m benchmarks.disk_usage --locomo locomo_dev.json.gz --texts chat=en_irc.jsonl.gz ko=ko_nsmc.jsonl.gz --json
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.command_line import Advance, add_json_option, at_least, progress_bar, show_rows, write_json
from benchmarks.locomo import read_locomo
from foxing.encoder.bench import named_file
from foxing.encoder.bench.documents import entries, read_messages
from foxing.memory import Memory
from foxing.memory.index.model_source import NONE
from foxing.memory.options import MemoryOptions
from foxing.memory.values.policy import Policy, PolicyStep
from foxing.renderer import FoxingError

from .parts import FileParts, file_parts

TIERS = ("base", "small", "tiny", "micro")
AGE = timedelta(days=1)


@dataclass(frozen=True)
class DiskUsageRow:
    """A file with the banks of one group, all pages at one tier. Bits are per character of the messages."""

    group: str
    tier: str
    messages: int
    characters: int
    tokens: float
    text: float
    index: float
    embeddings: float
    keepsakes: float
    metadata: float
    #: The whole file.
    total: float
    #: The whole file minus the file of an empty database.
    beyond_empty: float


def measure(
    group: str, banks: Mapping[str, Sequence[Mapping[str, Any]]], embedder: str = NONE
) -> Iterator[DiskUsageRow]:
    """Yields a row for the fresh tier and each tier below it. `banks`: name → messages as `Memory.store` takes them."""
    options = MemoryOptions(embedder=embedder)
    with tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder:
        path = Path(folder) / "bank.db"
        with Memory(path, options=options):
            pass
        empty = file_parts(path).total
        messages = sum(map(len, banks.values()))
        characters = sum(len(message["content"]) for given in banks.values() for message in given)
        with Memory(path, options=options) as memory:
            for name, given in banks.items():
                for start in range(0, len(given), 1_000):
                    memory.store(name, given[start : start + 1_000])
                memory.seal(name)
            for tier in TIERS:
                if tier != TIERS[0]:
                    _age(memory, banks, tier)
                yield _row(group, tier, (messages, characters), file_parts(path), empty)


def _age(memory: Memory, banks: Mapping[str, object], tier: str) -> None:
    step = PolicyStep.model_validate({"after": timedelta(seconds=1), "tier": tier})
    for name in banks:
        memory.set_policy(name, Policy(steps=(step,), undo_window=timedelta(0)))
        memory.age(name, now=memory.now() + AGE)


def _row(group: str, tier: str, counts: tuple[int, int], parts: FileParts, empty: int) -> DiskUsageRow:
    messages, characters = counts
    bits = {name: size * 8 / characters for name, size in asdict(parts).items()}
    names = ("tokens", "text", "index", "embeddings", "keepsakes", "metadata", "total")
    beyond = bits["total"] - empty * 8 / characters
    return DiskUsageRow(group, tier, messages, characters, **{name: bits[name] for name in names}, beyond_empty=beyond)


def _banks(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, list[dict[str, Any]]]]]:
    if options.locomo is not None:
        yield (
            "locomo",
            {
                f"locomo-{number}": [message.model_dump() for message in conversation.messages]
                for number, conversation in enumerate(read_locomo(options.locomo))
            },
        )
    for name, path in map(named_file, options.texts):
        given = entries(list(read_messages(path)))[: options.messages]
        fields = ("role", "content", "created_at", "thread", "name")
        yield name or path.name, {"bank": [{field: getattr(entry, field) for field in fields} for entry in given]}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disk_usage", description=__doc__.splitlines()[0])
    parser.add_argument("--locomo", type=Path, metavar="FILE", help="LoCoMo, one bank per conversation.")
    parser.add_argument("--texts", nargs="+", action="extend", default=[], metavar="[NAME=]FILE", help="JSON Lines.")
    parser.add_argument(
        "--messages", type=at_least(1), default=5_000, help="Maximum number of messages per file (default: 5000)."
    )
    parser.add_argument("--embedder", default=NONE, metavar="NAME", help="Embedder of the messages (default: none).")
    add_json_option(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if a file is invalid."""
    options = _parser().parse_args(arguments)
    rows: list[DiskUsageRow] = []
    try:
        with progress_bar("measuring") as progress:
            _measure_all(options, rows, progress)
    except FoxingError as error:
        sys.exit(f"error: {error}")
    if options.as_json:
        write_json({"disk_usage": [asdict(row) for row in rows]})
    else:
        show_rows([asdict(row) for row in rows])


def _measure_all(options: argparse.Namespace, rows: list[DiskUsageRow], progress: Advance) -> None:
    groups = list(_banks(options))
    for name, banks in groups:
        for row in measure(name, banks, options.embedder):
            rows.append(row)
            progress(len(rows), len(groups) * len(TIERS))


if __name__ == "__main__":
    main()

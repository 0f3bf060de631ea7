"""A database with something of everything, and what a check says of it."""

from datetime import UTC, datetime, timedelta

from support.search_doubles import HashingEmbedder

from foxing.memory import Memory, MemoryOptions
from foxing.memory.check.check import CheckOptions, DatabaseCheck
from foxing.memory.check.report import CheckReport
from foxing.memory.codec_source import CodecSource
from foxing.memory.index.embedder import Embedder
from foxing.memory.storage.database import Database

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = START + 403 * DAY
TEXT = (
    "Please remember that Mina prefers tea over coffee, whatever the others order, and that the figures of March are "
    "due on Friday. The staging database moved to the new cluster, and nobody has complained so far about how slow it "
    "is. Order 9f1c2e7a-1b2c-4d5e-8f90-a1b2c3d4e5f6 belongs to note {0}. "
)


def options(embedder: str | Embedder | None = None) -> MemoryOptions:
    return MemoryOptions(embedder=embedder or HashingEmbedder())


def fill(url: str) -> None:
    """Two banks with pages at several tiers, open messages, a trash, records, and a job that waits."""
    clock = START
    with Memory(url, clock=lambda: clock, options=options()) as memory:
        for day in (0, 395, 402):
            clock = START + day * DAY
            for number in range(3):
                for bank in ("ana", "bo"):
                    at = clock - timedelta(minutes=9 - number)
                    content = TEXT.format(f"{bank}-{day}-{number}") * (4 if day == 0 else 1)
                    memory.store(
                        bank, [{"id": f"{day}-{number}", "role": "user", "content": content, "created_at": at}]
                    )
            if day != 402:
                memory.seal("ana")
                memory.seal("bo")
        clock = NOW
        memory.records.write("ana", [{"op": "put", "namespace": ["notes"], "key": "n", "value": {"a": 1}}])
        memory.tick()
        clock = NOW + 30 * DAY
        memory.operations.jobs.fill(clock)


def check(
    url: str, *, repair: bool = False, everything: bool = True, embedder: str | Embedder | None = None
) -> CheckReport:
    """What the check of a database says. `embedder`: by default the one that has filled it."""
    with Database(url) as database:
        codecs = CodecSource("native", "cpu")
        return DatabaseCheck(database, codecs, options(embedder).search()).run(CheckOptions(repair, everything))


def problems(report: CheckReport) -> dict[str, int]:
    """The checks that found something, and how much."""
    return {part.name: part.problems for part in report.parts if part.problems}


def examples(report: CheckReport) -> list[str]:
    """All problems in words."""
    return [example for part in report.parts for example in part.examples]

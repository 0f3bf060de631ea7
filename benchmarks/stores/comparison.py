"""Runs every store in a process of its own and compares the results."""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.baselines.extensions import NotInstalled
from benchmarks.command_line import Advance
from benchmarks.load.postgresql import PostgresServer
from foxing.memory.index.embedders import open_embedder

from .conversations import NamedConversation
from .measurement import StoreRow, measure
from .store import POSTGRESQL, SQLITE, Place, System
from .systems import OURS, SYSTEMS


@dataclass(frozen=True)
class Ratio:
    """Ratios of a store to Foxing on the same database; a store in files is compared with Foxing on SQLite. Above 1,
    Foxing is ahead."""

    system: str
    database: str
    #: Foxing's messages per second ÷ those of the store; `batched` includes sealing
    single: float
    batched: float
    #: latency of the store ÷ Foxing's
    recall_p50: float
    recall_p95: float
    again_p50: float
    #: Foxing's evidence recall ÷ that of the store
    evidence: float
    #: bytes of the store ÷ Foxing's
    bytes: float
    vacuumed_bytes: float


@dataclass(frozen=True)
class Comparison:
    """Results of all stores, and their ratios to Foxing."""

    stores: list[StoreRow]
    ratios: list[Ratio]
    #: name of a system → reason that it was not measured
    left_out: dict[str, str]


def compare(
    keys: Sequence[str], embedder: str, conversations: Sequence[NamedConversation], progress: Advance | None = None
) -> Comparison:
    """Measures the systems of `SYSTEMS` named in `keys`, one after another. A package that is missing or fails is
    reported in `left_out`; errors of Foxing are raised."""
    rows: list[StoreRow] = []
    left_out: dict[str, str] = {}
    with _databases(any(SYSTEMS[key].database == POSTGRESQL for key in keys)) as databases:
        for number, key in enumerate(keys):
            outcome = _in_a_process(key, databases, embedder, conversations)
            if isinstance(outcome, str):
                left_out[key] = outcome
            else:
                rows.append(outcome)
            if progress is not None:
                progress(number + 1, len(keys))
    return Comparison(rows, _ratios(rows), left_out)


class _Databases:
    """Locations for stores; on PostgreSQL, databases of one server."""

    def __init__(self, folder: Path, server: PostgresServer | str) -> None:
        """`server`: the server, or the reason that there is none."""
        self._folder, self._server = folder, server

    def place(self, system: System) -> Place | str:
        """Returns an empty location for a system, or the reason that there is none."""
        folder = self._folder / system.key.replace("/", "-")
        if system.database != POSTGRESQL:
            folder.mkdir()
            return Place(folder)
        if isinstance(self._server, str):
            return self._server
        folder.mkdir()
        return Place(folder, self._server.new_database(system.name.replace("-", "_")))


@contextmanager
def _databases(with_postgresql: bool) -> Iterator[_Databases]:
    with tempfile.TemporaryDirectory(prefix="foxing-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # if this process runs as root, the server runs as another user
        if not with_postgresql:
            yield _Databases(folder, "PostgreSQL is not needed")
            return
        try:
            server = PostgresServer(folder)
        except ImportError as error:
            yield _Databases(folder, f"no PostgreSQL ({error}); pip install 'foxing[store-baselines]'")
            return
        except (OSError, RuntimeError) as error:
            yield _Databases(folder, f"PostgreSQL does not start here: {error}")
            return
        with server:
            yield _Databases(folder, server)


def _in_a_process(
    key: str, databases: _Databases, embedder: str, conversations: Sequence[NamedConversation]
) -> StoreRow | str:
    """Measures a system in a new process, so that its memory use is its own. Returns the reason if it was not
    measured."""
    place = databases.place(SYSTEMS[key])
    if isinstance(place, str):
        return place
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, key, place, embedder, conversations).result()


def _measure(key: str, place: Place, embedder: str, conversations: Sequence[NamedConversation]) -> StoreRow | str:
    system = SYSTEMS[key]
    try:
        return measure(system, place, open_embedder(embedder), conversations)
    except NotInstalled as error:
        return f"not installed ({error}); pip install 'foxing[{system.extra}]'"
    except Exception as error:  # raised by another package
        if system.package == OURS:
            raise
        return f"fails here: {type(error).__name__}: {error}"


def _ratios(rows: Sequence[StoreRow]) -> list[Ratio]:
    """Ratios of all other stores to Foxing; none where Foxing was not measured on the database."""
    ours = {row.database: row for row in rows if row.system == OURS}
    pairs = [(row, ours.get(row.database if row.database == POSTGRESQL else SQLITE)) for row in rows]
    return [_ratio(row, foxing) for row, foxing in pairs if foxing is not None and row is not foxing]


def _ratio(row: StoreRow, foxing: StoreRow) -> Ratio:
    return Ratio(
        system=row.system,
        database=row.database,
        single=_divided(foxing.single_per_s, row.single_per_s),
        batched=_divided(foxing.sealed_per_s, row.sealed_per_s),
        recall_p50=_divided(row.recall_p50_ms, foxing.recall_p50_ms),
        recall_p95=_divided(row.recall_p95_ms, foxing.recall_p95_ms),
        again_p50=_divided(row.again_p50_ms, foxing.again_p50_ms),
        evidence=_divided(foxing.evidence, row.evidence),
        bytes=_divided(row.bytes, foxing.bytes),
        vacuumed_bytes=_divided(row.vacuumed_bytes, foxing.vacuumed_bytes),
    )


def _divided(numerator: float, denominator: float) -> float:
    """Ratio; 0 if the denominator is 0."""
    return round(numerator / denominator, 3) if denominator else 0.0

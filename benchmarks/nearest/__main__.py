"""Nearest neighbours among codes of 512 bits: the scan in memory as recall does it, beside sqlite-vec or pgvector.

python -m benchmarks.nearest --codes 50000 1000000
python -m benchmarks.nearest --codes 50000 --postgresql postgresql://postgres@localhost/bench
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.command_line import add_json_option, at_least, show_rows, write_json
from benchmarks.rivals.extensions import NotInstalled, sqlite_with_extensions
from foxing.memory.index.codes import Codes, as_rows, distances

CODE_BYTES = 64
NEAREST = 1000  # by default: as many as are ranked again by the numbers of the question
QUESTIONS = 20
ROWS_AT_ONCE = 10_000
SEED = 3

#: float32[questions, bits of a code]
Questions = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Search:
    """One way to find the nearest codes."""

    way: str
    codes: int
    #: how many nearest codes are asked for
    nearest: int
    #: before the first question: reading the codes into memory, or writing the index
    ready_ms: float
    first_ms: float
    p50_ms: float
    #: bytes beside the codes in their table
    extra_bytes: int
    #: of the nearest codes of all questions, how many are found
    found: float = 1.0


def measure_postgresql(codes: int, nearest: int, url: str) -> list[Search]:
    """Random codes in the database of a URL, searched by pgvector without and with an index, and in memory."""
    from .pgvector import code_table

    held, asked = _random(codes)
    exact = [np.sort(distances(held, question))[nearest - 1] for question in asked]
    with code_table(url, 8 * CODE_BYTES) as table:
        filled = table.fill(held)
        before = table.bytes
        find = table.nearest(asked, nearest)
        rows = [
            _scan_of(held, asked, nearest, 0.0),
            Search("pgvector, exact", codes, nearest, filled, *_timed(find), 0),
        ]
        indexed = table.index()
        timed = _timed(find)
        near = [(distances(held[find(n)], asked[n]) <= exact[n]).sum() for n in range(QUESTIONS)]
        share = round(float(sum(near)) / (QUESTIONS * nearest), 3)
        rows.append(Search("pgvector, HNSW", codes, nearest, indexed, *timed, table.bytes - before, share))
    return rows


def _random(codes: int) -> tuple[Codes, Questions]:
    generator = np.random.default_rng(SEED)
    held = generator.integers(0, 256, size=(codes, CODE_BYTES), dtype=np.uint8)
    return held, generator.normal(size=(QUESTIONS, 8 * CODE_BYTES)).astype(np.float32)


def measure(codes: int, nearest: int, folder: Path) -> list[Search]:
    """Random codes in a SQLite file, searched in each way."""
    path = folder / f"{codes}.db"
    held, asked = _random(codes)
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("CREATE TABLE codes (id INTEGER PRIMARY KEY, code BLOB NOT NULL)")
        _insert(connection, "INSERT INTO codes VALUES (?, ?)", held)
    rows = [_scan(path, asked, nearest), _sqlite_vec(path, held, asked, nearest)]
    connection.close()
    return rows


def _scan(path: Path, asked: Questions, count: int) -> Search:
    connection = sqlite3.connect(path)
    start = time.perf_counter()
    held = as_rows([row[0] for row in connection.execute("SELECT code FROM codes ORDER BY id")], CODE_BYTES)
    ready = time.perf_counter() - start
    connection.close()
    return _scan_of(held, asked, count, ready * 1e3)


def _scan_of(held: Codes, asked: Questions, count: int, ready_ms: float) -> Search:
    def nearest(number: int) -> object:
        far = distances(held, asked[number])
        return np.argpartition(far, count)[:count]

    return Search("scan in memory", len(held), count, ready_ms, *_timed(nearest), held.nbytes)


def _sqlite_vec(path: Path, held: Codes, asked: Questions, count: int) -> Search:
    import sqlite_vec

    connection = sqlite_with_extensions().connect(path, isolation_level=None)
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    before = path.stat().st_size
    start = time.perf_counter()
    connection.execute(f"CREATE VIRTUAL TABLE near USING vec0(code bit[{8 * CODE_BYTES}])")
    _insert(connection, "INSERT INTO near (rowid, code) VALUES (?, vec_bit(?))", held)
    ready = time.perf_counter() - start
    found = "SELECT rowid, distance FROM near WHERE code MATCH vec_bit(?) AND k = ?"
    questions = np.packbits(asked > 0, axis=1)
    result = _timed(lambda number: connection.execute(found, (questions[number].tobytes(), count)).fetchall())
    connection.close()
    return Search("sqlite-vec", len(held), count, ready * 1e3, *result, path.stat().st_size - before)


def _insert(connection: Any, statement: str, held: Codes) -> None:
    connection.execute("BEGIN")
    for start in range(0, len(held), ROWS_AT_ONCE):
        part = held[start : start + ROWS_AT_ONCE]
        connection.executemany(statement, ((start + n + 1, row.tobytes()) for n, row in enumerate(part)))
    connection.execute("COMMIT")


def _timed(nearest: Callable[[int], object]) -> tuple[float, float]:
    """Milliseconds of the first question, and the median of all."""
    taken = []
    for number in range(QUESTIONS):
        start = time.perf_counter()
        nearest(number)
        taken.append((time.perf_counter() - start) * 1e3)
    return taken[0], median(taken)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.nearest",
        description=f"Measure how long the nearest of random codes of {CODE_BYTES} bytes take to find.",
    )
    parser.add_argument(
        "--codes", type=at_least(5000), nargs="+", default=[50_000, 1_000_000], metavar="N", help="How many codes."
    )
    parser.add_argument(
        "--nearest",
        type=int,
        choices=range(1, 4097),
        default=NEAREST,
        metavar="N",
        help="How many of them to find, at most 4,096, which is as many as sqlite-vec does (default: %(default)s).",
    )
    parser.add_argument("--postgresql", metavar="URL", help="Beside pgvector, in a table of this database.")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder:
        try:
            rows = [
                asdict(row)
                for codes in options.codes
                for row in (
                    measure_postgresql(codes, options.nearest, options.postgresql)
                    if options.postgresql
                    else measure(codes, options.nearest, Path(folder))
                )
            ]
        except (ImportError, NotInstalled) as error:
            sys.exit(f"error: {error}; pip install 'foxing[rivals]'")
    if options.as_json:
        write_json({"nearest": rows})
    else:
        show_rows(rows)


if __name__ == "__main__":
    main()

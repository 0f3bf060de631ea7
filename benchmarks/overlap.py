"""Measures how much of the held-out text occurs in the training text.

    python -m benchmarks.overlap --data FOLDER --json

Counts the windows of 40 characters of each held-out file, message by message, that occur anywhere in FOLDER/train, in
any language.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from foxing.encoder import CodecError
from foxing.encoder.bench.documents import read_messages

from .command_line import Advance, command, measuring, write_result

WINDOW = 40
_SUFFIX = ".jsonl.gz"
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class OverlapRow:
    """Overlap of a held-out file."""

    group: str
    #: Windows of `WINDOW` characters in its messages.
    windows: int
    #: Share of them that occur in the training text.
    overlap: float


def window_hashes(text: str) -> Hashes:
    """Returns a hash of each window of `WINDOW` characters, uint64 [n]."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    count = len(points) - WINDOW + 1
    hashes = np.zeros(max(0, count), dtype=np.uint64)
    for start in range(WINDOW if count > 0 else 0):
        hashes = (hashes ^ points[start : start + count]) * _MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
    return hashes


def measure_overlap(data: Path, progress: Advance | None = None) -> list[OverlapRow]:
    """Returns a row for each held-out file. Raises `CodecError` if there are none, or no training text."""
    held_out = {
        path.name.removesuffix(_SUFFIX): _file_hashes(path) for path in sorted((data / "eval").glob(f"*{_SUFFIX}"))
    }
    training = sorted((data / "train").glob(f"*{_SUFFIX}"))
    if not held_out or not training:
        raise CodecError(f"{data} has no train/*{_SUFFIX} or no eval/*{_SUFFIX}; give the folder that holds both")
    sought = np.unique(np.concatenate(list(held_out.values())))
    found = np.zeros(len(sought), dtype=bool)
    for number, path in enumerate(training):
        found |= np.isin(sought, np.unique(_file_hashes(path)))
        if progress is not None:
            progress(number + 1, len(training))
    known = sought[found]
    return [
        OverlapRow(group, len(hashes), float(np.isin(hashes, known).mean()) if len(hashes) else 0.0)
        for group, hashes in held_out.items()
    ]


def _file_hashes(path: Path) -> Hashes:
    return np.concatenate([np.zeros(0, dtype=np.uint64), *map(window_hashes, _contents(path))])


def _contents(path: Path) -> Iterator[str]:
    for document in read_messages(path):
        yield from (message["content"] for message in document["messages"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if there are no valid texts."""
    parser = command(
        "overlap", f"Measure the share of {WINDOW}-character windows of held-out text that occur in training text."
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help=f"Folder with train/*{_SUFFIX} and eval/*{_SUFFIX}."
    )
    options = parser.parse_args(arguments)
    with measuring("comparing") as (_, progress):
        rows = list(measure_overlap(options.data, progress))
    write_result(options, rows, "rows")


if __name__ == "__main__":
    main()

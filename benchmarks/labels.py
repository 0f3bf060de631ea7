"""Recall beside the labels that people gave in the console: what they called right, wrong and missing.

    python -m benchmarks.labels --labels foxing.labels.jsonl --database foxing.db

Lines are objects with `bank`, `query`, `message_id` and `verdict`; where several label the same message for the same
question, the last holds. The database is only read.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.command_line import Advance, add_embedder_option, command, measuring, write_result
from foxing.memory import DatabaseOptions, Memory, MemoryOptions

#: Verdict → whether the message belongs to the answer.
BELONGS = {"right": True, "missing": True, "wrong": False}


@dataclass(frozen=True)
class LabelledRecall:
    """Recall of all labelled questions."""

    questions: int
    #: Messages that belong to an answer, and how many of them are in it.
    belonging: int
    recalled: int
    #: Messages that do not belong to an answer, and how many of them are in it.
    foreign: int
    wrong: int


def main() -> None:
    """Prints how many of the labelled messages recall answers as they are labelled."""
    parser = command("labels", (__doc__ or "").partition("\n")[0], ("limit", 1, 10, "Matches of an answer"))
    parser.add_argument("--labels", type=Path, required=True, metavar="FILE", help="Labels, in JSON Lines.")
    parser.add_argument("--database", required=True, help="Database with the banks.")
    add_embedder_option(parser)
    options = parser.parse_args()
    with (
        measuring("asking") as (_, advance),
        Memory(
            DatabaseOptions(options.database, create=False),
            options=MemoryOptions(embedder=options.embedder, labels_file="none"),
        ) as memory,
    ):
        row = measure_labels(memory, read_labels(options.labels), options.limit, advance)
    write_result(options, row, "labels")


def read_labels(path: Path) -> dict[tuple[str, str], dict[str, bool]]:
    """Returns (bank, question) → message id → whether it belongs to the answer. Raises `SystemExit` for a line that is
    no label."""
    labels: defaultdict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            labels[entry["bank"], entry["query"]][entry["message_id"]] = BELONGS[entry["verdict"]]
        except (ValueError, KeyError, TypeError) as error:
            raise SystemExit(f"{path}, line {number}, is no label ({error!r})") from error
    return dict(labels)


def measure_labels(
    memory: Memory, labels: Mapping[tuple[str, str], Mapping[str, bool]], limit: int, advance: Advance
) -> LabelledRecall:
    """Returns which labelled messages are in the answers of at most `limit` matches. The banks must exist."""
    counts = Counter[tuple[bool, bool]]()
    for number, ((bank, query), messages) in enumerate(labels.items(), 1):
        spans = memory.recall(bank, query, limit=limit, track=False).spans
        answer = {span.message_id for span in spans}
        counts.update((belongs, message_id in answer) for message_id, belongs in messages.items())
        advance(number, len(labels))
    belonging = counts[True, True] + counts[True, False]
    foreign = counts[False, True] + counts[False, False]
    return LabelledRecall(len(labels), belonging, counts[True, True], foreign, counts[False, True])


if __name__ == "__main__":
    main()

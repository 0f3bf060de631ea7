"""Measures what a warm call of each verb executes: Python calls, SQL statements, and the tokens of the source of the
functions that run, each once. Packing, moving and renaming code change nothing in the tokens.

python -m benchmarks.executed
"""

import argparse
import ast
import io
import sys
import tempfile
import threading
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from random import Random
from statistics import median
from types import CodeType, FrameType
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from foxing.memory import Memory

from .command_line import add_json_option, show_rows, write_json
from .load import texts

BANK, MESSAGES, BUDGET = "bench", 150, 2_000
#: Calls of a verb, each with another question, after as many that are not measured.
CALLS = 5
STARTED = datetime(2026, 1, 5, 9, tzinfo=UTC)
_ROOT = Path(__file__).parents[1]
_OURS = tuple(f"{_ROOT / room}/" for room in ("renderer", "encoder", "memory", "api", "integrations"))
_LAYOUT = frozenset(
    (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
)
_Functions = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Place = tuple[int, int]


@dataclass(frozen=True)
class Steps:
    """Steps of a call."""

    #: Calls of Python functions, ours and others.
    calls: int
    #: SQL statements, that which begins a transaction included.
    statements: int
    #: Functions of ours that run, the files that they are in, and the tokens of their source.
    functions: int
    files: int
    tokens: int


@contextmanager
def _statements() -> Iterator[list[str]]:
    """Yields the SQL statements that are executed in the block."""
    executed: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        executed.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def traced(call: Callable[[], object]) -> Steps:
    """Returns what `call` executes, in this thread and in those that it starts."""
    codes: Counter[CodeType] = Counter()

    def note(frame: FrameType, kind: str, _: object) -> None:
        if kind == "call":
            codes[frame.f_code] += 1

    with _statements() as statements:
        threading.setprofile(note)
        sys.setprofile(note)
        try:
            call()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    places = {(file, code.co_firstlineno, code.co_name) for code in codes if (file := _file_of(code)) is not None}
    sources = [tokens for file, line, name in places if (tokens := _tokens_of(file).get((line, name))) is not None]
    return Steps(codes.total(), len(statements), len(sources), len({file for file, *_ in places}), sum(sources))


def _file_of(code: CodeType) -> str | None:
    """Returns the file of a function of ours; None for those of others."""
    file = str(Path(code.co_filename).resolve())
    return file if file.startswith(_OURS) else None


@cache
def _tokens_of(file: str) -> Mapping[tuple[int, str], int]:
    """Returns first line and name → tokens of each function of a file, without docstring, comments and the functions
    in it."""
    text = Path(file).read_text(encoding="utf-8")
    places = [(t.start, t.end) for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in _LAYOUT]
    sizes: dict[tuple[int, str], int] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _Functions):
            start, stop = _range(node)
            left_out = [
                _range(inner) for inner in ast.walk(node) if inner is not node and isinstance(inner, _Functions)
            ]
            left_out += _docstring(node)
            name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            own = [(a, b) for a, b in places if start <= a and b <= stop]
            sizes[start[0], name] = sum(not any(c <= a and b <= d for c, d in left_out) for a, b in own)
    return sizes


def _range(node: _Functions) -> tuple[Place, Place]:
    """Returns the beginning of a function, with its decorators, and its end."""
    starts = [(node.lineno, node.col_offset), *((d.lineno, 0) for d in getattr(node, "decorator_list", ()))]
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return min(starts), (node.end_lineno, node.end_col_offset)


def _docstring(node: _Functions) -> list[tuple[Place, Place]]:
    if isinstance(node, ast.Lambda) or ast.get_docstring(node) is None:
        return []
    first = node.body[0]
    assert first.end_lineno is not None
    return [((first.lineno, 0), (first.end_lineno + 1, 0))]


def open_bank(folder: Path) -> Memory:
    """Returns a memory with a bank of `MESSAGES` messages of 200 characters."""
    random, now = Random(1), STARTED + timedelta(days=3)
    memory = Memory(folder / "executed.db", clock=lambda: now)
    messages = [
        {
            "role": ("user", "assistant")[number % 2],
            "content": texts.message(random),
            "created_at": STARTED + number * timedelta(minutes=20),
        }
        for number in range(MESSAGES)
    ]
    memory.store(BANK, messages)
    return memory


#: Verb → a call with a question, or with a text to store.
VERBS: dict[str, Callable[[Memory, str], object]] = {
    "store": lambda memory, text: memory.store(BANK, [{"role": "user", "content": text}]),
    "recall": lambda memory, text: memory.recall(BANK, text),
    "context": lambda memory, text: memory.context(BANK, reader="claude", budget=BUDGET, query=text),
    "bank": lambda memory, _: memory.bank(BANK),
}


def measured(verb: str) -> Steps:
    """Returns the medians of the steps of `CALLS` warm calls of a verb, on a bank of its own."""
    random = Random(3)
    with tempfile.TemporaryDirectory() as folder, open_bank(Path(folder)) as memory:
        for _ in range(CALLS):
            VERBS[verb](memory, texts.query(random))
        calls = [asdict(traced(partial(VERBS[verb], memory, texts.query(random)))) for _ in range(CALLS)]
    return Steps(**{name: int(median(steps[name] for steps in calls)) for name in calls[0]})


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_json_option(parser)
    options = parser.parse_args()
    rows = {verb: asdict(measured(verb)) for verb in VERBS}
    if options.as_json:
        write_json(rows)
    else:
        show_rows([{"verb": verb, **steps} for verb, steps in rows.items()])


if __name__ == "__main__":
    main()

"""`foxing demo`: a year of conversation is stored, ages in simulated time, and is recalled from what is left."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from foxing.api.cli.progress import lines
from foxing.memory import InvalidInput, Memory, NewMessage, RecallResult
from foxing.renderer import FoxingError, Page, Typesetter

from .conversation import ENDS_AT, demo_conversation
from .measurement import measure_tiers, write_page
from .originals import Originals
from .report import DemoAnswer, DemoResult, show_introduction, show_result

BANK = "mina"
QUESTION = "3 weeks ago, what did we decide about project Titan?"
#: About the beginning: its pages are at the lowest tier by now.
OLD_QUESTION = "What is the budget of the Titan prototype, and who is in the core team?"
OLD_UNTIL = ENDS_AT - timedelta(days=365)
TIMEZONE = "Asia/Seoul"
TICK_INTERVAL = timedelta(days=3)
SPANS_SHOWN = 5
OLD_SPANS_SHOWN = 3

#: Called with (what is going on, messages stored, pages sealed).
Advance = Callable[[str, int, int], None]


@dataclass
class SimulatedClock:
    """A clock that is set by hand."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


def run_demo(output: Path, console: Console, as_json: bool, messages: Sequence[NewMessage] | None = None) -> int:
    """Stores and ages a conversation in a temporary database, answers a question from it and prints the result.

    `output` receives the image of one page at every tier, and the text decoded from each. `messages` replaces the
    demo's year of conversation. With `as_json`, the result goes to stdout as one JSON document. Returns 0. Raises
    `InvalidInput` if `output` cannot be written, `CodecError` if the codec cannot be loaded.
    """
    started = time.monotonic()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{output} cannot be created ({error.strerror}); choose another --output") from error
    conversation = list(messages if messages is not None else demo_conversation())
    if not as_json:
        show_introduction(console, conversation)
    result = _run(output, conversation, started, quiet=as_json)
    if as_json:
        sys.stdout.write(json.dumps(result.to_dict(), ensure_ascii=False) + "\n")
    else:
        show_result(console, result)
    return 0


def _run(output: Path, messages: Sequence[NewMessage], started: float, *, quiet: bool) -> DemoResult:
    clock = SimulatedClock(messages[0].created_at or ENDS_AT)
    with (
        tempfile.TemporaryDirectory(prefix="foxing-demo-") as folder,
        Memory(Path(folder) / "demo.db", clock=clock) as memory,
    ):
        with _progress(len(messages), quiet=quiet) as advance:
            originals = _simulate(memory, messages, clock, advance)
            advance("measuring", len(messages), len(originals.pages))
            tiers = measure_tiers(memory, BANK, originals.pages)
        asked = partial(memory.recall, BANK, now=ENDS_AT, timezone=TIMEZONE)
        answers = [
            DemoAnswer(QUESTION, asked(QUESTION, limit=SPANS_SHOWN)),
            DemoAnswer(OLD_QUESTION, asked(OLD_QUESTION, until=OLD_UNTIL, limit=OLD_SPANS_SHOWN)),
        ]
        page = _page_to_show(originals, answers[0].recall)
        files = write_page(page, originals.entries(page), memory.codec, output)
    return DemoResult(len(messages), tiers, answers, files, time.monotonic() - started)


@contextmanager
def _progress(messages: int, *, quiet: bool) -> Iterator[Advance]:
    """How far the demo is, on stderr: a bar on a terminal, elsewhere lines unless `quiet`."""
    console = Console(stderr=True, markup=False, highlight=False)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pages]} pages"))
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
            task = bar.add_task("loading the codec", total=messages, pages=0)
            yield lambda step, stored, pages: bar.update(task, description=step, completed=stored, pages=pages)
        return
    state = "loading the codec"

    def advance(step: str, stored: int, pages: int) -> None:
        nonlocal state
        state = f"{step}: {stored:,} of {messages:,} messages stored, {pages} pages sealed"

    with nullcontext() if quiet else lines(console, lambda: state):
        yield advance


def _simulate(memory: Memory, messages: Sequence[NewMessage], clock: SimulatedClock, advance: Advance) -> Originals:
    """Moves the clock to `ENDS_AT`, storing messages when they are due and running the scheduler at each step."""
    codec = memory.codec
    typesetter = Typesetter(codec.layout, codec.repertoire)
    originals = Originals({message.id or "": message for message in messages}, typesetter)
    stored = 0
    while clock.now < ENDS_AT:
        clock.now = min(clock.now + TICK_INTERVAL, ENDS_AT)
        batch = [m for m in messages[stored:] if m.created_at is not None and m.created_at <= clock.now]
        if batch:
            memory.store(BANK, batch)
            stored += len(batch)
        report = memory.tick()
        if report.failed_banks:
            raise FoxingError(f"ageing failed: {report.failed_banks[BANK]}")
        if report.sealed_pages:
            originals.record(memory, BANK)
        advance(f"{clock.now:%Y-%m-%d}", stored, len(originals.pages))
    memory.seal(BANK)
    originals.record(memory, BANK)
    return originals


def _page_to_show(originals: Originals, answer: RecallResult) -> Page:
    """The page of the best answer; if it is on none, the fullest page."""
    ids = [page_id for span in answer.spans for page_id in span.page_ids if page_id in originals.pages]
    return originals.pages[ids[0]] if ids else max(originals.pages.values(), key=lambda page: page.cells.size)

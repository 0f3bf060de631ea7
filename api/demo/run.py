"""`foxing demo`: stores a year of conversation, ages it in simulated time, and recalls from it."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from foxing.api.cli.context import State, all_pages
from foxing.memory import InvalidInput, Memory, NewMessage, PageReading, RecallResult
from foxing.renderer import FoxingError

from .conversation import ENDS_AT, demo_conversation
from .measurement import measure_tiers, write_page
from .report import TIMEZONE, DemoAnswer, DemoResult, introduction, show_result

BANK = "mina"
QUESTION = "3 weeks ago, what did we decide about project Titan?"
#: About the start of the conversation, whose pages are at the lowest tier.
OLD_QUESTION = "What is the budget of the Titan prototype, and who is in the core team?"
OLD_UNTIL = ENDS_AT - timedelta(days=365)
TICK_INTERVAL = timedelta(days=3)
SPANS_SHOWN = 5
OLD_SPANS_SHOWN = 3


@dataclass
class SimulatedClock:
    """A clock that is set by hand."""

    now: datetime

    def __call__(self) -> datetime:
        """Returns the current time of the simulation."""
        return self.now


def run_demo(state: State, output: Path, messages: Sequence[NewMessage] | None = None) -> None:
    """Stores and ages a conversation in a temporary database, recalls the answers to two questions, and prints the
    result.

    `output`: folder for the image of one page at every tier and the text decoded from it. `messages`: replaces the
    demo's conversation. Raises `InvalidInput` if `output` cannot be written, `CodecError` if the codec cannot be
    loaded.
    """
    started = time.monotonic()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{output} cannot be created ({error.strerror}); choose another --output") from error
    conversation = list(messages if messages is not None else demo_conversation())
    if not state.as_json:
        state.console.print(introduction(conversation))
    clock = SimulatedClock(conversation[0].created_at or ENDS_AT)
    with (
        tempfile.TemporaryDirectory(prefix="foxing-demo-") as folder,
        Memory(Path(folder) / "demo.db", clock=clock) as memory,
    ):
        originals = _simulate(state, memory, conversation, clock)
        with state.progress("measuring"):
            tiers = measure_tiers(memory, BANK, originals)
        recall = partial(memory.recall, BANK, now=ENDS_AT, timezone=TIMEZONE.name)
        answers = [
            DemoAnswer(QUESTION, recall(QUESTION, limit=SPANS_SHOWN)),
            DemoAnswer(OLD_QUESTION, recall(OLD_QUESTION, until=OLD_UNTIL, limit=OLD_SPANS_SHOWN)),
        ]
        on_page = {message.message_id for message in _page_to_show(originals, answers[0].recall).messages}
        files = write_page(memory, [message for message in conversation if message.id in on_page], output)
    result = DemoResult(len(conversation), tiers, answers, files, time.monotonic() - started)
    state.answer(result.to_dict(), lambda console: show_result(console, result))


def _simulate(
    state: State, memory: Memory, messages: Sequence[NewMessage], clock: SimulatedClock
) -> dict[str, PageReading]:
    """Advances the clock to `ENDS_AT`, storing messages at their times and running an ageing tick at each step.

    Returns page id → the page as read directly after sealing.
    """
    originals: dict[str, PageReading] = {}
    stored = 0
    with state.progress("storing and ageing") as progress:
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
                _read_new_pages(memory, originals)
            progress(stored, len(messages))
        memory.seal(BANK)
        _read_new_pages(memory, originals)
    return originals


def _read_new_pages(memory: Memory, originals: dict[str, PageReading]) -> None:
    """Adds the pages sealed since the last call, which must not have aged yet."""
    for page in all_pages(memory, BANK):
        if page.id not in originals:
            originals[page.id] = memory.read_page(BANK, page.id)


def _page_to_show(originals: dict[str, PageReading], answer: RecallResult) -> PageReading:
    """Returns the page of the best answer; the fullest page if the answer is not on a page."""
    ids = [page_id for span in answer.spans for page_id in span.page_ids]
    return originals[ids[0]] if ids else max(originals.values(), key=lambda page: len(page.text))

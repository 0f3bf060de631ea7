"""Progress of long work: a bar on a terminal, elsewhere a line every ten seconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 10.0

#: Called with (done, total) as long work proceeds.
Advance = Callable[[int, int], None]


@contextmanager
def lines(console: Console, state: Callable[[], str]) -> Iterator[None]:
    """Prints `state()` and the seconds since the start every `LINE_EVERY_S` seconds until the block ends."""
    ended, started = Event(), monotonic()

    def print_lines() -> None:
        while not ended.wait(LINE_EVERY_S):
            console.print(f"{state()}, {monotonic() - started:.0f} s")

    thread = Thread(target=print_lines, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def progress(console: Console, description: str) -> Iterator[Advance]:
    """Shows the progress of the block on `console`; yields the function that updates it."""
    if console.is_terminal:
        columns = (TextColumn(description), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(description, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    share = ""

    def advance(done: int, total: int) -> None:
        nonlocal share
        share = f": {done / total:.0%}" if total else ""

    with lines(console, lambda: f"{description}{share}"):
        yield advance

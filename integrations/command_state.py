"""State that the CLI passes to the commands of integrations, and ageing while one of them has a memory open."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console

    from foxing.memory import Memory
    from foxing.renderer import Announcement

log = logging.getLogger(__name__)


class AnnouncedService(Protocol):
    """A service that runs on this machine."""

    url: str
    announcement: "Announcement"


class CommandState(Protocol):
    """State that the CLI passes to its commands."""

    as_json: bool

    def settings(self) -> Any:
        """Returns the effective settings."""

    def key(self) -> str | None:
        """Returns the API key of the settings."""

    def database_url(self) -> str | None:
        """Returns the path or URL of the database; None for the default one."""

    def database_file(self) -> Path | None:
        """Returns the path of the SQLite database; None for another database."""

    def memory(self, *, create: bool = False, embed_later: bool = False) -> "AbstractContextManager[Memory]":
        """Opens the memory of the settings and closes it on exit. `create`: create the database if it does not
        exist."""

    def running_service(self) -> AnnouncedService | None:
        """Returns the service that runs on the database of the settings; None if there is none."""

    def report(self, document: Any, checks: Any) -> None:
        """Shows checks, and exits with status 1 if there is something to do."""

    def answer(self, document: Any, show: "Callable[[Console], None]") -> None:
        """Prints `document` as JSON with `--json`; calls `show` otherwise."""


@contextmanager
def ticking(memory: "Memory", settings: Any) -> Iterator[None]:
    """Embeds, seals and ages what was stored in a thread until the block ends, as the scheduler of a service does."""
    ended = Event()

    def tick() -> None:
        from foxing.renderer import FoxingError

        while not ended.wait(settings.ageing_interval_s):
            try:
                memory.tick()
            except FoxingError as error:
                if not ended.is_set():
                    log.warning("ageing failed and will be retried: %s", error)

    thread = Thread(target=tick, name="clock", daemon=True)
    if settings.ageing_enabled:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()

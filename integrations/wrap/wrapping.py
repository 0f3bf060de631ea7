"""`wrap`: a client of an SDK with a memory."""

import atexit
import logging
import os
import sqlite3
from pathlib import Path
from typing import TypeVar

from foxing.integrations.client import Target
from foxing.integrations.client.connection import name_of
from foxing.integrations.client.requests import bank_path
from foxing.integrations.outbox.file import outbox_path
from foxing.memory import RELEVANCE_FLOOR, InvalidInput

from .http import AsyncClientWithMemory, ClientWithMemory, with_memory
from .journal import WrapJournal
from .memory import ClientMemory
from .recollection import Recollection
from .sdks import http_clients, with_http_clients

C = TypeVar("C")

log = logging.getLogger(__name__)

#: Seconds that the end of a process waits for turns to be stored. What is not stored then stays in the journal.
EXIT_S = 5.0

_open: set[ClientMemory] = set()


def wrap(
    client: C,
    *,
    memory: "Target | None" = None,
    bank: str = "main",
    thread: str | None = None,
    recall: bool = True,
    budget: int = 1024,
    min_relevance: float = RELEVANCE_FLOOR,
    api_key: str | None = None,
    deadline_s: float = 0.15,
    warm_up_s: float = 5.0,
    journal: "str | os.PathLike[str] | None" = None,
) -> C:
    """Returns a client of the same type, with the same options and connections, that remembers: each turn is stored
    once, and what recall finds is added to the newest turn of the user.

        client = wrap(OpenAI(), bank="ana")

    `client`: `OpenAI`, `AsyncOpenAI`, `Anthropic`, `AsyncAnthropic`, `google.genai.Client`, or a class derived from one
    of these. `memory`: URL of a service, with its `api_key`; URL or path of a database; or a `Memory`. Default: the
    service on this machine if it runs, else the default database. `thread`: id of the session, and name of the thread
    of its turns; by default the same as through a proxy: what the request names, or what follows from its first words.
    `recall`: False to store only. `budget`: maximum number of tokens of what is added. `deadline_s`: maximum delay of a
    request. `warm_up_s`: maximum time that this call waits until the memory is ready, after it has imported what that
    needs. `journal`: path of the file in which turns wait for the memory; by default it is in the user's data folder.

    Raises `InvalidInput` for another client, and for an invalid bank, memory or number.
    """
    bank_path(bank)
    if budget < 1 or deadline_s <= 0:
        raise InvalidInput("budget and deadline_s must be positive; pass recall=False to add nothing")
    http = http_clients(client)
    if not http:
        raise InvalidInput(
            f"a {type(client).__name__} cannot be wrapped; pass OpenAI, AsyncOpenAI, Anthropic, AsyncAnthropic, or "
            "google.genai.Client, on httpx2"
        )
    if any(isinstance(item, ClientWithMemory | AsyncClientWithMemory) for item in http.values()):
        raise InvalidInput("this client is wrapped already; pass the client that it was made of")
    path = outbox_path("wrap") if journal is None else Path(journal)
    recollection = Recollection(memory, bank, api_key, budget, min_relevance)
    recollection.load()
    opened = _journal(path, f"{'default' if memory is None else name_of(memory)} {bank}")
    remembered = ClientMemory(
        opened,
        recollection,
        bank=bank,
        thread=thread,
        recall=recall,
        deadline_s=deadline_s,
    )
    _open.difference_update([item for item in _open if item.ended])
    _open.add(remembered)
    if recall:
        recollection.warm(warm_up_s)
    return with_http_clients(client, {name: with_memory(item, remembered) for name, item in http.items()})


def flush(client: object, timeout_s: float = 10.0) -> bool:
    """Waits until all turns of a wrapped client are stored, and returns whether they are. Raises `InvalidInput` for a
    client that is not wrapped."""
    return _memory_of(client).flush(timeout_s)


def _memory_of(client: object) -> ClientMemory:
    for http in http_clients(client).values():
        if isinstance(http, ClientWithMemory | AsyncClientWithMemory):
            return http.foxing_memory
    raise InvalidInput("this client is not wrapped; pass the result of wrap")


def _journal(path: Path, scope: str) -> WrapJournal:
    """Returns the journal in a file, or one in memory if the file cannot be used."""
    try:
        return WrapJournal(path, scope)
    except (OSError, sqlite3.Error) as error:
        log.warning("%s cannot be used (%s); turns that are not stored are lost when the process ends", path, error)
        return WrapJournal(None, scope)


@atexit.register
def _flush_all() -> None:
    for memory in list(_open):
        memory.flush(EXIT_S)

"""The client of a service."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar, Unpack

from . import calls
from .calls.call import Call
from .calls.messages import ContextFields, ImageFields, TextFields
from .calls.records import SearchFields
from .erasure_values import Erased, Undone
from .record_values import (
    FoundRecords,
    Namespaces,
    Record,
    RecordChanges,
    Records,
    RecordWrite,
)
from .transport import ServiceOptions, answer, connection_error, request_arguments
from .values import (
    Aged,
    Bank,
    Banks,
    Context,
    JsonInput,
    Message,
    NewMessage,
    Page,
    PagePreview,
    PageReading,
    Pages,
    Policy,
    Recalled,
    RecalledImages,
    Sealed,
    Stored,
    Tier,
)

R = TypeVar("R")

STORED_AT_ONCE = 500  # messages of an import in one request


class Client:
    """A client of a service. Safe to share between threads; close it, or use it in a `with` block.

    Every method raises a `ClientError`: `NotFound` if there is no such bank, page or message, `InvalidRequest`,
    `Conflict`, `Forgotten`, `Refused`, `Unavailable`, `ServiceFailed`. A call that the service could not answer is sent
    again for `retry_for_s` seconds, which does nothing twice.
    """

    def __init__(self, service: str | ServiceOptions, *, api_key: str | None = None) -> None:
        """`service`: its address, such as "http://127.0.0.1:8000", or the address with timeouts. `api_key`: the key of
        the service, if one is set. Raises `InvalidRequest` for what is no address."""
        options = service if isinstance(service, ServiceOptions) else ServiceOptions(service, api_key)
        import httpx

        self._options = options
        self._http = httpx.Client(**options.client_options())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def run(self, call: Call[R]) -> R:
        """The answer to a call."""
        from httpx import HTTPError

        arguments = request_arguments(call.request)
        for attempt in self._options.attempts():
            with attempt:
                try:
                    response = self._http.request(**arguments)
                except HTTPError as error:
                    raise connection_error(error, self._options.address, call) from error
                return answer(call, response)
        raise AssertionError("the last attempt returns or raises")

    def check(self) -> None:
        """Raises `Unavailable` unless the service can be used."""
        self.run(calls.check())

    def store(
        self,
        bank: str,
        messages: Iterable[NewMessage],
        *,
        thread: str | None = None,
        idempotency_key: str | None = None,
    ) -> Stored:
        """Stores messages, all or none, and creates the bank if necessary."""
        return self.run(calls.store(bank, messages, thread=thread, idempotency_key=idempotency_key))

    def message(self, bank: str, message_id: str) -> Message:
        """One message as remembered."""
        return self.run(calls.message(bank, message_id))

    def recall(self, bank: str, query: str | None = None, **fields: Unpack[TextFields]) -> Recalled:
        """The messages that answer `query`, best first; without one, those of the time window in time order."""
        return self.run(calls.recall(bank, query, **fields))

    def recall_all(self, bank: str, query: str | None = None, **fields: Unpack[TextFields]) -> Iterator[Message]:
        """The same, page after page of the list."""
        while True:
            part = self.recall(bank, query, **fields)
            yield from part.spans
            if part.next_cursor is None:
                return
            fields["cursor"] = part.next_cursor

    def recall_images(self, bank: str, query: str | None = None, **fields: Unpack[ImageFields]) -> RecalledImages:
        """Images of the pages that hold the messages that answer `query`."""
        return self.run(calls.recall_images(bank, query, **fields))

    def context(self, bank: str, reader: str, budget: int, **fields: Unpack[ContextFields]) -> Context:
        """The next prompt for a reader, within a budget of its tokens."""
        return self.run(calls.context(bank, reader, budget, **fields))

    def export_messages(self, bank: str) -> Iterator[Message]:
        """All messages of a bank in time order, as remembered now."""
        return self.recall_all(bank, limit=500)

    def import_messages(
        self, bank: str, messages: Iterable[NewMessage], *, thread: str | None = None
    ) -> Iterator[Stored]:
        """Stores messages batch by batch; what each did. Messages with ids can be imported again: those that are
        stored already are not stored twice."""
        remaining = iter(messages)
        while batch := list(islice(remaining, STORED_AT_ONCE)):
            yield self.store(bank, batch, thread=thread)

    def pages(self, bank: str, *, limit: int = 50, cursor: str | None = None, tier: Tier | None = None) -> Pages:
        """Pages of a bank, oldest first."""
        return self.run(calls.pages(bank, limit=limit, cursor=cursor, tier=tier))

    def all_pages(self, bank: str, *, tier: Tier | None = None) -> Iterator[Page]:
        """All of them."""
        cursor: str | None = None
        while True:
            part = self.pages(bank, limit=500, cursor=cursor, tier=tier)
            yield from part.pages
            cursor = part.next_cursor
            if cursor is None:
                return

    def page(self, bank: str, page_id: str) -> Page:
        """One page and how it is held."""
        return self.run(calls.page(bank, page_id))

    def page_image(self, bank: str, page_id: str, tier: Tier | None = None) -> bytes:
        """PNG of the page as a tier shows it."""
        return self.run(calls.page_image(bank, page_id, tier))

    def read_page(self, bank: str, page_id: str, tier: Tier | None = None) -> PageReading:
        """The page decoded now, or as it would read at a lower tier."""
        return self.run(calls.read_page(bank, page_id, tier))

    def preview_page(self, bank: str, page_id: str, tier: Tier | None = None) -> PagePreview:
        """What would be left of a page at a lower tier, by default the next one."""
        return self.run(calls.preview_page(bank, page_id, tier))

    def page_tokens(self, bank: str, page_id: str) -> bytes:
        """The stored vision tokens of a page, as a safetensors file."""
        return self.run(calls.page_tokens(bank, page_id))

    def pin(self, bank: str, page_id: str) -> Page:
        """Pins a page, so that it does not age."""
        return self.run(calls.pin(bank, page_id))

    def unpin(self, bank: str, page_id: str) -> Page:
        """Unpins a page, so that it ages again."""
        return self.run(calls.unpin(bank, page_id))

    def banks(self, *, limit: int = 50, cursor: str | None = None) -> Banks:
        """Banks in the order of their names, with statistics."""
        return self.run(calls.banks(limit=limit, cursor=cursor))

    def all_banks(self) -> Iterator[Bank]:
        """All of them."""
        cursor: str | None = None
        while True:
            part = self.banks(limit=500, cursor=cursor)
            yield from part.banks
            cursor = part.next_cursor
            if cursor is None:
                return

    def bank(self, bank: str) -> Bank:
        """Statistics of a bank."""
        return self.run(calls.bank(bank))

    def policy(self, bank: str) -> Policy:
        """The ageing policy of a bank."""
        return self.run(calls.policy(bank))

    def set_policy(self, bank: str, policy: Policy | Mapping[str, JsonInput]) -> Policy:
        """Sets the ageing policy of a bank, which is created if necessary."""
        return self.run(calls.set_policy(bank, policy))

    def seal(self, bank: str, *, now: datetime | str | None = None, timezone: str | None = None) -> Sealed:
        """Seals all open messages onto pages."""
        return self.run(calls.seal(bank, now=now, timezone=timezone))

    def age(
        self, bank: str, *, now: datetime | str | None = None, timezone: str | None = None, dry_run: bool = False
    ) -> Aged:
        """Moves the pages of a bank to the tiers that the policy sets for their age."""
        return self.run(calls.age(bank, now=now, timezone=timezone, dry_run=dry_run))

    def undo(
        self,
        bank: str,
        *,
        since: datetime | str | None = None,
        page: str | None = None,
        now: datetime | str | None = None,
        timezone: str | None = None,
    ) -> Undone:
        """Brings back what ageing dropped within the undo window, of a bank or a page, and pins the pages."""
        return self.run(calls.undo(bank, since=since, page=page, now=now, timezone=timezone))

    def erase_message(self, bank: str, message_id: str) -> Erased:
        """Erases a message for good."""
        return self.run(calls.erase_message(bank, message_id))

    def erase_thread(self, bank: str, thread: str) -> Erased:
        """Erases all messages of a thread for good. Erasing it again completes what was interrupted."""
        return self.run(calls.erase_thread(bank, thread))

    def erase_bank(self, bank: str) -> Erased:
        """Erases a bank for good with everything in it, records included."""
        return self.run(calls.erase_bank(bank))

    def write_records(
        self, bank: str, writes: Iterable[RecordWrite], *, idempotency_key: str | None = None
    ) -> RecordChanges:
        """Stores and deletes records in the order given, all or none, and creates the bank if necessary."""
        return self.run(calls.write_records(bank, writes, idempotency_key=idempotency_key))

    def get_records(
        self, bank: str, keys: Iterable[tuple[Sequence[str], str]], *, refresh_ttl: bool = False
    ) -> FoundRecords:
        """The records under namespaces and keys, in their order."""
        return self.run(calls.get_records(bank, keys, refresh_ttl=refresh_ttl))

    def search_records(self, bank: str, namespace: Sequence[str] = (), **fields: Unpack[SearchFields]) -> Records:
        """The records of a namespace and those below it, or of all: in order, by conditions, by words."""
        return self.run(calls.search_records(bank, namespace, **fields))

    def all_records(self, bank: str, namespace: Sequence[str] = (), **fields: Unpack[SearchFields]) -> Iterator[Record]:
        """The same, page after page of the list."""
        while True:
            part = self.search_records(bank, namespace, **fields)
            yield from part.records
            if part.next_cursor is None:
                return
            fields["cursor"] = part.next_cursor

    def namespaces(
        self, bank: str, prefix: Sequence[str] = (), *, limit: int = 100, cursor: str | None = None
    ) -> Namespaces:
        """The namespaces that hold records and begin with `prefix`, in alphabetical order."""
        return self.run(calls.namespaces(bank, prefix, limit=limit, cursor=cursor))

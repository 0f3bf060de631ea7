"""The client of a service for asynchronous programs."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar, Unpack

from . import calls
from .calls.call import Call
from .calls.messages import ContextFields, ImageFields, TextFields
from .calls.records import SearchFields
from .client import STORED_AT_ONCE
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


class AsyncClient:
    """A client of a service, for one event loop; close it, or use it in an `async with` block.

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
        self._http = httpx.AsyncClient(**options.client_options())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def run(self, call: Call[R]) -> R:
        """The answer to a call."""
        from httpx import HTTPError

        arguments = request_arguments(call.request)
        async for attempt in self._options.attempts():
            with attempt:
                try:
                    response = await self._http.request(**arguments)
                except HTTPError as error:
                    raise connection_error(error, self._options.address, call) from error
                return answer(call, response)
        raise AssertionError("the last attempt returns or raises")

    async def check(self) -> None:
        """Raises `Unavailable` unless the service can be used."""
        await self.run(calls.check())

    async def store(
        self,
        bank: str,
        messages: Iterable[NewMessage],
        *,
        thread: str | None = None,
        idempotency_key: str | None = None,
    ) -> Stored:
        """Stores messages, all or none, and creates the bank if necessary."""
        return await self.run(calls.store(bank, messages, thread=thread, idempotency_key=idempotency_key))

    async def message(self, bank: str, message_id: str) -> Message:
        """One message as remembered."""
        return await self.run(calls.message(bank, message_id))

    async def recall(self, bank: str, query: str | None = None, **fields: Unpack[TextFields]) -> Recalled:
        """The messages that answer `query`, best first; without one, those of the time window in time order."""
        return await self.run(calls.recall(bank, query, **fields))

    async def recall_all(
        self, bank: str, query: str | None = None, **fields: Unpack[TextFields]
    ) -> AsyncIterator[Message]:
        """The same, page after page of the list."""
        while True:
            part = await self.recall(bank, query, **fields)
            for item in part.spans:
                yield item
            if part.next_cursor is None:
                return
            fields["cursor"] = part.next_cursor

    async def recall_images(self, bank: str, query: str | None = None, **fields: Unpack[ImageFields]) -> RecalledImages:
        """Images of the pages that hold the messages that answer `query`."""
        return await self.run(calls.recall_images(bank, query, **fields))

    async def context(self, bank: str, reader: str, budget: int, **fields: Unpack[ContextFields]) -> Context:
        """The next prompt for a reader, within a budget of its tokens."""
        return await self.run(calls.context(bank, reader, budget, **fields))

    def export_messages(self, bank: str) -> AsyncIterator[Message]:
        """All messages of a bank in time order, as remembered now."""
        return self.recall_all(bank, limit=500)

    async def import_messages(
        self, bank: str, messages: Iterable[NewMessage], *, thread: str | None = None
    ) -> AsyncIterator[Stored]:
        """Stores messages batch by batch; what each did. Messages with ids can be imported again: those that are
        stored already are not stored twice."""
        remaining = iter(messages)
        while batch := list(islice(remaining, STORED_AT_ONCE)):
            yield await self.store(bank, batch, thread=thread)

    async def pages(self, bank: str, *, limit: int = 50, cursor: str | None = None, tier: Tier | None = None) -> Pages:
        """Pages of a bank, oldest first."""
        return await self.run(calls.pages(bank, limit=limit, cursor=cursor, tier=tier))

    async def all_pages(self, bank: str, *, tier: Tier | None = None) -> AsyncIterator[Page]:
        """All of them."""
        cursor: str | None = None
        while True:
            part = await self.pages(bank, limit=500, cursor=cursor, tier=tier)
            for item in part.pages:
                yield item
            cursor = part.next_cursor
            if cursor is None:
                return

    async def page(self, bank: str, page_id: str) -> Page:
        """One page and how it is held."""
        return await self.run(calls.page(bank, page_id))

    async def page_image(self, bank: str, page_id: str, tier: Tier | None = None) -> bytes:
        """PNG of the page as a tier shows it."""
        return await self.run(calls.page_image(bank, page_id, tier))

    async def read_page(self, bank: str, page_id: str, tier: Tier | None = None) -> PageReading:
        """The page decoded now, or as it would read at a lower tier."""
        return await self.run(calls.read_page(bank, page_id, tier))

    async def preview_page(self, bank: str, page_id: str, tier: Tier | None = None) -> PagePreview:
        """What would be left of a page at a lower tier, by default the next one."""
        return await self.run(calls.preview_page(bank, page_id, tier))

    async def page_tokens(self, bank: str, page_id: str) -> bytes:
        """The stored vision tokens of a page, as a safetensors file."""
        return await self.run(calls.page_tokens(bank, page_id))

    async def pin(self, bank: str, page_id: str) -> Page:
        """Pins a page, so that it does not age."""
        return await self.run(calls.pin(bank, page_id))

    async def unpin(self, bank: str, page_id: str) -> Page:
        """Unpins a page, so that it ages again."""
        return await self.run(calls.unpin(bank, page_id))

    async def banks(self, *, limit: int = 50, cursor: str | None = None) -> Banks:
        """Banks in the order of their names, with statistics."""
        return await self.run(calls.banks(limit=limit, cursor=cursor))

    async def all_banks(self) -> AsyncIterator[Bank]:
        """All of them."""
        cursor: str | None = None
        while True:
            part = await self.banks(limit=500, cursor=cursor)
            for item in part.banks:
                yield item
            cursor = part.next_cursor
            if cursor is None:
                return

    async def bank(self, bank: str) -> Bank:
        """Statistics of a bank."""
        return await self.run(calls.bank(bank))

    async def policy(self, bank: str) -> Policy:
        """The ageing policy of a bank."""
        return await self.run(calls.policy(bank))

    async def set_policy(self, bank: str, policy: Policy | Mapping[str, JsonInput]) -> Policy:
        """Sets the ageing policy of a bank, which is created if necessary."""
        return await self.run(calls.set_policy(bank, policy))

    async def seal(self, bank: str, *, now: datetime | str | None = None, timezone: str | None = None) -> Sealed:
        """Seals all open messages onto pages."""
        return await self.run(calls.seal(bank, now=now, timezone=timezone))

    async def age(
        self, bank: str, *, now: datetime | str | None = None, timezone: str | None = None, dry_run: bool = False
    ) -> Aged:
        """Moves the pages of a bank to the tiers that the policy sets for their age."""
        return await self.run(calls.age(bank, now=now, timezone=timezone, dry_run=dry_run))

    async def undo(
        self,
        bank: str,
        *,
        since: datetime | str | None = None,
        page: str | None = None,
        now: datetime | str | None = None,
        timezone: str | None = None,
    ) -> Undone:
        """Brings back what ageing dropped within the undo window, of a bank or a page, and pins the pages."""
        return await self.run(calls.undo(bank, since=since, page=page, now=now, timezone=timezone))

    async def erase_message(self, bank: str, message_id: str) -> Erased:
        """Erases a message for good."""
        return await self.run(calls.erase_message(bank, message_id))

    async def erase_thread(self, bank: str, thread: str) -> Erased:
        """Erases all messages of a thread for good. Erasing it again completes what was interrupted."""
        return await self.run(calls.erase_thread(bank, thread))

    async def erase_bank(self, bank: str) -> Erased:
        """Erases a bank for good with everything in it, records included."""
        return await self.run(calls.erase_bank(bank))

    async def write_records(
        self, bank: str, writes: Iterable[RecordWrite], *, idempotency_key: str | None = None
    ) -> RecordChanges:
        """Stores and deletes records in the order given, all or none, and creates the bank if necessary."""
        return await self.run(calls.write_records(bank, writes, idempotency_key=idempotency_key))

    async def get_records(
        self, bank: str, keys: Iterable[tuple[Sequence[str], str]], *, refresh_ttl: bool = False
    ) -> FoundRecords:
        """The records under namespaces and keys, in their order."""
        return await self.run(calls.get_records(bank, keys, refresh_ttl=refresh_ttl))

    async def search_records(self, bank: str, namespace: Sequence[str] = (), **fields: Unpack[SearchFields]) -> Records:
        """The records of a namespace and those below it, or of all: in order, by conditions, by words."""
        return await self.run(calls.search_records(bank, namespace, **fields))

    async def all_records(
        self, bank: str, namespace: Sequence[str] = (), **fields: Unpack[SearchFields]
    ) -> AsyncIterator[Record]:
        """The same, page after page of the list."""
        while True:
            part = await self.search_records(bank, namespace, **fields)
            for item in part.records:
                yield item
            if part.next_cursor is None:
                return
            fields["cursor"] = part.next_cursor

    async def namespaces(
        self, bank: str, prefix: Sequence[str] = (), *, limit: int = 100, cursor: str | None = None
    ) -> Namespaces:
        """The namespaces that hold records and begin with `prefix`, in alphabetical order."""
        return await self.run(calls.namespaces(bank, prefix, limit=limit, cursor=cursor))

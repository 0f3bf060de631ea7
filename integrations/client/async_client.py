"""The client of a service. The synchronous client is made from this file: run `make docs` after a change."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar, Unpack

from foxing.memory.values.banks import BankInfo, Banks
from foxing.memory.values.base import Tier, Value
from foxing.memory.values.context import ContextRequest, ContextResult
from foxing.memory.values.messages import MessageInfo, NewMessage, RecalledMessage, StoreResult
from foxing.memory.values.pages import PageInfo, PageReading, Pages
from foxing.memory.values.policy import Policy
from foxing.memory.values.recall import (
    ImageQueryFields,
    RecalledImages,
    RecallQuery,
    RecallResult,
    TextQueryFields,
)
from foxing.memory.values.records import (
    FoundRecords,
    Namespaces,
    Record,
    RecordChanges,
    RecordKey,
    Records,
    RecordSearch,
    RecordSearchFields,
    RecordWrite,
)
from foxing.memory.values.reports import (
    PREVIEWED_PAGES,
    AgeReport,
    ErasureReport,
    PagePreview,
    SealReport,
    UndoReport,
)

from .errors import error_of
from .requests import LONG_S, STORED_AT_ONCE, Request, bank_path, read, recall_request, store_request, write_request
from .transport import ServiceOptions, connection_error, request_arguments

V = TypeVar("V", bound=Value)


class AsyncClient:
    """A client of a service: the methods of a memory, over HTTP. Close it, or use it in a block. `Client` may be shared
    between threads; `AsyncClient`, whose methods are awaited, belongs to one event loop.

    Methods raise the errors of a memory in process, and `Refused`, `Unavailable`, `ServiceFailed`, `InvalidResponse`. A
    call that the service could not answer is sent again for `retry_for_s` seconds, which does nothing twice.
    """

    def __init__(self, service: str | ServiceOptions, *, api_key: str | None = None) -> None:
        """`service`: its address, such as "http://127.0.0.1:8000", or the address with timeouts. `api_key`: the key of
        the service, if one is set. Raises `InvalidInput` for what is no address."""
        options = service if isinstance(service, ServiceOptions) else ServiceOptions(service, api_key)
        import httpx

        self._options = options
        self._http = httpx.AsyncClient(**options.client_options())
        #: Values that agent frameworks keep and must get back exactly, beside the messages.
        self.records = AsyncClientRecords(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def ask(self, kind: type[V], request: Request) -> V:
        """The answer to a request, as a value."""
        return read(kind, await self.send(request))

    async def send(self, request: Request) -> bytes:
        """The body of the answer to a request."""
        from httpx import HTTPError

        arguments = request_arguments(request)
        async for attempt in self._options.attempts():
            with attempt:
                try:
                    response = await self._http.request(**arguments)
                except HTTPError as error:
                    raise connection_error(error, self._options.address, request) from error
                if response.is_success:
                    return response.content
                raise error_of(response.status_code, response.content)
        raise AssertionError("the last attempt returns or raises")

    async def check(self) -> None:
        """Raises `Unavailable` unless the service can be used."""
        await self.send(Request("GET", "/readyz"))

    async def store(
        self,
        bank: str,
        messages: Iterable[NewMessage | Mapping[str, object]],
        *,
        thread: str | None = None,
        idempotency_key: str | None = None,
    ) -> StoreResult:
        """Stores messages, all or none, and creates the bank if necessary."""
        return await self.ask(StoreResult, store_request(bank, messages, thread, idempotency_key))

    async def message(self, bank: str, message_id: str) -> MessageInfo:
        """One message as remembered."""
        return await self.ask(MessageInfo, Request("GET", bank_path(bank, "messages", message_id)))

    async def recall(
        self, bank: str, query: str | RecallQuery | None = None, **fields: Unpack[TextQueryFields]
    ) -> RecallResult:
        """The messages that answer `query`, best first; without one, those of the time window in time order."""
        return await self.ask(RecallResult, recall_request(bank, query, fields, "text"))

    async def recall_all(
        self, bank: str, query: str | RecallQuery | None = None, **fields: Unpack[TextQueryFields]
    ) -> AsyncIterator[RecalledMessage]:
        """The same, page after page of the list."""
        while True:
            part = await self.recall(bank, query, **fields)
            for item in part.spans:
                yield item
            if part.next_cursor is None:
                return
            fields["cursor"] = part.next_cursor

    async def recall_images(
        self, bank: str, query: str | RecallQuery | None = None, **fields: Unpack[ImageQueryFields]
    ) -> RecalledImages:
        """Images of the pages that hold the messages that answer `query`."""
        return await self.ask(RecalledImages, recall_request(bank, query, fields, "images"))

    async def context(self, bank: str, request: ContextRequest) -> ContextResult:
        """The next prompt for a reader, within a budget of its tokens."""
        body = request.model_dump(by_alias=True, exclude_unset=True)
        sent = Request("POST", bank_path(bank, "context"), body=body, timeout_s=LONG_S)
        return await self.ask(ContextResult, sent)

    def export(self, bank: str) -> AsyncIterator[RecalledMessage]:
        """All messages of a bank in time order, as remembered now."""
        return self.recall_all(bank, limit=500)

    async def import_messages(
        self, bank: str, messages: Iterable[NewMessage | Mapping[str, object]], *, thread: str | None = None
    ) -> AsyncIterator[StoreResult]:
        """Stores messages batch by batch; what each did. Messages with ids can be imported again: those that are
        stored already are not stored twice."""
        remaining = iter(messages)
        while batch := list(islice(remaining, STORED_AT_ONCE)):
            yield await self.store(bank, batch, thread=thread)

    async def pages(self, bank: str, *, limit: int = 50, cursor: str | None = None, tier: str | None = None) -> Pages:
        """Pages of a bank, oldest first."""
        parameters = {"limit": limit, "cursor": cursor, "tier": tier}
        return await self.ask(Pages, Request("GET", bank_path(bank, "pages"), parameters))

    async def all_pages(self, bank: str, *, tier: Tier | None = None) -> AsyncIterator[PageInfo]:
        """All of them."""
        cursor: str | None = None
        while True:
            part = await self.pages(bank, limit=500, cursor=cursor, tier=tier)
            for item in part.pages:
                yield item
            cursor = part.next_cursor
            if cursor is None:
                return

    async def page(self, bank: str, page_id: str) -> PageInfo:
        """One page and how it is held."""
        return await self.ask(PageInfo, Request("GET", bank_path(bank, "pages", page_id)))

    async def page_image(self, bank: str, page_id: str, tier: str | None = None) -> bytes:
        """PNG of the page as a tier shows it."""
        return await self.send(Request("GET", bank_path(bank, "pages", page_id, "image"), {"tier": tier}))

    async def read_page(self, bank: str, page_id: str, tier: str | None = None) -> PageReading:
        """The page decoded now, or as it would read at a lower tier."""
        return await self.ask(PageReading, Request("GET", bank_path(bank, "pages", page_id, "read"), {"tier": tier}))

    async def preview_page(self, bank: str, page_id: str, tier: str | None = None) -> PagePreview:
        """What would be left of a page at a lower tier, by default the next one."""
        path = bank_path(bank, "pages", page_id, "preview")
        return await self.ask(PagePreview, Request("GET", path, {"tier": tier}))

    async def page_tokens(self, bank: str, page_id: str) -> bytes:
        """The stored vision tokens of a page, as a safetensors file."""
        return await self.send(Request("GET", bank_path(bank, "pages", page_id, "tokens")))

    async def pin(self, bank: str, page_id: str) -> PageInfo:
        """Pins a page, so that it does not age."""
        return await self.ask(PageInfo, Request("PUT", bank_path(bank, "pages", page_id, "pin")))

    async def unpin(self, bank: str, page_id: str) -> PageInfo:
        """Unpins a page, so that it ages again."""
        return await self.ask(PageInfo, Request("DELETE", bank_path(bank, "pages", page_id, "pin")))

    async def banks(self, *, limit: int = 50, cursor: str | None = None) -> Banks:
        """Banks in the order of their names, with statistics."""
        return await self.ask(Banks, Request("GET", "/v1/banks", {"limit": limit, "cursor": cursor}))

    async def all_banks(self) -> AsyncIterator[BankInfo]:
        """All of them."""
        cursor: str | None = None
        while True:
            part = await self.banks(limit=500, cursor=cursor)
            for item in part.banks:
                yield item
            cursor = part.next_cursor
            if cursor is None:
                return

    async def bank(self, bank: str) -> BankInfo:
        """Statistics of a bank."""
        return await self.ask(BankInfo, Request("GET", bank_path(bank)))

    async def policy(self, bank: str) -> Policy:
        """The ageing policy of a bank."""
        return await self.ask(Policy, Request("GET", bank_path(bank, "policy")))

    async def set_policy(self, bank: str, policy: Policy | Mapping[str, object]) -> Policy:
        """Sets the ageing policy of a bank, which is created if necessary."""
        body = policy.model_dump(mode="json") if isinstance(policy, Policy) else policy
        return await self.ask(Policy, Request("PUT", bank_path(bank, "policy"), body=body))

    async def seal(self, bank: str, *, now: str | datetime | None = None, timezone: str | None = None) -> SealReport:
        """Seals all open messages onto pages."""
        body = {"now": now, "timezone": timezone}
        return await self.ask(SealReport, Request("POST", bank_path(bank, "seal"), body=body, timeout_s=LONG_S))

    async def age(
        self,
        bank: str,
        *,
        now: str | datetime | None = None,
        timezone: str | None = None,
        dry_run: bool = False,
        preview: int = PREVIEWED_PAGES,
    ) -> AgeReport:
        """Moves the pages of a bank to the tiers that the policy sets for their age."""
        body = {"now": now, "timezone": timezone, "dry_run": dry_run, "preview": preview}
        return await self.ask(AgeReport, Request("POST", bank_path(bank, "age"), body=body, timeout_s=LONG_S))

    async def undo(
        self,
        bank: str,
        *,
        since: str | datetime | None = None,
        page: str | None = None,
        now: str | datetime | None = None,
        timezone: str | None = None,
    ) -> UndoReport:
        """Brings back what ageing dropped within the undo window, of a bank or a page, and pins the pages."""
        body = {"since": since, "page": page, "now": now, "timezone": timezone}
        return await self.ask(UndoReport, Request("POST", bank_path(bank, "undo"), body=body, timeout_s=LONG_S))

    async def erase_message(self, bank: str, message_id: str) -> ErasureReport:
        """Erases a message for good. Sent again after a lost answer, it raises `NotFound` if the first attempt has done
        it."""
        request = Request("DELETE", bank_path(bank, "messages", message_id), timeout_s=LONG_S)
        return await self.ask(ErasureReport, request)

    async def erase_thread(self, bank: str, thread: str) -> ErasureReport:
        """Erases all messages of a thread for good. Erasing it again completes what was interrupted."""
        request = Request("DELETE", bank_path(bank, "threads", thread), timeout_s=LONG_S)
        return await self.ask(ErasureReport, request)

    async def erase_bank(self, bank: str) -> ErasureReport:
        """Erases a bank for good with everything in it, records included."""
        return await self.ask(ErasureReport, Request("DELETE", bank_path(bank), timeout_s=LONG_S))


class AsyncClientRecords:
    """The records of a client: the methods of a `RecordStore`, over HTTP."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def write(
        self,
        bank: str,
        writes: Iterable[RecordWrite | Mapping[str, object]],
        *,
        idempotency_key: str | None = None,
    ) -> RecordChanges:
        """Stores and deletes records in the order given, all or none, and creates the bank if necessary."""
        return await self._client.ask(RecordChanges, write_request(bank, writes, idempotency_key))

    async def get(
        self, bank: str, keys: Iterable[RecordKey | Mapping[str, object]], *, refresh_ttl: bool = False
    ) -> FoundRecords:
        """The records under these keys. `refresh_ttl`: whether they live for their `ttl_s` from now on."""
        body = {"records": list(keys), "refresh_ttl": refresh_ttl}
        return await self._client.ask(FoundRecords, Request("POST", bank_path(bank, "records", "get"), body=body))

    async def search(
        self, bank: str, search: RecordSearch | None = None, **fields: Unpack[RecordSearchFields]
    ) -> Records:
        """The records of some namespaces: all of them, those that meet conditions, or those that hold words."""
        given = {} if search is None else search.model_dump(exclude_unset=True)
        request = Request("POST", bank_path(bank, "records", "search"), body={**given, **fields})
        return await self._client.ask(Records, request)

    async def search_all(
        self, bank: str, search: RecordSearch | None = None, **fields: Unpack[RecordSearchFields]
    ) -> AsyncIterator[Record]:
        """The same, page after page of the list."""
        while True:
            part = await self.search(bank, search, **fields)
            for item in part.records:
                yield item
            if part.next_cursor is None:
                return
            fields["cursor"] = part.next_cursor

    async def namespaces(
        self, bank: str, *, prefix: Sequence[str] = (), limit: int = 100, cursor: str | None = None
    ) -> Namespaces:
        """The namespaces that hold records and begin with `prefix`, in alphabetical order."""
        body = {"prefix": list(prefix), "limit": limit, "cursor": cursor}
        return await self._client.ask(Namespaces, Request("POST", bank_path(bank, "records", "namespaces"), body=body))

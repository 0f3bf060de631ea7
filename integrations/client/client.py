"""The client of the HTTP service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

import foxing.memory.values as values
from foxing.memory import Value
from foxing.memory.values.base import PREVIEWED_PAGES, checked
from foxing.memory.values.facts import FACT_TOKENS

from .errors import JobCancelled, error_of
from .lists import parts
from .operations import ClientOperations
from .requests import (
    LONG_S,
    PROGRESS_S,
    STORED_AT_ONCE,
    WAIT_S,
    Request,
    bank_path,
    import_request,
    job_path,
    lacks_images,
    read,
    recall_request,
    store_request,
    write_request,
)
from .transport import ServiceOptions, connection_error, request_arguments, response_error

if TYPE_CHECKING:
    import httpx

    from foxing.memory import (
        AgeReport,
        BankInfo,
        Banks,
        ContextFields,
        ContextRequest,
        ContextResult,
        ErasureReport,
        FetchResult,
        FoldRequest,
        FoldResult,
        FoundRecords,
        ImageQueryFields,
        ImportJob,
        ImportPreview,
        Job,
        Jobs,
        MessageInfo,
        ModelCall,
        ModelCalls,
        Namespaces,
        NewMessage,
        PageInfo,
        PagePreview,
        PageReading,
        Pages,
        Policy,
        Provider,
        RecalledImages,
        RecalledMessage,
        RecallQuery,
        RecallResult,
        Record,
        RecordChanges,
        RecordedCalls,
        Records,
        RecordSearch,
        RecordSearchFields,
        Savings,
        SavingsBy,
        SealReport,
        StoreResult,
        TextQueryFields,
        ThreadInfo,
        Threads,
        UndoReport,
    )
    from foxing.memory.values.base import Tier
    from foxing.memory.values.facts import Fact, Facts
    from foxing.memory.values.imports import ImportQueryFields
    from foxing.memory.values.records import RecordKey, RecordWrite
    from foxing.memory.values.threads import ThreadQueryFields
    from foxing.renderer import Progress

V = TypeVar("V", bound=Value)


class Client:
    """A client with the methods of `Memory`, over HTTP. Close it, or use it as a context manager. It is
    thread-safe; `AsyncClient`, whose methods are awaited, belongs to one event loop.

    Methods raise the errors of an in-process memory, and `Refused`, `Unavailable`, `ServiceFailed`, `InvalidResponse`.
    Calls that the service could not process are retried for `retry_for_s` seconds; all are idempotent, but for creating
    and rotating keys, which are not retried once they may have been processed.
    """

    def __init__(self, service: str | ServiceOptions, *, api_key: str | None = None) -> None:
        """`service`: base URL, such as "http://127.0.0.1:8765", or `ServiceOptions` with URL and timeouts. `api_key`:
        the API key of the service, if one is set. Raises `InvalidInput` for an invalid URL."""
        options = service if isinstance(service, ServiceOptions) else ServiceOptions(service, api_key)
        import httpx

        self._options = options
        self._http = httpx.Client(**options.client_options())
        #: Records: JSON values of agent frameworks, stored exactly and separately from the messages.
        self.records = ClientRecords(self)
        #: Administration: keys, the audit log, the quarantine, legal holds, persons, limits and usage.
        self.operations = ClientOperations(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def ask(self, kind: type[V], request: Request) -> V:
        """Sends a request and returns its response as a value of type `kind`. Raises `InvalidResponse`."""
        response = self._respond(request)
        return read(kind, response.content, response.headers)

    def send(self, request: Request) -> bytes:
        """Sends a request, with retries, and returns the body of its response."""
        return self._respond(request).content

    def ask_long(self, kind: type[V], bank: str | None, request: Request, progress: Progress | None = None) -> V:
        """Sends a request that the service may answer with a job, follows the job to its end, and returns the result
        as a value of type `kind`. `bank`: None for a job without one. `progress`: called with the number of items done
        and the total. Raises the errors of the call, `JobCancelled`, `InvalidResponse`."""
        response = self._respond(request)
        if response.status_code != HTTPStatus.ACCEPTED:
            return read(kind, response.content, response.headers)
        job = self.wait_for_job(bank, read(values.jobs.Job, response.content, response.headers).id, progress)
        if job.error is not None:
            document = job.error.model_dump_json(exclude_none=True).encode()
            raise error_of(job.error.status, document, response.headers)
        if not isinstance(job.result, kind):
            raise JobCancelled(f"the job {job.id} was cancelled after {job.done} of {job.total or 0}; call it again")
        return job.result

    def _respond(self, request: Request) -> httpx.Response:
        from httpx import HTTPError

        for attempt in self._options.attempts():
            with attempt:
                arguments = request_arguments(request)
                try:
                    response = self._http.request(**arguments)
                except HTTPError as error:
                    raise connection_error(error, self._options.address, request) from error
                if response.is_success:
                    return response
                raise response_error(response, request)
        raise AssertionError("the last attempt returns or raises")

    def check(self) -> None:
        """Raises `Unavailable` unless the service is ready."""
        self.send(Request("GET", "/readyz"))

    def store(
        self,
        bank: str,
        messages: Iterable[NewMessage | Mapping[str, object]],
        *,
        thread: str | None = None,
        idempotency_key: str | None = None,
        provider: Provider | None = None,
        session: str | None = None,
        answer: str | None = None,
    ) -> StoreResult:
        """Stores all messages or none, and creates the bank if it does not exist. Returns their ids and the number of
        new messages. `provider`: the messages are those of its API, which the service reads. `session`: they are a
        conversation from its beginning, of which each turn is stored once; "auto" for a session that follows from its
        first words. `answer`: body of the answer to them. Raises `InvalidInput`, `InvalidTime`, `MessageTooLarge`,
        `Conflict`."""
        request = store_request(bank, messages, thread, idempotency_key, provider, session, answer)
        return self.ask(values.messages.StoreResult, request)

    def message(self, bank: str, message_id: str) -> MessageInfo:
        """Returns one message as remembered. Raises `NotFound`, `Forgotten`."""
        return self.ask(values.messages.MessageInfo, Request("GET", bank_path(bank, "messages", message_id)))

    def recall(
        self, bank: str, query: str | RecallQuery | None = None, **fields: Unpack[TextQueryFields]
    ) -> RecallResult:
        """Returns the messages that match `query`, best first; without a query, those of the time window in time order.
        Raises `NotFound`, `InvalidInput`, `InvalidTime`."""
        return self.ask(values.recall.RecallResult, recall_request(bank, query, fields, "text"))

    def recall_all(
        self, bank: str, query: str | RecallQuery | None = None, **fields: Unpack[TextQueryFields]
    ) -> Iterator[RecalledMessage]:
        """Yields the messages of `recall`, following `next_cursor`."""
        while True:
            part = self.recall(bank, query, **fields)
            yield from part.spans
            if part.next_cursor is None:
                return
            fields["cursor"] = part.next_cursor

    def recall_images(
        self, bank: str, query: str | RecallQuery | None = None, **fields: Unpack[ImageQueryFields]
    ) -> RecalledImages:
        """Returns images of the pages with the messages that match `query`. Raises `NotFound`, `InvalidInput`,
        `InvalidTime`."""
        return self.ask(values.recall.RecalledImages, recall_request(bank, query, fields, "images"))

    def context(
        self, bank: str, request: ContextRequest | None = None, **fields: Unpack[ContextFields]
    ) -> ContextResult:
        """Returns the next prompt for a reader, within a budget in its tokens. `fields`: the fields of
        `ContextRequest`, in place of a request, or to override those of one. Raises `NotFound`, `UnknownReader`,
        `InvalidInput`."""
        body = values.context.ContextRequest.with_fields(request, fields).model_dump(by_alias=True, exclude_unset=True)
        sent = Request("POST", bank_path(bank, "context"), body=body, timeout_s=LONG_S)
        return self.ask(values.context.ContextResult, sent)

    def fold(self, bank: str, request: FoldRequest) -> FoldResult:
        """Returns a conversation with its older history folded, to send in place of the one given. Raises
        `InvalidInput`."""
        body = checked(request, values.fold.FoldRequest).model_dump(mode="json", exclude_unset=True)
        sent = Request("POST", bank_path(bank, "fold"), body=body, timeout_s=LONG_S)
        return self.ask(values.fold.FoldResult, sent)

    def record_model_calls(
        self, bank: str, calls: ModelCalls | Sequence[ModelCall | Mapping[str, object]]
    ) -> RecordedCalls:
        """Records what calls of models were billed; each is recorded once. Raises `InvalidInput`."""
        items = (
            calls
            if isinstance(calls, values.savings.ModelCalls)
            else values.savings.ModelCalls.from_fields({"calls": list(calls)})
        )
        body = items.model_dump(mode="json", exclude_unset=True)
        return self.ask(values.savings.RecordedCalls, Request("POST", bank_path(bank, "savings"), body=body))

    def savings(
        self,
        bank: str,
        *,
        by: SavingsBy = "day",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1_000,
    ) -> Savings:
        """Returns what folding saved by day, session or model: what the recorded calls were billed, and what they would
        have been without folding. Raises `NotFound`, `InvalidInput`."""
        window = values.savings.SavingsWindow.from_fields({"by": by, "since": since, "until": until, "limit": limit})
        parameters = window.model_dump(mode="json", exclude_none=True)
        return self.ask(values.savings.Savings, Request("GET", bank_path(bank, "savings"), parameters))

    def fetch(self, bank: str, refs: str | Sequence[str]) -> FetchResult:
        """Returns the complete messages of one or several references, such as those on page images. Raises `NotFound`,
        `Forgotten`, `InvalidInput`."""
        return self.ask(
            values.messages.FetchResult,
            Request("GET", bank_path(bank, "fetch"), {"ref": values.messages.reference_list(refs)}),
        )

    def facts(
        self,
        bank: str,
        *,
        at: str | datetime | None = None,
        subject: str | None = None,
        max_tokens: int = FACT_TOKENS,
        timezone: str | None = None,
    ) -> Facts:
        """Returns what holds, or held at a time, pinned facts first, then the newest; see `Memory.facts`. Raises
        `NotFound`, `InvalidInput`, `InvalidTime`."""
        moment = at.isoformat() if isinstance(at, datetime) else at
        parameters = {"at": moment, "subject": subject, "max_tokens": max_tokens, "timezone": timezone}
        return self.ask(values.facts.Facts, Request("GET", bank_path(bank, "facts"), parameters))

    def pin_fact(self, bank: str, fact_id: str, *, pinned: bool = True) -> Fact:
        """Pins a fact, so that it is listed first and no message ends it, or unpins it. Raises `NotFound`."""
        request = Request("PUT" if pinned else "DELETE", bank_path(bank, "facts", fact_id, "pin"))
        return self.ask(values.facts.Fact, request)

    def correct_fact(self, bank: str, fact_id: str, text: str) -> Fact:
        """Stores a statement of the user in place of a fact, and returns it. Raises `NotFound`, `InvalidInput`."""
        request = Request("POST", bank_path(bank, "facts", fact_id, "correct"), body={"text": text})
        return self.ask(values.facts.Fact, request)

    def dismiss_fact(self, bank: str, fact_id: str) -> Fact:
        """Dismisses a fact: from now on it does not hold. Raises `NotFound`."""
        return self.ask(values.facts.Fact, Request("DELETE", bank_path(bank, "facts", fact_id)))

    def export(self, bank: str) -> Iterator[RecalledMessage]:
        """Yields all messages of a bank in time order, as remembered now. Raises `NotFound`."""
        for message in self.recall_all(bank, limit=500):
            yield self.message(bank, message.message_id) if lacks_images(message) else message

    def import_messages(
        self, bank: str, messages: Iterable[NewMessage | Mapping[str, object]], *, thread: str | None = None
    ) -> Iterator[StoreResult]:
        """Stores messages in batches; yields the result of each. Messages with ids can be imported again: those that
        are already stored are skipped."""
        remaining = iter(messages)
        while batch := list(islice(remaining, STORED_AT_ONCE)):
            yield self.store(bank, batch, thread=thread)

    def import_file(self, bank: str, path: str | Path, **fields: Unpack[ImportQueryFields]) -> ImportJob:
        """Sends a history of any known format, such as the zip of ChatGPT's data export, and returns its import once it
        has been read; its messages are stored in the background, see `wait_for_import`. Sending it again stores what is
        missing.

        `fields`: fields of `ImportQuery`. Raises `ChoiceNeeded` if the format or the dates are ambiguous,
        `InvalidInput`, `InvalidTime`; nothing is stored then.
        """
        return self.ask(values.imports.ImportJob, import_request(bank, path, fields))

    def preview_import(self, bank: str, path: str | Path, **fields: Unpack[ImportQueryFields]) -> ImportPreview:
        """Returns what `import_file` would store and leave out. Writes nothing, and raises the same errors."""
        return self.ask(values.imports.ImportPreview, import_request(bank, path, fields, dry_run=True))

    def import_progress(self, bank: str, import_id: str) -> ImportJob:
        """Returns an import with its progress, and with its report once it is done. Raises `NotFound`."""
        return self.ask(values.imports.ImportJob, Request("GET", bank_path(bank, "import", import_id)))

    def wait_for_import(self, bank: str, import_id: str) -> ImportJob:
        """Waits until an import has ended and returns it: `state` is 'done', 'failed', 'cancelled' or 'stopped'. Raises
        `NotFound`."""
        while True:
            request = Request("GET", bank_path(bank, "import", import_id), {"wait": WAIT_S})
            job = self.ask(values.imports.ImportJob, request)
            if job.state not in ("waiting", "running"):
                return job

    def cancel_import(self, bank: str, import_id: str) -> ImportJob:
        """Asks an import to end, and returns it; what is stored stays. Raises `NotFound`."""
        return self.ask(values.imports.ImportJob, Request("DELETE", bank_path(bank, "import", import_id)))

    def jobs(self, bank: str, *, limit: int = 50, cursor: str | None = None) -> Jobs:
        """Returns jobs of a bank, imports among them, the newest first. Raises `NotFound`, `InvalidCursor`."""
        return self.ask(values.jobs.Jobs, Request("GET", bank_path(bank, "jobs"), {"limit": limit, "cursor": cursor}))

    def job(self, bank: str | None, job_id: str) -> Job:
        """Returns a job with its progress, and with its result once it is done. `bank`: None for a job without a bank,
        the erasure of one or of what a person said, or of any. Raises `NotFound`."""
        return self.ask(values.jobs.Job, Request("GET", job_path(bank, job_id)))

    def wait_for_job(self, bank: str | None, job_id: str, progress: Progress | None = None) -> Job:
        """Waits until a job has ended and returns it: `state` is 'done', 'failed', 'cancelled' or 'stopped'. `bank`:
        see `job`. `progress`: called with the number of items done and the total. Raises `NotFound`."""
        wait_s = WAIT_S if progress is None else PROGRESS_S
        while True:
            job = self.ask(values.jobs.Job, Request("GET", job_path(bank, job_id), {"wait": wait_s}))
            if progress is not None and job.total is not None:
                progress(job.done, job.total)
            if job.is_over:
                return job

    def cancel_job(self, bank: str | None, job_id: str) -> Job:
        """Asks a job to end between two pages, and returns it; what is complete stays. `bank`: see `job`. Raises
        `NotFound`."""
        return self.ask(values.jobs.Job, Request("DELETE", job_path(bank, job_id)))

    def pages(self, bank: str, *, limit: int = 50, cursor: str | None = None, tier: str | None = None) -> Pages:
        """Returns pages of a bank, oldest first. Raises `NotFound`, `InvalidCursor`."""
        parameters = {"limit": limit, "cursor": cursor, "tier": tier}
        return self.ask(values.pages.Pages, Request("GET", bank_path(bank, "pages"), parameters))

    def all_pages(self, bank: str, *, tier: Tier | None = None) -> Iterator[PageInfo]:
        """Yields all pages of a bank, oldest first. Raises `NotFound`."""
        for part in parts(lambda cursor: self.pages(bank, limit=500, cursor=cursor, tier=tier)):
            yield from part.pages

    def page(self, bank: str, page_id: str) -> PageInfo:
        """Returns the tier, age, size and confidence of a page. Raises `NotFound`."""
        return self.ask(values.pages.PageInfo, Request("GET", bank_path(bank, "pages", page_id)))

    def page_image(self, bank: str, page_id: str, tier: str | None = None) -> bytes:
        """Returns a PNG of a page at a tier, by default its current one. Raises `NotFound`, `Forgotten`."""
        return self.send(Request("GET", bank_path(bank, "pages", page_id, "image"), {"tier": tier}))

    def read_page(self, bank: str, page_id: str, tier: str | None = None) -> PageReading:
        """Returns the page decoded at its current tier or a lower one. Raises `NotFound`, `Forgotten`."""
        return self.ask(
            values.pages.PageReading, Request("GET", bank_path(bank, "pages", page_id, "read"), {"tier": tier})
        )

    def preview_page(self, bank: str, page_id: str, tier: str | None = None) -> PagePreview:
        """Returns what would remain of a page at a lower tier, by default the next one. Raises `NotFound`,
        `InvalidInput`."""
        path = bank_path(bank, "pages", page_id, "preview")
        return self.ask(values.reports.PagePreview, Request("GET", path, {"tier": tier}))

    def page_tokens(self, bank: str, page_id: str) -> bytes:
        """Returns the stored vision tokens of a page as a safetensors file. Raises `NotFound`."""
        return self.send(Request("GET", bank_path(bank, "pages", page_id, "tokens")))

    def pin(self, bank: str, page_id: str, *, pinned: bool = True) -> PageInfo:
        """Pins a page, so that it does not age, or unpins it, and returns it. Raises `NotFound`."""
        request = Request("PUT" if pinned else "DELETE", bank_path(bank, "pages", page_id, "pin"))
        return self.ask(values.pages.PageInfo, request)

    def banks(self, *, limit: int = 50, cursor: str | None = None) -> Banks:
        """Returns banks with statistics, in the order of their names. Raises `InvalidCursor`."""
        return self.ask(values.banks.Banks, Request("GET", "/v1/banks", {"limit": limit, "cursor": cursor}))

    def all_banks(self) -> Iterator[BankInfo]:
        """Yields all banks with statistics, in the order of their names."""
        for part in parts(lambda cursor: self.banks(limit=500, cursor=cursor)):
            yield from part.banks

    def threads(
        self, bank: str, *, limit: int = 50, cursor: str | None = None, **conditions: Unpack[ThreadQueryFields]
    ) -> Threads:
        """Returns threads of a bank with their titles, speakers, and the number and the times of their messages, those
        with the newest messages first. `conditions`: fields of `ThreadQuery`: words of the title `q`, `person`,
        `source`, and `since` and `until` of the last message. Raises `NotFound`, `InvalidInput`, `InvalidCursor`."""
        fields = values.threads.ThreadQuery.from_fields(conditions).model_dump(mode="json", exclude_none=True)
        request = Request("GET", bank_path(bank, "threads"), {**fields, "limit": limit, "cursor": cursor})
        return self.ask(values.threads.Threads, request)

    def all_threads(self, bank: str, **conditions: Unpack[ThreadQueryFields]) -> Iterator[ThreadInfo]:
        """Yields all threads of a bank that meet the conditions, those with the newest messages first. Raises
        `NotFound`, `InvalidInput`."""
        for part in parts(lambda cursor: self.threads(bank, limit=500, cursor=cursor, **conditions)):
            yield from part.threads

    def bank(self, bank: str) -> BankInfo:
        """Returns the statistics of a bank. Raises `NotFound`."""
        return self.ask(values.banks.BankInfo, Request("GET", bank_path(bank)))

    def policy(self, bank: str) -> Policy:
        """Returns the ageing policy of a bank. Raises `NotFound`."""
        return self.ask(values.policy.Policy, Request("GET", bank_path(bank, "policy")))

    def set_policy(self, bank: str, policy: Policy | Mapping[str, object]) -> Policy:
        """Sets the ageing policy of a bank, creates the bank if it does not exist, and returns the policy. Raises
        `InvalidPolicy`."""
        body = policy.model_dump(mode="json") if isinstance(policy, values.policy.Policy) else policy
        return self.ask(values.policy.Policy, Request("PUT", bank_path(bank, "policy"), body=body))

    def seal(
        self,
        bank: str,
        *,
        now: str | datetime | None = None,
        timezone: str | None = None,
        progress: Progress | None = None,
    ) -> SealReport:
        """Seals all open messages onto pages and returns a report. `progress`: called with the number of messages done
        and the total, if it takes long. Raises `NotFound`, `InvalidTime`."""
        body = {"now": now, "timezone": timezone}
        request = Request("POST", bank_path(bank, "seal"), body=body, timeout_s=LONG_S)
        return self.ask_long(values.reports.SealReport, bank, request, progress)

    def age(
        self,
        bank: str,
        *,
        now: str | datetime | None = None,
        timezone: str | None = None,
        dry_run: bool = False,
        preview: int = PREVIEWED_PAGES,
        progress: Progress | None = None,
    ) -> AgeReport:
        """Moves the pages of a bank to the tiers that the policy sets for their age, and returns a report. `dry_run`:
        change nothing. `preview`: number of pages to count fading words of, in a dry run. `progress`: called with the
        number of pages done and the total, if it takes long. Raises `NotFound`, `InvalidTime`."""
        body = {"now": now, "timezone": timezone, "dry_run": dry_run, "preview": preview}
        request = Request("POST", bank_path(bank, "age"), body=body, timeout_s=LONG_S)
        return self.ask_long(values.reports.AgeReport, bank, request, progress)

    def undo(
        self,
        bank: str,
        *,
        since: str | datetime | None = None,
        page: str | None = None,
        now: str | datetime | None = None,
        timezone: str | None = None,
        progress: Progress | None = None,
    ) -> UndoReport:
        """Restores what ageing dropped within the undo window, of a bank or a page, pins the pages, and returns a
        report. `progress`: called with the number of pages done and the total, if it takes long. Raises `NotFound`,
        `InvalidTime`, `Forgotten`."""
        body = {"since": since, "page": page, "now": now, "timezone": timezone}
        request = Request("POST", bank_path(bank, "undo"), body=body, timeout_s=LONG_S)
        return self.ask_long(values.reports.UndoReport, bank, request, progress)

    def erase_message(self, bank: str, message_id: str) -> ErasureReport:
        """Permanently erases a message and returns a report. A retry after a lost response raises `NotFound` if the
        first attempt succeeded. Raises `NotFound`."""
        request = Request("DELETE", bank_path(bank, "messages", message_id), timeout_s=LONG_S)
        return self.ask(values.reports.ErasureReport, request)

    def erase_thread(self, bank: str, thread: str, *, progress: Progress | None = None) -> ErasureReport:
        """Permanently erases all messages of a thread and returns a report once all are erased. Repeat the call after
        an error to complete it. `progress`: called with the number of messages done and the total, if it takes long.
        Raises `NotFound`."""
        request = Request("DELETE", bank_path(bank, "threads", thread), timeout_s=LONG_S)
        return self.ask_long(values.reports.ErasureReport, bank, request, progress)

    def erase_bank(self, bank: str, *, progress: Progress | None = None) -> ErasureReport:
        """Permanently erases a bank with all its messages, pages and records, and returns a report. `progress`: called
        with the number of messages done and the total, if it takes long. Raises `NotFound`."""
        request = Request("DELETE", bank_path(bank), timeout_s=LONG_S)
        return self.ask_long(values.reports.ErasureReport, None, request, progress)


class ClientRecords:
    """The records of a client, with the methods of `RecordStore`, over HTTP."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def write(
        self,
        bank: str,
        writes: Iterable[RecordWrite | Mapping[str, object]],
        *,
        idempotency_key: str | None = None,
    ) -> RecordChanges:
        """Applies all writes or none, in order, and creates the bank if it does not exist. Returns a result per write.
        Raises `InvalidInput`, and `Conflict` for a record that does not have the version of `if_version`."""
        return self._client.ask(values.records.RecordChanges, write_request(bank, writes, idempotency_key))

    def get(
        self, bank: str, keys: Iterable[RecordKey | Mapping[str, object]], *, refresh_ttl: bool = False
    ) -> FoundRecords:
        """Returns the records with these keys, in order; None for one that does not exist. `refresh_ttl`: restart their
        `ttl_s` from now. Raises `NotFound` if the bank does not exist."""
        body = {"records": list(keys), "refresh_ttl": refresh_ttl}
        return self._client.ask(
            values.records.FoundRecords, Request("POST", bank_path(bank, "records", "get"), body=body)
        )

    def search(self, bank: str, search: RecordSearch | None = None, **fields: Unpack[RecordSearchFields]) -> Records:
        """Returns the records of some namespaces: all, those that match filters, or those that contain words. Raises
        `NotFound`, `InvalidInput`, `InvalidCursor`."""
        search_fields = {} if search is None else search.model_dump(exclude_unset=True)
        request = Request("POST", bank_path(bank, "records", "search"), body={**search_fields, **fields})
        return self._client.ask(values.records.Records, request)

    def search_all(
        self, bank: str, search: RecordSearch | None = None, **fields: Unpack[RecordSearchFields]
    ) -> Iterator[Record]:
        """Yields the records of `search`, following `next_cursor`."""
        while True:
            part = self.search(bank, search, **fields)
            yield from part.records
            if part.next_cursor is None:
                return
            fields["cursor"] = part.next_cursor

    def namespaces(
        self, bank: str, *, prefix: Sequence[str] = (), limit: int = 100, cursor: str | None = None
    ) -> Namespaces:
        """Returns the namespaces that contain records and begin with `prefix`, in alphabetical order. Raises
        `NotFound`, `InvalidCursor`."""
        body = {"prefix": list(prefix), "limit": limit, "cursor": cursor}
        return self._client.ask(
            values.records.Namespaces, Request("POST", bank_path(bank, "records", "namespaces"), body=body)
        )

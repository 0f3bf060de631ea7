"""The client of the HTTP service for asyncio programs."""

from types import TracebackType
from typing import Self

from foxing.memory import InThreads

from .client import Client, ClientRecords
from .operations import (
    ClientAudit,
    ClientHolds,
    ClientKeys,
    ClientLimits,
    ClientOperations,
    ClientPersons,
    ClientQuarantine,
)
from .transport import ServiceOptions


class AsyncClientRecords(InThreads[ClientRecords]):
    """The records of a client, with asynchronous methods."""

    abandons = True
    write = InThreads.method(ClientRecords.write)
    get = InThreads.method(ClientRecords.get)
    search = InThreads.method(ClientRecords.search)
    search_all = InThreads.iterator(ClientRecords.search_all)
    namespaces = InThreads.method(ClientRecords.namespaces)


class AsyncClientKeys(InThreads[ClientKeys]):
    """The API keys of a service, with asynchronous methods."""

    abandons = True
    create = InThreads.method(ClientKeys.create)
    list = InThreads.method(ClientKeys.list)
    list_all = InThreads.iterator(ClientKeys.list_all)
    revoke = InThreads.method(ClientKeys.revoke)
    rotate = InThreads.method(ClientKeys.rotate)


class AsyncClientAudit(InThreads[ClientAudit]):
    """The audit log of a service, with asynchronous methods."""

    abandons = True
    list = InThreads.method(ClientAudit.list)
    list_all = InThreads.iterator(ClientAudit.list_all)


class AsyncClientQuarantine(InThreads[ClientQuarantine]):
    """The quarantined messages of the banks of a service, with asynchronous methods."""

    abandons = True
    list = InThreads.method(ClientQuarantine.list)
    list_all = InThreads.iterator(ClientQuarantine.list_all)
    release = InThreads.method(ClientQuarantine.release)
    erase = InThreads.method(ClientQuarantine.erase)


class AsyncClientHolds(InThreads[ClientHolds]):
    """The legal holds of a service, with asynchronous methods."""

    abandons = True
    set = InThreads.method(ClientHolds.set)
    release = InThreads.method(ClientHolds.release)
    list = InThreads.method(ClientHolds.list)


class AsyncClientPersons(InThreads[ClientPersons]):
    """Erasure and export of what persons said, with asynchronous methods."""

    abandons = True
    erase = InThreads.method(ClientPersons.erase)
    export = InThreads.iterator(ClientPersons.export)


class AsyncClientLimits(InThreads[ClientLimits]):
    """The limits of tenants and their usage, with asynchronous methods."""

    abandons = True
    get = InThreads.method(ClientLimits.get)
    set = InThreads.method(ClientLimits.set)
    usage = InThreads.method(ClientLimits.usage)


class AsyncClientOperations(InThreads[ClientOperations]):
    """`ClientOperations` with asynchronous methods."""

    abandons = True
    reencode = InThreads.method(ClientOperations.reencode)
    rename_thread = InThreads.method(ClientOperations.rename_thread)

    def __init__(self, operations: ClientOperations, threads: int) -> None:
        super().__init__(operations, threads)
        #: API keys.
        self.keys = AsyncClientKeys(operations.keys, threads)
        #: Audit log.
        self.audit = AsyncClientAudit(operations.audit, threads)
        #: Messages that the policies of banks have quarantined.
        self.quarantine = AsyncClientQuarantine(operations.quarantine, threads)
        #: Legal holds on banks and persons.
        self.holds = AsyncClientHolds(operations.holds, threads)
        #: Erasure and export of what persons said.
        self.persons = AsyncClientPersons(operations.persons, threads)
        #: Limits of tenants, and usage by day.
        self.limits = AsyncClientLimits(operations.limits, threads)


class AsyncClient(InThreads[Client]):
    """A `Client` with asynchronous methods, which have its parameters, results and errors. Each call runs in a thread,
    at most `ServiceOptions.connections` at once. A call that is cancelled ends on the service."""

    abandons = True

    def __init__(self, service: str | ServiceOptions, *, api_key: str | None = None) -> None:
        """See `Client`."""
        options = service if isinstance(service, ServiceOptions) else ServiceOptions(service, api_key)
        super().__init__(Client(options), options.connections)
        #: Records: JSON values of agent frameworks, stored exactly and separately from the messages.
        self.records = AsyncClientRecords(self._target.records, options.connections)
        #: Administration: keys, the audit log, the quarantine, legal holds, persons, limits and usage.
        self.operations = AsyncClientOperations(self._target.operations, options.connections)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    aclose = InThreads.method(Client.close)
    check = InThreads.method(Client.check)
    store = InThreads.method(Client.store)
    message = InThreads.method(Client.message)
    recall = InThreads.method(Client.recall)
    recall_all = InThreads.iterator(Client.recall_all)
    recall_images = InThreads.method(Client.recall_images)
    context = InThreads.method(Client.context)
    fold = InThreads.method(Client.fold)
    record_model_calls = InThreads.method(Client.record_model_calls)
    savings = InThreads.method(Client.savings)
    fetch = InThreads.method(Client.fetch)
    facts = InThreads.method(Client.facts)
    pin_fact = InThreads.method(Client.pin_fact)
    correct_fact = InThreads.method(Client.correct_fact)
    dismiss_fact = InThreads.method(Client.dismiss_fact)
    export = InThreads.iterator(Client.export)
    import_messages = InThreads.iterator(Client.import_messages)
    import_file = InThreads.method(Client.import_file)
    preview_import = InThreads.method(Client.preview_import)
    import_progress = InThreads.method(Client.import_progress)
    wait_for_import = InThreads.method(Client.wait_for_import)
    cancel_import = InThreads.method(Client.cancel_import)
    jobs = InThreads.method(Client.jobs)
    job = InThreads.method(Client.job)
    wait_for_job = InThreads.method(Client.wait_for_job)
    cancel_job = InThreads.method(Client.cancel_job)
    pages = InThreads.method(Client.pages)
    all_pages = InThreads.iterator(Client.all_pages)
    page = InThreads.method(Client.page)
    page_image = InThreads.method(Client.page_image)
    read_page = InThreads.method(Client.read_page)
    preview_page = InThreads.method(Client.preview_page)
    page_tokens = InThreads.method(Client.page_tokens)
    pin = InThreads.method(Client.pin)
    banks = InThreads.method(Client.banks)
    all_banks = InThreads.iterator(Client.all_banks)
    threads = InThreads.method(Client.threads)
    all_threads = InThreads.iterator(Client.all_threads)
    bank = InThreads.method(Client.bank)
    policy = InThreads.method(Client.policy)
    set_policy = InThreads.method(Client.set_policy)
    seal = InThreads.method(Client.seal)
    age = InThreads.method(Client.age)
    undo = InThreads.method(Client.undo)
    erase_message = InThreads.method(Client.erase_message)
    erase_thread = InThreads.method(Client.erase_thread)
    erase_bank = InThreads.method(Client.erase_bank)

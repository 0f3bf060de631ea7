"""Banks, their policies and their threads."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Connection, bindparam, literal, select

from foxing.memory.access import Access, tenant_of
from foxing.memory.errors import Conflict, NotFound
from foxing.memory.storage import columns, schema, snapshot
from foxing.memory.storage.dialects import insert_into

from . import bank_versions, schedule
from .batches import batched, sum_by_bank, totals_by_bank
from .blobs import contents as blobs
from .sealed import keys, manifests

_c = schema.banks.c

ERASED = "this bank was erased meanwhile"
HINT_CANDIDATES = 100  # names on either side of an unknown one that are compared with it
MIN_SIMILARITY = 0.75  # minimum similarity ratio of a suggestion


@dataclass(frozen=True)
class Bank:
    """Row of a bank."""

    id: int
    name: str
    created_at: datetime
    #: The policy as JSON; `Policy.parse` reads it.
    policy: dict[str, Any]
    #: Incremented by every sealing, for compare-and-swap.
    seal_version: int
    #: Time at which the first of its messages expires; None if none does.
    expires_at: datetime | None


_named = select(_c.name, _c.created_at, _c.policy, _c.seal_version, _c.expires_at, *bank_versions.COLUMNS)
_named = _named.where(_c.name == bindparam("name"))


def _bank(row: Any) -> Bank:
    return Bank(row.id, row.name, row.created_at, row.policy, row.seal_version, row.expires_at)


def find(connection: Connection, name: str) -> Bank | None:
    """Returns the bank that the caller calls `name`; None if it does not exist for it, which takes the same time."""
    access = Access.current()
    name = access.full_name(name)
    row = connection.execute(_named, {"name": name}).first()
    if row is None or not access.sees(name):
        return None
    bank_versions.note(connection, row)
    return _bank(row)


def get(connection: Connection, name: str) -> Bank:
    """Returns the bank called `name`. Raises `NotFound`, with a suggestion."""
    bank = find(connection, name)
    if bank is None:
        raise Access.current().no_bank(name, _similar(connection, Access.current().full_name(name)))
    return bank


def _similar(connection: Connection, name: str) -> str | None:
    """Returns the full name most similar to `name` among its neighbours in alphabetical order; None if none is similar
    enough."""
    following = select(_c.name).where(_c.name > name).order_by(_c.name).limit(HINT_CANDIDATES)
    preceding = select(_c.name).where(_c.name < name).order_by(_c.name.desc()).limit(HINT_CANDIDATES)
    sees = Access.current().sees
    nearby = (*connection.scalars(following), *connection.scalars(preceding))
    names = {other.lower(): other for other in nearby if sees(other)}
    return next((names[other] for other in get_close_matches(name.lower(), names, n=1, cutoff=MIN_SIMILARITY)), None)


def get_or_create(connection: Connection, name: str, now: datetime, policy: dict[str, Any]) -> Bank:
    """Returns the bank called `name`, created with `policy` if it does not exist, and locks it against other writers
    until the transaction ends, so that none of them stores the same message or thread. Raises `Conflict` if another
    owner has a bank of that name, and `NotFound` for a name that the caller may not use."""
    access = Access.current()
    name = access.full_name(name)
    if not access.sees(name):
        raise access.no_bank(name)
    row = connection.execute(_named_and_locked, {"name": name}).first()
    if row is None:
        insert = insert_into(connection, schema.banks).values(
            name=name, tenant=tenant_of(name), created_at=now, policy=policy
        )
        connection.execute(insert.on_conflict_do_nothing())  # another writer may have created it meanwhile
        row = connection.execute(_named_and_locked, {"name": name}).first()
    if row is None:
        raise Conflict(f"the name '{name}' is taken by another owner's bank; choose another")
    return _bank(row)


def find_locked(connection: Connection, name: str) -> Bank | None:
    """Returns the bank called `name`, locked as by `get_or_create`; None if it does not exist for the caller."""
    access = Access.current()
    name = access.full_name(name)
    row = connection.execute(_named_and_locked, {"name": name}).first()
    return None if row is None or not access.sees(name) else _bank(row)


_named_and_locked = select(schema.banks).where(_c.name == bindparam("name")).with_for_update(key_share=True)


def lock(connection: Connection, bank_id: int) -> None:
    """Locks a bank against other writers until the transaction ends. A transaction that checks the contents of a bank
    before it writes, or that writes to several of its tables, locks it first. Raises `NotFound` if the bank was
    erased."""
    query = (
        select(_c.id).where(_c.id == bank_id).with_for_update(key_share=True)
    )  # permits inserts of rows that reference it
    if connection.execute(query).first() is None:
        raise NotFound(ERASED)


def list_after(connection: Connection, after: str | None, limit: int) -> list[Bank]:
    """Returns up to `limit` banks of the caller by name, starting after the full name `after`."""
    query = select(schema.banks).order_by(_c.name)
    if after is not None:
        query = query.where(_c.name > after)
    caller = Access.current()
    if caller.tenant is not None:
        query = query.where(_c.tenant == caller.tenant)
    if caller.banks is None:
        query = query.limit(limit)
    else:
        named = query.with_only_columns(_c.id, _c.name)
        ids = [row.id for row in connection.execute(named) if caller.sees(row.name)][:limit]
        query = query.where(_c.id.in_(ids))
    return [_bank(row) for row in connection.execute(query)]


def newest_first(connection: Connection) -> list[tuple[str, datetime]]:
    """Returns (full name, time of the last message) of the caller's banks that have messages, newest first, then by
    name."""
    caller = Access.current()
    sees = caller.sees
    query = _last_times if caller.tenant is None else _last_times.where(_c.tenant == caller.tenant)
    rows = [
        (name, max(time for time in times if time is not None))
        for name, *times in connection.execute(query)
        if any(times) and sees(name)
    ]
    return sorted(sorted(rows), key=itemgetter(1), reverse=True)


def _last_of(bank_id: Column[int], time: Column[datetime]) -> Any:
    """Returns the latest time of a bank in a table: one step in its index."""
    return select(time).where(bank_id == _c.id).order_by(time.desc()).limit(1).scalar_subquery()


_last_times = select(
    _c.name,
    _last_of(schema.messages.c.bank_id, schema.messages.c.created_at),
    _last_of(schema.pages.c.bank_id, schema.pages.c.last_at),
)


def by_id(connection: Connection, bank_id: int) -> Bank:
    """Returns the bank with that id. Raises `NotFound` if it was erased meanwhile."""
    row = connection.execute(select(schema.banks).where(_c.id == bank_id)).first()
    if row is None:
        raise NotFound(ERASED)
    return _bank(row)


def set_policy(connection: Connection, bank_id: int, policy: dict[str, Any]) -> None:
    """Replaces the policy of a bank and makes its sealing, ageing and erasure due for a check."""
    connection.execute(schema.banks.update().where(_c.id == bank_id).values(policy=policy))
    schedule.bring_forward(connection, bank_id, "seal")
    schedule.bring_forward(connection, bank_id, "age")
    if policy.get("erase"):
        schedule.bring_forward(connection, bank_id, "erase")


def advance_seal_version(connection: Connection, bank: Bank) -> bool:
    """Increments the seal version. Returns False if another process has sealed since `bank` was read."""
    result = connection.execute(
        schema.banks.update()
        .where(_c.id == bank.id, _c.seal_version == bank.seal_version)
        .values(seal_version=bank.seal_version + 1)
    )
    return result.rowcount == 1


def delete(connection: Connection, bank_id: int) -> None:
    """Deletes a bank with all rows that belong to it, to its pages or to its messages."""
    pages = schema.pages.c
    of_bank = select(pages.id).where(pages.bank_id == bank_id)
    for _, manifest in manifests.of_pages(connection, connection.execute(of_bank).scalars()):
        keys.remove_of(connection, manifest.ids.tolist())
    still_open = select(schema.messages.c.id).where(schema.messages.c.bank_id == bank_id)
    keys.remove_of(connection, list(connection.execute(still_open).scalars()))
    blobs.release_bank(connection, bank_id)
    for table in reversed(schema.metadata.sorted_tables):
        if "bank_id" in table.c:
            connection.execute(table.delete().where(table.c.bank_id == bank_id))
        elif "page_id" in table.c:
            connection.execute(table.delete().where(table.c.page_id.in_(of_bank)))
    connection.execute(schema.banks.delete().where(_c.id == bank_id))


def delete_empty_threads(connection: Connection, bank_id: int, names: Iterable[str]) -> None:
    """Deletes those of the threads that have no messages."""
    c = schema.threads.c
    messages = schema.messages.c
    ranges = schema.message_ranges.c
    still_open = select(messages.id).where(messages.thread_id == c.id).exists()
    sealed = select(ranges.page_id).where(ranges.thread_id == c.id).exists()
    for part in batched(sorted(set(names))):
        empty = (c.bank_id == bank_id, c.name.in_(part), ~still_open, ~sealed)
        persons = schema.thread_persons
        connection.execute(persons.delete().where(persons.c.thread_id.in_(select(c.id).where(*empty))))
        connection.execute(schema.threads.delete().where(*empty))


class ThreadKey(NamedTuple):
    """A thread by its id."""

    id: int
    has_title: bool


def thread_ids(connection: Connection, bank_id: int, names: Iterable[str]) -> dict[str, int]:
    """Returns thread name → id. Creates threads that do not exist."""
    return {name: key.id for name, key in thread_keys(connection, bank_id, names).items()}


def thread_keys(connection: Connection, bank_id: int, names: Iterable[str]) -> dict[str, ThreadKey]:
    """Returns thread name → its id, and whether it has a title. Creates threads that do not exist."""
    unique = sorted(set(names))
    threads = _threads(connection, bank_id, unique)
    missing = [name for name in unique if name not in threads]
    if missing:
        insert = insert_into(connection, schema.threads).on_conflict_do_nothing()
        connection.execute(insert, [{"bank_id": bank_id, "name": name} for name in missing])
        threads |= _threads(connection, bank_id, missing)
    return threads


def find_thread(connection: Connection, bank_id: int, name: str) -> int | None:
    """Returns the id of a thread; None if it does not exist."""
    key = _threads(connection, bank_id, [name]).get(name)
    return None if key is None else key.id


def _threads(connection: Connection, bank_id: int, names: Sequence[str]) -> dict[str, ThreadKey]:
    result: dict[str, ThreadKey] = {}
    for part in batched(names):
        rows = connection.execute(_threads_named, {"bank": bank_id, "names": part})
        result |= {name: ThreadKey(thread_id, bool(has_title)) for name, thread_id, has_title in rows}
    return result


_threads_named = select(schema.threads.c.name, schema.threads.c.id, schema.threads.c.title.is_not(None))
_threads_named = _threads_named.where(
    schema.threads.c.bank_id == bindparam("bank", type_=BigInteger),
    schema.threads.c.name.in_(bindparam("names", expanding=True)),
)


def thread_names(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """Returns thread id → name."""
    read = snapshot.of(connection)
    names = {} if read is None else read.threads
    missing = sorted(set(ids) - names.keys())
    if missing:
        names |= {thread_id: name for thread_id, name in connection.execute(_thread_names, {"ids": missing})}
    return {thread_id: names[thread_id] for thread_id in ids if thread_id in names}


_thread_names = select(schema.threads.c.id, schema.threads.c.name).where(columns.is_given(schema.threads.c.id))


def count_threads(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → number of threads in the bank."""
    return totals_by_bank(connection, THREADS, bank_ids)


#: Number of threads of each bank.
THREADS = sum_by_bank(schema.threads.c.bank_id, literal(1))

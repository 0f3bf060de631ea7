"""Records: values that come back exactly."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypedDict, Unpack

from foxing.integrations.client.record_values import (
    Condition,
    FoundRecords,
    Namespaces,
    RecordChanges,
    Records,
    RecordWrite,
)

from .call import Call, Request, bank_path, given, reading


class SearchFields(TypedDict, total=False):
    """Which records to list, or to find by words."""

    #: Whether to look in that namespace alone, not in those below it.
    exact: bool
    #: Words to look for; the best match comes first.
    query: str | None
    #: Conditions that all hold.
    filter: Sequence[Condition]
    #: Without words: in the order of creation, in the reverse order, or the last stored first.
    order: Literal["oldest", "newest", "updated"]
    #: 1 to 500.
    limit: int
    #: How many records to pass over first.
    offset: int
    cursor: str | None
    #: Whether the records found live for their `ttl_s` from now on.
    refresh_ttl: bool


def write_records(
    bank: str, writes: Iterable[RecordWrite], *, idempotency_key: str | None = None
) -> Call[RecordChanges]:
    """Stores and deletes records in the order given, all or none. Without `idempotency_key` the call has one of its
    own, so that sending it again writes nothing twice."""
    listed = [_write(write) for write in writes]
    key = idempotency_key or uuid.uuid4().hex

    def in_process(memory: Any) -> Any:
        return memory.records.write(bank, listed, idempotency_key=key).model_dump(mode="json")

    request = Request("POST", bank_path(bank, "records"), body={"writes": listed}, idempotency_key=key)
    return Call(request, reading(RecordChanges), in_process)


def _write(write: RecordWrite) -> dict[str, Any]:
    """As it is sent: a value may be null, everything else is left out then."""
    fields: dict[str, Any] = {**write, "namespace": list(write["namespace"])}
    return {name: value for name, value in fields.items() if value is not None or name == "value"}


def get_records(
    bank: str, keys: Iterable[tuple[Sequence[str], str]], *, refresh_ttl: bool = False
) -> Call[FoundRecords]:
    """The records under namespaces and keys, in their order. `refresh_ttl`: whether they live for their `ttl_s` from
    now on."""
    listed = [{"namespace": list(namespace), "key": key} for namespace, key in keys]

    def in_process(memory: Any) -> Any:
        return memory.records.get(bank, listed, refresh_ttl=refresh_ttl).model_dump(mode="json")

    body = {"records": listed, "refresh_ttl": refresh_ttl}
    return Call(Request("POST", bank_path(bank, "records", "get"), body=body), reading(FoundRecords), in_process)


def search_records(bank: str, namespace: Sequence[str] = (), **fields: Unpack[SearchFields]) -> Call[Records]:
    """The records of a namespace and those below it, or of all: in order, by conditions, by words."""
    body = given({"namespace": list(namespace), **fields})

    def in_process(memory: Any) -> Any:
        return memory.records.search(bank, **body).model_dump(mode="json")

    return Call(Request("POST", bank_path(bank, "records", "search"), body=body), reading(Records), in_process)


def namespaces(
    bank: str, prefix: Sequence[str] = (), *, limit: int = 100, cursor: str | None = None
) -> Call[Namespaces]:
    """The namespaces that hold records and begin with `prefix`, in alphabetical order."""
    body = given({"prefix": list(prefix), "limit": limit, "cursor": cursor})

    def in_process(memory: Any) -> Any:
        return memory.records.namespaces(bank, **body).model_dump(mode="json")

    return Call(Request("POST", bank_path(bank, "records", "namespaces"), body=body), reading(Namespaces), in_process)

"""LangGraph operations as calls on records.

Items are records below the namespace "langgraph", so that operations cannot access other records of the bank. LangGraph
reserves this label.
"""

from collections.abc import Sequence
from itertools import islice
from typing import TypeVar, cast

from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)

from foxing.integrations.frameworks.batches import batches
from foxing.integrations.frameworks.call_sequences import CallSequence
from foxing.integrations.frameworks.exact_json import exact_json
from foxing.integrations.frameworks.records import Address, BankRecords
from foxing.memory import MAX_QUERY_CHARS, Fields, InvalidInput, Record, RecordSearchFields

from .filters import conditions
from .index import StoreIndex, Vectors
from .namespaces import listed, literal_prefix

ROOT = "langgraph"

Kind = TypeVar("Kind", bound=Op)


class StoreOperations:
    """Executes LangGraph operations on the records of a bank."""

    def __init__(self, bank: str, index: StoreIndex) -> None:
        self._records = BankRecords(bank)
        self._index = index

    def results(self, ops: Sequence[Op], vectors: Vectors) -> CallSequence[list[Result]]:
        """Executes operations and returns their results in order. Reads run before writes. Nothing is executed if an
        operation is invalid. `vectors`: embeddings of the operations, from the index."""
        writes = [self._write(op, vectors) for op in ops if isinstance(op, PutOp)]
        searches = [(number, op, conditions(op.filter)) for number, op in _of_kind(ops, SearchOp)]
        results: list[Result] = [None] * len(ops)
        gets = _of_kind(ops, GetOp)
        refreshed: list[Record] = []
        addresses = [((ROOT, *op.namespace), op.key) for _, op in gets]
        for (number, get), record in zip(gets, (yield from self._records.get(addresses)), strict=True):
            results[number] = None if record is None else _item(record)
            if record is not None and get.refresh_ttl:
                refreshed.append(record)
        for number, search, filters in searches:
            vector = None if search.query is None else vectors.queries.get(search.query)
            records = yield from self._search(search, filters, vector)
            results[number] = [_search_item(record) for record in records]
            refreshed += records if search.refresh_ttl else []
        for number, listing in _of_kind(ops, ListNamespacesOp):
            results[number] = yield from self._list_namespaces(listing)
        yield from self._refresh(refreshed)
        for batch in batches(writes):
            yield from self._records.write(batch)
        return results

    def _write(self, op: PutOp, vectors: Vectors) -> Fields:
        if not op.namespace:
            raise InvalidNamespaceError("Namespace cannot be empty.")
        namespace = (ROOT, *op.namespace)
        if op.value is None:
            return {"op": "delete", "namespace": namespace, "key": op.key}
        value = exact_json(op.value, f"the value of '{op.key}'")
        write: Fields = {"op": "put", "namespace": namespace, "key": op.key, "value": value}
        if op.ttl is not None:
            if not op.ttl > 0:
                raise InvalidInput(f"ttl is {op.ttl} minutes; it must be more than 0, or None for no expiry")
            write["ttl_s"] = op.ttl * 60
        texts = self._index.texts(op)
        if texts is not None:
            write["text"] = "\n".join(texts)
            if self._index.embeddings is not None:
                write["vectors"] = [vectors.texts[text] for text in texts]
        return write

    def _search(
        self, op: SearchOp, filters: list[Fields] | None, vector: Sequence[float] | None
    ) -> CallSequence[list[Record]]:
        if op.limit < 0 or op.offset < 0:
            raise InvalidInput(f"limit is {op.limit} and offset {op.offset}; both must be 0 or more")
        if filters is None:
            return []
        fields: RecordSearchFields = {"filter": filters}
        namespace = (ROOT, *op.namespace_prefix)
        limit = op.offset + op.limit
        if op.query is None or not op.query.strip():
            fields = {**fields, "order": "updated", "offset": op.offset}
            return (yield from self._records.search({**fields, "namespace": namespace}, op.limit))
        fields = {**fields, "namespace": namespace}
        query_fields: RecordSearchFields = (
            {"query": op.query[:MAX_QUERY_CHARS]} if vector is None else {"vector": vector}
        )
        records = yield from self._records.search({**fields, **query_fields}, limit)
        if len(records) < limit:
            addresses = set(map(_address, records))
            others = yield from self._records.search({**fields, "order": "updated"}, limit)
            records += [record for record in others if _address(record) not in addresses]
        return records[op.offset : limit]

    def _list_namespaces(self, op: ListNamespacesOp) -> CallSequence[list[tuple[str, ...]]]:
        namespaces = yield from self._records.namespaces((ROOT, *literal_prefix(op)))
        own = [tuple(namespace[1:]) for namespace in namespaces]
        return list(islice(listed(own, op), op.offset, op.offset + op.limit))

    def _refresh(self, records: Sequence[Record]) -> CallSequence[None]:
        """Restarts the TTL of records that expire. Other records are skipped, so that reading them causes no write."""
        keys = list(dict.fromkeys(_address(record) for record in records if record.expires_at is not None))
        yield from self._records.get(keys, refresh_ttl=True)


def _address(record: Record) -> Address:
    return tuple(record.namespace), record.key


def _of_kind(ops: Sequence[Op], kind: type[Kind]) -> list[tuple[int, Kind]]:
    """Returns the operations of one type, each with its index in `ops`."""
    return [(number, op) for number, op in enumerate(ops) if isinstance(op, kind)]


def _item(record: Record) -> Item:
    return Item(
        value=_value(record),
        key=record.key,
        namespace=tuple(record.namespace[1:]),
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def _search_item(record: Record) -> SearchItem:
    return SearchItem(
        tuple(record.namespace[1:]), record.key, _value(record), record.created_at, record.updated_at, record.score
    )


def _value(record: Record) -> dict[str, object]:
    if not isinstance(record.value, dict):
        where = "/".join(record.namespace)
        raise InvalidInput(f"the record '{record.key}' in {where} was not written by LangGraph: it is not an object")
    return cast(dict[str, object], record.value)

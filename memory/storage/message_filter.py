"""Message filters, as SQL over open messages and as masks over the manifests of pages."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue
from sqlalchemy import ColumnElement, literal, select

from foxing.memory.values.metadata import Scalar

from . import columns, schema
from .manifest import PageManifest

_c = schema.messages.c
_p = schema.pages.c
_r = schema.message_ranges.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Returns microseconds since 1970, as in `manifest.SealedMessage`."""
    return (time - _EPOCH) // _MICROSECOND


def instant(number: int) -> datetime:
    """Returns the time of `microseconds`."""
    return _EPOCH + timedelta(microseconds=number)


@dataclass(frozen=True)
class MessageFilter:
    """Filter for messages of a bank by half-open time window, thread, metadata and roles. Admits all by default."""

    since: datetime | None = None
    until: datetime | None = None
    thread_id: int | None = None
    #: Members that the metadata must have, with these values.
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    #: Roles to admit; empty for all.
    roles: Collection[str] = frozenset()

    @property
    def admits_all(self) -> bool:
        """True if no condition is set."""
        return self == MessageFilter()

    def conditions(self) -> list[ColumnElement[bool]]:
        """Returns the filter as SQL conditions on open messages; empty if it admits all."""
        conditions: list[ColumnElement[bool]] = []
        if self.since is not None:
            conditions.append(_c.created_at >= self.since)
        if self.until is not None:
            conditions.append(_c.created_at < self.until)
        if self.thread_id is not None:
            conditions.append(_c.thread_id == self.thread_id)
        if self.metadata:
            conditions.append(columns.json_contains(_c.metadata, literal(dict(self.metadata), columns.JsonObject)))
        if self.roles:
            conditions.append(_c.role.in_(self.roles))
        return conditions

    def page_conditions(self) -> list[ColumnElement[bool]]:
        """Returns SQL conditions met by every page with a matching message."""
        conditions: list[ColumnElement[bool]] = []
        if self.since is not None:
            conditions.append(_p.last_at >= self.since)
        if self.until is not None:
            conditions.append(_p.first_at < self.until)
        if self.thread_id is not None:
            of_thread = select(_r.page_id).where(_r.thread_id == self.thread_id)
            conditions.append(_p.id.in_(of_thread))
        return conditions

    def mask(self, manifest: PageManifest) -> npt.NDArray[np.bool_]:
        """Returns bool[n]: True for the messages of a page that match."""
        result = np.ones(len(manifest), dtype=bool)
        if self.since is not None:
            result &= manifest.times >= microseconds(self.since)
        if self.until is not None:
            result &= manifest.times < microseconds(self.until)
        if self.thread_id is not None:
            result &= manifest.threads == self.thread_id
        if self.metadata:
            result &= [self._has_metadata(manifest.metadata.get(number)) for number in range(len(manifest))]
        if self.roles:
            numbers = [number for number, label in enumerate(manifest.labels) if label in self.roles]
            result &= np.isin(manifest.roles, numbers)
        return result

    def _has_metadata(self, packed: str | None) -> bool:
        if packed is None:
            return False
        metadata = json.loads(packed)
        return all(name in metadata and _equal(metadata[name], value) for name, value in self.metadata.items())


def _equal(value: JsonValue, scalar: Scalar) -> bool:
    """True if two JSON values are equal: numbers regardless of notation; true does not equal 1."""
    return isinstance(value, bool) == isinstance(scalar, bool) and value == scalar

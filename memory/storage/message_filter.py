"""Message filters, as SQL over open messages and as masks over the manifests of pages."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue
from sqlalchemy import ColumnElement, case, func, literal, select

from foxing.memory.values.metadata import Scalar
from foxing.memory.values.trust import OF_ROLE, trust_of

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
    """Filter for messages of a bank by half-open time window, thread, metadata, roles, trust classes and ids. Admits
    all by default."""

    since: datetime | None = None
    until: datetime | None = None
    thread_id: int | None = None
    #: Members that the metadata must have, with these values.
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    #: Roles to admit; empty for all.
    roles: Collection[str] = frozenset()
    #: Trust classes to admit; empty for all.
    trust: Collection[str] = frozenset()
    #: Ids of messages that it does not admit.
    without: Collection[int] = frozenset()

    @property
    def admits_all(self) -> bool:
        """True if no condition is set."""
        return self == MessageFilter()

    def conditions(self) -> list[ColumnElement[bool]]:
        """Returns the filter as SQL conditions on open messages; empty if it admits all."""
        return self._conditions(_OPEN)

    def page_conditions(self) -> list[ColumnElement[bool]]:
        """Returns SQL conditions met by every page with a matching message."""
        return self._conditions(_PAGES)

    def mask(self, manifest: PageManifest) -> npt.NDArray[np.bool_]:
        """Returns bool[n]: True for the messages of a page that match."""
        result = np.ones(len(manifest), dtype=bool)
        for condition in self._conditions(_sealed(manifest)):
            result &= condition
        return result

    def _conditions(self, form: "_Form") -> list[Any]:
        """Returns the conditions that are set, for messages in a form."""
        declared: tuple[tuple[Any, Callable[[Any], Any] | None], ...] = (
            (self.since, lambda since: form.last_at >= form.moment(since)),
            (self.until, lambda until: form.first_at < form.moment(until)),
            (self.thread_id, form.is_in_thread),
            (self.metadata or None, form.has_metadata),
            (self.roles or None, form.has_role),
            (self.trust or None, form.has_trust),
            (self.without or None, form.is_other),
        )
        return [holds(value) for value, holds in declared if value is not None and holds is not None]


@dataclass(frozen=True)
class _Form:
    """A form in which messages are stored, and how the conditions of a filter are expressed for it."""

    #: Times of a message, or of the first and the last of a page.
    first_at: Any
    last_at: Any
    #: Returns a time as these are.
    moment: Callable[[datetime], Any]
    is_in_thread: Callable[[int], Any]
    #: None where they are not known.
    has_metadata: Callable[[Mapping[str, Scalar]], Any] | None = None
    has_role: Callable[[Collection[str]], Any] | None = None
    has_trust: Callable[[Collection[str]], Any] | None = None
    is_other: Callable[[Collection[int]], Any] | None = None


_trust = func.coalesce(_c.trust, case(dict(OF_ROLE), value=_c.role, else_="unknown"))
_OPEN = _Form(
    _c.created_at,
    _c.created_at,
    lambda time: time,
    lambda thread_id: _c.thread_id == thread_id,
    lambda members: columns.json_contains(_c.metadata, literal(dict(members), columns.JsonObject)),
    lambda roles: _c.role.in_(roles),
    lambda trust: _trust.in_(trust),
    lambda ids: ~columns.among(_c.id, sorted(ids)),
)
_PAGES = _Form(
    _p.first_at,
    _p.last_at,
    lambda time: time,
    lambda thread_id: _p.id.in_(select(_r.page_id).where(_r.thread_id == thread_id)),
)


def _sealed(manifest: PageManifest) -> _Form:
    """Returns the form of the messages of a page, whose conditions are bool[n]."""
    return _Form(
        manifest.times,
        manifest.times,
        microseconds,
        lambda thread_id: manifest.threads == thread_id,
        lambda members: [_has(manifest.metadata.get(number), members) for number in range(len(manifest))],
        lambda roles: manifest.authored(lambda author: author.role in roles),
        lambda trust: manifest.authored(lambda author: trust_of(author.role, author.trust) in trust),
        lambda ids: ~np.isin(manifest.ids, sorted(ids)),
    )


def _has(packed: str | None, members: Mapping[str, Scalar]) -> bool:
    metadata = {} if packed is None else json.loads(packed)
    return all(name in metadata and _equal(metadata[name], value) for name, value in members.items())


def _equal(value: JsonValue, scalar: Scalar) -> bool:
    """True if two JSON values are equal: numbers regardless of notation; true does not equal 1."""
    return isinstance(value, bool) == isinstance(scalar, bool) and value == scalar

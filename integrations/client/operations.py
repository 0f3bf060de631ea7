"""Administration of a service: the calls of `Memory.operations` that the HTTP interface has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import foxing.memory.values as values

from .lists import parts
from .requests import LONG_S, Request, api_path, bank_path, read

if TYPE_CHECKING:
    from foxing.memory import (
        ErasureReport,
        Hold,
        HoldRequest,
        Holds,
        KeyInfo,
        KeyRequest,
        Keys,
        NewKey,
        PersonErasure,
        RecalledMessage,
        ReencodingReport,
        StoreResult,
        ThreadInfo,
        UsageLimits,
        UsageReport,
    )
    from foxing.memory.values.audit import AuditEvent, AuditEvents
    from foxing.memory.values.quarantine import QuarantinedMessage, QuarantineList
    from foxing.renderer import Progress

    from .client import Client


class ClientOperations:
    """Administration through a client, with the names of `Memory.operations`. The key needs the role admin; that of a
    tenant administers the tenant."""

    def __init__(self, client: Client) -> None:
        self._client = client
        #: API keys.
        self.keys = ClientKeys(client)
        #: Audit log.
        self.audit = ClientAudit(client)
        #: Messages that the policies of banks have quarantined.
        self.quarantine = ClientQuarantine(client)
        #: Legal holds on banks and persons.
        self.holds = ClientHolds(client)
        #: Erasure and export of what persons said.
        self.persons = ClientPersons(client)
        #: Limits of tenants, and usage by day.
        self.limits = ClientLimits(client)

    def reencode(self, bank: str, *, dry_run: bool = False, progress: Progress | None = None) -> ReencodingReport:
        """Reencodes the pages of another codec or other weights, and returns a report. `progress`: called with the
        number of pages done and the total, if it takes long. Raises `NotFound`."""
        request = Request("POST", bank_path(bank, "reencode"), body={"dry_run": dry_run}, timeout_s=LONG_S)
        return self._client.ask_long(values.reports.ReencodingReport, bank, request, progress)

    def rename_thread(self, bank: str, thread: str, title: str | None) -> ThreadInfo:
        """Gives a thread a title, and returns the thread; the role write is enough. None: the title of its export or
        its first request. Raises `NotFound`, `InvalidInput`, `Held`."""
        body = values.threads.ThreadTitle.from_fields({"title": title}).model_dump()
        request = Request("PATCH", bank_path(bank, "threads", thread), body=body)
        return self._client.ask(values.threads.ThreadInfo, request)


class ClientKeys:
    """The API keys of a service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, request: KeyRequest | Mapping[str, object]) -> NewKey:
        """Creates a key and returns it with its secret, which is shown only now. Not retried if the response is lost:
        list the keys then, and revoke the new one. Raises `InvalidInput`, `Conflict`, `Forbidden` for a key of another
        tenant."""
        body = values.keys.KeyRequest.from_fields(dict(request)).model_dump(mode="json", exclude_unset=True)
        return self._client.ask(values.keys.NewKey, Request("POST", "/v1/keys", body=body, repeatable=False))

    def list(self, *, limit: int = 50, cursor: str | None = None) -> Keys:
        """Returns keys in the order of their creation, those that were revoked or have expired included. Raises
        `InvalidInput`, `InvalidCursor`."""
        return self._client.ask(values.keys.Keys, Request("GET", "/v1/keys", {"limit": limit, "cursor": cursor}))

    def list_all(self) -> Iterator[KeyInfo]:
        """Yields all keys in the order of their creation."""
        for part in parts(lambda cursor: self.list(limit=500, cursor=cursor)):
            yield from part.keys

    def revoke(self, key_id: str) -> KeyInfo:
        """Revokes a key for good and returns it. Raises `NotFound`."""
        return self._client.ask(values.keys.KeyInfo, Request("DELETE", api_path("keys", key_id)))

    def rotate(self, key_id: str, *, overlap: timedelta = timedelta(0)) -> NewKey:
        """Creates a key with the name, role, banks and expiry of another, which is revoked, or expires after `overlap`.
        Not retried if the response is lost. Raises `NotFound`, `Conflict`, `InvalidInput`."""
        body = values.keys.KeyRotation(overlap=overlap).model_dump(mode="json")
        request = Request("POST", api_path("keys", key_id, "rotate"), body=body, repeatable=False)
        return self._client.ask(values.keys.NewKey, request)


class ClientAudit:
    """The audit log of a service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        bank: str | None = None,
        action: str | None = None,
        key_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
    ) -> AuditEvents:
        """Returns events in the order of the chain, or newest first. `limit`: 1 to 500. Raises `InvalidInput`,
        `InvalidCursor`."""
        parameters = {
            "limit": limit,
            "cursor": cursor,
            "bank": bank,
            "action": action,
            "key": key_id,
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
            "newest_first": "true" if newest_first else None,
        }
        return self._client.ask(values.audit.AuditEvents, Request("GET", "/v1/audit", parameters))

    def list_all(
        self,
        *,
        bank: str | None = None,
        action: str | None = None,
        key_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
    ) -> Iterator[AuditEvent]:
        """Yields the events of `list`, following `next_cursor`."""
        for part in parts(
            lambda cursor: self.list(
                limit=500,
                cursor=cursor,
                bank=bank,
                action=action,
                key_id=key_id,
                since=since,
                until=until,
                newest_first=newest_first,
            )
        ):
            yield from part.events


class ClientQuarantine:
    """The quarantined messages of the banks of a service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, bank: str, *, limit: int = 50, cursor: str | None = None) -> QuarantineList:
        """Returns quarantined messages of a bank in the order of their arrival. Raises `NotFound`, `InvalidInput`,
        `InvalidCursor`."""
        request = Request("GET", bank_path(bank, "quarantine"), {"limit": limit, "cursor": cursor})
        return self._client.ask(values.quarantine.QuarantineList, request)

    def list_all(self, bank: str) -> Iterator[QuarantinedMessage]:
        """Yields all quarantined messages of a bank in the order of their arrival. Raises `NotFound`."""
        for part in parts(lambda cursor: self.list(bank, limit=500, cursor=cursor)):
            yield from part.messages

    def release(self, bank: str, message_id: str) -> StoreResult:
        """Stores a quarantined message under its id and removes it from the quarantine. A retry after a lost response
        raises `NotFound` if the first attempt succeeded. Raises `NotFound`."""
        path = bank_path(bank, "quarantine", message_id, "release")
        return self._client.ask(values.messages.StoreResult, Request("POST", path))

    def erase(self, bank: str, message_id: str) -> ErasureReport:
        """Permanently erases a quarantined message. A retry after a lost response raises `NotFound` if the first
        attempt succeeded. Raises `NotFound`."""
        request = Request("DELETE", bank_path(bank, "quarantine", message_id))
        return self._client.ask(values.reports.ErasureReport, request)


class ClientHolds:
    """The legal holds of a service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def set(self, request: HoldRequest | Mapping[str, object]) -> Hold:
        """Sets a hold and returns it. A retry after a lost response raises `Conflict` if the first attempt succeeded.
        Raises `InvalidInput`, `NotFound` for a bank that does not exist, and `Conflict` if the bank or the person is
        held already."""
        body = values.holds.HoldRequest.from_fields(dict(request)).model_dump(mode="json", exclude_unset=True)
        return self._client.ask(values.holds.Hold, Request("POST", "/v1/holds", body=body))

    def release(self, hold_id: str) -> Hold:
        """Releases a hold and returns it. A retry after a lost response raises `NotFound` if the first attempt
        succeeded. Raises `NotFound`, and `Forbidden` for a hold that the operator has set on a bank of a tenant."""
        return self._client.ask(values.holds.Hold, Request("DELETE", api_path("holds", hold_id)))

    def list(self) -> Holds:
        """Returns the holds in the order in which they were set."""
        return self._client.ask(values.holds.Holds, Request("GET", "/v1/holds"))


class ClientPersons:
    """Erasure and export of what persons said, in all banks of the key."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def erase(
        self, person: str, *, mentions: bool = False, dry_run: bool = True, progress: Progress | None = None
    ) -> PersonErasure:
        """Permanently erases what a person said and returns a report; `dry_run` erases nothing. Repeating the call
        completes an interrupted erasure; a retry after a lost response raises `NotFound` if the first attempt
        succeeded. `mentions`: also messages of others whose text has the name as words. Raises `InvalidInput`,
        `NotFound` if the name occurs nowhere, and `Held` if a legal hold keeps any of the messages; nothing is erased
        then. `progress`: called with the number of messages done and the total, if it takes long; the report has no
        threads then."""
        fields = {"person": person, "mentions": mentions, "dry_run": dry_run}
        body = values.persons.PersonErasureRequest.from_fields(fields).model_dump(mode="json")
        request = Request("POST", "/v1/erase", body=body, timeout_s=LONG_S)
        report = self._client.ask_long(values.persons.PersonErasure, None, request, progress)
        return report.model_copy(update={"person": body["person"]})

    def export(self, person: str, *, mentions: bool = False) -> Iterator[RecalledMessage]:
        """Yields what a person said, bank by bank in time order, as remembered now, with the bank; all of it is read
        before the first is yielded. `mentions`: see `erase`. Raises `InvalidInput`, `NotFound`."""
        parameters = {"person": person, "mentions": "true" if mentions else None}
        lines = self._client.send(Request("GET", "/v1/export", parameters, timeout_s=LONG_S)).splitlines()
        return (read(values.messages.RecalledMessage, line, {}) for line in lines)


class ClientLimits:
    """The limits of tenants, and their usage."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, tenant: str) -> UsageLimits:
        """Returns the limits of a tenant. Raises `Forbidden` for a key of another tenant."""
        return self._client.ask(values.limits.UsageLimits, Request("GET", api_path("tenants", tenant, "limits")))

    def set(self, tenant: str, limits: UsageLimits | Mapping[str, object]) -> UsageLimits:
        """Replaces the limits of a tenant and returns them. Raises `InvalidInput`, and `Forbidden` for the key of a
        tenant."""
        body = values.limits.UsageLimits.from_fields(dict(limits)).model_dump(mode="json", exclude_none=True)
        request = Request("PUT", api_path("tenants", tenant, "limits"), body=body)
        return self._client.ask(values.limits.UsageLimits, request)

    def usage(self, *, days: int = 30) -> UsageReport:
        """Returns the usage of the last days by day, tenant and key: of all tenants for a key without one, else of that
        of the key. Raises `InvalidInput`."""
        return self._client.ask(values.limits.UsageReport, Request("GET", "/v1/usage", {"days": days}))

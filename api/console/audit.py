"""Pages of the audit log."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from foxing.api.dependencies import Service
from foxing.api.json_lines import JSON_LINES, json_lines
from foxing.memory import Access, InvalidInput
from foxing.memory.values.audit import MAX_AUDIT_EVENTS, AuditEvent

from .forms import whole_number
from .rendering import HEADERS, ConsolePage

EVENTS = 100
#: Fields of the form that choose events.
FILTERS = ("bank", "action", "key", "since", "until")


class AuditPages:
    """Lists, exports and verifies what the audit log of the caller has."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.memory = service.memory
        self.log = service.memory.operations.audit

    async def page(self, request: Request) -> ConsolePage:
        """The events, newest first."""
        chosen = self._chosen(request)
        cursor = request.query_params.get("cursor") or None
        listed = await self.service.run(
            self.log.list, limit=EVENTS, cursor=cursor, newest_first=True, **self._filters(chosen)
        )
        values = {
            "listed": listed,
            "chosen": chosen,
            "level": self.log.level,
            "is_operator": Access.current().tenant is None,
            "continued": cursor is not None,
        }
        return ConsolePage("audit.html", values, listed)

    async def verification(self, request: Request) -> ConsolePage:
        """The result of verifying the chain, with an event that was noted earlier if one is named."""
        query = request.query_params
        number = whole_number(query.get("number", "").strip(), None)
        digest = query.get("hash", "").strip() or None
        if (number is None) != (digest is None):
            raise InvalidInput("give both the number and the hash of the event that was noted, or neither")
        result = await self.service.run(self.log.verify, number=number, hash=digest)
        values = {"result": result, "number": "" if number is None else number, "hash": digest or ""}
        return ConsolePage("verification.html", values, result)

    async def export(self, request: Request) -> Response:
        """The events in JSON Lines, in the order of the chain."""
        filters = self._filters(self._chosen(request))
        await self.service.run(self.log.list, limit=1, **filters)  # raises before the response starts
        headers = HEADERS | {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
        events = json_lines(self.service.run, self._events(filters))
        return StreamingResponse(events, media_type=JSON_LINES, headers=headers)

    def _events(self, filters: dict[str, Any]) -> Iterator[AuditEvent]:
        cursor: str | None = None
        while True:
            part = self.log.list(limit=MAX_AUDIT_EVENTS, cursor=cursor, **filters)
            yield from part.events
            cursor = part.next_cursor
            if cursor is None:
                return

    @staticmethod
    def _chosen(request: Request) -> dict[str, str]:
        return {name: request.query_params.get(name, "").strip() for name in FILTERS}

    def _filters(self, chosen: dict[str, str]) -> dict[str, Any]:
        """Returns the parameters of `AuditLog.list` for the fields of the form. Raises `InvalidTime`."""
        times = {name: self.memory.now(chosen[name]) if chosen[name] else None for name in ("since", "until")}
        names = {"bank": "bank", "action": "action", "key_id": "key"}
        return {name: chosen[field] or None for name, field in names.items()} | times

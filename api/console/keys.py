"""Pages of API keys."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from foxing.api.dependencies import Service
from foxing.memory import Access, InvalidInput, KeyInfo, KeyRequest, KeyRotation, NewKey
from foxing.memory.access import ROLES

from .forms import days, form_fields, leads_to
from .rendering import ConsolePage

KEYS = 50


class KeyPages:
    """Lists, creates, revokes and rotates the keys of the caller."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.keys = service.memory.operations.keys

    async def page(self, request: Request) -> ConsolePage:
        """The keys, and a form for a new one."""
        listed = await self.service.run(self.keys.list, limit=KEYS, cursor=request.query_params.get("cursor"))
        access = Access.current()
        values: dict[str, Any] = {
            "listed": listed,
            "states": {key.id: self._state(key) for key in listed.keys},
            "roles": ROLES,
            "own_tenant": access.tenant,
            "own_id": access.key_id,
            "is_first": self.service.settings.key is None and not await self.service.key_checks.required(),
        }
        return ConsolePage("keys.html", values, listed)

    def _state(self, key: KeyInfo) -> str:
        if key.revoked_at is not None:
            return "revoked"
        return "expired" if key.expires_at is not None and key.expires_at <= self.service.memory.now() else "works"

    async def create(self, request: Request) -> ConsolePage:
        """Creates a key and shows it, once."""
        form = await form_fields(request)
        patterns = form.get("banks", "").replace(",", " ").split()
        fields = {
            "name": form.get("name", "").strip(),
            "role": form.get("role", ""),
            "tenant": form.get("tenant", "").strip() or None,
            "banks": patterns or None,
            "expires_after": days(form.get("expires_days", ""), "no key was created"),
        }
        new = await self.service.run(self.keys.create, KeyRequest.from_fields(fields))
        return self._new(new)

    async def rotate(self, request: Request) -> ConsolePage:
        """Creates a key in place of another and shows it, once."""
        form = await form_fields(request)
        overlap = days(form.get("overlap_days", ""), "the key was not rotated")
        rotation = KeyRotation() if overlap is None else KeyRotation(overlap=overlap)
        new = await self.service.run(self.keys.rotate, request.path_params["key"], overlap=rotation.overlap)
        return self._new(new)

    async def revoke(self, request: Request) -> Response:
        """Revokes a key for good."""
        form = await form_fields(request)
        if form.get("sure") != "true":
            raise InvalidInput("tick the box to revoke the key; it works on")
        await self.service.run(self.keys.revoke, request.path_params["key"])
        self.service.key_checks.expire()
        return leads_to("/keys")

    def _new(self, new: NewKey) -> ConsolePage:
        self.service.key_checks.expire()
        return ConsolePage("new_key.html", {"new": new}, new)

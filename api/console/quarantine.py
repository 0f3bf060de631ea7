"""Page of the quarantine of a bank."""

from starlette.requests import Request
from starlette.responses import Response

from foxing.api.dependencies import Service

from .forms import form_fields, leads_to
from .rendering import ConsolePage
from .words import SHOWN_CHARS

MESSAGES = 20
#: Characters of a text that are shown at once; the rest is opened.
LISTED_CHARS = 700


class QuarantinePages:
    """Lists, releases and erases quarantined messages."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.quarantine = service.memory.operations.quarantine

    async def page(self, request: Request) -> ConsolePage:
        """The messages, in the order of their arrival."""
        bank = request.path_params["bank"]
        cursor = request.query_params.get("cursor") or None
        listed = await self.service.run(self.quarantine.list, bank, limit=MESSAGES, cursor=cursor)
        count = await self.service.run(self.quarantine.count, bank)
        values = {"bank": bank, "listed": listed, "count": count, "listed_chars": LISTED_CHARS, "most": SHOWN_CHARS}
        return ConsolePage("quarantine.html", values, listed)

    async def release(self, request: Request) -> Response:
        """Stores a message as if it had not been quarantined."""
        bank = request.path_params["bank"]
        form = await form_fields(request)
        result = await self.service.run(self.quarantine.release, bank, form.get("id", ""))
        self.service.metrics.memory.record_store(result)
        self.service.embed_soon(bank)
        return leads_to("/banks/{}/quarantine", bank)

    async def erase(self, request: Request) -> Response:
        """Erases a message for good."""
        bank = request.path_params["bank"]
        form = await form_fields(request)
        await self.service.run(self.quarantine.erase, bank, form.get("id", ""))
        return leads_to("/banks/{}/quarantine", bank)

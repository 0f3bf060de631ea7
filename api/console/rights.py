"""Pages of legal holds, and of what a person said in all banks."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from foxing.api.dependencies import Service
from foxing.api.json_lines import JSON_LINES, json_lines
from foxing.memory import HoldRequest, InvalidInput, NotFound

from .actions import Actions
from .forms import check_confirmation, form_fields, leads_to
from .rendering import HEADERS, ConsolePage


class RightsPages:
    """Sets and releases holds, and exports and erases what a person said."""

    def __init__(self, service: Service, actions: Actions) -> None:
        self.service = service
        self.holds = service.memory.operations.holds
        self.persons = service.memory.operations.persons
        self.actions = actions

    async def holds_page(self, request: Request) -> ConsolePage:
        """The holds, and a form for a new one."""
        listed = await self.service.run(self.holds.list)
        values = {"listed": listed, "bank": request.query_params.get("bank", "")}
        return ConsolePage("holds.html", values, listed)

    async def hold(self, request: Request) -> Response:
        """Sets a hold."""
        form = await form_fields(request)
        what = form.get("what", "")
        if what not in ("bank", "person"):
            raise InvalidInput("what must be bank or person; nothing is held")
        fields = {what: form.get("name", "").strip(), "reason": form.get("reason", "").strip()}
        await self.service.run(self.holds.set, HoldRequest.from_fields(fields))
        return leads_to("/holds")

    async def release(self, request: Request) -> Response:
        """Releases a hold."""
        await self.service.run(self.holds.release, request.path_params["hold"])
        return leads_to("/holds")

    async def persons_page(self, request: Request) -> ConsolePage:
        """Shows what erasing a person would erase; without a person, the form."""
        person = request.query_params.get("person", "").strip()
        mentions = request.query_params.get("mentions") == "true"
        values = {"person": person, "mentions": mentions, "result": None, "detail": ""}
        if not person:
            return ConsolePage("persons.html", values)
        try:
            result = await self.service.run_codec(self.persons.erase, person, mentions=mentions)
        except NotFound as error:
            return ConsolePage("persons.html", values | {"detail": str(error)}, {"detail": str(error)})
        return ConsolePage("persons.html", values | {"result": result}, result)

    async def export_person(self, request: Request) -> Response:
        """Returns what a person said, as remembered now, in JSON Lines."""
        query = request.query_params
        mentions = query.get("mentions") == "true"
        messages = await self.service.run_codec(self.persons.export, query.get("person", ""), mentions=mentions)
        headers = HEADERS | {"Content-Disposition": 'attachment; filename="person.jsonl"'}
        lines = json_lines(self.service.run_codec, messages)
        return StreamingResponse(lines, media_type=JSON_LINES, headers=headers)

    async def erase_person(self, request: Request) -> Response:
        """Erases what a person said, whose name has been typed."""
        form = await form_fields(request)
        person = form.get("person", "")
        mentions = form.get("mentions") == "true"
        check_confirmation(form, person)
        return await self.actions.start_job("erase_person", None, {"person": person, "mentions": mentions})

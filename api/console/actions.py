"""Actions of the console. Each is a form, and works without JavaScript."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from foxing.api.dependencies import Service
from foxing.api.permissions import role_of_job
from foxing.api.uploaded_files import MAX_FILES
from foxing.memory import Access, ImportQuery, InvalidInput, Job, Policy, Value
from foxing.memory.ingest.importers import AUTO, IMPORTERS
from foxing.memory.ingest.validate import check_bank_name
from foxing.memory.values.base import first_error
from foxing.memory.values.jobs import WITHOUT_BANK
from foxing.renderer import all_tiers

from .forms import check_confirmation, days, form_fields, leads_back, leads_to
from .rendering import HEADERS, ConsolePage, url
from .views import Views

#: Seconds after which a job that still runs is shown with its progress.
SHOWN_AFTER_S = 1.0
#: Files of an import that a page lists.
LISTED = 100


class Actions:
    """Changes what a memory holds."""

    def __init__(self, service: Service, views: Views) -> None:
        self.service = service
        self.memory = service.memory
        self.views = views

    async def pin(self, request: Request) -> Response:
        """Pins a page, or unpins it."""
        form = await form_fields(request)
        bank = request.path_params["bank"]
        page = request.path_params["page"]
        await self.service.run(self.memory.pin, bank, page, pinned=form.get("pinned") == "true")
        return leads_back(form, url("/banks/{}/overview", bank))

    async def seal(self, request: Request) -> Response:
        """Seals all open messages."""
        return await self.start_job("seal", request.path_params["bank"], {})

    async def age(self, request: Request) -> Response | ConsolePage:
        """Ages what is due, or says what would age."""
        bank = request.path_params["bank"]
        form = await form_fields(request)
        if form.get("dry_run") != "true":
            return await self.start_job("age", bank, {})
        lead = days(form.get("within_days", ""), "nothing was aged")
        now = None if lead is None else self.memory.now() + lead
        kind = "age_preview" if now is None else "age_later"
        return _report_page(kind, bank, await self.service.run_long(self.memory.age, bank, now=now, dry_run=True))

    async def undo(self, request: Request) -> Response:
        """Restores what ageing dropped within the undo window."""
        bank = request.path_params["bank"]
        form = await form_fields(request)
        return await self.start_job("undo", bank, {"page": form.get("page") or None})

    async def erase(self, request: Request) -> Response | ConsolePage:
        """Erases a message, a thread or a bank, whose name has been typed."""
        bank = request.path_params["bank"]
        form = await form_fields(request)
        what = form.get("what", "")
        name = form.get("name", "")
        expected = bank if what == "bank" else name
        check_confirmation(form, expected)
        if what == "thread":
            return await self.start_job("erase_thread", bank, {"thread": name})
        if what == "bank":
            return await self.start_job("erase_bank", bank, {})
        if what != "message":
            raise InvalidInput("what must be message, thread or bank; nothing was erased")
        report = await self.service.run_codec(self.memory.erase_message, bank, name)
        return _report_page("erase_message", bank, report)

    async def policy(self, request: Request) -> Response | ConsolePage:
        """Previews a policy, shows pages at an age under it, or saves one that was previewed. It comes as JSON, or as
        that and the steps of a form, which take the place of those of the JSON."""
        bank = request.path_params["bank"]
        form = await form_fields(request)
        try:
            fields = json.loads(form.get("policy", ""))
            policy = Policy.parse(fields if "fresh" not in form else _with_steps(fields, form))
        except ValueError as error:
            raise InvalidInput(f"the policy is not JSON: {error}; nothing was saved") from error
        if form.get("do") != "save":
            age = form.get("age_days", "")
            previewed = form.get("do") != "look"
            return await self.views.policy_page(
                bank, policy, previewed=previewed, age_days=int(age) if age.isdecimal() else None
            )
        await self.service.run(self.memory.set_policy, bank, policy)
        return leads_to("/banks/{}/policy", bank)

    async def import_files(self, request: Request) -> Response | ConsolePage:
        """Imports the files of a form, or says what it would import."""
        bank = check_bank_name(request.path_params["bank"])
        async with self.service.imports.received_form(request) as (upload, form):
            query = _query(form)
            options = self.service.imports.options(query)
            if query.dry_run:
                preview = await self.service.imports.preview(bank, upload, options)
                return ConsolePage(
                    "import_preview.html", {"bank": bank, "preview": preview, "most_listed": LISTED}, preview
                )
            source = await self.service.imports.check(bank, upload, options)
            if await request.is_disconnected():
                raise ClientDisconnect
            job = await self.service.run(self.service.imports.add, bank, source, upload)
        return leads_to("/banks/{}/import", bank, id=job.id)

    async def import_page(self, request: Request) -> ConsolePage:
        """The progress or the report of an import; without an id, the form."""
        bank = request.path_params["bank"]
        job = request.query_params.get("id")
        if not job:
            limits = {"most_files": MAX_FILES, "most_bytes": self.service.settings.max_import_bytes}
            choices = {"formats": list(IMPORTERS.names())}
            return ConsolePage("import.html", {"bank": bank, **limits, **choices}, limits | choices)
        return await self._import_page(bank, job)

    async def _import_page(self, bank: str, job_id: str) -> ConsolePage:
        job = await self.service.run(self.memory.operations.imports.find, bank, job_id)
        return ConsolePage("import_job.html", {"bank": bank, "job": job, "most_listed": LISTED}, job)

    async def export(self, request: Request) -> Response:
        """All messages of a bank, as remembered now, in JSON Lines."""
        bank = request.path_params["bank"]
        await self.service.run(self.memory.bank, bank)

        async def lines() -> AsyncIterator[bytes]:
            cursor: str | None = None
            while True:
                part = await self.service.run_codec(self.memory.recall, bank, limit=500, cursor=cursor, track=False)
                for span in part.spans:
                    yield span.model_dump_json().encode("utf-8", "backslashreplace") + b"\n"
                cursor = part.next_cursor
                if cursor is None:
                    return

        headers = HEADERS | {"Content-Disposition": 'attachment; filename="messages.jsonl"'}
        return StreamingResponse(lines(), media_type="application/jsonl", headers=headers)

    async def job(self, request: Request) -> ConsolePage:
        """A job, with its progress or its report."""
        job = await self.service.run(self.memory.operations.bank_jobs.find, None, request.path_params["job"])
        if job.kind in WITHOUT_BANK:
            Access.current().check(role_of_job(job.kind), f"looking at a job of the kind {job.kind}")
        return _job_page(job)

    async def start_job(self, kind: str, bank: str | None, options: Mapping[str, Any]) -> Response:
        """Starts a job and leads to it once it has ended, or after a second. `bank`: None for all of the caller."""
        job = await self.service.jobs.start(bank, kind, options)
        await self.service.jobs.ended(None, job.id, SHOWN_AFTER_S)
        return leads_to("/jobs/{}", job.id)


def _query(form: Mapping[str, str]) -> ImportQuery:
    """Returns the options of an import. Raises `InvalidInput`."""
    try:
        return ImportQuery.model_validate(
            {
                "format": form.get("format") or AUTO,
                "timezone": form.get("timezone", "").strip() or None,
                "dates": form.get("dates") or None,
                "dry_run": form.get("dry_run") == "true",
            }
        )
    except ValidationError as error:
        raise InvalidInput(first_error(error)[1]) from error


def _job_page(job: Job) -> ConsolePage:
    error = None if job.error is None else job.error.detail
    if job.state in ("cancelled", "stopped") and error is None:
        error = job.state
    state = {"id": job.id, "ended": job.is_over, "done": job.done, "total": job.total or 0, "error": error}
    return _report_page(job.kind, job.bank, job.result, **state)


def _report_page(kind: str, bank: str | None, report: Value | None, **state: Any) -> ConsolePage:
    """Returns the page of a call with its report. `state`: that of its job, if it is one."""
    fields = None if report is None else report.model_dump(mode="json")
    data = {"id": None, "ended": True, "done": 0, "total": 0, "error": None, **state, "kind": kind, "bank": bank}
    text = json.dumps(fields, indent=2, ensure_ascii=False)[:50_000] if fields else ""
    values = {**data, "text": text, "report": fields or {}, "most_listed": LISTED}
    return ConsolePage("job.html", values, {**data, "report": fields})


def _with_steps(fields: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """Returns the fields of a policy with the fresh tier and the steps of a form, whose `after_TIER` is the age in days
    at which pages move to a tier; empty for none. Raises `InvalidInput`."""
    steps = []
    for tier in all_tiers():
        after = days(form.get(f"after_{tier}", ""), "nothing was saved")
        if after is not None:
            steps.append({"after": after, "tier": tier})
    return {**fields, "fresh": form["fresh"], "steps": steps}

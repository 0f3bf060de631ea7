"""The console as an application, which the service mounts at /console."""

from collections.abc import Callable, Coroutine, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeAlias

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from foxing.api.auth import check_site
from foxing.api.dependencies import Service
from foxing.api.permissions import needs_of
from foxing.api.problems import CROSS_SITE, UNAUTHORIZED, RequestError
from foxing.api.settings.names import explained
from foxing.memory import Access, Forbidden, LimitReached, NotFound, QuotaReached
from foxing.renderer import FoxingError

from .actions import Actions
from .attention import Attention, AttentionItem
from .audit import AuditPages
from .context import ContextPages
from .conversations import ConversationPages
from .forms import form_fields
from .images import ShownImages
from .keys import KeyPages
from .pending import PendingPages
from .quarantine import QuarantinePages
from .recall import RecallPages
from .rendering import FOLDER, HEADERS, ConsolePage, inside, strings, text_of, url
from .rights import RightsPages
from .session import Sessions
from .usage import UsagePages
from .views import Views

PATH = "/console"
STATIC = {
    "console.css": "text/css; charset=utf-8",
    "instrument.css": "text/css; charset=utf-8",
    "conversations.css": "text/css; charset=utf-8",
    "tokens.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
#: Banks whose names are compared with an unknown one, and of them offered instead.
BANKS_COMPARED = 500
BANKS_OFFERED = 5
#: Seconds before a wrong key is refused.
REFUSAL_S = 0.5

View: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response | ConsolePage]]


class Parts:
    """The pages and the actions over a service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        images = ShownImages()
        self.views = Views(service, images)
        self.context = ContextPages(service, images)
        self.conversations = ConversationPages(service, self.views)
        self.actions = Actions(service, self.views)
        self.recall = RecallPages(service)
        self.attention = Attention(service)
        self.keys = KeyPages(service)
        self.audit = AuditPages(service)
        self.quarantine = QuarantinePages(service)
        self.rights = RightsPages(service, self.actions)
        self.usage = UsagePages(service)


#: Pages of a bank, in the order in which they are offered.
BANK_PAGES: "dict[str, Callable[[Console], View]]" = {
    "overview": lambda console: console.parts.views.overview,
    "conversations": lambda console: console.parts.conversations.page,
    "timeline": lambda console: console.parts.views.timeline,
    "recall": lambda console: console.parts.recall.page,
    "context": lambda console: console.parts.context.page,
    "policy": lambda console: console.parts.views.policy,
    "import": lambda console: console.parts.actions.import_page,
    "savings": lambda console: console.parts.views.savings,
}


#: Pages of the service, in the order in which they are offered to those who may see them.
SERVICE_PAGES: "dict[str, Callable[[Console], View]]" = {
    "health": lambda console: console.parts.views.health,
    "keys": lambda console: console.parts.keys.page,
    "audit": lambda console: console.parts.audit.page,
    "holds": lambda console: console.parts.rights.holds_page,
    "persons": lambda console: console.parts.rights.persons_page,
    "usage": lambda console: console.parts.usage.page,
}


class Console:
    """The pages over a service, which exists once the application has started."""

    def __init__(self, service: Callable[[], Service]) -> None:
        self._service = service
        self._sessions = Sessions(lambda: service().settings.key, lambda: service().key_checks)
        self._parts: Parts | None = None
        self._pending = PendingPages()

    @property
    def parts(self) -> Parts:
        """Pages and actions of the service."""
        if self._parts is None or self._parts.service is not self._service():
            self._parts = Parts(self._service())
        return self._parts

    def app(self) -> Starlette:
        """Returns the application."""
        pages: list[tuple[str, Callable[[], View]]] = [
            ("/banks", lambda: self.parts.views.banks),
            ("/jobs/{job}", lambda: self.parts.actions.job),
            ("/audit/verification", lambda: self.parts.audit.verification),
            ("/banks/{bank}/conversation", lambda: self.parts.conversations.conversation),
            ("/banks/{bank}/search", lambda: self.parts.conversations.search),
            ("/banks/{bank}/message", lambda: self.parts.views.message),
            ("/banks/{bank}/quarantine", lambda: self.parts.quarantine.page),
            *((f"/{name}", partial(page, self)) for name, page in SERVICE_PAGES.items()),
            *((f"/banks/{{bank}}/{name}", partial(page, self)) for name, page in BANK_PAGES.items()),
        ]
        raw: list[tuple[str, Callable[[], View]]] = [
            ("/banks/{bank}/pages/{page}/image", lambda: self.parts.views.page_image),
            ("/images/{digest}", lambda: self.parts.views.shown_image),
            ("/banks/{bank}/export", lambda: self.parts.actions.export),
            ("/audit/export", lambda: self.parts.audit.export),
            ("/persons/export", lambda: self.parts.rights.export_person),
        ]
        writes: list[tuple[str, Callable[[], View]]] = [
            ("/banks/{bank}/pages/{page}/pin", lambda: self.parts.actions.pin),
            ("/banks/{bank}/conversation/title", lambda: self.parts.conversations.rename),
            ("/banks/{bank}/seal", lambda: self.parts.actions.seal),
            ("/banks/{bank}/age", lambda: self.parts.actions.age),
            ("/banks/{bank}/undo", lambda: self.parts.actions.undo),
            ("/banks/{bank}/erase", lambda: self.parts.actions.erase),
            ("/banks/{bank}/policy", lambda: self.parts.actions.policy),
            ("/banks/{bank}/import", lambda: self.parts.actions.import_files),
            ("/banks/{bank}/label", lambda: self.parts.recall.label),
            ("/banks/{bank}/quarantine/release", lambda: self.parts.quarantine.release),
            ("/banks/{bank}/quarantine/erase", lambda: self.parts.quarantine.erase),
            ("/keys", lambda: self.parts.keys.create),
            ("/keys/{key}/revoke", lambda: self.parts.keys.revoke),
            ("/keys/{key}/rotate", lambda: self.parts.keys.rotate),
            ("/holds", lambda: self.parts.rights.hold),
            ("/holds/{hold}/release", lambda: self.parts.rights.release),
            ("/persons/erase", lambda: self.parts.rights.erase_person),
        ]
        routes = [
            Route("/", self._home),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/static/{name}", self._static),
        ]
        for path, view in pages:
            # first, since the path of a job would match it too
            routes.append(Route(f"{path}.json", partial(self._answer, view, as_json=True)))
            routes.append(Route(path, partial(self._answer, view, may_wait=True)))
        routes += [Route(path, partial(self._answer, view)) for path, view in raw]
        routes += [Route(path, partial(self._answer, view), methods=["POST"]) for path, view in writes]
        return Starlette(routes=routes, exception_handlers={HTTPException: self._not_found})

    async def _answer(
        self, view: Callable[[], View], request: Request, *, as_json: bool = False, may_wait: bool = False
    ) -> Response:
        """Returns the answer of a view. `may_wait`: it is a page that is shown when it is ready."""
        needs = needs_of(request.scope)
        access: Access | None = None
        try:
            if request.method == "POST":
                _check_origin(request)
            access = await self._sessions.access(request)
            if access is None:
                query = f"?{request.url.query}" if request.url.query else ""
                return RedirectResponse(url("/login", next=request.url.path + query), 303, HEADERS)
            needs.check(access, f"{request.method} {request.url.path}")
            if request.method == "POST":
                self._pending.discard()
                self.parts.attention.discard()
            access.limit()  # also what the response streams
            if "bank" in request.path_params:
                request.path_params["bank"] = access.full_name(request.path_params["bank"])
            answer = view()(request)
            page = await (self._pending.page(request, answer) if may_wait else answer)
            items = [] if as_json or isinstance(page, Response) else await self.parts.attention.items()
        except FoxingError as error:
            items = []
            if isinstance(error, Forbidden | LimitReached | QuotaReached | RequestError) or needs.hides_bank(access):
                self._service().memory.operations.audit.refuse(needs.action, access, needs.bank, error)
            page = _error_page(error)
            if isinstance(error, NotFound) and access is not None and "bank" in request.path_params:
                page.values["banks"] = await self._banks_like(request.path_params["bank"])
                if request.path_params["bank"] not in page.values["banks"]:
                    page.values["current_bank"] = None
        if isinstance(page, Response):
            return page
        return page.json() if as_json else self._html(page, request, items)

    async def _banks_like(self, name: str) -> list[str]:
        """Returns banks that a caller may mean by a name: the one that has it, else those with the most similar names,
        else the first ones."""
        service = self._service()
        try:
            listed = await service.run(service.memory.banks, limit=BANKS_COMPARED)
        except FoxingError:  # the page of the first error is shown
            return []
        own_name = Access.current().own_name
        names = {own_name(bank.id).lower(): bank.id for bank in listed.banks}
        lowered = own_name(name).lower()
        if lowered in names:
            return [names[lowered]]
        similar = get_close_matches(lowered, names, n=BANKS_OFFERED, cutoff=0.4)
        return [names[bank] for bank in similar] or list(names.values())[:BANKS_OFFERED]

    def _html(self, page: ConsolePage, request: Request, items: Sequence[AttentionItem] = ()) -> Response:
        bank = request.path_params.get("bank")
        shared = {
            "bank_pages": BANK_PAGES,
            "service_pages": [name for name in SERVICE_PAGES if _is_offered(name)],
            "session": self._sessions.needed,
            "path": request.url.path,
            "current_bank": bank,
            "attention": items,
        }
        return page.html(**shared)

    async def _home(self, request: Request) -> Response:
        return RedirectResponse(url("/banks"), 303, HEADERS)

    async def _login(self, request: Request) -> Response:
        wrong = False
        if request.method == "POST":
            try:
                _check_origin(request)
            except FoxingError as refusal:
                return self._html(_error_page(refusal), request)
            form = await form_fields(request)
            response = RedirectResponse(_inside(form.get("next", "")), 303, HEADERS)
            if await self._sessions.begin(response, form.get("key", "").strip(), secure=request.url.scheme == "https"):
                return response
            error = RequestError(UNAUTHORIZED, "the key is wrong, expired or revoked")
            self._service().memory.operations.audit.refuse(needs_of(request.scope).action, None, None, error)
            await anyio.sleep(REFUSAL_S)
            wrong = True
        values = {"wrong": wrong, "next": _inside(request.query_params.get("next", ""))}
        return self._html(ConsolePage("login.html", values, {}, 401 if wrong else 200), request)

    async def _logout(self, request: Request) -> Response:
        try:
            _check_origin(request)
        except FoxingError as error:
            return self._html(_error_page(error), request)
        response = RedirectResponse(url("/login"), 303, HEADERS)
        await self._sessions.end(request, response)
        return response

    @staticmethod
    async def _static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise HTTPException(404)
        headers = HEADERS | {"Cache-Control": "public, max-age=3600"}
        return FileResponse(FOLDER / "static" / name, media_type=STATIC[name], headers=headers)

    async def _not_found(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        values = {"status": error.status_code, "title": text_of("error.no_page"), "detail": ""}
        page = ConsolePage("error.html", {**values, "banks": []}, values, error.status_code)
        return self._html(page, request)


def _is_offered(name: str) -> bool:
    """Returns True if the caller may see a page of the service."""
    needs = needs_of({"method": "GET", "path": f"{PATH}/{name}"})
    return needs.are_met_by(Access.current())


def _error_page(error: FoxingError) -> ConsolePage:
    values = {"status": error.kind.status, "title": error.kind.title, "detail": explained(error, _field_name)}
    return ConsolePage("error.html", {**values, "banks": []}, values, error.kind.status)


def _field_name(name: str) -> str:
    """Returns what the console calls an option: the label of its field."""
    label = strings()["import"].get(name)
    return f"field “{label}”" if label else name


def _check_origin(request: Request) -> None:
    """Raises `RequestError` for a write that does not come from a page of this service."""
    check_site(request.scope["scheme"], request.headers)
    if "origin" not in request.headers:
        raise RequestError(CROSS_SITE, "the console takes forms of its own pages only; open /console in a browser")


def _inside(path: str) -> str:
    """Returns a path of the console; that of the banks for any other."""
    return inside(path) or url("/banks")

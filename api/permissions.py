"""Roles that the routes of the service need: one table for HTTP, the console and the mounted apps.

A route that is not in the table needs the role `admin`, and no tenant.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from starlette.datastructures import QueryParams
from starlette.routing import compile_path
from starlette.types import Scope

from foxing.memory import Access, Forbidden, KeyRole

BANK = "/v1/banks/{bank}"
PAGE = f"{BANK}/pages/{{page_id}}"
FACT = f"{BANK}/facts/{{fact_id}}"
CONSOLE_BANK = "/console/banks/{bank}"

#: Routes that need no key: health checks for orchestrators, the API reference, the icon, and signing in.
OPEN: tuple[str, ...] = (
    *("GET /healthz", "GET /readyz", "GET /docs", "GET /openapi.json", "GET /favicon.ico"),
    *("GET /console", "GET /console/", "GET /console/login", "POST /console/login", "POST /console/logout"),
    "GET /console/static/{name}",
    *("GET /.well-known/oauth-protected-resource", "GET /.well-known/oauth-protected-resource/x/mcp/{name:path}"),
)

NEEDED: Mapping[KeyRole, tuple[str, ...]] = {
    "read": (
        *("GET /v1/banks", f"GET {BANK}", f"GET {BANK}/threads", f"GET {BANK}/policy"),
        *(
            f"POST {BANK}/recall",
            f"POST {BANK}/context",
            f"GET {BANK}/fetch",
            f"GET {BANK}/facts",
            f"GET {BANK}/messages/{{message_id:path}}",
        ),
        *(f"GET {BANK}/pages", f"GET {PAGE}", f"GET {PAGE}/image", f"GET {PAGE}/read", f"GET {PAGE}/preview"),
        f"GET {PAGE}/tokens",
        *(f"POST {BANK}/records/get", f"POST {BANK}/records/search", f"POST {BANK}/records/namespaces"),
        *(f"GET {BANK}/savings", f"GET {BANK}/savings.csv", f"GET {BANK}/import/{{import_id}}"),
        *(f"GET {BANK}/jobs", f"GET {BANK}/jobs/{{job_id}}"),
        "GET /v1/jobs/{job_id}",  # one without a bank needs the role that may start it
        "GET /v1/retrieve/{hash}",
        *("GET /console/banks", "GET /console/banks.json", "GET /console/images/{digest}"),
        *("GET /console/jobs/{job}", "GET /console/jobs/{job}.json"),
        *(
            f"GET {CONSOLE_BANK}/{page}{form}"
            for page in (
                *("overview", "conversations", "conversation", "search", "timeline", "message"),
                *("recall", "context", "policy", "import", "savings"),
            )
            for form in ("", ".json")
        ),
        *(f"GET {CONSOLE_BANK}/pages/{{page}}/image", f"GET {CONSOLE_BANK}/export"),
        # the tools check their own roles
        *("GET /x/mcp/{bank}", "POST /x/mcp/{bank}", "DELETE /x/mcp/{bank}"),
        *("GET /x/mcp/{bank}/mcp", "POST /x/mcp/{bank}/mcp", "DELETE /x/mcp/{bank}/mcp"),
    ),
    "write": (
        *(f"POST {BANK}/messages", f"DELETE {BANK}/messages/{{message_id:path}}"),
        *(f"DELETE {BANK}/threads/{{thread:path}}", f"PATCH {BANK}/threads/{{thread:path}}"),
        *(f"POST {BANK}/records", f"POST {BANK}/fold"),
        *(f"POST {BANK}/savings", f"POST {BANK}/import", f"DELETE {BANK}/import/{{import_id}}"),
        *(f"DELETE {BANK}/jobs/{{job_id}}", "DELETE /v1/jobs/{job_id}"),  # of a job that the role may start
        *(f"PUT {PAGE}/pin", f"DELETE {PAGE}/pin"),
        *(f"PUT {FACT}/pin", f"DELETE {FACT}/pin", f"POST {FACT}/correct", f"DELETE {FACT}"),
        "POST /v1/compress",
        *(f"POST {CONSOLE_BANK}/pages/{{page}}/pin", f"POST {CONSOLE_BANK}/import", f"POST {CONSOLE_BANK}/label"),
        f"POST {CONSOLE_BANK}/conversation/title",
        "POST /x/hooks/{tool}/{event}",
    ),
    "admin": (
        *(f"DELETE {BANK}", f"PUT {BANK}/policy", f"POST {BANK}/seal", f"POST {BANK}/age", f"POST {BANK}/undo"),
        *(f"POST {BANK}/reencode", f"GET {BANK}/export", f"POST {BANK}/bundle"),
        *("GET /v1/keys", "POST /v1/keys", "DELETE /v1/keys/{key_id}", "POST /v1/keys/{key_id}/rotate"),
        *("GET /v1/audit", "GET /metrics"),
        *("GET /v1/usage", "GET /v1/tenants/{tenant}/limits", "PUT /v1/tenants/{tenant}/limits"),
        *("POST /v1/erase", "GET /v1/export", "GET /v1/holds", "POST /v1/holds", "DELETE /v1/holds/{hold_id}"),
        *(f"GET {BANK}/quarantine", f"POST {BANK}/quarantine/{{message_id:path}}/release"),
        f"DELETE {BANK}/quarantine/{{message_id:path}}",
        *(f"POST {CONSOLE_BANK}/{action}" for action in ("seal", "age", "undo", "erase", "policy")),
        *(
            f"GET /console/{page}{form}"
            for page in ("health", "keys", "audit", "audit/verification", "holds", "persons", "usage")
            for form in ("", ".json")
        ),
        *("GET /console/audit/export", "GET /console/persons/export", "POST /console/persons/erase"),
        *("POST /console/keys", "POST /console/keys/{key}/revoke", "POST /console/keys/{key}/rotate"),
        *("POST /console/holds", "POST /console/holds/{hold}/release"),
        *(f"GET {CONSOLE_BANK}/quarantine", f"GET {CONSOLE_BANK}/quarantine.json"),
        *(f"POST {CONSOLE_BANK}/quarantine/release", f"POST {CONSOLE_BANK}/quarantine/erase"),
        *("GET /x/hooks/status", "POST /x/hooks/status"),
    ),
}

#: Routes for callers without a tenant: they show or change what belongs to the service, or to the machine of its user.
UNTENANTED: frozenset[str] = frozenset(
    {
        *("GET /metrics", "GET /console/health", "GET /console/health.json"),
        # counts the events of all tenants
        *("GET /console/audit/verification", "GET /console/audit/verification.json"),
        *("GET /x/hooks/status", "POST /x/hooks/status"),
        "PUT /v1/tenants/{tenant}/limits",
    }
)


#: Commands that a service named by its URL answers, with the key of their settings → routes that they call.
COMMANDS_BY_KEY: Mapping[str, tuple[str, ...]] = {
    "foxing mcp URL": ("POST /x/mcp/{bank}",),  # the tools check their own roles
    "foxing proxy --service URL": (f"POST {BANK}/fold", f"POST {BANK}/messages", f"POST {BANK}/savings"),
}
#: Commands that the service answers that runs on their database: who reads its announcement, beside the database, needs
#: no key.
LOCAL_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "foxing recall": (f"POST {BANK}/recall",),
    "foxing context": (f"POST {BANK}/context",),
    "foxing import": (
        *(f"POST {BANK}/import", f"GET {BANK}/import/{{import_id}}", f"DELETE {BANK}/import/{{import_id}}"),
    ),
    **{
        f"foxing {verb}": (f"POST {BANK}/{verb}", f"GET {BANK}/jobs/{{job_id}}", f"DELETE {BANK}/jobs/{{job_id}}")
        for verb in ("seal", "age", "undo")
    },
    "foxing erase": (
        *(f"DELETE {BANK}/threads/{{thread:path}}", f"GET {BANK}/jobs/{{job_id}}", f"DELETE {BANK}/jobs/{{job_id}}"),
        *(f"DELETE {BANK}", "POST /v1/erase", "GET /v1/jobs/{job_id}", "DELETE /v1/jobs/{job_id}"),
    ),
    "foxing console": ("GET /healthz",),
    "foxing hook": ("POST /x/hooks/{tool}/{event}",),
    "foxing mcp": ("POST /x/mcp/{bank}",),
    "foxing proxy": (f"POST {BANK}/fold", f"POST {BANK}/messages", f"POST {BANK}/savings"),
}


class RoutePermission(NamedTuple):
    """A row of the table."""

    #: None for a route that needs no key.
    role: KeyRole | None
    method: str
    #: Path template of the route.
    path: str
    #: False for a route for callers without a tenant.
    tenants: bool

    @property
    def action(self) -> str:
        """Its method and path without parameters, for the audit log, such as "GET banks.pages.image"."""
        parts = [part for part in self.path.removeprefix("/v1").split("/") if part and "{" not in part]
        return f"{self.method} {'.'.join(parts)}"


def permissions() -> Iterator[RoutePermission]:
    """Yields the rows of the table."""
    groups: list[tuple[KeyRole | None, tuple[str, ...]]] = [(None, OPEN), *NEEDED.items()]
    for role, routes in groups:
        for route in routes:
            method, _, path = route.partition(" ")
            yield RoutePermission(role, method, path, route not in UNTENANTED)


def role_of(routes: tuple[str, ...]) -> KeyRole:
    """Returns the role that permits all of these routes, none of which is open."""
    roles = {f"{row.method} {row.path}": row.role for row in permissions()}
    return max((role for route in routes if (role := roles[route]) is not None), key=list(NEEDED).index)


#: Method → patterns of its paths, fixed ones first, and their permissions.
_PATTERNS: dict[str, list[tuple[re.Pattern[str], RoutePermission]]] = {}
for _row in sorted(permissions(), key=lambda row: "{" in row.path):
    _pattern, _format, _ = compile_path(_row.path)
    _PATTERNS.setdefault(_row.method, []).append((_pattern, _row._replace(path=_format)))


class RequestNeeds(NamedTuple):
    """Needs of a request."""

    #: None if it needs no key.
    role: KeyRole | None
    #: Bank in its path or query; None without one.
    bank: str | None
    #: False for a request by callers without a tenant alone.
    tenants: bool
    #: Beginning and end of the bank in the path; None if it is not there.
    place: tuple[int, int] | None = None
    #: Path template of its route, as a route that matches names it; None if the table has none.
    route: str | None = None
    #: What the audit log calls the request.
    action: str = "unmatched"

    def are_met_by(self, access: Access) -> bool:
        """Returns True if an access has the role, and no tenant where none may have one."""
        return self.role is None or (access.permits(self.role) and (self.tenants or access.tenant is None))

    def check(self, access: Access, what: str) -> None:
        """Raises `Forbidden` if an access does not permit the request, which is called `what`, and `NotFound` if the
        bank does not exist for it, as for a bank that nobody has."""
        if self.role is not None:
            access.check(self.role, what, self.bank)
            if not self.tenants and access.tenant is not None:
                raise Forbidden(f"{what} needs a key without a tenant; use that of an operator")

    def hides_bank(self, access: Access | None) -> bool:
        """Returns True if the bank of the request does not exist for its caller."""
        return access is not None and self.bank is not None and not access.sees(access.full_name(self.bank))

    def path_for(self, access: Access, path: str) -> str:
        """Returns the path of the request with the full name of the bank, which the caller may have left out."""
        if self.place is None or access.tenant is None:
            return path
        start, end = self.place
        return path[:start] + access.full_name(path[start:end]) + path[end:]


def needs_of(scope: Scope) -> RequestNeeds:
    """Returns the needs of a request or a websocket. The bank of a hook is in its query, before those from which it
    recalls as well."""
    method = scope.get("method", "GET")
    path = scope["path"]
    for pattern, row in _PATTERNS.get("GET" if method == "HEAD" else method, ()):
        match = pattern.match(path)
        if match is not None:
            if "bank" in pattern.groupindex:
                return RequestNeeds(row.role, match["bank"], row.tenants, match.span("bank"), row.path, row.action)
            banks = QueryParams(scope.get("query_string", b"")).get("bank", "")
            bank = banks.partition(",")[0] or None
            return RequestNeeds(row.role, bank, row.tenants, route=row.path, action=row.action)
    return RequestNeeds("admin", None, False)


#: Kind of a job → the route that starts it.
_STARTS: Mapping[str, str] = {
    "import": f"POST {BANK}/import",
    "erase_thread": f"DELETE {BANK}/threads/{{thread:path}}",
    "erase_bank": f"DELETE {BANK}",
    "erase_person": "POST /v1/erase",
}


def role_of_job(kind: str) -> KeyRole:
    """Returns the role that permits to start jobs of a kind, and to cancel them."""
    return role_of((_STARTS.get(kind, f"POST {BANK}/{kind}"),))

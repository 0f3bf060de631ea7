"""The roles that routes and tools need, from the tables that the service and the MCP server check."""

from collections.abc import Mapping

from foxing.api.permissions import COMMANDS_BY_KEY, LOCAL_COMMANDS, RoutePermission, permissions, role_of
from foxing.integrations.mcp.server import TOOLS

from .markdown import table

HEAD = """\
<!-- Written by docs/generate.py; do not edit. -->
# Permissions

The role that each call needs; `write` permits what `read` does, and `admin` everything. The key of the settings,
`FOXING_API_KEY`, is an `admin` key without a tenant. A call without a key is answered with 401, one with a key of a
lower role with 403, and one for a bank that the key does not open, or of another tenant, with 404, as for a bank that
does not exist. A path that is not listed, such as that of another [mounted app](../guides/plugins.md#apps), needs
`admin` and no tenant. [Keys](../guides/team.md#keys) says how to make one.

A [token of an issuer](../guides/team.md#tokens-of-an-issuer) is answered like a key of its tenant with its role and its
banks. One that has expired, is for another audience, of another issuer or without a tenant is answered with 401. The
console takes keys alone.
"""
COMMANDS_HEAD = """\
Commands work on the database itself. These are answered by a service: one that is named by its URL, with the key of the
settings, or without a key the one that runs on their SQLite database, which announces itself in its folder.
"""
#: Beginning of a path → its heading.
PARTS: Mapping[str, str] = {"/console": "Console", "/x/": "Mounted apps", "/": "HTTP"}


def _need_of(row: RoutePermission) -> str:
    if row.role is None:
        return "no key"
    return f"`{row.role}`" if row.tenants else f"`{row.role}`, no tenant"


def _calls(routes: tuple[str, ...]) -> str:
    return ", ".join(f"`{route}`" for route in routes)


def permissions_page() -> str:
    """Markdown: a table for each part of the service."""
    rows: dict[str, list[tuple[str, str, str]]] = {name: [] for name in ("HTTP", "Console", "Mounted apps")}
    for row in permissions():
        part = next(name for start, name in PARTS.items() if row.path.startswith(start))
        rows[part].append((row.method, f"`{row.path}`", _need_of(row)))
    parts = [f"## {name}\n\n{table(('method', 'path', 'role'), listed)}" for name, listed in rows.items()]
    tools = [(f"`{name}`", f"`{role}`") for name, (_, _, role) in TOOLS.items()]
    parts.append(f"## Tools of MCP over HTTP\n\n{table(('tool', 'role'), tools)}")
    by_key = [(f"`{name}`", _calls(routes), f"`{role_of(routes)}`") for name, routes in COMMANDS_BY_KEY.items()]
    by_key += [(f"`{name}`", _calls(routes), "no key") for name, routes in LOCAL_COMMANDS.items()]
    parts.append(f"## Commands over HTTP\n\n{COMMANDS_HEAD}\n{table(('command', 'calls', 'role'), by_key)}")
    return "\n\n".join((HEAD.strip(), *parts)) + "\n"

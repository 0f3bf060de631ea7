"""`keys`: create, list, revoke and rotate API keys."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foxing.memory import KeyRole

from .context import JsonOption, State, TimezoneOption, state_of
from .output import Timezone, jsonable, printable, table

if TYPE_CHECKING:
    from foxing.memory import KeyInfo, NewKey

key_commands = typer.Typer(
    name="keys", help="Create, list, revoke and rotate the API keys of a service.", no_args_is_help=True
)
IdArgument = Annotated[str, typer.Argument(help="Id of the key, from `foxing keys list`.", show_default=False)]


@key_commands.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Who uses the key, for people.", show_default=False)],
    role: Annotated[
        KeyRole,
        typer.Option(
            help="read recalls and lists; write also stores, imports, pins and erases messages; admin also erases "
            "banks, sets policies, seals, ages and manages keys.",
            show_default=False,
        ),
    ],
    tenant: Annotated[
        str | None,
        typer.Option(
            help="Tenant that the key belongs to, whose banks alone exist for it.",
            show_default="none: the banks of all tenants",
        ),
    ] = None,
    bank: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a bank that the key opens, in which * stands for any characters; may be repeated.",
            show_default="all banks",
        ),
    ] = None,
    expires_after: Annotated[
        str | None,
        typer.Option(help="ISO 8601 duration after which the key no longer works, such as P90D.", show_default="never"),
    ] = None,
    requests_per_s: Annotated[
        float | None,
        typer.Option(help="Requests a second that each process accepts with the key.", show_default="no limit"),
    ] = None,
    recalls_at_once: Annotated[
        int | None,
        typer.Option(help="Recalls that each process answers at once for the key.", show_default="no limit"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key and show it, once. From then on, services over this database require a key."""
    from foxing.memory import KeyRequest

    state = state_of(context)
    fields: dict[str, object] = {"name": name, "role": role, "tenant": tenant, "banks": bank}
    fields |= {"expires_after": expires_after, "requests_per_s": requests_per_s, "recalls_at_once": recalls_at_once}
    request = KeyRequest.from_fields(fields)
    with state.memory(create=True) as memory:
        _show_new(state, memory.operations.keys.create(request))


@key_commands.command("list")
def list_keys(context: typer.Context, timezone: TimezoneOption = None, as_json: JsonOption = False) -> None:
    """List the keys, without their secrets."""
    from .context import all_keys

    state = state_of(context)
    zone = state.timezone(timezone)
    with state.memory() as memory:
        keys = all_keys(memory)
        now = memory.now()

    def show(console: Console) -> None:
        rows = [
            (
                *(
                    key.id,
                    key.name,
                    key.role,
                    key.tenant or "",
                    ", ".join(key.banks or ["all"]),
                    zone.show(key.created_at),
                ),
                *("" if key.last_used_at is None else zone.show(key.last_used_at), _end(key, now, zone)),
            )
            for key in keys
        ]
        console.print(table("id, name, role, tenant, banks, created, last used, ends", rows))

    state.answer({"keys": [jsonable(key) for key in keys], "next_cursor": None}, show)


@key_commands.command("revoke")
def revoke(context: typer.Context, key: IdArgument, as_json: JsonOption = False) -> None:
    """Revoke a key for good. Services that run refuse it after at most five seconds."""
    state = state_of(context)
    with state.memory() as memory:
        revoked = memory.operations.keys.revoke(key)
    state.answer(
        jsonable(revoked),
        lambda console: console.print(printable(f"The key {revoked.id} ({revoked.name}) is revoked.")),
    )


@key_commands.command("rotate")
def rotate(
    context: typer.Context,
    key: IdArgument,
    overlap: Annotated[
        str, typer.Option(help="ISO 8601 duration for which the old key works on, such as P1D.", show_default="none")
    ] = "PT0S",
    as_json: JsonOption = False,
) -> None:
    """Create a key in place of another, with its name, role, banks and expiry, and show it, once."""
    from foxing.memory import KeyRotation

    state = state_of(context)
    request = KeyRotation.from_fields({"overlap": overlap})
    with state.memory() as memory:
        _show_new(state, memory.operations.keys.rotate(key, overlap=request.overlap))


def _show_new(state: State, new: "NewKey") -> None:
    def show(console: Console) -> None:
        console.print(new.key)
        state.error_console.print(printable(f"This is the key {new.id} ({new.name}). It is not shown again."))

    state.answer(jsonable(new), show)


def _end(key: "KeyInfo", now: datetime, zone: Timezone) -> str:
    if key.revoked_at is not None:
        return f"revoked {zone.show(key.revoked_at)}"
    if key.expires_at is None:
        return ""
    return f"{'expired' if key.expires_at <= now else 'expires'} {zone.show(key.expires_at)}"

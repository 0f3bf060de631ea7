"""HTTP clients in the clients of the SDKs."""

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx2

C = TypeVar("C")
Http = httpx2.Client | httpx2.AsyncClient

#: The part of a client of Google's SDK that makes requests, and the names of its HTTP clients.
_CALLER = "_api_client"
_OF_GOOGLE = ("_httpx_client", "_async_httpx_client")


def http_clients(client: object) -> dict[str, Http]:
    """Returns the HTTP clients of a client of an SDK by their names in it; none for other objects."""
    caller = getattr(client, _CALLER, None)
    holder, names = (client, ("_client",)) if caller is None else (caller, _OF_GOOGLE)
    clients: dict[str, Any] = {name: getattr(holder, name, None) for name in names}
    return clients if all(isinstance(value, Http) for value in clients.values()) else {}


def with_http_clients(client: C, http: Mapping[str, Http]) -> C:
    """Returns a client of the same type and options that makes its requests with other HTTP clients. `http`: see
    `http_clients`."""
    copied: Any = client
    caller = getattr(copied, _CALLER, None)
    if caller is None:
        of_openai: C = copied.copy(http_client=http["_client"])
        return of_openai
    new = copy.copy(caller)
    vars(new).update(http)
    # without a transport of the caller's, the asynchronous client sends with aiohttp where that is installed
    transport = {"transport": http[_OF_GOOGLE[1]]}
    new._http_options = caller._http_options.model_copy(update={"async_client_args": transport})
    new.foxing_original = copied  # closes its HTTP clients, which share their connections, when it is collected
    changed: C = _calling_with(copied, caller, new)
    return changed


def _calling_with(thing: Any, old: object, new: object) -> Any:
    """Returns a copy of a part of a client that makes its requests with `new` in place of `old`."""
    changed = copy.copy(thing)
    for name, value in vars(thing).items():
        if value is old:
            vars(changed)[name] = new
        elif getattr(value, _CALLER, None) is old:
            vars(changed)[name] = _calling_with(value, old, new)
    return changed

"""Checks of the head of a request, the same at every door that listens: service, mounted apps, proxy, websockets."""

import re
from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import urlsplit

from foxing.renderer.errors import REPAIR_S, FoxingError, ProblemKind

#: Headers as ASGI gives them: names in lower case.
Headers = Iterable[tuple[bytes, bytes]]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

REJECTED: Final = ProblemKind("http-error", 400, "The request was rejected")
CROSS_SITE: Final = ProblemKind("cross-site", 403, "Cross-site requests are not allowed").after(REPAIR_S)
WRONG_HOST: Final = ProblemKind("wrong-host", 421, "The service does not accept this host name").after(REPAIR_S)

#: The value of a `Host` header: a name or an address, IPv6 in brackets, with or without a port.
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")
#: Scheme of a connection → that of the pages that it serves.
_SCHEMES = {"ws": "http", "wss": "https"}
_PORTS = {"http": 80, "https": 443}


class RequestError(FoxingError):
    """A request that is refused before it reaches the memory. `headers`: added to the response."""

    def __init__(self, kind: ProblemKind, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.headers = headers or {}


def check_length(headers: Headers) -> None:
    """Raises `RequestError`, 400, for a request with two lengths of its body. Two servers in a row may read it
    differently, so that the rest of its body becomes a request of someone else (RFC 9112, 6.1)."""
    names = [name for name, _ in headers]
    if names.count(b"content-length") > 1 or (b"content-length" in names and b"transfer-encoding" in names):
        raise RequestError(
            REJECTED,
            "the request gives the length of its body twice; send either Content-Length or Transfer-Encoding, once",
            {"Connection": "close"},
        )


def check_host(headers: Headers, hosts: Collection[str], advice: str) -> None:
    """Raises `RequestError`, 421, for a host that is not served. Without this check, a web page whose own name
    resolves to 127.0.0.1 could send requests from a visitor's browser (DNS rebinding). `hosts`: in lower case;
    `advice`: what to do about it."""
    if host_name(headers) not in hosts:
        raise RequestError(
            WRONG_HOST,
            f"without an API key only the hosts {', '.join(sorted(hosts))} are accepted, not "
            f"'{_value(headers, b'host') or ''}'; {advice}",
        )


def check_site(scheme: str, headers: Headers, advice: str) -> None:
    """Raises `RequestError`, 403, for a cross-site request of a browser. The other site could not read the response,
    but the request would take effect: browsers send no preflight for many of them, and none for websockets. `scheme`:
    that of the connection (http, https, ws, wss); `advice`: what to do about it.

    A page is one's own if its scheme, host and port are. Where the browser itself says so (`Sec-Fetch-Site`), the
    scheme does not count: a proxy with TLS may hide it."""
    site = _value(headers, b"sec-fetch-site")
    origin = _value(headers, b"origin")
    trusted = site is None or site.lower() in ("none", "same-origin")
    if not trusted or not (origin is None or _is_own(origin.lower(), scheme, headers, schemes_count=site is None)):
        raise RequestError(CROSS_SITE, f"requests from other web sites are rejected; {advice}")


def host_name(headers: Headers) -> str:
    """Returns the host of the `Host` header in lower case, without its port; "" if there is none, or more than one, or
    it is invalid."""
    match = _HOST.fullmatch((_value(headers, b"host") or "").lower())
    return "" if match is None else match["address"] or match["name"]


def _is_own(origin: str, scheme: str, headers: Headers, *, schemes_count: bool) -> bool:
    host = (_value(headers, b"host") or "").lower()
    if not schemes_count:
        return origin.partition("://")[2] == host
    own = _SCHEMES.get(scheme, scheme)
    match = _HOST.fullmatch(host)
    try:
        parts = urlsplit(origin)
        sender = parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return False
    if match is None or parts.path or parts.query or "@" in parts.netloc:
        return False
    port = int(match["port"]) if match["port"] else _PORTS.get(own)
    return sender == (own, match["address"] or match["name"], port)


def _value(headers: Headers, name: bytes) -> str | None:
    """Returns the values of a header, joined; None if there is none."""
    values = [value.decode("latin-1") for key, value in headers if key == name]
    return ", ".join(values).strip() if values else None

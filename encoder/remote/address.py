"""Where a server is, and what of it may be shown."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from foxing.encoder.errors import CodecError

HIDDEN = "[hidden]"
#: A shorter word is no secret that could be taken out of a sentence without tearing others apart.
SHORTEST_SECRET = 4
_SECRET_FIELD = re.compile("key|token|secret|pass|auth|sig|code", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """The base of an API. `shown`: without a name, a password and a query."""

    shown: str
    query: str = field(default="", repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises `CodecError`, without the URL in it, where it is none."""
        try:
            parts = urlsplit(url.strip())
            port = "" if parts.port is None else f":{parts.port}"
            host = parts.hostname or ""
        except ValueError:
            host, port = "", ""
        if not host or parts.scheme not in ("http", "https"):
            raise CodecError(
                "FOXING_REMOTE_URL is no address: it begins with http:// or https://, then a host, as "
                "http://127.0.0.1:8000/v1; signs like / and @ in a password are written as %2F and %40"
            )
        path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/chat")
        shown = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{path}"
        named = parts.username is not None
        auth = (unquote(parts.username or ""), unquote(parts.password or "")) if named else None
        return cls(shown, parts.query, auth)

    def at(self, path: str) -> str:
        """The URL of a call, its query with it; names and passwords go in a header."""
        return f"{self.shown}{path}{f'?{self.query}' if self.query else ''}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is never to be shown, in every way of writing it."""
        fields = [part.partition("=") for part in self.query.split("&")]
        values = [self.query, *(value for name, _, value in fields if _SECRET_FIELD.search(name))]
        if self.auth is not None:
            name, password = self.auth
            values.append(password or name)  # some take a token for the name
        return tuple(dict.fromkeys(form for value in values for form in (value, quote(value, safe=""), unquote(value))))


def without(text: str, secrets: Iterable[str]) -> str:
    """`text` with `HIDDEN` for every secret and for names and passwords in addresses."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return re.sub(r"(?<=://)[^/?#@\s]{1,200}@", "", text)

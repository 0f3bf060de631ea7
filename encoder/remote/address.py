"""Base address of an API, and redaction of secrets in text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from foxing.encoder.errors import CodecError

REDACTED = "[hidden]"
#: Minimum length of a secret that is redacted; replacing shorter ones would damage unrelated words.
MIN_SECRET_CHARS = 4
_SECRET_FIELD = re.compile("key|token|secret|pass|auth|sig|code", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """Base URL of an API, with credentials stored separately."""

    #: URL without user name, password and query; safe to show.
    base_url: str
    #: Query sent with every call; may contain a key.
    query: str = field(default="", repr=False)
    #: User name and password for HTTP basic authentication.
    auth: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parses `url`. Raises `CodecError`, which does not repeat the URL, if it is invalid."""
        try:
            parts = urlsplit(url.strip())
            port = "" if parts.port is None else f":{parts.port}"
            host = parts.hostname or ""
        except ValueError:
            host = ""
            port = ""
        if not host or parts.scheme not in ("http", "https"):
            raise CodecError(
                "the option 'url' is not a valid address: it must start with http:// or https:// and a host, such as "
                "http://127.0.0.1:8000/v1; write / and @ in a password as %2F and %40"
            )
        path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/chat")
        base_url = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{path}"
        has_user = parts.username is not None
        auth = (unquote(parts.username or ""), unquote(parts.password or "")) if has_user else None
        return cls(base_url, parts.query, auth)

    def url_of(self, path: str) -> str:
        """Returns the URL of a call, query included. Credentials are sent in a header."""
        return f"{self.base_url}{path}{f'?{self.query}' if self.query else ''}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Strings that must never be shown, URL-quoted and plain."""
        fields = [part.partition("=") for part in self.query.split("&")]
        values = [self.query, *(value for name, _, value in fields if _SECRET_FIELD.search(name))]
        if self.auth is not None:
            name, password = self.auth
            values.append(password or name)  # some servers take a token as the user name
        return tuple(dict.fromkeys(form for value in values for form in (value, quote(value, safe=""), unquote(value))))


def redact(text: str, secrets: Iterable[str]) -> str:
    """Returns `text` with every secret replaced by `REDACTED`, and without user names and passwords in URLs."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_SECRET_CHARS:
            text = text.replace(secret, REDACTED)
    return re.sub(r"(?<=://)[^/?#@\s]{1,200}@", "", text)

"""HTTP client of an embedding endpoint."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from foxing.encoder.errors import CodecError
from foxing.encoder.remote.address import Address, redact
from foxing.memory.errors import EmbedderError


@dataclass(frozen=True)
class EndpointOptions:
    """An OpenAI-compatible embeddings endpoint."""

    #: base URL up to `/v1`, such as "http://localhost:8000/v1"
    url: str = field(default="", repr=False)
    #: name of the model, sent with each request
    model: str = ""
    #: sent as a bearer token; None for none
    api_key: str | None = field(default=None, repr=False)
    #: timeout of a request in seconds, after which recall proceeds without the model
    timeout_s: float = 5.0


class ModelEndpoint:
    """Posts JSON to `{url}{path}` and returns the JSON of the response."""

    def __init__(self, options: EndpointOptions, path: str, name: str) -> None:
        """Sends no request. `name`: of the embedder. Raises `EmbedderError` for an invalid URL or a missing model."""
        try:
            self._address = Address.parse(options.url)
        except CodecError:
            raise EmbedderError(
                f"the embedder '{name}' needs the address of an endpoint, such as 'http://…/v1'"
            ).naming("embedder_url") from None
        if not options.model:
            raise EmbedderError(f"the embedder '{name}' needs the name of a model").naming("embedder_model")
        self.name = f"{name}:{options.model}"
        self._options = options
        self._url = self._address.url_of("" if self._address.base_url.endswith(path) else path)
        self._lock = Lock()
        self._client: Any = None

    def post(self, body: Mapping[str, object]) -> Any:
        """Posts `body` and returns the JSON of the response. Raises `ValueError` for a response that is not JSON,
        `TimeoutError` if it is not complete within the timeout, and the errors of httpx; see `failure`."""
        client = self._opened()
        content = b""
        ends_at = time.monotonic() + self._options.timeout_s
        from httpx import TimeoutException

        try:
            with client.stream("POST", self._url, json={"model": self._options.model, **body}) as response:
                response.raise_for_status()
                for part in response.iter_bytes():
                    content += part
                    if time.monotonic() > ends_at:
                        raise TimeoutError
        except TimeoutException as error:
            raise TimeoutError from error
        return json.loads(content)

    def failure(self, error: Exception) -> Exception:
        """Returns the error to raise for an exception of `post` or of parsing its response, with keys and passwords
        redacted. Raise it `from None`: the text of `error` may contain the full URL."""
        if isinstance(error, EmbedderError):
            return error
        if isinstance(error, TimeoutError):
            return EmbedderError(f"the embedder '{self.name}' took longer than {self._options.timeout_s:g} s")
        text = " ".join(redact(str(error), (*self._address.secrets, self._options.api_key or "")).split())[:200]
        reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
        return EmbedderError(f"the embedder '{self.name}' does not answer ({reason})")

    def close(self) -> None:
        """Closes all connections. A later request opens new ones."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                import httpx

                key = self._options.api_key
                headers = {} if key is None else {"Authorization": f"Bearer {key}"}
                self._client = httpx.Client(headers=headers, auth=self._address.auth, timeout=self._options.timeout_s)
            return self._client


def encodable(text: str) -> str:
    """Returns `text` with lone surrogates replaced by "?": UTF-8 cannot encode them, and tokenizers reject them."""
    return text.encode("utf-8", "replace").decode()

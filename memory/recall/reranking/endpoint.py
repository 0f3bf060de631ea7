"""Scores from a rerank endpoint: Cohere, Jina AI, Voyage AI, vLLM, llama.cpp, Infinity and others."""

import json
import math
import time
from collections.abc import Sequence
from threading import Lock
from typing import Any

from foxing.encoder.errors import CodecError
from foxing.encoder.remote.address import Address, redact
from foxing.memory.errors import RerankerError

from .reranker import RerankEndpointOptions

PATH = "/rerank"
#: Bytes of an answer that are read, for each text: servers that send the texts back send no more.
MAX_BYTES_PER_TEXT = 64 << 10


class EndpointReranker:
    """A model behind `POST {url}/rerank`."""

    def __init__(self, options: RerankEndpointOptions, timeout_s: float) -> None:
        """Nothing is sent yet. Raises `RerankerError` for options that cannot be right."""
        try:
            self._address = Address.parse(options.url)
        except CodecError:
            raise RerankerError("the reranker 'endpoint' needs the address of one, such as 'http://…/v1'").naming(
                "reranker_url"
            ) from None
        if not options.model:
            raise RerankerError("the reranker 'endpoint' needs the name of a model").naming("reranker_model")
        self.name = f"endpoint:{options.model}"
        self._url = self._address.url_of("" if self._address.base_url.endswith(PATH) else PATH)
        self._options = options
        self._timeout_s = timeout_s
        self._lock = Lock()
        self._client: Any = None

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        body = {
            "model": self._options.model,
            "query": _encodable(question),
            "documents": [_encodable(text) for text in texts],
        }
        try:
            with self._opened().stream("POST", self._url, json=body) as response:
                response.raise_for_status()
                return _scores(self._document(response, MAX_BYTES_PER_TEXT * (len(texts) + 1)), len(texts))
        except RerankerError:
            raise
        except Exception as error:  # of the network, of the server, or of what it answers
            raise RerankerError(f"the reranker '{self.name}' does not answer ({self._reason(error)})") from None

    def _reason(self, error: Exception) -> str:
        """What went wrong, without keys and passwords. The error is not chained: it names the whole address."""
        text = " ".join(redact(str(error), (*self._address.secrets, self._options.api_key or "")).split())[:200]
        return f"{type(error).__name__}: {text}" if text else type(error).__name__

    def close(self) -> None:
        """Closes the connections that are open."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _document(self, response: Any, max_bytes: int) -> Any:
        """The JSON of a response. Raises `ValueError` if it is longer than `max_bytes`, and `TimeoutError` for a server
        that sends it piece by piece for longer than the timeout."""
        content, ends_at = b"", time.monotonic() + self._timeout_s
        for part in response.iter_bytes():
            content += part
            if len(content) > max_bytes:
                raise ValueError("it answers with more than scores")
            if time.monotonic() > ends_at:
                raise TimeoutError(f"its answer takes longer than {self._timeout_s:g} s")
        return json.loads(content)

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                try:
                    import httpx
                except ImportError as error:
                    raise RerankerError("the reranker 'endpoint' needs httpx: pip install 'foxing[remote]'") from error
                key = self._options.api_key
                headers = {} if key is None else {"Authorization": f"Bearer {key}"}
                self._client = httpx.Client(headers=headers, auth=self._address.auth, timeout=self._timeout_s)
            return self._client


def _scores(answer: Any, expected: int) -> list[float]:
    """The scores of an answer in the order of its texts. Raises `ValueError` and the like."""
    rows = answer["results"] if "results" in answer else answer["data"]
    found: dict[int, float] = {}
    for row in rows:
        score = row["relevance_score"] if "relevance_score" in row else row["score"]
        if not isinstance(row["index"], int) or isinstance(score, bool) or not isinstance(score, int | float):
            raise ValueError("an index or a score is not a number")
        found[row["index"]] = float(score)
    if len(rows) != expected or found.keys() != set(range(expected)) or not all(map(math.isfinite, found.values())):
        raise ValueError("it answers with other scores than one finite number for each text")
    return [found[number] for number in range(expected)]


def _encodable(text: str) -> str:
    """`text` without lone surrogates, which JSON in UTF-8 does not take."""
    return text.encode("utf-8", "replace").decode()

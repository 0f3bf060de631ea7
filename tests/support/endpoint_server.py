"""An HTTP server that speaks the protocol of vLLM and SGLang, reads the images it is sent, and fails on request."""

import asyncio
import base64
import json
import math
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import Any, Protocol

from PIL import Image
from support.tesseract import Tesseract

from foxing.encoder import (
    Codec,
    load_codec,
)
from foxing.encoder import VisionTokens as Tokens
from foxing.encoder.bench.documents import entries
from foxing.encoder.remote.codec import EndpointCodec
from foxing.encoder.remote.requests import NGRAM
from foxing.encoder.remote.retries import Timing
from foxing.renderer import Page, Typesetter, render
from foxing.renderer.page import WIDE_TAIL, grid_text
from foxing.renderer.tiers import OWN_TIERS

MODEL = "ocr-1"
KEY = "correct-horse-battery"
FAULTS = ("500", "429", "html", "truncated", "dropped")
Tokenized = list[tuple[str, float]]  # text tokens and their probabilities


class Model(Protocol):
    """Reads the text of an image of mode "L"."""

    def read(self, image: Image.Image) -> Tokenized: ...


class NativeModel:
    """The native network as the model behind the server; it sees only the pixels it is sent."""

    def __init__(self) -> None:
        self.codec = load_codec("native", "cpu")
        self._read: dict[bytes, Tokenized] = {}
        self._lock = threading.Lock()

    def read(self, image: Image.Image) -> Tokenized:
        with self._lock:
            if image.tobytes() not in self._read:
                self.read_ahead([image])
            return self._read[image.tobytes()]

    def read_ahead(self, images: Sequence[Image.Image]) -> None:
        """Reads images of one tier in one batch and keeps the answers."""
        tier = next(tier.name for tier in OWN_TIERS if tier.side_px == images[0].width)
        for image, reading in zip(images, self.codec.decode(self.codec.encode(images, tier)), strict=True):
            answer: Tokenized = []
            for row, sure in zip(reading.cells, reading.confidence, strict=True):
                letters = [(chr(c or 0x20), float(s)) for c, s in zip(row, sure, strict=True) if c != WIDE_TAIL]
                answer += [*letters[: len(grid_text(row))], ("\n", 1.0)]
            self._read[image.tobytes()] = answer


class TesseractModel:
    """Tesseract on the whole page, without log-probabilities."""

    def __init__(self) -> None:
        self._engine = Tesseract()
        self._lock = threading.Lock()

    def read(self, image: Image.Image) -> Tokenized:
        with self._lock:
            return [(self._engine.read(image), math.nan)]


@dataclass
class Server:
    """What the server does, and what it has done."""

    model: Model
    #: (PNG, number of the attempt) → one of `FAULTS`, "stall", or "" for none.
    fault: Callable[[bytes, int], str] = lambda png, attempt: ""
    #: What the model read → the response, in place of a correct one.
    answer: Callable[[Tokenized], dict[str, Any]] | None = None
    #: The server software whose request fields are accepted.
    api: str = "openai"
    #: The API key to require.
    key: str | None = None
    #: Requests by PNG.
    attempts: Counter[bytes] = field(default_factory=Counter)
    #: Successful responses by PNG.
    answered: Counter[bytes] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    #: Why requests were invalid.
    rejected: list[str] = field(default_factory=list)
    connections: int = 0
    in_progress: int = 0
    max_in_progress: int = 0
    lock: Any = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)
    #: Called when a request stalls.
    on_stall: Callable[[], object] = lambda: None
    url: str = ""

    def complete(self, answer: Tokenized) -> dict[str, Any]:
        """A chat completion as vLLM and SGLang write it."""
        if self.answer is not None:
            return self.answer(answer)
        logprobs = None
        if answer and not math.isnan(answer[0][1]):
            logprobs = {
                "content": [
                    {"token": t, "logprob": math.log(max(p, 1e-9)), "bytes": list(t.encode()), "top_logprobs": []}
                    for t, p in answer
                ]
            }
        return completion("".join(text for text, _ in answer), logprobs, tokens=len(answer))


def completion(text: str | None, logprobs: Any = None, finish: str = "stop", tokens: int = 5) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish}],
        "usage": {"prompt_tokens": 300, "completion_tokens": tokens, "total_tokens": 300 + tokens},
    }


def image_of(body: Any, api: str) -> bytes:
    """The PNG of a request that is exactly what the API documents. Raises `ValueError`."""
    fields = {"model", "messages", "temperature", "max_tokens", "logprobs", "stream"}
    fields |= {"vllm": {"skip_special_tokens", "vllm_xargs"}, "sglang": {"skip_special_tokens", "custom_params"}}.get(
        api, set()
    )
    if set(body) != fields:
        raise ValueError(f"the fields are {sorted(body)}, not {sorted(fields)}")
    if body["vllm_xargs" if api == "vllm" else "custom_params"] != NGRAM if api != "openai" else False:
        raise ValueError("the n-gram options are not as documented")
    if type(body["max_tokens"]) is not int or body["max_tokens"] < 1 or body["temperature"] != 0:
        raise ValueError("max_tokens or temperature is invalid")
    if body["logprobs"] is not True or body["stream"] is not False:
        raise ValueError("logprobs or stream is invalid")
    (message,) = body["messages"]
    image, text = message["content"]
    if set(message) != {"role", "content"} or message["role"] != "user":
        raise ValueError("there is not exactly one user message")
    if set(text) != {"type", "text"} or text["type"] != "text" or not text["text"]:
        raise ValueError("the prompt is not text")
    if set(image) != {"type", "image_url"} or image["type"] != "image_url" or set(image["image_url"]) != {"url"}:
        raise ValueError("the image is not an image_url")
    head, _, data = image["image_url"]["url"].partition(",")
    if head != "data:image/png;base64":
        raise ValueError("the image is not a PNG in a data URL")
    return base64.b64decode(data, validate=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as in uvicorn: on a kept connection headers and body would be 40 ms apart
    server: Any

    def setup(self) -> None:
        super().setup()
        with self.server.state.lock:
            self.server.state.connections += 1

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._send(404, "text/html", b"<html>Not found</html>")

    def do_POST(self) -> None:
        state: Server = self.server.state
        with state.lock:
            state.in_progress += 1
            state.max_in_progress = max(state.max_in_progress, state.in_progress)
        try:
            self._post(state)
        finally:
            with state.lock:
                state.in_progress -= 1

    def _post(self, state: Server) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            self._send(404, "text/html", b"<!doctype html><html>Not found</html>")
            return
        if state.key is not None and self.headers.get("Authorization") != f"Bearer {state.key}":
            self._json(401, {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}})
            return
        if body["model"] != MODEL:
            message = f"The model `{body['model']}` does not exist."
            self._json(404, {"error": {"message": message, "type": "NotFoundError", "code": 404}})
            return
        try:
            png = image_of(body, state.api)
            image = Image.open(BytesIO(png), formats=["PNG"]).convert("L")
        except (ValueError, KeyError, TypeError) as error:
            state.rejected.append(str(error))
            self._json(400, {"error": {"message": str(error), "type": "BadRequestError"}})
            return
        with state.lock:
            fault = state.fault(png, state.attempts[png])
            state.attempts[png] += 1
            state.faults[fault] += 1
        if fault:
            self._fail(fault, state)
            return
        document = state.complete(state.model.read(image))
        with state.lock:
            state.answered[png] += 1
        self._json(200, document)

    def _fail(self, fault: str, state: Server) -> None:
        self.close_connection = True
        if fault == "stall":
            state.on_stall()
            state.stopped.wait()
        elif fault == "500":
            self._json(500, {"error": {"message": "the engine is dead", "type": "InternalServerError"}})
        elif fault == "429":
            self._json(429, {"error": {"message": "slow down"}}, {"Retry-After": "7"})
        elif fault == "html":
            self._send(502, "text/html", b"<html><h1>502 Bad Gateway</h1></html>")
        elif fault == "truncated":
            self._send(200, "application/json", json.dumps(completion("half an answer")).encode()[:60])

    def _json(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(document).encode(), headers)

    def _send(self, status: int, kind: str, content: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            all_headers = {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}
            if self.close_connection:
                all_headers["Connection"] = "close"
            for name, value in all_headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            pass  # the client has disconnected

    def log_message(self, format: str, *args: Any) -> None:
        pass


LoadCodec = Callable[..., EndpointCodec]


class Pauses(list[float]):
    """Records pauses instead of making them. Timeouts expire once all requests in progress stall, whatever the clock
    says: a busy machine makes none expire."""

    def __init__(self) -> None:
        super().__init__()
        self._timeouts: set[asyncio.Timeout] = set()
        self._stalled = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def timing(self) -> Timing:
        return Timing(sleep=self.record, timeout=self._timeout, jitter=lambda: 0.5)

    async def record(self, seconds: float) -> None:
        self.append(seconds)

    def stall(self) -> None:
        """Notes that a server has received a request that it does not answer."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._note_stall)

    @asynccontextmanager
    async def _timeout(self, seconds: float) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as timeout:
            self._timeouts.add(timeout)
            try:
                yield
            finally:
                self._timeouts.discard(timeout)
                self._expire()

    def _note_stall(self) -> None:
        self._stalled += 1
        self._expire()

    def _expire(self) -> None:
        if self._stalled and self._stalled == len(self._timeouts):
            self._stalled = 0
            for timeout in self._timeouts:
                timeout.reschedule(0)


def pages_of(codec: Codec, count: int) -> list[Page]:
    """Short pages, each with its number in the text."""
    native = load_codec("native", "cpu")
    setter = Typesetter(codec.layout, native.repertoire)
    text = "Note {}: the battery test in the cold room took longer than planned, and pallet {} arrived on Friday. "
    return [
        setter.page(entries([{"id": f"t{n}", "messages": [{"role": "user", "content": text.format(n, n * 7)}]}]))
        for n in range(count)
    ]


def tokens_of(codec: Codec, pages: Sequence[Page], tier: str = "small") -> list[Tokens]:
    return codec.encode([render(page.cells, page.layout, tier) for page in pages], tier)


def refusal(text: str) -> dict[str, Any]:
    document = completion(None)
    document["choices"][0]["message"]["refusal"] = text
    return document


#: Pattern of the error message → a response without a reading.
EMPTY_ANSWERS = {
    "returned no text.*'stop'": completion(None),
    "returned no text.*'length'": completion("\n \n", finish="length"),
    "its content filter": completion("The battery", finish="content_filter"),
    "refuses to read the page: It looks private": refusal("It looks private."),
}


def random_fault(seed: str) -> str:
    """One call in five fails and one in twenty stalls; the same seed gives the same fault."""
    share = int.from_bytes(sha256(seed.encode()).digest()[:4], "big") / 2**32
    if share < 0.05:
        return "stall"
    return FAULTS[int((share - 0.05) / 0.2 * len(FAULTS))] if share < 0.25 else ""

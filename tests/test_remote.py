"""The remote codec against a real HTTP server that reads the images it is sent, and fails in every way servers fail."""

import base64
import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from foxing.api.cli import app
from foxing.api.settings import load_settings
from foxing.encoder import (
    Codec,
    CodecError,
    CodecOptions,
    ElsewhereCodec,
    ReadFailed,
    RemoteOptions,
    TokensError,
    load_codec,
)
from foxing.encoder import VisionTokens as Tokens
from foxing.encoder.bench import accuracy
from foxing.encoder.conformance import CHECKS, sample_page
from foxing.encoder.native.texts import entries
from foxing.encoder.remote.codec import RemoteCodec
from foxing.encoder.remote.endpoint import Timing
from foxing.encoder.remote.requests import NGRAM
from foxing.encoder.rivals import Tesseract
from foxing.memory import Memory, ReaderFailed
from foxing.renderer import TIER_SIDES_PX, WIDE_TAIL, Entry, Page, Repertoire, Typesetter, grid_text, render

MODEL = "reader-1"
KEY = "correct-horse-battery"
FAULTS = ("500", "429", "html", "truncated", "dropped")
START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
Tokenized = list[tuple[str, float]]  # text tokens, and how sure each is


class Reader(Protocol):
    """Reads what is on an image, mode "L"."""

    def read(self, image: Image.Image) -> Tokenized: ...


class NativeReader:
    """Our own network as the model behind the server: it sees nothing but the pixels it is sent."""

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
        """Reads images of one tier, so that the answers are at hand."""
        tier = next(name for name, side in TIER_SIDES_PX.items() if side == images[0].width)
        for image, reading in zip(images, self.codec.decode(self.codec.encode(images, tier)), strict=True):
            answer: Tokenized = []
            for row, sure in zip(reading.cells, reading.confidence, strict=True):
                letters = [(chr(c or 0x20), float(s)) for c, s in zip(row, sure, strict=True) if c != WIDE_TAIL]
                answer += [*letters[: len(grid_text(row))], ("\n", 1.0)]
            self._read[image.tobytes()] = answer


class TesseractReader:
    """Tesseract on the whole page; it says nothing of how sure it is."""

    def __init__(self) -> None:
        try:
            engine: Any = Tesseract()
        except CodecError as error:
            pytest.skip(str(error))
        self._engine = engine
        self._lock = threading.Lock()

    def read(self, image: Image.Image) -> Tokenized:
        api = self._engine._engine("eng")
        with self._lock:
            import tesserocr

            api.SetPageSegMode(tesserocr.PSM.SINGLE_BLOCK)
            api.SetImage(image)
            return [(api.GetUTF8Text(), math.nan)]


@dataclass
class Server:
    """What the server does and has done. `fault`: (image, which try this is) → the fault, "" for none, or "stall";
    `answer`: puts other words into the mouth of the reader."""

    reader: Reader
    fault: Callable[[bytes, int], str] = lambda png, attempt: ""
    answer: Callable[[Tokenized], dict[str, Any]] | None = None
    api: str = "openai"
    key: str | None = None
    tries: Counter[bytes] = field(default_factory=Counter)
    answered: Counter[bytes] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: Any = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)
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


def checked(body: Any, api: str) -> bytes:
    """The image of a request that is exactly what the API documents. Raises `ValueError`."""
    fields = {"model", "messages", "temperature", "max_tokens", "logprobs", "stream"}
    fields |= {"vllm": {"skip_special_tokens", "vllm_xargs"}, "sglang": {"skip_special_tokens", "custom_params"}}.get(
        api, set()
    )
    if set(body) != fields:
        raise ValueError(f"the fields are {sorted(body)}, not {sorted(fields)}")
    if body["vllm_xargs" if api == "vllm" else "custom_params"] != NGRAM if api != "openai" else False:
        raise ValueError("the n-grams are not as documented")
    if type(body["max_tokens"]) is not int or body["max_tokens"] < 1 or body["temperature"] != 0:
        raise ValueError("max_tokens or temperature make no sense")
    if body["logprobs"] is not True or body["stream"] is not False:
        raise ValueError("logprobs or stream make no sense")
    (message,) = body["messages"]
    image, text = message["content"]
    if set(message) != {"role", "content"} or message["role"] != "user":
        raise ValueError("there is more than one message of the user")
    if set(text) != {"type", "text"} or text["type"] != "text" or not text["text"]:
        raise ValueError("the prompt is no text")
    if set(image) != {"type", "image_url"} or image["type"] != "image_url" or set(image["image_url"]) != {"url"}:
        raise ValueError("the image is no image_url")
    head, _, data = image["image_url"]["url"].partition(",")
    if head != "data:image/png;base64":
        raise ValueError("the image is no PNG in a data URL")
    return base64.b64decode(data, validate=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._send(404, "text/html", b"<html>Not found</html>")

    def do_POST(self) -> None:
        state: Server = self.server.state
        with state.lock:
            state.at_once += 1
            state.most_at_once = max(state.most_at_once, state.at_once)
        try:
            self._post(state)
        finally:
            with state.lock:
                state.at_once -= 1

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
            png = checked(body, state.api)
            image = Image.open(BytesIO(png), formats=["PNG"]).convert("L")
        except (ValueError, KeyError, TypeError) as error:
            state.refused.append(str(error))
            self._json(400, {"error": {"message": str(error), "type": "BadRequestError"}})
            return
        with state.lock:
            fault = state.fault(png, state.tries[png])
            state.tries[png] += 1
            state.faults[fault] += 1
        if fault:
            self._fail(fault, state)
            return
        document = state.complete(state.reader.read(image))
        with state.lock:
            state.answered[png] += 1
        self._json(200, document)

    def _fail(self, fault: str, state: Server) -> None:
        self.close_connection = True
        if fault == "stall":
            state.stopped.wait(30)
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
            told = {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}
            if self.close_connection:
                told["Connection"] = "close"
            for name, value in told.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            pass  # the client has given up

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def native_reader() -> NativeReader:
    return NativeReader()


@pytest.fixture
def served() -> Iterator[Callable[[Reader], Server]]:
    running: list[tuple[ThreadingHTTPServer, threading.Thread, Server]] = []

    def serve(reader: Reader) -> Server:
        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        state = Server(reader, url=f"http://127.0.0.1:{http.server_port}/v1")
        http.state = state  # type: ignore[attr-defined]
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        running.append((http, thread, state))
        return state

    yield serve
    for http, thread, state in running:
        state.stopped.set()
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def server(served: Callable[[Reader], Server], native_reader: NativeReader) -> Server:
    return served(native_reader)


Load = Callable[..., RemoteCodec]


class Pauses(list[float]):
    """Pauses that were asked for, and not made."""

    @property
    def timing(self) -> Timing:
        return Timing(sleep=self.append, chance=lambda: 0.5)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def load(pauses: Pauses) -> Iterator[Load]:
    """Loads remote codecs for dense pages, which are closed at the end."""
    loaded: list[RemoteCodec] = []

    def load_one(url: str, **options: Any) -> RemoteCodec:
        given: dict[str, Any] = {"model": MODEL, "columns": 160, "timeout_s": 20.0, **options}
        codec = RemoteCodec.load(RemoteOptions(url=url, **given), pauses.timing)
        loaded.append(codec)
        return codec

    yield load_one
    for codec in loaded:
        codec.close()


def pages_of(codec: Codec, count: int) -> list[Page]:
    """Short pages, each with its own number in it."""
    native = load_codec("native", "cpu")
    setter = Typesetter(codec.layout, Repertoire(native.repertoire))
    said = "Note {}: the battery test in the cold room took longer than planned, and pallet {} arrived on Friday. "
    return [
        setter.page(entries([{"id": f"t{n}", "messages": [{"role": "user", "content": said.format(n, n * 7)}]}]))
        for n in range(count)
    ]


def tokens_of(codec: Codec, pages: Sequence[Page], tier: str = "small") -> list[Tokens]:
    return codec.encode([render(page.cells, page.layout, tier) for page in pages], tier)


def drawn(what: str) -> str:
    """One call in five fails and one in twenty stalls, the same ones in every run."""
    share = int.from_bytes(sha256(what.encode()).digest()[:4], "big") / 2**32
    if share < 0.05:
        return "stall"
    return FAULTS[int((share - 0.05) / 0.2 * len(FAULTS))] if share < 0.25 else ""


def faulty(tokens: Sequence[Tokens]) -> Callable[[bytes, int], str]:
    """Faults of the calls for these pages, by the number of the page and of the try."""
    number = {item.data: place for place, item in enumerate(tokens)}
    return lambda png, attempt: drawn(f"8/{number[png]}/{attempt}")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(server: Server, load: Load, check: Callable[[Codec], None]) -> None:
    codec = load(server.url)
    assert isinstance(codec, ElsewhereCodec)
    check(codec)
    assert server.refused == []


def test_of_100_pages_each_is_read_once_though_a_quarter_of_the_calls_fail_or_stall(
    server: Server, load: Load, native_reader: NativeReader, pauses: Pauses
) -> None:
    codec = load(server.url, timeout_s=5.0, retries=9)
    pages = pages_of(codec, 100)
    tokens = tokens_of(codec, pages)
    native_reader.read_ahead([item.image() for item in tokens])  # so that only a stall takes as long as the timeout
    server.fault = faulty(tokens)
    readings = codec.decode_each(tokens)
    for page, reading in zip(pages, readings, strict=True):
        assert not isinstance(reading, CodecError)
        assert accuracy(page.text, reading.text) > 0.97
    assert server.answered == Counter({item.data: 1 for item in tokens})
    faults = sum(count for fault, count in server.faults.items() if fault)
    calls = 100 + faults
    assert faults - server.faults["stall"] >= 0.2 * calls
    assert server.faults["stall"] >= 0.05 * calls
    assert set(FAULTS) <= set(server.faults)
    assert codec.usage.requests == calls
    assert (codec.usage.failures, codec.usage.pages, codec.usage.pages_failed) == (faults, 100, 0)
    assert len(pauses) == faults
    assert pauses.count(7.0) == server.faults["429"]
    assert server.most_at_once <= 8 + server.faults["stall"]  # those that stalled were given up by the client alone


def test_what_is_not_tried_again_is_reported_and_the_other_pages_are_read(
    server: Server, load: Load, native_reader: NativeReader
) -> None:
    codec = load(server.url, timeout_s=5.0, retries=0)
    pages = pages_of(codec, 100)
    tokens = tokens_of(codec, pages)
    native_reader.read_ahead([item.image() for item in tokens])
    server.fault = faulty(tokens)
    readings = codec.decode_each(tokens)
    failed = [reading for reading in readings if isinstance(reading, ReadFailed)]
    read = [
        (page, reading) for page, reading in zip(pages, readings, strict=True) if not isinstance(reading, CodecError)
    ]
    assert len(failed) + len(read) == 100
    assert len(failed) == sum(count for fault, count in server.faults.items() if fault) >= 25
    assert all(accuracy(page.text, reading.text) > 0.97 for page, reading in read)
    assert set(server.answered.values()) == {1}
    assert len(server.answered) == len(read)
    sentences = " ".join(map(str, failed))
    for words in ("500: the engine is dead", "did not answer within 5 s", "no JSON", "the connection to", "429: slow"):
        assert words in sentences


def test_one_page_that_several_want_at_once_is_read_once(server: Server, load: Load) -> None:
    codec = load(server.url)
    token = tokens_of(codec, pages_of(codec, 1))[0]
    gate = threading.Event()

    def wait(png: bytes, attempt: int) -> str:
        gate.wait(20)
        return ""

    server.fault = wait
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.extend(codec.decode_each([token, token]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len({id(reading) for reading in results}) <= server.answered[token.data] <= 4
    codec.decode([token, token])
    assert server.answered[token.data] >= 3  # asked for twice, read twice


def test_no_more_requests_run_at_once_than_are_allowed(server: Server, load: Load) -> None:
    codec = load(server.url, concurrency=3)
    codec.decode(tokens_of(codec, pages_of(codec, 12)))
    assert 1 <= server.most_at_once <= 3


def test_pauses_double_and_what_the_server_asks_for_is_honoured(server: Server, load: Load, pauses: Pauses) -> None:
    codec = load(server.url, retries=4)
    token = tokens_of(codec, pages_of(codec, 1))
    server.fault = lambda png, attempt: "429" if attempt == 2 else "500"
    with pytest.raises(ReadFailed, match=r"500: the engine is dead \(tried 5 times\)"):
        codec.decode(token)
    assert pauses == [0.375, 0.75, 7.0, 3.0]


@pytest.mark.parametrize("api", ["openai", "vllm", "sglang"])
def test_requests_are_what_the_servers_document(server: Server, load: Load, api: str) -> None:
    server.api = api
    codec = load(server.url, server=api)
    codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert server.refused == []


def test_costs_are_counted(server: Server, load: Load) -> None:
    codec = load(server.url, prompt_price=2.0, completion_price=10.0)
    codec.decode(tokens_of(codec, pages_of(codec, 3)))
    usage = codec.usage
    assert (usage.requests, usage.pages, usage.prompt_tokens) == (3, 3, 900)
    assert usage.completion_tokens > 100
    assert usage.cost == pytest.approx((900 * 2 + usage.completion_tokens * 10) / 1e6)
    assert usage.seconds > 0


def test_an_empty_page_is_not_asked_for(server: Server, load: Load) -> None:
    codec = load(server.url)
    empty = render(np.zeros((8, 160), np.uint32), codec.layout, "small")
    reading = codec.decode(codec.encode([empty], "small"))[0]
    assert reading.text == ""
    assert codec.usage.requests == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"path": ""}, "HTML page|404"),
        ({"path": "/nowhere"}, "404.*FOXING_REMOTE_URL"),
        ({"model": "other-model"}, f"does not exist.*FOXING_REMOTE_MODEL.*it serves {MODEL}"),
        ({"api_key": "wrong"}, "401: Incorrect API key provided; check FOXING_REMOTE_API_KEY"),
        ({"extra": {"stream": True}}, "400: logprobs or stream make no sense.*FOXING_REMOTE_EXTRA"),
    ],
)
def test_a_server_that_is_asked_wrongly_says_so_at_once(
    server: Server, load: Load, pauses: Pauses, changed: dict[str, Any], said: str
) -> None:
    server.key = KEY
    url = server.url.replace("/v1", changed.pop("path", "/v1"))
    codec = load(url, **{"api_key": KEY, **changed})
    with pytest.raises(ReadFailed, match=said) as caught:
        codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert KEY not in str(caught.value)
    assert pauses == []


def test_a_server_that_answers_a_web_page_is_none(load: Load, served: Callable[[Reader], Server]) -> None:
    server = served(NativeReader())
    server.answer = lambda answer: {"html": 1}
    codec = load(server.url, retries=1)
    with pytest.raises(ReadFailed, match=r"no chat completion.*tried 2 times"):
        codec.decode(tokens_of(codec, pages_of(codec, 1)))


def test_a_server_that_is_not_there_is_named(load: Load, pauses: Pauses) -> None:
    codec = load("http://127.0.0.1:9/v1", retries=2)
    with pytest.raises(ReadFailed, match=r"nothing answers at http://127.0.0.1:9/v1 .*start the server"):
        codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert len(pauses) == 2


def test_settings_that_are_missing_are_named() -> None:
    with pytest.raises(CodecError, match="FOXING_REMOTE_URL"):
        load_codec("remote")
    with pytest.raises(CodecError, match="FOXING_REMOTE_MODEL"):
        load_codec("remote", options=CodecOptions(remote=RemoteOptions(url="http://127.0.0.1:9/v1")))
    with pytest.raises(CodecError, match="http://"):
        load_codec("remote", options=CodecOptions(remote=RemoteOptions(url="127.0.0.1:9", model=MODEL)))
    assert KEY not in repr(RemoteOptions(api_key=KEY))


QUOTA = "exceeded token rate limit of your tier. Please go here: https://aka.ms/oai/quotaincrease to raise it."
FIELD = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
BLIND = "No endpoints found that support image input"


@pytest.mark.parametrize(
    ("status", "error", "said", "tries"),
    [
        (429, {"code": "429", "message": QUOTA}, r"429: exceeded token rate limit.*raise it\. \(tried 3 times\)", 3),
        (429, {"code": "insufficient_quota", "message": "Check your plan."}, "nothing left to spend", 1),
        (429, {"type": "insufficient_quota", "message": "Check your plan."}, "nothing left to spend", 1),
        (402, {"message": "Add credits."}, "402: Add credits.; .*nothing left to spend", 1),
        (400, {"code": "unsupported_parameter", "message": FIELD}, "400: Unsupported.*FOXING_REMOTE_EXTRA", 1),
        (400, {"code": "model_not_found", "message": "No."}, f"No.; check FOXING_REMOTE_MODEL.*it serves {MODEL}", 1),
        (400, {"message": "The model `m` does not exist."}, "FOXING_REMOTE_MODEL", 1),
        (200, {"code": 404, "message": BLIND}, f"200 with an error: {BLIND}; check FOXING_REMOTE_MODEL", 1),
        (200, {"code": 502, "message": "Provider returned error"}, r"Provider returned error \(tried 3 times\)", 3),
        (200, {"code": "insufficient_quota", "message": "Check your plan."}, "nothing left to spend", 1),
        (200, {"type": "invalid_request_error", "message": "bad field"}, "bad field; .*FOXING_REMOTE_EXTRA", 1),
        (200, "overloaded", r"200 with an error: overloaded \(tried 3 times\)", 3),
    ],
)
def test_a_refusal_is_judged_by_its_code_and_repeated_in_its_own_words(
    server: Server, load: Load, monkeypatch: pytest.MonkeyPatch, status: int, error: Any, said: str, tries: int
) -> None:
    def refuse(handler: Any, state: Server) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler._json(status, {"error": error})

    monkeypatch.setattr(Handler, "_post", refuse)
    codec = load(server.url, retries=2)
    with pytest.raises(ReadFailed, match=said) as caught:
        codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert codec.usage.requests == tries
    assert ("FOXING_REMOTE_MODEL" in str(caught.value)) == ("FOXING_REMOTE_MODEL" in said)


SECRETS = ("hunter2", "sk-SECRET-123", "q-SECRET-456")


def test_no_sentence_and_no_log_holds_a_secret(
    server: Server, load: Load, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[tuple[str, str | None]] = []
    statuses = [400, 401, 404, 429, 500, 301, 200]

    def refuse(handler: Any, state: Server) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        asked.append((handler.path, handler.headers["Authorization"]))
        told = f"no {handler.headers['Authorization']} {' '.join(SECRETS)} http://bob:hunter2@host/v1"
        told += f" {'x' * 20} sk-SECRET-123" * 16  # a secret that is cut in two is one still
        handler._json(statuses[0], {"error": {"message": told}, "choices": [{"message": {"refusal": told}}]})

    monkeypatch.setattr(Handler, "_post", refuse)
    address = server.url.replace("http://", "http://bob:hunter2@") + "?api-version=2024-02-01&api-key=q-SECRET-456"
    codec = load(address, api_key="sk-SECRET-123", retries=0)
    tokens = tokens_of(codec, pages_of(codec, 1))
    shown = [repr(codec.options), str(codec.runs_on())]
    caplog.set_level("INFO")
    while statuses:
        (error,) = codec.decode_each(tokens)
        assert isinstance(error, ReadFailed)
        assert server.url in str(error)
        shown.append(str(error))
        del statuses[0]
    with pytest.raises(CodecError) as caught:
        load("ftp://bob:hunter2@host?api-key=q-SECRET-456")
    shown.append(str(caught.value))
    assert "hunter2" not in caplog.text
    for words in shown:
        assert not any(secret[:6] in words for secret in SECRETS), words
        assert "bob" not in words
    assert codec.runs_on()["endpoint"] == server.url
    paths, keys = zip(*asked, strict=True)
    assert set(paths) == {"/v1/chat/completions?api-version=2024-02-01&api-key=q-SECRET-456"}
    assert set(keys) == {"Basic " + base64.b64encode(b"bob:hunter2").decode()}


@pytest.mark.parametrize(
    "url", ["http://bob:hun/ter2@host/v1", "http://", "http://bob:hunter2@:80", "http://h:hunter2"]
)
def test_an_address_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(CodecError, match="FOXING_REMOTE_URL is no address") as caught:
        RemoteCodec.load(RemoteOptions(url=url, model=MODEL))
    assert "hun" not in str(caught.value)


def test_an_answer_that_loops_or_ends_early_is_told_from_a_reading(server: Server, load: Load) -> None:
    codec = load(server.url)
    page = sample_page(codec)
    token = tokens_of(codec, [page])
    server.answer = lambda answer: completion("".join(t for t, _ in answer)[:300] + " and so on" * 900, finish="length")
    loop = codec.decode(token)[0]
    server.answer = lambda answer: completion("".join(t for t, _ in answer)[:300])
    early = codec.decode(token)[0]
    for reading in (loop, early):
        assert reading.unread
        assert reading.text.startswith(page.text[:250])
        assert reading.mean_confidence < 0.5
    assert "so on and so on and" not in loop.text


def refusal(words: str) -> dict[str, Any]:
    document = completion(None)
    document["choices"][0]["message"]["refusal"] = words
    return document


NO_ANSWERS = {
    "answered nothing.*'stop'": completion(None),
    "answered nothing.*'length'": completion("\n \n", finish="length"),
    "its content filter": completion("The battery", finish="content_filter"),
    "refuses to read the page: It looks private": refusal("It looks private."),
}


@pytest.mark.parametrize("said", NO_ANSWERS)
def test_a_model_that_answers_nothing_is_asked_once_more_and_then_reported(
    server: Server, load: Load, pauses: Pauses, said: str
) -> None:
    codec = load(server.url)
    token = tokens_of(codec, [sample_page(codec)])
    server.answer = lambda answer: NO_ANSWERS[said]
    with pytest.raises(ReadFailed, match=rf"{server.url} .*{said}.*\(tried 2 times\)"):
        codec.decode(token)
    assert len(pauses) == 1
    assert (codec.usage.failures, codec.usage.pages_failed) == (2, 1)
    server.answer = lambda answer: NO_ANSWERS[said] if codec.usage.requests == 2 else completion("The battery test")
    assert codec.decode(token)[0].text


def test_marks_of_places_alone_are_no_reading(server: Server, load: Load) -> None:
    codec = load(server.url)
    server.answer = lambda answer: completion("<|ref|><|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>")
    with pytest.raises(ReadFailed, match="marks of places, no text"):
        codec.decode(tokens_of(codec, [sample_page(codec)]))


def test_what_nobody_expected_fails_one_page_and_is_counted(
    server: Server, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = load(server.url)
    tokens = tokens_of(codec, pages_of(codec, 3))
    ask = codec.endpoint.ask

    def break_down(call: Any, body: Any) -> Any:
        answer = ask(call, body)
        if "Note 1" in answer.text:
            raise ZeroDivisionError("a fault of ours")
        return answer

    monkeypatch.setattr(codec.endpoint, "ask", break_down)
    first, second, third = codec.decode_each(tokens)
    assert isinstance(second, ReadFailed)
    assert isinstance(second.__cause__, ZeroDivisionError)
    assert not isinstance(first, CodecError)
    assert not isinstance(third, CodecError)
    assert (codec.usage.pages, codec.usage.pages_failed) == (2, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": 1e999}}',
        b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": ' + b"9" * 4000 + b"}}",
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_json_that_means_harm_is_a_bad_answer(
    server: Server, load: Load, monkeypatch: pytest.MonkeyPatch, content: bytes, status: int
) -> None:
    monkeypatch.setattr(Handler, "_json", lambda self, *_: self._send(status, "application/json", content))
    codec = load(server.url, retries=1)
    with pytest.raises(ReadFailed, match=r"no JSON|no chat completion|answered 500.*\(tried 2 times\)"):
        codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert (codec.usage.failures, codec.usage.pages_failed) == (2, 1)


def test_without_log_probabilities_confidence_is_what_the_settings_say(server: Server, load: Load) -> None:
    codec = load(server.url, default_confidence=0.85)
    server.answer = lambda answer: completion("".join(text for text, _ in answer))
    reading = codec.decode(tokens_of(codec, [sample_page(codec)]))[0]
    assert reading.confidence[reading.cells > 0x20].max() == pytest.approx(0.85)


def test_pages_of_another_grid_are_refused_without_asking(server: Server, load: Load) -> None:
    dense, wide = load(server.url), load(server.url, columns=80)
    tokens = tokens_of(wide, pages_of(wide, 1))
    with pytest.raises(TokensError, match="FOXING_REMOTE_COLUMNS"):
        dense.decode(tokens)
    good = tokens_of(dense, pages_of(dense, 1))
    first, second = dense.decode_each([*tokens, *good])
    assert isinstance(first, TokensError)
    assert not isinstance(second, CodecError)
    damaged = replace(good[0], data=good[0].data[:200])
    assert isinstance(dense.decode_each([damaged])[0], TokensError)
    assert server.tries.total() == 1


def test_tesseract_behind_the_protocol_reads_pages_of_large_cells(
    served: Callable[[Reader], Server], load: Load
) -> None:
    server = served(TesseractReader())
    codec = load(server.url, columns=80)
    assert list(codec.tiers) == list(TIER_SIDES_PX)
    page = sample_page(codec, 6)
    reading = codec.decode(tokens_of(codec, [page], "large"))[0]
    assert accuracy(page.text, reading.text) > 0.9
    assert not reading.unread
    assert server.refused == []


def remember(memory: Memory, count: int) -> None:
    said = "note {}: Titan ships on 14 March, and the battery test in the cold room took longer than planned"
    memory.store(
        "b",
        [
            {"id": f"m{n}", "role": "user", "content": said.format(n), "created_at": START + timedelta(minutes=n)}
            for n in range(count)
        ],
    )


def test_printed_pages_age_out_of_their_image_and_are_read_whole(
    server: Server, load: Load, database_path: Path
) -> None:
    codec = load(server.url, columns=80)
    setter = Typesetter(codec.layout)
    clock = [START + timedelta(hours=12)]
    with Memory(database_path, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 12)
        memory.seal("b")
        written = [
            Entry(span.message_id, span.role, span.text, span.created_at, span.thread) for span in memory.export("b")
        ]
        lines = "\n".join(grid_text(row) for row in setter.page(written).cells)
        server.answer = lambda answer: completion(lines)
        for days, tier in ((8, "small"), (31, "tiny"), (366, "micro")):
            clock[0] = START + timedelta(days=days)
            (move,) = memory.age("b").moved
            assert move.to_tier == tier
            (page,) = memory.pages("b").pages
            assert memory.page_tokens("b", page.id).image().size == (codec.tiers[tier].side_px,) * 2
        assert [span.text for span in memory.export("b")] == [entry.content for entry in written]
        assert codec.usage.pages == codec.usage.requests == 4  # one for each move, one for the export


def test_a_memory_stores_ages_and_recalls_through_a_server_that_fails(
    server: Server, load: Load, database_path: Path
) -> None:
    clock = [START + timedelta(hours=12)]
    codec = load(server.url, retries=9, timeout_s=5.0)
    with Memory(database_path, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 40)
        memory.seal("b")
        assert codec.usage.requests == 0  # fresh pages keep their text
        assert memory.bank("b").pages == 1
        server.fault = lambda png, attempt: drawn(f"{png.hex()}/{attempt}")
        clock[0] += timedelta(days=8)
        moved = memory.age("b").moved
        assert [move.to_tier for move in moved] == ["small"]
        asked = codec.usage.pages
        clock[0] += timedelta(days=30)
        assert [move.to_tier for move in memory.age("b").moved] == ["tiny"]
        assert codec.usage.pages == asked + 1  # the new tokens are read; the old ones are an image already
        found = memory.recall("b", "Titan", limit=3).spans
        assert [span.source for span in found] == ["decoded"] * 3
        assert all("Titan ships on 14 March" in span.text for span in found)
        page = memory.pages("b").pages[0]
        assert page.bytes > 1000
        assert memory.page_tokens("b", page.id).dtype == "png"


def test_while_the_server_is_down_pages_stay_as_they_are_and_nothing_is_forgotten(
    server: Server, load: Load, database_path: Path
) -> None:
    clock = [START + timedelta(hours=12)]
    codec = load(server.url, retries=1)
    with Memory(database_path, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 20)
        memory.seal("b")
        server.fault = lambda png, attempt: "500"
        clock[0] += timedelta(days=8)
        report = memory.age("b")
        assert (report.moved, report.busy, len(report.unreadable)) == ([], [], 1)
        assert memory.recall("b", "Titan").spans[0].source == "text"
        server.fault = lambda png, attempt: ""
        assert len(memory.age("b").moved) == 1
        server.fault = lambda png, attempt: "500"
        span = memory.recall("b", "Titan").spans[0]
        assert (span.text, span.confidence) == ("", 0)
        tries = server.tries.total()
        assert memory.recall("b", "Titan").spans[0].confidence == 0
        assert server.tries.total() == tries  # not asked again a moment later
        page = memory.pages("b").pages[0].id
        with pytest.raises(ReaderFailed, match="500: the engine is dead"):
            memory.read_page("b", page)
        clock[0] += timedelta(days=30)
        assert memory.age("b").moved == []
        server.fault = lambda png, attempt: ""
        assert len(memory.age("b").moved) == 1
        assert "Titan ships on 14 March" in memory.recall("b", "Titan").spans[0].text


@pytest.mark.parametrize("said", NO_ANSWERS)
def test_a_model_that_answers_nothing_costs_no_page_its_text(
    server: Server, load: Load, database_path: Path, said: str
) -> None:
    clock = [START + timedelta(hours=12)]
    codec = load(server.url)
    with Memory(database_path, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 20)
        memory.seal("b")
        server.answer = lambda answer: NO_ANSWERS[said]
        clock[0] += timedelta(days=8)
        report = memory.age("b")
        assert (report.moved, report.text_dropped, report.busy, len(report.unreadable)) == ([], [], [], 1)
        assert memory.recall("b", "Titan").spans[0].source == "text"


def test_a_page_sealed_without_its_text_keeps_it_until_it_was_read(
    server: Server, load: Load, database_path: Path
) -> None:
    clock = [START + timedelta(hours=12)]
    codec = load(server.url, retries=0)
    with Memory(database_path, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 20)
        memory.set_policy("b", {**memory.policy("b").model_dump(mode="json"), "keep_text": "until:base"})
        server.fault = lambda png, attempt: "500"
        memory.seal("b")
        assert memory.pages("b").pages[0].text_kept
        server.fault = lambda png, attempt: ""
        memory.age("b")
        assert not memory.pages("b").pages[0].text_kept
        assert "Titan ships on 14 March" in memory.recall("b", "Titan").spans[0].text


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["codec", *arguments])


def test_codec_check_tells_what_ran_and_how_it_read(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"CODEC": "remote", "REMOTE_URL": server.url, "REMOTE_MODEL": MODEL, "REMOTE_COLUMNS": "160"}
    for name, value in settings.items():
        monkeypatch.setenv(f"FOXING_{name}", value)
    result = invoke("check", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["codec"], document["weights"], document["passed"]) == ("remote", "png-160x80", True)
    assert document["runs_on"]["endpoint"] == server.url
    assert document["runs_on"]["model"] == MODEL
    assert {"foxing", "httpx", "python"} <= set(document["runs_on"])
    rows = document["tiers"]
    assert [row["tier"] for row in rows] == list(TIER_SIDES_PX)
    assert rows[0]["accuracy"] > 0.97
    assert [row["prompt_tokens"] for row in rows] == [300] * 5
    assert all(row["token_bytes"] > 1000 for row in rows)
    assert "It works." in invoke("check").stdout
    server.answer = lambda answer: completion("I see nothing.")
    blind = invoke("check", "--json")
    assert blind.exit_code == 1
    assert json.loads(blind.stdout)["passed"] is False
    monkeypatch.setenv("FOXING_REMOTE_MODEL", "other-model")
    unknown = invoke("check")
    assert unknown.exit_code == 1
    assert f"it serves {MODEL}" in unknown.stderr.replace("\n", " ")
    for model in (MODEL, "other-model"):
        monkeypatch.setenv("FOXING_REMOTE_MODEL", model)
        loaded = load_codec("remote", options=load_settings().codec_options)
        assert isinstance(loaded, RemoteCodec)
        loaded.close()

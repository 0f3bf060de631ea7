"""One exchange of a conversation: the request read and folded, the answer passed on, and what is kept of both."""

import asyncio
import json
import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from foxing.integrations.frameworks.provider_answers import may_end

from .answers import PassedAnswer, read_answer
from .body import MessageText, RequestBody, decoded, encoded, parse_body
from .folding import FoldedCall, Folding
from .options import ProxyOptions
from .sessions import session_of
from .turns import TurnRecorder, held_by
from .upstream import Headers, UpstreamAnswer, UpstreamClient, UpstreamFailed
from .wires import ProviderWire, error_body, error_event

log = logging.getLogger(__name__)

#: Bytes of the end of a stream in which its last event is looked for.
_TAIL_BYTES = 4096
#: Bytes of an event that are held back until it is complete.
_MOST_HELD = 1 << 20
#: Bytes of an answer that are kept to be read.
_MOST_COPIED = 64 << 20
#: Conversations whose messages are not parsed again, and the characters of all of them.
_PARSED, _PARSED_CHARS = 64, 256 << 20
#: Size of a body from which it is parsed in a thread.
_LARGE = 256 << 10
#: Encodings of an answer that can be read.
_CODINGS = (b"gzip", b"deflate", b"zstd", b"identity")
_BOUND = b"bound to a different conversation"
#: Statuses of refusals that do not depend on what a request says.
_NOT_OF_THE_BODY = frozenset((401, 402, 407, 408, 409, 425, 429))
_MOST_REASON = 200
OFF = "x-foxing"
_OVERHEAD = b"x-foxing-overhead-ms"


@dataclass
class ConversationExchange:
    """A request of a conversation on its way."""

    wire: ProviderWire
    counts: bool
    #: Names in lower case.
    headers: Mapping[str, str] = field(repr=False)
    called_at: datetime
    url: str = field(repr=False)
    sent_headers: Headers = field(repr=False)  # with the key of the provider
    body: RequestBody | None = None
    session: str = ""
    call: FoldedCall | None = None
    retries: int = 0
    #: Whether what is sent has been refused because of its thinking, and has none any more.
    without_thinking: bool = False
    #: Whether the folded conversation was refused, so that it is sent as it came.
    fold_refused: bool = False
    answer: PassedAnswer | None = None
    #: Own headers of the answer.
    own: list[tuple[bytes, bytes]] = field(default_factory=list)
    recorded: bool = False


#: (status, headers, body) → sends an answer to the client; the body may be a stream.
Respond = Callable[[int, Sequence[tuple[bytes, bytes]], bytes | AsyncIterator[bytes]], Awaitable[None]]
#: Called once an answered request has been passed on, with the URL and headers of the request.
Answered = Callable[[ConversationExchange, str, Headers], None]


class Exchanges:
    """Passes on the requests of conversations."""

    def __init__(
        self,
        options: ProxyOptions,
        upstream: UpstreamClient,
        folding: Folding | None,
        recorder: TurnRecorder | None,
        answered: Answered,
    ) -> None:
        """`folding`, `recorder`: None to fold nothing, and to remember nothing."""
        self._options = options
        self._upstream = upstream
        self._folding = folding
        self._recorder = recorder
        self._answered = answered
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="foxing exchange")
        self._lock = threading.Lock()
        self._parsed: OrderedDict[tuple[str, str], tuple[Sequence[MessageText], int]] = OrderedDict()
        self.counts: Counter[str] = Counter()

    async def run(
        self, url: str, headers: Headers, content: bytes, wire: ProviderWire, counts: bool, respond: Respond
    ) -> None:
        """Passes on a request and its answer. Raises `UpstreamFailed` while nothing has been answered."""
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        exchange = ConversationExchange(wire, counts, named, datetime.now(UTC), url, headers)
        began = time.perf_counter()
        body = await self._prepared(exchange, content)
        self._note_time(exchange, time.perf_counter() - began)
        self.counts["requests"] += 1
        headers = _readable(headers, stream=exchange.body is not None and exchange.body.fields.get("stream") is True)
        while True:  # until nothing is left to be tried; nothing has been answered before
            async with await self._upstream.send("POST", url, headers, body) as answer:
                if not (self._may_retry(exchange, answer) or self._may_unfold(exchange, answer)):
                    self._learn(exchange, answer)
                    await self._pass_on(exchange, answer, respond)
                    return
                refusal = await answer.read()
                again = self._again(exchange, content, refusal, answer)
                if again is None:
                    await self._pass_document(exchange, answer, refusal, respond)
                    return
            body = again
            exchange.retries += 1

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=True)

    # The request

    async def _prepared(self, exchange: ConversationExchange, content: bytes) -> bytes:
        """Returns the body to send: the client's own bytes, unless something is folded."""
        if exchange.headers.get(OFF, "").strip().lower() in ("off", "false", "0", "no"):
            self.counts["off"] += 1
            return content
        encoding = exchange.headers.get("content-encoding", "")
        try:
            exchange.body = await self._in_thread(len(content) >= _LARGE, self._read, exchange, content, encoding)
            exchange.session = session_of(exchange.body, exchange.headers)
        except Exception as error:  # whatever it is, the client's bytes are passed on, and the provider refuses them
            log.debug("a request is passed on as it came: %s", error)
            return content
        if self._folding is None or held_by(exchange.body) is not None:
            return content
        try:
            call = await self._folding.fold(exchange.body, exchange.session, counting=exchange.counts)
        except Exception as error:  # a request must not fail because of its memory
            log.warning("a request goes out unfolded: %s: %s", type(error).__name__, error, exc_info=True)
            self.counts["failed"] += 1
            return content
        exchange.call = call
        exchange.own = _own_headers(call, self._options.dry_run)
        if call.content is None or self._options.dry_run:
            return content
        sent = encoded(call.content, encoding)
        if sent is None:
            return content
        self.counts["folded"] += call.folded
        return sent

    def _read(self, exchange: ConversationExchange, content: bytes, encoding: str) -> RequestBody:
        text = (decoded(content, encoding) if encoding else content).decode()
        # a request is parsed again only where it differs from the one before it
        key = (exchange.wire.name, _beginning(text, exchange.wire.member))
        with self._lock:
            before, _ = self._parsed.get(key, ((), 0))
        body = parse_body(exchange.wire, text, before)
        for message in body.messages:
            _ = message.item.digest  # here, since this may be a thread
        if body.messages:
            with self._lock:
                self._parsed[key] = body.messages, len(text)
                self._parsed.move_to_end(key)
                total = sum(size for _, size in self._parsed.values())
                while len(self._parsed) > 1 and (len(self._parsed) > _PARSED or total > _PARSED_CHARS):
                    total -= self._parsed.popitem(last=False)[1][1]
        return body

    async def _in_thread(self, large: bool, call: Callable[..., Any], *arguments: Any) -> Any:
        if not large:
            return call(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def _note_time(self, exchange: ConversationExchange, seconds: float) -> None:
        call = exchange.call
        kind = "fold" if call is not None and call.reason else "folded" if call is not None and call.folded else "plain"
        exchange.own.append((_OVERHEAD, f"{seconds * 1e3:.1f}".encode()))
        self.counts[f"{kind} calls"] += 1

    # What is sent after a refusal: the folded conversation without thinking, what came, and that without thinking

    def _again(
        self, exchange: ConversationExchange, came: bytes, refusal: bytes, answer: UpstreamAnswer
    ) -> bytes | None:
        """Returns the body to send after a refusal; None if there is no other. `came`: the body that came."""
        if self._may_retry(exchange, answer):
            without = self._without_thinking(exchange, refusal, answer)
            if without is not None:
                exchange.without_thinking = True
                self.counts["retries"] += 1
                log.warning("the model refused thinking that is bound to another conversation; sent again without")
                return without
        if not self._may_unfold(exchange, answer):
            return None
        call = exchange.call
        assert call is not None
        reason = f"{answer.status} {_reason(_plain(refusal, answer) or b'')}".strip()
        log.warning("the provider refused a folded conversation, which is sent again as it came: %s", reason)
        call.unfold(f"the provider refused the folded conversation: {reason}")
        exchange.fold_refused, exchange.without_thinking = True, False
        exchange.own = [
            *_own_headers(call, self._options.dry_run),
            *(each for each in exchange.own if each[0] == _OVERHEAD),
        ]
        self.counts["folded"] -= 1
        self.counts["refused"] += 1
        return came

    def _learn(self, exchange: ConversationExchange, answer: UpstreamAnswer) -> None:
        """Notes for later calls what an answer after a refusal shows."""
        call = exchange.call
        if call is None or answer.status >= 400:
            return
        if exchange.without_thinking:
            call.refused()
        if exchange.fold_refused and not exchange.counts and self._folding is not None:
            self._folding.drop(call)

    def _may_unfold(self, exchange: ConversationExchange, answer: UpstreamAnswer) -> bool:
        """Returns True if a folded conversation is refused, and may be taken as it came."""
        if exchange.call is None or not exchange.call.folded or self._options.dry_run:
            return False
        return 400 <= answer.status < 500 and answer.status not in _NOT_OF_THE_BODY

    def _may_retry(self, exchange: ConversationExchange, answer: UpstreamAnswer) -> bool:
        """Returns True if a refusal may be one of thinking."""
        if answer.status != 400 or exchange.without_thinking:
            return False
        if exchange.wire.name != "messages" or exchange.body is None or self._folding is None or self._options.dry_run:
            return False
        thinking = exchange.body.fields.get("thinking")
        binding = thinking.get("block_binding") if isinstance(thinking, dict) else None
        asked = binding.get("prefix_mismatch_behavior") if isinstance(binding, dict) else None
        folded = exchange.call is not None and exchange.call.folded
        return asked != "error" or folded or exchange.fold_refused

    def _without_thinking(self, exchange: ConversationExchange, refusal: bytes, answer: UpstreamAnswer) -> bytes | None:
        """Returns the body of the retry; None if the answer refuses something else."""
        if _BOUND not in (_plain(refusal, answer) or b"") or exchange.body is None:
            return None
        call = exchange.call
        sent = exchange.body
        if call is not None and call.content is not None:
            sent = parse_body(exchange.wire, call.content.decode())
        without = sent.without_thinking()
        return None if without is None else encoded(without, exchange.headers.get("content-encoding", ""))

    # The answer

    async def _pass_on(self, exchange: ConversationExchange, answer: UpstreamAnswer, respond: Respond) -> None:
        if answer.header("content-type").partition(";")[0].strip().lower() == "text/event-stream":
            headers = [each for each in answer.headers if each[0] != b"content-length"]
            await respond(answer.status, [*headers, *exchange.own], self._events(exchange, answer))
            self._end(exchange)
        else:
            await self._pass_document(exchange, answer, await answer.read(), respond)

    async def _pass_document(
        self, exchange: ConversationExchange, answer: UpstreamAnswer, content: bytes, respond: Respond
    ) -> None:
        plain = _plain(content, answer)
        if plain is not None and not _is_json(plain):
            kind = answer.header("content-type") or "something"
            status = answer.status if answer.status >= 400 else 502
            message = (
                f"the upstream answered with status {answer.status} and {kind}, which is not JSON; check --upstream"
            )
            headers = [(b"content-type", b"application/json")]
            headers += [each for each in answer.headers if each[0] in (b"retry-after", b"request-id", b"x-request-id")]
            await respond(status, headers, error_body(exchange.wire.provider, status, message))
            return
        if answer.status < 300 and not exchange.counts and plain is not None:
            exchange.answer = read_answer(exchange.wire.name, plain, stream=False)
            await self._record(exchange)
        await respond(answer.status, [*answer.headers, *exchange.own], content)
        self._end(exchange)

    async def _events(self, exchange: ConversationExchange, answer: UpstreamAnswer) -> AsyncIterator[bytes]:
        """Yields a stream as it comes, an event that is not complete excepted, and reads a copy."""
        wire, coding = exchange.wire, answer.header("content-encoding")
        received = bytearray()
        held = b""
        try:
            async for chunk in answer.chunks():
                if len(received) < _MOST_COPIED:
                    received += chunk
                if coding:
                    yield chunk
                    continue
                held, ready = _complete(held + chunk)
                if ready:
                    if may_end(wire.name, ready[-_TAIL_BYTES:]):
                        await self._finish(exchange, bytes(received), coding)
                    yield ready
        except UpstreamFailed as error:
            await self._finish(exchange, bytes(received), coding, closed=True)
            self.counts["broken streams"] += 1
            if coding:
                raise
            yield error_event(wire, str(error))
            return
        except (asyncio.CancelledError, GeneratorExit):  # the client is gone
            self._finish_now(exchange, bytes(received), coding)
            raise
        await self._finish(exchange, bytes(received), coding, closed=True)
        if held:
            yield held

    async def _finish(
        self, exchange: ConversationExchange, received: bytes, coding: str, *, closed: bool = False
    ) -> None:
        """Records a stream once it is complete. `closed`: it ends here, complete or not."""
        if exchange.recorded:
            return
        exchange.answer = _read_stream(exchange.wire, received, coding)
        if exchange.answer is not None or closed:
            await self._record(exchange)

    def _finish_now(self, exchange: ConversationExchange, received: bytes, coding: str) -> None:
        if not exchange.recorded:
            exchange.answer = _read_stream(exchange.wire, received, coding)
            exchange.recorded = True
            if self._records(exchange):
                self._threads.submit(self._write, exchange)

    async def _record(self, exchange: ConversationExchange) -> None:
        if exchange.recorded:
            return
        exchange.recorded = True
        if self._records(exchange):
            await asyncio.get_running_loop().run_in_executor(self._threads, self._write, exchange)

    def _records(self, exchange: ConversationExchange) -> bool:
        return self._recorder is not None and exchange.body is not None and not exchange.counts

    def _write(self, exchange: ConversationExchange) -> None:
        assert self._recorder is not None
        assert exchange.body is not None
        self._recorder.record(exchange.body, exchange.session, exchange.answer, exchange.called_at)

    def _end(self, exchange: ConversationExchange) -> None:
        if exchange.answer is not None and not exchange.counts:
            self._answered(exchange, exchange.url, exchange.sent_headers)


def _reason(refusal: bytes) -> str:
    """Returns the message of a refusal, in one line."""
    try:
        value = json.loads(refusal)
        error = value["error"]
        said = error["message"] if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return " ".join(str(said).split())[:_MOST_REASON]


def _own_headers(call: FoldedCall, dry_run: bool) -> list[tuple[bytes, bytes]]:
    if call.conversation is None:
        return []
    saved = call.original_tokens - call.sent_tokens
    folded = b"dry-run" if dry_run and call.folded else b"yes" if call.folded else b"no"
    headers = [(b"x-foxing-folded", folded), (b"x-foxing-saved-tokens", str(round(saved)).encode())]
    if call.failure is not None:
        reason = call.failure.encode("ascii", "replace").decode().replace("\n", " ")[:200]
        headers.append((b"x-foxing-unfolded", reason.encode()))
    return headers


def _beginning(text: str, member: str) -> str:
    """Returns the first characters of the messages in a body: requests that share them are of one conversation."""
    at = text.find(f'"{member}"')
    return text[at : at + 2_000] if at >= 0 else ""


def _complete(data: bytes) -> tuple[bytes, bytes]:
    """Returns what follows the last complete event, and all up to its end."""
    end = max(data.rfind(b"\n\n") + 2, data.rfind(b"\r\n\r\n") + 4, data.rfind(b"\r\r") + 2)
    if end < 4:
        return (data, b"") if len(data) < _MOST_HELD else (b"", data)
    return data[end:], data[:end]


def _plain(content: bytes, answer: UpstreamAnswer) -> bytes | None:
    """Returns a body without its content encoding; None if that is not known."""
    coding = answer.header("content-encoding")
    if not coding:
        return content
    try:
        return decoded(content, coding)
    except ValueError:
        return None


def _readable(headers: Headers, *, stream: bool) -> list[tuple[bytes, bytes]]:
    """Returns the headers of a request with the encodings of its answer that can be read; none for a stream, which is
    passed on by the event."""
    found: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        if name == b"accept-encoding":
            known = [each for each in value.split(b",") if each.strip().split(b";")[0].lower() in _CODINGS]
            value = b"identity" if stream or not known else b",".join(known)
        found.append((name, value))
    return found


def _read_stream(wire: ProviderWire, received: bytes, coding: str) -> PassedAnswer | None:
    if coding:
        try:
            received = decoded(received, coding)
        except ValueError:
            return None
    return read_answer(wire.name, received, stream=True)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True

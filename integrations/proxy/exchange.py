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
from typing import Any, TypeVar

from foxing.integrations.turns.codings import DecodedTooLarge, decoded, encoded
from foxing.integrations.turns.copies import AnswerCopy
from foxing.integrations.turns.recorder import TurnRecorder
from foxing.integrations.turns.sessions import session_of
from foxing.memory.conversation.answers import PassedAnswer, read_value
from foxing.memory.conversation.requests import held_by

from .body import MessageText, RequestBody, parse_body
from .fold_loops import FoldLoops
from .folding import FoldedCall, Folding
from .options import ProxyOptions
from .streams import WholeEvents, without_last_event
from .upstream import Headers, UpstreamAnswer, UpstreamClient, UpstreamFailed
from .wires import ProviderWire, error_body, error_event

log = logging.getLogger(__name__)

R = TypeVar("R")

#: Bytes of an answer, other than a stream, that are read before they are passed on; one with more passes unread.
_MOST_READ = 32 << 20
#: Bytes of an error that are read to see whether it refuses thinking.
_MOST_REFUSAL = 1 << 20
#: Conversations whose messages are not parsed again, and the characters of all of them.
_PARSED, _PARSED_CHARS = 64, 64 << 20
#: Size of what is parsed in a thread, and not on the event loop: 16 KiB take up to 10 ms.
_LARGE = 16 << 10
#: Size of what is parsed by few threads, so that others find one, and the number of these.
_HUGE, _PARSERS = 1 << 20, 2
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


class RequestRefused(Exception):
    """A request that is not passed on. The message is for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


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
        fold_loops: FoldLoops,
    ) -> None:
        """`folding`, `recorder`: None to fold nothing, and to remember nothing. `fold_loops`: run `folding`."""
        self._options = options
        self._upstream = upstream
        self._folding = folding
        self._recorder = recorder
        self._answered = answered
        self._fold_loops = fold_loops
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="foxing exchange")
        self._parsers = ThreadPoolExecutor(_PARSERS, thread_name_prefix="foxing parser")
        self._lock = threading.Lock()
        self._parsed: OrderedDict[tuple[str, str], tuple[Sequence[MessageText], int]] = OrderedDict()
        self.counts: Counter[str] = Counter()

    async def run(
        self, url: str, headers: Headers, content: bytes, wire: ProviderWire, counts: bool, respond: Respond
    ) -> None:
        """Passes on a request and its answer. Raises `UpstreamFailed` and `RequestRefused` while nothing has been
        answered."""
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
                    await self._learn(exchange, answer)
                    await self._pass_on(exchange, answer, respond)
                    return
                refusal, is_whole = await answer.read(_MOST_REFUSAL)
                again = None
                if is_whole:
                    size = len(exchange.body.text) if exchange.body is not None else 0
                    again = await self._in_thread(size, self._again, exchange, content, refusal, answer)
                if again is None:
                    await self._pass_document(exchange, answer, respond, refusal)
                    return
            body = again
            exchange.retries += 1

    def close(self) -> None:
        """Ends the threads."""
        for each in (self._parsers, self._threads):
            each.shutdown(wait=True)

    # The request

    async def _prepared(self, exchange: ConversationExchange, content: bytes) -> bytes:
        """Returns the body to send: the client's own bytes, unless something is folded."""
        if exchange.headers.get(OFF, "").strip().lower() in ("off", "false", "0", "no"):
            self.counts["off"] += 1
            return content
        encoding = exchange.headers.get("content-encoding", "")
        try:
            # what is compressed may be of any size
            size = _HUGE if encoding else len(content)
            body, exchange.session = await self._in_thread(size, self._read, exchange, content, encoding)
            exchange.body = body
        except DecodedTooLarge as error:
            message = f"the body has more than {self._options.max_body_bytes:,} bytes once it is decompressed"
            raise RequestRefused(413, f"{message}, which the proxy does not take; send less") from error
        except Exception as error:  # whatever it is, the client's bytes are passed on, and the provider refuses them
            log.debug("a request is passed on as it came: %s", error)
            return content
        if self._folding is None or held_by(body.wire.name, body.fields) is not None:
            return content
        try:
            folding = self._folding.fold(body, exchange.session, counting=exchange.counts)
            call = await self._fold_loops.run(exchange.session, folding)
        except Exception as error:  # a request must not fail because of its memory
            log.warning("a request goes out unfolded: %s: %s", type(error).__name__, error, exc_info=True)
            self.counts["failed"] += 1
            return content
        exchange.call = call
        exchange.own = _own_headers(call, self._options.dry_run)
        if call.content is None or self._options.dry_run:
            return content
        sent = call.content
        if encoding:
            packed = await self._in_thread(len(sent), encoded, sent, encoding)
            if packed is None:
                return content
            sent = packed
        self.counts["folded"] += call.folded
        return sent

    def _read(self, exchange: ConversationExchange, content: bytes, encoding: str) -> tuple[RequestBody, str]:
        """Returns the parsed body, and its session."""
        text = (decoded(content, encoding, self._options.max_body_bytes) if encoding else content).decode()
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
        return body, session_of(body.sent, exchange.headers)

    async def _in_thread(self, size: int, call: Callable[..., R], *arguments: Any) -> R:
        """Calls a function, in a thread unless it is quick. `size`: bytes or characters that it reads."""
        if size < _LARGE:
            return call(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads_for(size), call, *arguments)

    def _threads_for(self, size: int) -> ThreadPoolExecutor:
        return self._parsers if size >= _HUGE else self._threads

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
        refused = "a folded conversation" if call.folded else "a breakpoint of its cache"
        log.warning("the provider refused %s; the request is sent again as it came: %s", refused, reason)
        self.counts["folded"] -= call.folded
        call.unfold(f"the provider refused the folded conversation: {reason}")
        exchange.fold_refused, exchange.without_thinking = True, False
        exchange.own = [
            *_own_headers(call, self._options.dry_run),
            *(each for each in exchange.own if each[0] == _OVERHEAD),
        ]
        self.counts["refused"] += 1
        return came

    async def _learn(self, exchange: ConversationExchange, answer: UpstreamAnswer) -> None:
        """Notes for later calls what an answer after a refusal shows."""
        call = exchange.call
        if call is None or answer.status >= 400:
            return
        if exchange.without_thinking:
            call.refused()
        if exchange.fold_refused and not exchange.counts and self._folding is not None:
            await self._fold_loops.run(exchange.session, self._folding.drop(call))

    def _may_unfold(self, exchange: ConversationExchange, answer: UpstreamAnswer) -> bool:
        """Returns True if a folded conversation is refused, and may be taken as it came."""
        call = exchange.call
        if call is None or not (call.folded or call.marked) or exchange.fold_refused or self._options.dry_run:
            return False
        return 400 <= answer.status < 500 and answer.status not in _NOT_OF_THE_BODY

    def _may_retry(self, exchange: ConversationExchange, answer: UpstreamAnswer) -> bool:
        """Returns True if a refusal may be one of thinking."""
        if answer.status != 400 or exchange.without_thinking:
            return False
        if exchange.wire.name != "anthropic" or exchange.body is None or self._folding is None or self._options.dry_run:
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
            await self._pass_document(exchange, answer, respond)

    async def _pass_document(
        self, exchange: ConversationExchange, answer: UpstreamAnswer, respond: Respond, begun: bytes = b""
    ) -> None:
        """Passes on an answer that is no stream. `begun`: what has been read of it."""
        content, is_whole = await answer.read(_MOST_READ)
        content = begun + content
        headers = [*answer.headers, *exchange.own]
        if not is_whole:
            log.warning("an answer of more than %d MiB is passed on unread", _MOST_READ >> 20)
            await respond(answer.status, headers, _joined(content, answer.chunks()))
            return
        size = _HUGE if answer.header("content-encoding") else len(content)
        is_json, found = await self._in_thread(size, _read_document, exchange.wire, content, answer)
        if not is_json:
            kind = answer.header("content-type") or "something"
            status = answer.status if answer.status >= 400 else 502
            message = (
                f"the upstream answered with status {answer.status} and {kind}, which is not JSON; check --upstream"
            )
            headers = [(b"content-type", b"application/json")]
            headers += [each for each in answer.headers if each[0] in (b"retry-after", b"request-id", b"x-request-id")]
            await respond(status, headers, error_body(exchange.wire.vendor, status, message))
            return
        if answer.status < 300 and not exchange.counts:
            exchange.answer = found
            await self._record(exchange)
        await respond(answer.status, headers, content)
        self._end(exchange)

    async def _events(self, exchange: ConversationExchange, answer: UpstreamAnswer) -> AsyncIterator[bytes]:
        """Yields a stream as it comes, an event that is not complete excepted, and reads a copy."""
        coding = answer.header("content-encoding")
        copy = AnswerCopy(exchange.wire.name, coding)
        events = WholeEvents()
        try:
            async for chunk in answer.chunks():
                ready = chunk if coding else events.feed(chunk)
                if not ready:
                    continue
                await self._read_copy(copy, ready)
                if copy.is_complete and not exchange.recorded:
                    # the end waits until the turn is kept, what comes before it does not
                    begun, ready = (b"", ready) if coding else without_last_event(ready)
                    if begun:
                        yield begun
                    await self._record(exchange, copy)
                yield ready
        except UpstreamFailed as error:
            await self._record(exchange, copy)
            self.counts["broken streams"] += 1
            if coding:
                raise
            yield error_event(exchange.wire, str(error))
            return
        except (asyncio.CancelledError, GeneratorExit):  # the client is gone
            if not exchange.recorded:
                exchange.recorded = True
                self._writers(exchange).submit(self._write, exchange, copy)
            raise
        held = events.end()
        await self._read_copy(copy, held)
        await self._record(exchange, copy)
        if held:
            yield held

    async def _read_copy(self, copy: AnswerCopy, content: bytes) -> None:
        """Reads the next bytes of a stream."""
        if copy.is_done:
            return
        size = _LARGE if copy.is_compressed else len(content) + copy.waiting_bytes
        await self._in_thread(size, copy.feed, content)

    async def _record(self, exchange: ConversationExchange, copy: AnswerCopy | None = None) -> None:
        """Records an answered request, once. `copy`: its answer, unless that is known."""
        if exchange.recorded:
            return
        exchange.recorded = True
        if copy is not None or self._records(exchange):
            await asyncio.get_running_loop().run_in_executor(self._writers(exchange), self._write, exchange, copy)

    def _writers(self, exchange: ConversationExchange) -> ThreadPoolExecutor:
        return self._threads_for(len(exchange.body.text) if exchange.body is not None else 0)

    def _records(self, exchange: ConversationExchange) -> bool:
        return self._recorder is not None and exchange.body is not None and not exchange.counts

    def _write(self, exchange: ConversationExchange, copy: AnswerCopy | None) -> None:
        if copy is not None:
            exchange.answer = copy.answer()
        if self._recorder is not None and exchange.body is not None and self._records(exchange):
            self._recorder.record(exchange.body.sent, exchange.session, exchange.answer, exchange.called_at)

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


def _plain(content: bytes, answer: UpstreamAnswer) -> bytes | None:
    """Returns a body without its content encoding; None if that is not known."""
    coding = answer.header("content-encoding")
    if not coding:
        return content
    try:
        return decoded(content, coding, 2 * _MOST_READ)
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


async def _joined(begun: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begun
    async for chunk in rest:
        yield chunk


def _read_document(wire: ProviderWire, content: bytes, answer: UpstreamAnswer) -> tuple[bool, PassedAnswer | None]:
    """Returns whether a body is JSON, or cannot be read, and the answer in it."""
    plain = _plain(content, answer)
    if plain is None:
        return True, None
    try:
        return True, read_value(wire.name, json.loads(plain))
    except (ValueError, RecursionError):
        return False, None

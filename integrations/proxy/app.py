"""The proxy as an ASGI application: every request goes to the upstream, those of conversations through folding."""

import asyncio
import hmac
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from foxing.integrations.client import Target
from foxing.integrations.outbox.file import OutboxFile
from foxing.integrations.turns.journal import TurnJournal
from foxing.integrations.turns.recorder import TurnRecorder
from foxing.memory.doors import LOOPBACK_NAMES, RequestError, check_host, check_length, check_site
from foxing.renderer import ProblemKind

from .accounting import SETTLE_S, Accounting
from .bank import BankLink
from .exchange import ConversationExchange, Exchanges, RequestRefused
from .fold_loops import FoldLoops
from .folding import Folding
from .options import ProxyOptions
from .upstream import Headers, UpstreamAnswer, UpstreamClient, UpstreamFailed
from .websockets import Websockets
from .wires import error_body, vendor_of, wire_of

log = logging.getLogger(__name__)

KEY = "x-foxing-key"
STATUS = "/foxing/status"
#: Bytes that are read of a body that is too large, so that its client sees the answer.
_MOST_DRAINED = 2 << 30
#: Time for what waits for the bank when the proxy stops, in seconds.
_LAST_S = 5.0
_TOO_LARGE = "the body has more than {:,} bytes, which the proxy does not take; send less"
_UNAUTHORIZED = ProblemKind("unauthorized", 401, "The key of the proxy is missing or wrong")
_HOW_ELSEWHERE = "to serve it under another name, start the proxy with another --host and an API key"
_HOW_FROM_PAGES = "send them from a program, not from a web page"


class _ClientGone(Exception):
    """The client has closed the connection."""


class _BodyTooSlow(Exception):
    """The client sends no more of a body."""


class Proxy:
    """Parts of a running proxy."""

    def __init__(self, options: ProxyOptions, find: Callable[[], Target]) -> None:
        """`find`: see `BankLink`; not used in a dry run, which has a memory of its own for the time."""
        self.options = options
        self._find = find
        self._stack = AsyncExitStack()
        self.upstream = UpstreamClient(options)
        self.bank: BankLink | None = None
        self.folding: Folding | None = None
        self.recorder: TurnRecorder | None = None
        self.exchanges: Exchanges | None = None
        self._fold_loops: FoldLoops | None = None
        self._hosts = LOOPBACK_NAMES | {options.host.lower()}
        self._websockets = Websockets(options)
        self.accounting: Accounting | None = None

    async def start(self) -> None:
        """Opens the bank and the journal. A bank that cannot be opened is looked for again later."""
        options = self.options
        find = self._find
        if options.dry_run:
            folder = self._stack.enter_context(TemporaryDirectory(prefix="foxing-proxy-"))
            find = lambda: str(Path(folder) / "dry-run.db")  # noqa: E731
        self.bank = bank = BankLink(find, options)
        try:
            await bank.open()
        except Exception as error:
            bank.fail(error)
        self.folding = Folding(bank, options)
        if options.remember and not options.dry_run:
            journal = await asyncio.to_thread(TurnJournal, options.journal, f"{options.memory} {options.bank}")
            self.recorder = TurnRecorder(journal, bank.name, lambda: bank, settle_s=SETTLE_S)
            bank.flush = self.recorder.delivery.flush
        if not options.dry_run:
            scope = f"{options.memory} {options.bank} (calls of models)"
            outbox = await asyncio.to_thread(OutboxFile, options.journal, scope)
            self.accounting = Accounting(bank, self.upstream, outbox)
            self.accounting.start()
        self._fold_loops = FoldLoops()
        self.exchanges = Exchanges(
            options, self.upstream, self.folding, self.recorder, self._answered, self._fold_loops
        )

    async def stop(self) -> None:
        """Stores what is left, and closes everything."""
        if self.exchanges is not None:
            await asyncio.to_thread(self.exchanges.close)
        if self.recorder is not None:
            await asyncio.to_thread(self.recorder.delivery.retire, _LAST_S)
        if self.accounting is not None:
            await self.accounting.stop()
        if self.bank is not None:
            await asyncio.to_thread(self.bank.close)
        if self._fold_loops is not None:  # after the bank, which may still make a fold
            await asyncio.to_thread(self._fold_loops.close)
        await self.upstream.close()
        await self._stack.aclose()

    def _answered(self, exchange: ConversationExchange, url: str, headers: Headers) -> None:
        usage = exchange.answer.usage if exchange.answer is not None else None
        passed = exchange.fold_refused or exchange.without_thinking or self.options.dry_run
        call = exchange.call
        if self.folding is not None and call is not None and usage is not None and not passed:
            self.folding.learn(call, usage.input)
            if call.pays_later and self._fold_loops is not None:
                self._fold_loops.start(exchange.session, self.folding.fold_ahead(call))
        if self.accounting is not None:
            self.accounting.note(exchange, url, headers)

    def status(self) -> dict[str, Any]:
        """Returns counts since the start, and what waits for the bank."""
        return {
            "upstream": self.upstream.origin,
            "dry_run": self.options.dry_run,
            "calls": dict(self.exchanges.counts if self.exchanges else {}),
            "folds": dict(self.folding.counts if self.folding else {}),
            **(self.folding.report() if self.folding else {}),
            "outbox": asdict(self.recorder.waiting) if self.recorder else None,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on a request or a websocket."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = str(scope["path"])
        provider = vendor_of(path, headers)
        try:
            self.check(scope)
        except RequestError as error:
            status = error.kind.status
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})
            else:
                await _respond(send, status, [*_JSON, _CLOSE], error_body(provider, status, str(error)))
            return
        url = self.upstream.url(scope.get("raw_path") or path.encode(), scope.get("query_string", b""))
        if scope["type"] == "websocket":
            await self._websockets.run(url, scope, receive, send)
            return
        answer = _Answer(send)
        try:
            await self._serve(scope, headers, url, receive, answer)
        except (UpstreamFailed, RequestRefused) as error:
            if answer.started:
                raise
            await _respond(send, error.status, _JSON, error_body(provider, error.status, str(error)))
        except _BodyTooSlow:
            message = f"no more of the body arrived within {self.options.body_s:g} s"
            await _respond(send, 408, [*_JSON, _CLOSE], error_body(provider, 408, message))
        except _ClientGone:
            log.debug("a client has gone")

    def check(self, scope: Scope) -> None:
        """Raises `RequestError` for a request without the key of the proxy. If it has none, for one that a web page
        may have sent."""
        headers: Headers = scope["headers"]
        if scope["type"] == "http":
            check_length(headers)
        key = self.options.key
        if key is None:
            check_host(headers, self._hosts, _HOW_ELSEWHERE)
            check_site(scope["scheme"], headers, _HOW_FROM_PAGES)
            return
        given = next((value for name, value in headers if name == KEY.encode()), b"")
        if not hmac.compare_digest(given, key.encode()):
            raise RequestError(_UNAUTHORIZED, f"the proxy requires its key in the header {KEY}")

    async def _serve(
        self, scope: Scope, headers: Mapping[str, str], url: str, receive: Receive, answer: "_Answer"
    ) -> None:
        assert self.exchanges is not None
        found = wire_of(scope["method"], scope["path"])
        if found is None:
            await self._serve_other(scope, headers, url, receive, answer)
            return
        wire, counts = found
        whole = await _read_whole(self._body(receive), self.options.max_body_bytes)
        if whole is None:
            message = _TOO_LARGE.format(self.options.max_body_bytes)
            await _respond(answer.send, 413, _JSON, error_body(wire.vendor, 413, message))
            return
        await _until_gone(self.exchanges.run(url, scope["headers"], whole, wire, counts, answer.respond), receive)

    async def _serve_other(
        self, scope: Scope, headers: Mapping[str, str], url: str, receive: Receive, answer: "_Answer"
    ) -> None:
        """Passes on a request of no conversation, its body in pieces."""
        has_body = "content-length" in headers or "transfer-encoding" in headers
        content = self._body(receive) if has_body else None
        length = headers.get("content-length")
        async with await self.upstream.send(scope["method"], url, scope["headers"], content, length) as given:
            await _until_gone(_pass_plainly(given, answer), receive)

    async def _body(self, receive: Receive) -> AsyncIterator[bytes]:
        """Yields the body of a request as it comes. Raises `_ClientGone`, and `_BodyTooSlow`."""
        more = True
        while more:
            try:
                async with asyncio.timeout(self.options.body_s):
                    message = await receive()
            except TimeoutError as error:
                raise _BodyTooSlow from error
            if message["type"] == "http.disconnect":
                raise _ClientGone
            if message.get("body"):
                yield message["body"]
            more = message.get("more_body", False)


class _Answer:
    """The answer to a client."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.started = False

    async def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes | AsyncIterator[bytes]
    ) -> None:
        """Sends the answer; a stream piece by piece."""
        if isinstance(body, bytes):
            self.started = True
            await _respond(self.send, status, headers, body)
            return
        async with aclosing(cast("AsyncGenerator[bytes, None]", body)) as pieces:
            self.started = True
            await self.send({"type": "http.response.start", "status": status, "headers": list(headers)})
            async for piece in pieces:
                await self.send({"type": "http.response.body", "body": piece, "more_body": True})
            await self.send({"type": "http.response.body", "body": b""})


_JSON = [(b"content-type", b"application/json")]
_CLOSE = (b"connection", b"close")


async def _respond(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    length = [(b"content-length", str(len(body)).encode())]
    kept = [each for each in headers if each[0] != b"content-length"]
    await send({"type": "http.response.start", "status": status, "headers": kept + length})
    await send({"type": "http.response.body", "body": body})


async def _pass_plainly(given: UpstreamAnswer, answer: _Answer) -> None:
    await answer.respond(given.status, given.headers, given.chunks())


async def _read_whole(body: AsyncIterator[bytes], most: int) -> bytes | None:
    """Returns the body of a request; None if it has more bytes. Raises what reading it raises."""
    parts: list[bytes] = []
    size = 0
    async for part in body:
        size += len(part)
        if size > _MOST_DRAINED:
            return None
        if size <= most:
            parts.append(part)
        else:
            parts.clear()
    return b"".join(parts) if size <= most else None


async def _until_gone(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Runs the rest of a request whose body has been read, and cancels it when the client closes the connection. Raises
    what it raises, and `_ClientGone`."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            raise _ClientGone
        await task
    finally:
        watch.cancel()
        if not task.done():
            task.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _gone(receive: Receive) -> Message:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return message


def make_app(options: ProxyOptions, find: Callable[[], Target]) -> Starlette:
    """Returns the application. `find`: returns the service or the memory that holds the bank; called again after it
    failed."""
    proxy = Proxy(options, find)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await proxy.start()
        try:
            yield
        finally:
            await proxy.stop()

    async def status(request: Request) -> Response:
        try:
            proxy.check(request.scope)
        except RequestError as error:
            return JSONResponse({"detail": str(error)}, error.kind.status, error.headers)
        return JSONResponse(await asyncio.to_thread(proxy.status))

    app = Starlette(routes=[Route(STATUS, status), Mount("/", app=proxy)], lifespan=lifespan)
    app.state.proxy = proxy
    return app

"""Accounting: what each answered request was billed, and what it would have been as the client sent it."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from foxing.integrations.frameworks.provider_answers import Json
from foxing.integrations.turns.answers import Usage
from foxing.memory.fold.conversation import MARKS, thread_key
from foxing.memory.values.base import Fields
from foxing.renderer.errors import FoxingError

from .bank import BankLink
from .body import RequestBody
from .exchange import ConversationExchange
from .folding import CONVERSATIONS, FoldedCall, cache_ttl_s
from .upstream import Headers, UpstreamClient, UpstreamFailed

log = logging.getLogger(__name__)

#: Calls that wait for the bank; the oldest are given up.
_WAITING = 10_000
#: Characters of the requests of these that wait to be counted; beyond it, the oldest are given up.
_WAITING_CHARS = 256 << 20
_AT_ONCE = 200
_PAUSE_S = 1.0
#: Limits on a count of tokens by the provider, in seconds and bytes.
_COUNT_S, _COUNT_BYTES = 30.0, 64 << 10
#: Members of a request that its count of tokens takes as well.
_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "cache_control", "output_config")


@dataclass(frozen=True)
class OriginalTokens:
    """Tokens of a request as the client sent it."""

    tokens: int
    #: Those up to its last cache mark.
    prefix: int
    counted: bool


@dataclass(frozen=True)
class _Counted:
    """An answered call of a conversation."""

    #: Tokens of the original, those that were billed, and the estimate of the former.
    original: int
    billed: int
    estimated: float


class Accounting:
    """Records calls in the bank, in the background."""

    def __init__(self, bank: BankLink, upstream: UpstreamClient, *, count: bool) -> None:
        """`count`: whether the provider counts the tokens of the original of a folded request."""
        self._bank = bank
        self._upstream = upstream
        self._count = count
        self._answered: deque[tuple[ConversationExchange, str, Headers]] = deque()
        self._waiting_chars = 0
        self._calls: deque[Fields] = deque(maxlen=_WAITING)
        #: Key of a conversation → its last call.
        self._last: LRUCache[bytes, _Counted] = LRUCache(CONVERSATIONS)
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to record."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Records what is left if the bank answers."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(Exception):
            async with asyncio.timeout(5 * _PAUSE_S):
                await self._record()

    def note(self, exchange: ConversationExchange, url: str, headers: Headers) -> None:
        """Notes an answered request. `url`, `headers`: those of the request, with which the provider counts."""
        answer = exchange.answer
        if exchange.body is None or answer is None or answer.usage is None or not exchange.body.model:
            return
        self._answered.append((exchange, url, headers))
        self._waiting_chars += len(exchange.body.text)
        while len(self._answered) > 1 and (len(self._answered) > _WAITING or self._waiting_chars > _WAITING_CHARS):
            self._next()
            log.warning("a call is not accounted for: too many wait")
        self._changed.set()

    def _next(self) -> tuple[ConversationExchange, str, Headers]:
        exchange, url, headers = self._answered.popleft()
        if exchange.body is not None:
            self._waiting_chars -= len(exchange.body.text)
        return exchange, url, headers

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._record()
            except Exception as error:
                log.debug("calls are recorded later: %s", error)
                await asyncio.sleep(_PAUSE_S)
                self._changed.set()

    async def _record(self) -> None:
        while self._answered:
            exchange, url, headers = self._next()
            try:
                self._calls.append(await self._call(exchange, url, headers))
            except Exception as error:
                log.warning("a call is not accounted for: %s: %s", type(error).__name__, error)
        while self._calls:
            calls = [self._calls[number] for number in range(min(_AT_ONCE, len(self._calls)))]
            try:
                await self._bank.account(calls)
            except FoxingError as error:
                if error.retry != "never":
                    raise
                log.warning("%d calls are not accounted for: %s", len(calls), error)
            for _ in calls:
                self._calls.popleft()

    async def _call(self, exchange: ConversationExchange, url: str, headers: Headers) -> Fields:
        body, answer = exchange.body, exchange.answer
        assert body is not None
        assert answer is not None
        assert answer.usage is not None
        usage, call = answer.usage, exchange.call
        folded = call is not None and call.folded
        conversation = call.conversation if call is not None else None
        key = thread_key(exchange.session, body.wire.name, conversation.first_question) if conversation else b""
        original = _unfolded(body, usage)
        all_tokens = 0.0
        if call is not None:
            all_tokens = await asyncio.to_thread(lambda: call.all_tokens)
        if call is not None and folded:
            original = await asyncio.to_thread(_estimated, call, usage, self._last.get(key))
            if self._count and body.wire.name == "anthropic":
                original = await self._counted(call, original, url, headers)
        if call is not None and key:
            self._last[key] = _Counted(original.tokens, usage.input, all_tokens)
        return {
            "id": answer.id or f"{exchange.called_at.isoformat()} {exchange.session}"[:200],
            "called_at": exchange.called_at.isoformat(),
            "session": exchange.session,
            "conversation": key.hex(),
            "model": body.model[:200],
            "wire": body.wire.name,
            "folded": folded,
            "new_fold": call is not None and call.new_fold,
            "fresh_tokens": usage.fresh,
            "written_tokens": usage.written,
            "read_tokens": usage.read,
            "output_tokens": usage.output,
            "original_tokens": original.tokens,
            "original_prefix": original.prefix,
            "original_counted": original.counted,
            "retries": exchange.retries,
            "cache_ttl_s": cache_ttl_s(body),
        }

    async def _counted(self, call: FoldedCall, estimated: OriginalTokens, url: str, headers: Headers) -> OriginalTokens:
        """Returns what the provider counts for the original, without its thinking, which is bound to what was sent; the
        estimate if it does not count."""
        content = await asyncio.to_thread(_count_of, call.body)
        whole = await self._ask(content, url, headers)
        if whole is None:
            return estimated
        thinking = round(call.thinking_tokens)
        total = whole + thinking
        share = estimated.prefix / estimated.tokens if estimated.tokens else 0.0
        prefix = total if share == 1.0 else min(total, round(total * share))
        return OriginalTokens(total, prefix, counted=not thinking)

    async def _ask(self, content: bytes, url: str, headers: Headers) -> int | None:
        address, _, query = url.partition("?")
        address = f"{address.rstrip('/')}/count_tokens" + (f"?{query}" if query else "")
        kept = [each for each in headers if each[0] not in (b"content-encoding", b"accept-encoding")]
        try:
            async with asyncio.timeout(_COUNT_S), await self._upstream.send("POST", address, kept, content) as answer:
                given, _ = await answer.read(_COUNT_BYTES)
                counted = json.loads(given) if answer.status == 200 and len(given) <= _COUNT_BYTES else {}
        except (UpstreamFailed, TimeoutError, ValueError, RecursionError):
            return None
        tokens = counted.get("input_tokens") if isinstance(counted, dict) else None
        return tokens if isinstance(tokens, int) else None


def _count_of(body: RequestBody) -> bytes:
    """Returns the request that counts the tokens of a request without its thinking."""
    value: Json = json.loads(body.without_thinking() or body.text)
    return json.dumps({name: value[name] for name in _COUNTED if name in value}).encode()


def _unfolded(body: RequestBody, usage: Usage) -> OriginalTokens:
    """Returns the tokens of a request that was sent as it came."""
    marked = usage.written + usage.read if body.wire.vendor == "anthropic" else usage.input
    return OriginalTokens(usage.input, marked, counted=True)


def _estimated(call: FoldedCall, usage: Usage, before: _Counted | None) -> OriginalTokens:
    """Returns the tokens of the original by those that were billed. `before`: the call of the conversation before it:
    the original grows by as much as what is sent, unless more is folded."""
    if before is not None and not call.new_fold:
        total = before.original + usage.input - before.billed
    elif before is not None and before.estimated:
        total = round(before.original / before.estimated * call.all_tokens)
    else:
        total = round(usage.input / call.sent_tokens * call.all_tokens) if call.sent_tokens else usage.input
    if call.body.wire.vendor == "openai":
        return OriginalTokens(total, total, counted=False)
    return OriginalTokens(total, min(total, round(total * _marked_share(call.body))), counted=False)


def _marked_share(body: RequestBody) -> float:
    """Returns the share of a request up to its last cache mark, by characters."""
    if body.fields.get("cache_control"):
        return 1.0  # marks the last block
    sizes = [len(message.text) for message in body.messages]
    for number in range(len(sizes) - 1, -1, -1):
        content = body.messages[number].value.get("content")
        blocks: Sequence[Any] = content if isinstance(content, list) else ()
        marked = [place for place, block in enumerate(blocks) if isinstance(block, dict) and _is_marked(block)]
        if marked:
            after = sum(sizes[number + 1 :])
            after += sum(len(json.dumps(block)) for block in blocks[marked[-1] + 1 :])
            return 1 - after / max(1, len(body.text))
    beside = len(body.text) - sum(sizes)
    return beside / len(body.text) if any(mark in json.dumps(body.fields.get("system")) for mark in MARKS) else 0.0


def _is_marked(block: Mapping[str, Any]) -> bool:
    return any(block.get(mark) for mark in MARKS)

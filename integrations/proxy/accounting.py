"""Accounting: what each answered request was billed, and what it would have been as the client sent it."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from cachetools import LRUCache

from foxing.integrations.frameworks.call_sequences import CallSequence, ask
from foxing.integrations.outbox.delivery import Delivery, refuses
from foxing.integrations.outbox.file import OutboxFile
from foxing.memory import Fields
from foxing.memory.conversation.answers import Usage
from foxing.memory.conversation.changes import MARKS
from foxing.memory.conversation.event_streams import Json
from foxing.memory.fold.conversation import thread_key
from foxing.renderer import FoxingError

from .bank import BankLink
from .body import RequestBody
from .exchange import ConversationExchange
from .folding import CONVERSATIONS, FoldedCall, cache_ttl_s
from .upstream import Headers, UpstreamClient, UpstreamFailed

log = logging.getLogger(__name__)

#: Answered calls that wait for the provider's count; further ones are not accounted for.
_MAX_COUNTING = 200
#: Seconds after an answer in which nothing is brought to the bank: a tool that is quick has the next request by then.
SETTLE_S = 0.25
#: Time for what waits for the bank when the proxy stops, in seconds.
_LAST_S = 5.0
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
    original: OriginalTokens
    billed: int
    estimated: float
    folded: bool


class Accounting:
    """Records calls in the bank, in the background."""

    def __init__(self, bank: BankLink, upstream: UpstreamClient, outbox: OutboxFile) -> None:
        """`outbox`: holds calls that are not yet in the bank."""
        self._upstream = upstream
        self._outbox = outbox
        deliver = partial(deliver_calls, outbox, bank.name)
        self._delivery = Delivery(outbox, deliver, lambda: bank, outbox.close, SETTLE_S)
        self._answered: asyncio.Queue[tuple[ConversationExchange, str, Headers]] = asyncio.Queue(_MAX_COUNTING)
        #: Key of a conversation → its last call.
        self._last: LRUCache[bytes, _Counted] = LRUCache(CONVERSATIONS)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to record."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Records what is left if the bank answers, and closes the outbox."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                await self._answered.join()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.to_thread(self._delivery.retire, _LAST_S)

    def note(self, exchange: ConversationExchange, url: str, headers: Headers) -> None:
        """Notes an answered request. `url`, `headers`: those of the request, with which the provider counts."""
        answer = exchange.answer
        if exchange.body is None or answer is None or answer.usage is None or not exchange.body.model:
            return
        try:
            self._answered.put_nowait((exchange, url, headers))
        except asyncio.QueueFull:
            log.warning("a call is not accounted for: too many wait for the provider's count")

    async def _run(self) -> None:
        while True:
            exchange, url, headers = await self._answered.get()
            try:
                call = await self._call(exchange, url, headers)
                await asyncio.to_thread(self._add, call)
                self._delivery.notify()
            except Exception as error:
                log.warning("a call is not accounted for: %s: %s", type(error).__name__, error)
            finally:
                self._answered.task_done()

    def _add(self, call: Fields) -> None:
        with self._outbox.writing() as connection:
            self._outbox.add(connection, [call])

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
            before = self._last.get(key)
            # the provider counts once for each fold: the original is as large as the request, several times a minute
            if body.wire.name == "anthropic" and (call.new_fold or before is None or not before.folded):
                original = await self._counted(call, original, url, headers)
        if call is not None and key:
            self._last[key] = _Counted(original, usage.input, all_tokens, folded)
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


def deliver_calls(file: OutboxFile, bank: str) -> CallSequence[int]:
    """Records the oldest calls, each once, and returns how many have left the outbox. Calls that the bank refuses are
    given up. Raises the error of a call that is to be made again."""
    entries = file.pending()
    if not entries:
        return 0
    calls = [entry.message for entry in entries]
    try:
        yield from ask(lambda memory: memory.record_model_calls(bank, calls))
    except FoxingError as error:
        if not refuses(error):
            raise
        log.warning("%d calls are not accounted for: %s", len(calls), error)
        file.remove(entries, refused=True)
    else:
        file.remove(entries)
    return len(entries)


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
    counted = False
    if before is not None and not call.new_fold:
        total = before.original.tokens + usage.input - before.billed
        counted = before.original.counted and before.folded
    elif before is not None and before.estimated:
        total = round(before.original.tokens / before.estimated * call.all_tokens)
    else:
        total = round(usage.input / call.sent_tokens * call.all_tokens) if call.sent_tokens else usage.input
    if call.body.wire.vendor == "openai":
        return OriginalTokens(total, total, counted)
    return OriginalTokens(total, min(total, round(total * _marked_share(call.body))), counted)


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

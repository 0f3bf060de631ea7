"""Recorded sessions of coding agents through the proxy: refusals, what the user said, arguments of calls, and the bill.

Every request of the client goes through the proxy to the strict upstream of `tests.upstream`, which
refuses what the providers refuse and bills 1, 0.1 and 1.25; beside it, the same requests go to another directly.
"""

import json
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import zstandard

from foxing.integrations.proxy.options import ProxyOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.memory import FoldRequest, Memory, MemoryOptions
from foxing.renderer import FoxingError
from tests.upstream import RecordedCall, Upstream

from .recording import Exchange, Session, read_session

Json = dict[str, Any]
BANK = "agent"
#: Calls between two whose arguments are looked up, and references to a call of `fetch`.
SAMPLED, REFERENCES = 3, 100
FIRST_FOLD = 161
#: Least time from an answer to the next request, in seconds.
TOOL_S = 0.05
#: What stands above the page images of a fold.
ON_IMAGES = "remembered on the page images that follow"
_NAME = re.compile(r"[\w./-]*[/_.][\w./-]*\w\w")
_REFERENCE = re.compile(r"^\[(\w{2,12})\]", re.MULTILINE)
_WIRES = {"/v1/messages": "anthropic", "/v1/chat/completions": "openai", "/v1/responses": "openai-responses"}


@dataclass
class SessionReport:
    """A session through the proxy."""

    client: str
    kind: str
    #: Model, if it is not that of the recording.
    model: str | None
    calls: int = 0
    requests: int = 0
    #: Requests that the upstream refused, and of these those that it refuses without the proxy too.
    refused: int = 0
    refused_beside: int = 0
    folded: int = 0
    folds: int = 0
    #: Decisions that the user has typed, that are in the last request, and that are in it or one fetch away.
    typed: int = 0
    decisions: int = 0
    reachable_decisions: int = 0
    #: Share of the argument values of calls, of those that the client's history has, in the request, what its page
    #: images show included, and one fetch away.
    values: float = 0.0
    reachable_values: float = 0.0
    #: Price through the proxy for each price without it, at the end and at most, and beside a client that compacts.
    billed: float | None = None
    worst: float | None = None
    billed_beside_compaction: float | None = None
    #: Most tokens of a request, and those of the same without folds.
    most_sent: int = 0
    most_unfolded: int = 0
    #: Bytes that the proxy sent to have tokens counted, for each byte of requests.
    counted_bytes: float = 0.0
    first_fold_cpu_s: float | None = None
    notes: list[str] = field(default_factory=list)


def replay(
    path: Path,
    *,
    calls: int | None = None,
    model: str | None = None,
    reader: str | None = None,
    budget: int | None = None,
    beside: bool = True,
    compacted_price: float | None = None,
) -> SessionReport:
    """Returns the report of a recorded session. `calls`: tool calls after which it ends; `model`: model of all
    requests; `reader`, `budget`: of the proxy; `beside`: whether the session is sent directly as well;
    `compacted_price`: price of the session of a client that compacts."""
    session, exchanges = read_session(path)
    report = SessionReport(session.client, session.kind, model)
    values: list[tuple[bool, bool]] = []
    sent, history, bodies = "", "", 0
    first_fold: tuple[str, list[Json]] | None = None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        memory = stack.enter_context(Memory(folder / "bank.db", options=MemoryOptions(embed_later=True)))
        upstream, whole = (stack.enter_context(Upstream()) for _ in range(2))
        http = stack.enter_context(httpx.Client(timeout=600))
        options = ProxyOptions(
            upstream=upstream.url,
            bank=BANK,
            budget=budget,
            reader=reader,
            journal=folder / "proxy.db",
            fold_s=120,
            probe_s=60,
        )
        proxy = stack.enter_context(BackgroundProxy(options, lambda: memory))
        for exchange in _until(exchanges, calls):
            body = _with_model(exchange.body, model)
            _send(http, proxy.url, upstream, exchange, body)
            time.sleep(TOOL_S)  # the fold that follows an answer begins once all of it is passed on
            while proxy.proxy.status()["folds_in_progress"]:  # an agent takes seconds from answer to request
                time.sleep(0.01)
            last = upstream.calls[-1]
            if beside:
                _send(http, whole.url, whole, exchange, body)
                ratio = upstream.total.price / max(1.0, whole.total.price)
                report.worst = max(report.worst or 0.0, round(ratio, 4))
            report.calls += len(exchange.calls)
            bodies += len(body)
            if exchange.calls:
                said = _messages(json.loads(body))
                sent = "\n".join(texts_of(_messages(last.value or {})))
                if model is not None and ON_IMAGES in sent:
                    sent += _on_images(folder / "bank.db")
                history = "\n".join(texts_of(said))
                if report.calls % SAMPLED == 0:
                    values += _values(exchange, history, sent, memory)
                if first_fold is None and len(said) >= FIRST_FOLD:
                    first_fold = _WIRES[exchange.path.partition("?")[0]], said[:FIRST_FOLD]
            _forget(upstream.exchanges)
            _forget(whole.exchanges)
        _note_proxy(report, proxy, upstream, bodies)
        _note_decisions(report, session, history, sent, memory)
        report.refused_beside = len(whole.refused)
        report.values = round(sum(a for a, _ in values) / max(1, len(values)), 4)
        report.reachable_values = round(sum(b for _, b in values) / max(1, len(values)), 4)
        report.most_unfolded = max((each.bill.input for each in whole.calls if each.bill), default=0)
        if beside:
            report.billed = round(upstream.total.price / whole.total.price, 4)
        if compacted_price:
            report.billed_beside_compaction = round(upstream.total.price / compacted_price, 4)
    if first_fold is not None:
        report.first_fold_cpu_s = _first_fold(*first_fold)
    return report


def price_of(path: Path, calls: int, model: str | None = None) -> float:
    """Returns the price of a recorded session without the proxy."""
    _, exchanges = read_session(path)
    with Upstream() as upstream, httpx.Client(timeout=600) as http:
        for exchange in _until(exchanges, calls):
            _send(http, upstream.url, upstream, exchange, _with_model(exchange.body, model))
            _forget(upstream.exchanges)
        return upstream.total.price


def _until(exchanges: Iterator[Exchange], calls: int | None) -> Iterator[Exchange]:
    """Yields the exchanges of so many tool calls."""
    made = 0
    for exchange in exchanges:
        yield exchange
        made += len(exchange.calls)
        if calls is not None and made >= calls:
            return


def _with_model(body: str, model: str | None) -> str:
    return body if model is None else json.dumps({**json.loads(body), "model": model}, ensure_ascii=False)


def _send(http: httpx.Client, url: str, upstream: Upstream, exchange: Exchange, body: str) -> None:
    upstream.answer(*exchange.parts)
    headers = {**exchange.headers, "content-type": "application/json"}
    answer = http.post(f"{url}{exchange.path}", content=body.encode("utf-8", "surrogatepass"), headers=headers)
    if answer.status_code != 200:
        raise RuntimeError(f"refused: {answer.text[:500]}")


def _forget(exchanges: Sequence[RecordedCall]) -> None:
    """Drops the bodies of answered requests, which are hundreds of megabytes in a long session."""
    for exchange in exchanges[-3:]:
        if exchange.done and exchange.wire != "count_tokens":
            exchange.value, exchange.body = None, b""


def _note_proxy(report: SessionReport, proxy: BackgroundProxy, upstream: Upstream, bodies: int) -> None:
    status = proxy.proxy.status()
    report.requests, report.refused = len(upstream.calls), len(upstream.refused)
    report.folded = status["calls"].get("folded", 0)
    report.folds = sum(count for name, count in status["folds"].items() if name.startswith("fold "))
    reasons = [note for each in status["conversations"] for note in (*each["notes"], each["not_folded"]) if note]
    report.notes = list(dict.fromkeys(reasons + [str(each.refusal)[:300] for each in upstream.refused[:3]]))
    report.most_sent = max(each.bill.input for each in upstream.calls if each.bill)
    counting = sum(len(each.body) for each in upstream.exchanges if each.wire == "count_tokens")
    report.counted_bytes = round(counting / bodies, 4)


def _note_decisions(report: SessionReport, session: Session, history: str, sent: str, memory: Memory) -> None:
    fetched = _fetched(memory, sent)
    typed = [each for each in session.decisions if each in history]
    report.typed = len(typed)
    report.decisions = sum(each in sent for each in typed)
    report.reachable_decisions = sum(each in sent or each in fetched for each in typed)


def _messages(value: Json) -> list[Json]:
    return value.get("messages") or value.get("input") or []


def texts_of(value: Any) -> Iterator[str]:
    """Yields the strings of a request, without those of images."""
    if isinstance(value, str) and not value.startswith("data:"):
        yield value
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if not (isinstance(value, dict) and value.get("type") == "base64"):
        for each in inner:
            yield from texts_of(each)


def _values(exchange: Exchange, history: str, sent: str, memory: Memory) -> Iterator[tuple[bool, bool]]:
    """Yields whether each value of a call is in the request before it, and whether it is there or one fetch away, of
    those that the client's history has."""
    arguments = [value for call in exchange.calls for value in call.arguments.values()]
    wanted = [word for value in arguments for word in str(value).split() if _NAME.fullmatch(word)]
    fetched = None
    for word in wanted:
        if word not in history:
            continue
        there = word in sent
        if not there and fetched is None:
            fetched = _fetched(memory, sent)
        yield there, there or (fetched is not None and word in fetched)


def _on_images(database: Path) -> str:
    """Returns what the newest fold has, each message below its reference, as its page images show it to a model that
    reads their type."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT key, number, base, content FROM folds ORDER BY created_at, number").fetchall()
    contents = {(key, number): content for key, number, _, content in rows}
    key, number, *_ = rows[-1]
    bases = {(key, number): base for key, number, base, _ in rows}
    texts = list[str]()
    while number is not None:
        value = json.loads(zstandard.decompress(contents[key, number]))
        texts += [f"[{reference}] {text}" for reference, _, _, text, *_ in value["messages"]]
        number = bases[key, number]
    return "\n" + "\n".join(texts)


def _fetched(memory: Memory, sent: str) -> str:
    """Returns the texts to which a request has references."""
    references = iter(dict.fromkeys(_REFERENCE.findall(sent)))
    texts = list[str]()
    while chunk := list(islice(references, REFERENCES)):
        try:
            texts += [each.text for each in memory.fetch(BANK, chunk).messages]
        except FoxingError:  # one of these words in brackets is not a reference
            for reference in chunk:
                with suppress(FoxingError):
                    texts += [each.text for each in memory.fetch(BANK, [reference]).messages]
    return "\n".join(texts)


def _first_fold(wire: str, messages: list[Json]) -> float:
    """Returns the seconds of CPU that the first fold of a conversation takes."""
    while messages and messages[-1].get("role") not in ("user", "tool") and "output" not in messages[-1]:
        messages.pop()
    with TemporaryDirectory() as folder, Memory(f"{folder}/bank.db", options=MemoryOptions(embed_later=True)) as memory:
        request = FoldRequest.model_validate(
            {"session": "s", "wire": wire, "messages": messages, "reader": "text", "cache": "cold"}
            | {"binds_thinking": False}
        )
        began = time.process_time()
        memory.fold(BANK, request)
        return round(time.process_time() - began, 2)

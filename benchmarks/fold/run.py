"""Bills of agent sessions with and without folding, as the strict upstream makes them out.

    python -m benchmarks.fold.run ../shared/data/eval --tokens 400000 --reader claude-fable-5 [--cold] [--wire openai]

A session has 200 calls and ends at about `--tokens` tokens; three sub-agents of 15 calls each run in it. With
`--screenshots`, so many of the results of its tools have an image as well. Every request goes to
`foxing.integrations.testing`, which refuses what the providers refuse and bills by the state of the prompt cache: 1.25
to write, 0.1 to read. The bill without folding is that of the same session sent whole, also where it exceeds the budget
of 60,000 tokens, to a model with a window of a million.
"""

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import zstandard
from sqlalchemy import select

from foxing.encoder.text_tokens import count_text_tokens
from foxing.integrations.testing import Upstream
from foxing.memory import Memory, MemoryOptions
from foxing.memory.fold.plan import LEAST_KEPT_CALLS
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.values.fold import FoldRequest, FoldResult

from .clients import AGENTS, Agent, answer_of, plain
from .sessions import CALLS, Fact, Session, Turn, load_texts, make_session, with_screenshots

BUDGET = 60_000
HOUR_S = 3600.0
#: Model that each reader's requests name. The first refuses thinking that is bound to another conversation.
MODELS = {"claude-fable-5": "claude-fable-5-1", "text": "claude-opus-5-5"}
#: Calls of the session before which a sub-agent begins, and its calls.
SUB_AGENTS, SUB_CALLS = (40, 90, 140), 15


@dataclass
class Report:
    """Cost of a session, and contents of its last request."""

    reader: str
    wire: str
    cache: str
    tokens: int
    calls: int = 0
    refused: int = 0
    folds: int = 0
    most_sent: int = 0
    #: Bytes of all requests with and without folding, and tokens of the last one.
    sent_bytes: int = 0
    whole_bytes: int = 0
    last_sent: int = 0
    last_unfolded: int = 0
    #: Calls over the budget, since a tool call was open.
    over_budget: int = 0
    #: Price with folding for each price without, at the end, and the highest at any call.
    billed: float = 0.0
    worst: float = 0.0
    #: Shares of calls that begin with what the call before sent, up to the end of its folded part, and up to its end.
    prefix_folded: float = 0.0
    prefix_whole: float = 0.0
    #: Price without folding that `Memory.savings` reports for each price without, from the bills with folding alone.
    reported: float = 0.0
    kept_exactly: bool = True
    statements: float = 0.0
    identifiers: float = 0.0
    fold_s: float = 0.0
    other_s: float = 0.0
    other_p99_s: float = 0.0


@dataclass
class _Folding:
    """Measurements of the calls of a conversation."""

    same_folded: int = 0
    same_whole: int = 0
    compared: int = 0
    times: list[float] = field(default_factory=list)
    fold_times: list[float] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    #: Number of messages of the call before up to the end of its folded part.
    folded: int = 0

    def note(self, result: FoldResult, seconds: float) -> None:
        """Notes a call."""
        (self.times if result.reason is None else self.fold_times).append(seconds)
        sent = list(map(plain, result.messages))
        if self.before:
            self.compared += 1
            self.same_folded += sent[: self.folded] == self.before[: self.folded]
            self.same_whole += sent[: len(self.before)] == self.before
        if (
            result.folded_at is not None
            and self.folded
            and self.before
            and sent[: self.folded] != self.before[: self.folded]
        ):
            old, new = json.loads(self.before[self.folded - 1]), json.loads(sent[self.folded - 1])
            grown = new["content"][: len(old["content"])] == old["content"]
            self.same_folded += grown and sent[: self.folded - 1] == self.before[: self.folded - 1]
        self.before = sent
        self.folded = 0 if result.folded_at is None else result.folded_at + 1


def run(session: Session, subs: Sequence[Session], report: Report) -> Report:
    """Returns the report of a session, filled in."""
    model = MODELS.get(report.reader, report.reader)
    cold = report.cache == "cold"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        memory = stack.enter_context(Memory(folder / "bank.db", options=MemoryOptions(embed_later=True)))
        http = stack.enter_context(httpx.Client(timeout=120))
        upstreams = [stack.enter_context(Upstream(count_text=count_text_tokens)) for _ in range(2)]
        kind = AGENTS[report.wire]
        agents = [kind(model) for _ in range(2)]
        measured = _Folding()
        last: FoldResult | None = None
        for call, turn in enumerate(session.turns):
            if call in SUB_AGENTS:
                each = [kind(model) for _ in range(2)]
                other = _Folding()
                for sub_turn in subs[SUB_AGENTS.index(call)].turns:
                    _call(each, upstreams, http, memory, sub_turn, report, other, cold)
            last = _call(agents, upstreams, http, memory, turn, report, measured, cold)
        assert last is not None
        report.calls = len(upstreams[0].calls)
        report.refused = len(upstreams[0].refused)
        report.billed = round(upstreams[0].total.price / upstreams[1].total.price, 4)
        report.reported = round(memory.savings("agent").total.original / upstreams[1].total.price, 4)
        report.prefix_folded = round(measured.same_folded / measured.compared, 4)
        report.prefix_whole = round(measured.same_whole / measured.compared, 4)
        report.fold_s = round(max(measured.fold_times, default=0.0), 3)
        report.other_s = round(sorted(measured.times)[len(measured.times) // 2], 4)
        report.other_p99_s = round(sorted(measured.times)[len(measured.times) * 99 // 100], 4)
        report.sent_bytes, report.whole_bytes = (sum(len(call.body) for call in each.calls) for each in upstreams)
        report.last_sent, report.last_unfolded = last.sent_tokens, last.unfolded_tokens
        text, on_images = _texts(last.messages), _folded_text(folder / "bank.db")
        for identifier in (False, True):
            facts = [fact for fact in session.facts if fact.identifier is identifier]
            share = sum(_is_there(fact, text, on_images) for fact in facts) / len(facts)
            setattr(report, "identifiers" if identifier else "statements", round(share, 4))
    return report


def _call(
    agents: Sequence[Agent],
    upstreams: Sequence[Upstream],
    http: httpx.Client,
    memory: Memory,
    turn: Turn,
    report: Report,
    measured: _Folding,
    cold: bool,
) -> FoldResult:
    """Sends a call of a session, folded to the first upstream and whole to the second."""
    if turn.user is not None:
        for agent in agents:
            agent.say(turn.user)
    given = agents[0].given()
    request = FoldRequest(
        session="session",
        wire=agents[0].wire,
        messages=tuple(given),
        system=agents[0].system,
        tools=agents[0].tools,
        reader=report.reader,
        budget=BUDGET,
        cache="cold" if cold else "warm",
        binds_thinking=True,
    )
    began = time.perf_counter()
    result = memory.fold("agent", request)
    measured.note(result, time.perf_counter() - began)
    report.folds += result.reason is not None
    report.most_sent = max(report.most_sent, result.sent_tokens)
    report.over_budget += result.over_budget
    report.kept_exactly = report.kept_exactly and _keeps_last(given, result.messages)
    for agent, upstream, messages, fields in zip(
        agents, upstreams, (result.messages, agents[1].given()), (result.request_fields, {}), strict=True
    ):
        if cold:
            upstream.clock.advance(HOUR_S)
        upstream.answer(*answer_of(turn).parts)
        response = agent.post(http, upstream, messages, fields)
        if response.status_code != 200:
            raise RuntimeError(f"refused: {response.text[:500]}")
        agent.take(response.json(), turn.result, turn.screenshot)
    memory.record_model_calls("agent", [_recorded(upstreams, request, result)])
    report.worst = max(report.worst, round(upstreams[0].total.price / upstreams[1].total.price, 4))
    return result


def _recorded(upstreams: Sequence[Upstream], request: FoldRequest, result: FoldResult) -> dict[str, Any]:
    """Returns the last call as a client records it, which knows of the original only what the provider counts."""
    sent, whole = (upstream.calls[-1].bill for upstream in upstreams)
    assert sent is not None
    assert whole is not None
    question = next(message for message in request.messages if message.get("role") == "user")
    return {
        "id": f"call-{len(upstreams[0].calls)}",
        "called_at": upstreams[0].clock.now(),
        "session": request.session,
        "conversation": blake2b(json.dumps(question).encode(), digest_size=8).hexdigest(),
        "model": request.reader,
        "wire": request.wire,
        "folded": result.fold > 0,
        "new_fold": result.reason is not None,
        "fresh_tokens": sent.fresh,
        "written_tokens": sent.written,
        "read_tokens": sent.read,
        "output_tokens": sent.output,
        "original_tokens": whole.input,
        "original_prefix": whole.input - whole.fresh,
        "original_counted": True,
    }


def _keeps_last(given: Sequence[Any], sent: Sequence[Any]) -> bool:
    """Returns True if the messages of the last calls are sent as they are, but for thinking and marks."""
    model = [
        n
        for n, message in enumerate(given)
        if message.get("role", "assistant") == "assistant" and "output" not in message
    ]
    calls = [n for n in model if n - 1 not in model]
    last = given[calls[-LEAST_KEPT_CALLS] if len(calls) >= LEAST_KEPT_CALLS else 0 :]
    return list(map(plain, last)) == list(map(plain, sent[-len(last) :]))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if len(value) < 1_000_000 and not value.startswith("data:image") else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]


def _folded_text(file: Path) -> list[str]:
    """Returns what is left of the messages in the newest fold of the longest conversation."""
    with Database(file) as database, database.read() as connection:
        rows = connection.execute(select(schema.folds).order_by(schema.folds.c.folded_items)).all()
    if not rows:
        return []
    by_number = {row.number: row for row in rows if row.key == rows[-1].key}
    chain = [rows[-1]]
    while chain[-1].base is not None:
        chain.append(by_number[chain[-1].base])
    return [message[3] for row in chain for message in json.loads(zstandard.decompress(row.content))["messages"]]


def _is_there(fact: Fact, text: Sequence[str], on_images: Sequence[str]) -> bool:
    """Returns True if a fact is in what is sent; an identifier must be in it as text."""
    places = text if fact.identifier else [*text, *on_images]
    lines = [line for part in places for line in part.split("\n")]
    return any(all(word in line for word in fact.wanted) for line in lines)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[60_000, 120_000, 400_000])
    parser.add_argument("--reader", nargs="+", default=["claude-fable-5", "text"])
    parser.add_argument("--wire", choices=sorted(AGENTS), default="anthropic")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--screenshots", type=int, default=0, help="number of images that tools of the session return")
    options = parser.parse_args()
    texts = load_texts(options.folder)
    for tokens in options.tokens:
        session = with_screenshots(make_session(texts, tokens, calls=options.calls), options.screenshots)
        share = tokens * SUB_CALLS // options.calls
        subs = [make_session(texts, share, seed, SUB_CALLS) for seed in (2, 3, 4)]
        for reader in options.reader:
            report = Report(reader, options.wire, "cold" if options.cold else "warm", tokens)
            print(json.dumps(asdict(run(session, subs, report))), flush=True)


if __name__ == "__main__":
    main()

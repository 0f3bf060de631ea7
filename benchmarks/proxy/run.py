"""Sessions of agents that pass through the proxy: refusals, retries, prefixes, and what the proxy takes.

    python -m benchmarks.proxy.run ../shared/data/eval --tokens 400000 [--wire openai] [--reader text] [--service]
        [--screenshots 30]

The sessions are those of `benchmarks.fold`: 200 calls, three sub-agents of 15 calls each, every request checked by the
strict upstream of `tests.upstream`. The proxy runs in a process of its own, with `--service` beside a
service that holds the bank. Each body that reaches the upstream is sent to another one directly as well: overhead is
the time through the proxy less the time without it. The same agents run without the
proxy as well, to a third one, which makes out the bill to compare with.
"""

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.fold.clients import AGENTS, Agent, answer_of, plain
from benchmarks.fold.sessions import CALLS, Session, Turn, load_texts, make_session, with_screenshots
from foxing.memory import Memory
from foxing.memory.fold.conversation import parse_conversation
from tests.upstream import Upstream

from .processes import FoxingProcess

BUDGET = 60_000
#: Model that each reader's requests name. The first refuses thinking that is bound to another conversation.
MODELS = {"claude-fable-5": "claude-fable-5-1", "text": "claude-opus-5-5"}
#: Calls of the session before which a sub-agent begins, and its calls.
SUB_AGENTS, SUB_CALLS = (40, 90, 140), 15
#: Milliseconds.
Times = list[float]


@dataclass
class ProxyReport:
    """A session that passed through the proxy."""

    wire: str
    reader: str
    tokens: int
    service: bool
    calls: int = 0
    refused: int = 0
    retries: int = 0
    folds: int = 0
    unfolded: int = 0
    #: Price through the proxy for each price without it, and the price without it as `foxing savings` reports it.
    billed: float = 0.0
    reported: float = 0.0
    #: Share of calls that begin with what the call before sent, up to the end of the folded part.
    prefix_folded: float = 0.0
    #: The same, up to the whole of what was sent.
    prefix_whole: float = 0.0
    #: Overhead in ms: p50 and p99 of calls before the first fold, and of those after it, and the highest of a fold.
    plain_ms: tuple[float, float] = (0.0, 0.0)
    folded_ms: tuple[float, float] = (0.0, 0.0)
    fold_ms: float = 0.0
    #: What of it passes until the request is sent on.
    plain_own_ms: tuple[float, float] = (0.0, 0.0)
    folded_own_ms: tuple[float, float] = (0.0, 0.0)
    fold_own_ms: float = 0.0
    #: The same of all calls that make no fold.
    all_own_ms: tuple[float, float] = (0.0, 0.0)
    stored: int = 0
    turns: int = 0


@dataclass
class _Conversation:
    agent: Agent
    #: The same agent without the proxy.
    plain_agent: Agent
    before: list[str] = field(default_factory=list)
    same_folded: int = 0
    same_whole: int = 0
    compared: int = 0

    def note(self, body: dict[str, Any]) -> None:
        """Compares what was sent with the call before it."""
        sent = [plain(message) for message in body.get("messages") or body["input"]]
        if self.before:
            self.compared += 1
            whole = sent[: len(self.before)] == self.before
            self.same_whole += whole
            self.same_folded += whole or _same_folded(self.before, sent)
        self.before = sent


def _same_folded(before: Sequence[str], sent: Sequence[str]) -> bool:
    """Returns True if a request begins with what was folded before: the folded message is the first that is not an
    instruction, and a later fold adds to it."""
    at = next(n for n, message in enumerate(before) if json.loads(message).get("role") not in ("system", "developer"))
    old, new = json.loads(before[at])["content"], json.loads(sent[at])["content"]
    if "remembered" not in json.dumps(old):
        return True  # nothing was folded before
    return list(before[:at]) == list(sent[:at]) and new[: len(old)] == old


def run(session: Session, subs: Sequence[Session], report: ProxyReport) -> ProxyReport:
    """Returns the report of a session, filled in."""
    model = MODELS.get(report.reader, report.reader)
    plain_times: list[tuple[float, float]] = []
    folded_times: list[tuple[float, float]] = []
    fold_times: list[tuple[float, float]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        upstream, direct, whole = (stack.enter_context(Upstream()) for _ in range(3))
        if report.service:
            stack.enter_context(FoxingProcess(folder, "serve", "--port", "0"))
        options = ["--upstream", upstream.url, "--bank", "main", "--port", "0", "--budget", str(BUDGET)]
        proxy = stack.enter_context(FoxingProcess(folder, "proxy", *options, "--reader", report.reader))
        http = stack.enter_context(httpx.Client(timeout=120))
        # what is imported with the first call of an upstream and of a client is not measured
        http.post(f"{direct.url}{AGENTS[report.wire].path}", json={}, headers={"anthropic-version": "2023-06-01"})
        first = AGENTS[report.wire](model)
        first.say("hello")
        http.post(f"{direct.url}{first.path}", json=first.body(first.given()), headers=first.headers)
        main = _Conversation(AGENTS[report.wire](model), AGENTS[report.wire](model))
        conversations = [main]
        folds = 0

        def call(conversation: _Conversation, turn: Turn) -> None:
            nonlocal folds
            agent = conversation.agent
            if turn.user is not None:
                agent.say(turn.user)
                conversation.plain_agent.say(turn.user)
            for each in (upstream, direct, whole):
                each.answer(*answer_of(turn).parts)
            content = json.dumps(agent.body(agent.given())).encode()
            headers = {**agent.headers, "content-type": "application/json", "x-foxing-session": "session"}
            began = time.perf_counter()
            answer = http.post(f"{proxy.url}{agent.path}", content=content, headers=headers)
            took = time.perf_counter() - began
            if answer.status_code != 200:
                raise RuntimeError(f"refused: {answer.text[:500]}")
            sent = upstream.calls[-1]
            began = time.perf_counter()
            http.post(f"{direct.url}{agent.path}", content=sent.body, headers=headers)
            times = ((took - (time.perf_counter() - began)) * 1e3, float(answer.headers["x-foxing-overhead-ms"]))
            report.unfolded += "x-foxing-unfolded" in answer.headers
            status = http.get(f"{proxy.url}/foxing/status").json()
            while status["folds_in_progress"]:  # an agent takes seconds from answer to request
                time.sleep(0.01)
                status = http.get(f"{proxy.url}/foxing/status").json()
            made = sum(number for name, number in status["folds"].items() if name.startswith("fold "))
            is_folded = answer.headers["x-foxing-folded"] == "yes"
            (fold_times if made > folds else folded_times if is_folded else plain_times).append(times)
            folds = made
            assert sent.value is not None
            conversation.note(sent.value)
            agent.take(answer.json(), turn.result, turn.screenshot)
            without = conversation.plain_agent
            without.take(
                without.post(http, whole, without.given(), {}).raise_for_status().json(), turn.result, turn.screenshot
            )

        for number, turn in enumerate(session.turns):
            if number in SUB_AGENTS:
                sub = _Conversation(AGENTS[report.wire](model), AGENTS[report.wire](model))
                conversations.append(sub)
                for sub_turn in subs[SUB_AGENTS.index(number)].turns:
                    call(sub, sub_turn)
            call(main, turn)
        report.calls, report.refused, report.folds = len(upstream.calls), len(upstream.refused), folds
        report.retries = http.get(f"{proxy.url}/foxing/status").json()["calls"].get("retries", 0)
        compared = sum(each.compared for each in conversations)
        report.prefix_folded = round(sum(each.same_folded for each in conversations) / compared, 4)
        report.prefix_whole = round(sum(each.same_whole for each in conversations) / compared, 4)
        for name, times in (("plain", plain_times), ("folded", folded_times)):
            for place, ending in enumerate(("_ms", "_own_ms")):
                setattr(report, f"{name}{ending}", _percentiles([each[place] for each in times]))
        report.all_own_ms = _percentiles([each[1] for each in (*plain_times, *folded_times)])
        report.fold_ms = round(max((each[0] for each in fold_times), default=0.0), 1)
        report.fold_own_ms = round(max((each[1] for each in fold_times), default=0.0), 1)
        proxy.stop()
        with Memory(folder / "bank.db") as memory:
            report.stored, report.turns = memory.bank("main").messages, _turns(conversations)
            report.reported = round(memory.savings("main").total.original / whole.total.price, 4)
        report.billed = round(upstream.total.price / whole.total.price, 4)
    return report


def _percentiles(times: Times) -> tuple[float, float]:
    if len(times) < 2:
        return (round(sum(times), 1), round(sum(times), 1))
    return round(median(times), 1), round(quantiles(times, n=100)[98], 1)


def _turns(conversations: Sequence[_Conversation]) -> int:
    """Returns the number of messages that the agents hold and that are to be stored, of each conversation."""
    count = 0
    for each in conversations:
        messages = each.agent.given()
        if each.agent.wire == "anthropic" and messages[-1]["role"] == "user":
            messages = messages[:-1]  # the result of a call after the last one
        elif messages[-1].get("role") != "assistant":
            messages = messages[:-1] if "output" in messages[-1] or messages[-1].get("role") == "tool" else messages
        items = parse_conversation(each.agent.wire, messages).items
        count += sum(len(item.turns) for item in items if not item.is_instruction)
    return count


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[60_000, 400_000])
    parser.add_argument("--reader", default="claude-fable-5")
    parser.add_argument("--wire", choices=sorted(AGENTS), nargs="+", default=sorted(AGENTS))
    parser.add_argument("--service", action="store_true")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--screenshots", type=int, default=0, help="number of images that tools of the session return")
    options = parser.parse_args()
    texts = load_texts(options.folder)
    for tokens in options.tokens:
        session = with_screenshots(make_session(texts, tokens, calls=options.calls), options.screenshots)
        share = tokens * SUB_CALLS // options.calls
        subs = [make_session(texts, share, seed, SUB_CALLS) for seed in (2, 3, 4)]
        for wire in options.wire:
            report = ProxyReport(wire, options.reader, tokens, options.service)
            print(json.dumps(asdict(run(session, subs, report))), flush=True)


if __name__ == "__main__":
    main()

"""Turns lost or stored twice while the proxy, the service that holds the bank, and the upstream are killed.

    python -m benchmarks.proxy.kills [--kills 50]

Agents talk through a proxy to the strict upstream, each in another way: whole histories in all three request formats,
threads of the Messages API, `previous_response_id` and `conversation` of the Responses API. Proxy and service are
processes that end by SIGKILL, the upstream stops and starts again on the same port; a call meets up to one kill, before
it is sent, while the model answers, or after the answer. Agents send a call that failed again, as their SDKs do. At the
end each turn that an agent has seen answered must be in the bank once, and nothing twice.
"""

import argparse
import json
import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.fold.clients import AGENTS
from foxing.memory import Memory
from foxing.memory.conversation.event_streams import AnswerReader
from tests.upstream import ModelAnswer, ScriptedCall, Text, Upstream

from .processes import FoxingProcess

Json = dict[str, Any]
HEADERS = {"x-api-key": "test", "anthropic-version": "2023-06-01", "authorization": "Bearer test"}
THREADS = "message-threads-2026-08-12"
WORDS = "The build of module {} wrote build/output-{}.log, and the fox jumps over the lazy dog by the river bank. "
KINDS = ("anthropic", "openai", "openai-responses", "thread", "previous_response_id", "conversation")
TARGETS = ("proxy", "service", "upstream")
MOMENTS = ("before", "during", "after")
#: Seconds to wait for the bank to hold everything.
SETTLED_S = 120.0


@dataclass
class KillReport:
    """Outcome of a run."""

    kills: int = 0
    by_target: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    sent_again: int = 0
    #: Requests that the upstream refused, but for threads that it no longer held.
    refused: int = 0
    turns: int = 0
    lost: int = 0
    doubled: int = 0
    folds: int = 0


class RestartedUpstream:
    """A strict upstream that can be stopped and started with what it holds."""

    def __init__(self) -> None:
        self.upstream = Upstream().start()
        self.port = int(self.upstream.url.rpartition(":")[2])

    def restart(self) -> None:
        """Breaks all connections, and listens again on the same port with the same state."""
        old = self.upstream
        old.close()
        new = Upstream(port=self.port, clock=old.clock)
        new._state.__dict__.update(old._state.__dict__)
        new._exchanges.extend(old.exchanges)
        new.respond_with(old._responder)
        self.upstream = new.start()


class KilledAgent:
    """An agent that sends a call again until it is answered."""

    def __init__(self, kind: str, number: int) -> None:
        self.kind, self.number = kind, number
        self.session = f"{kind}-{number}"
        self.wire = {"thread": "anthropic"}.get(kind, kind if kind in AGENTS else "openai-responses")
        self.agent = AGENTS[self.wire]("claude-opus-5-5" if self.wire == "anthropic" else "gpt-5.6")
        #: Texts of the turns that were answered, in order.
        self.said: list[str] = []
        self.new: list[Json] = []
        self.held: str | None = None
        self.conversation: str | None = None
        self._say(f"Task {self.session}: fix the build.")

    def _say(self, text: str) -> None:
        before = len(self.agent.messages)
        self.agent.say(text)
        self.new += self.agent.messages[before:]
        self.said.append(text)

    def body(self) -> Json:
        """Returns the request of the next call."""
        body = self.agent.body(self.agent.given())
        if self.kind == "thread":
            body["messages"] = self.new if self.held else self.agent.messages
            body["thread"] = {"type": "continue", "previous_message_id": self.held} if self.held else {"type": "create"}
        elif self.kind == "previous_response_id":
            body |= {"store": True, "input": self.new, **({"previous_response_id": self.held} if self.held else {})}
            del body["include"]
        elif self.kind == "conversation":
            body |= {"store": True, "input": self.new, "conversation": self.conversation}
            del body["include"]
        return body

    @property
    def headers(self) -> Json:
        """Headers of a call."""
        beta = {"anthropic-beta": THREADS} if self.kind == "thread" else {}
        return {**HEADERS, **beta, "x-foxing-session": self.session}

    def take(self, answer: Json, call: int) -> None:
        """Adds an answer, and what the agent says next."""
        before = len(self.agent.messages)
        self.held = answer["id"]
        result = f"{self.session} {call}: {WORDS.format(call, call) * 24}"
        self.agent.take(answer, result)
        after = self.agent.messages[before:]
        answers = len(answer["output"]) if "output" in answer else 1
        self.new = after[answers:]
        self.said.append(f"{self.session} answer {call}.")
        if self.new:
            self.said.append(result.strip())
        else:
            self._say(f"{self.session}: now do part {call}.")


def run(kills: int, seed: int = 1) -> KillReport:
    """Kills so many processes, and returns what became of the turns."""
    rng = random.Random(seed)
    report = KillReport()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        restarted = RestartedUpstream()
        stack.callback(lambda: restarted.upstream.close())
        service = stack.enter_context(FoxingProcess(folder, "serve", "--port", "0"))
        url = restarted.upstream.url
        options = ["--upstream", url, "--bank", "main", "--port", "0", "--budget", "8000", "--reader", "text"]
        proxy = stack.enter_context(FoxingProcess(folder, "proxy", *options))
        http = stack.enter_context(httpx.Client(timeout=60))
        agents = [KilledAgent(kind, 0) for kind in KINDS]
        for agent in agents:
            if agent.kind == "conversation":
                created = http.post(f"{url}/v1/conversations", json={}, headers=HEADERS)
                agent.conversation = created.json()["id"]
        call = 0
        while report.kills < kills or call < 30:
            for agent in agents:
                parts: list[Any] = [Text(f"{agent.session} answer {call}.")]
                if call % 3 < 2:
                    parts.append(ScriptedCall("run", {"command": f"make {call}"}))
                target = rng.choice(TARGETS) if report.kills < kills and rng.random() < 0.4 else None
                _call(agent, call, parts, http, proxy, service, restarted, target, rng.choice(MOMENTS), report)
            call += 1
        report.calls = call * len(agents)
        report.refused = sum(
            each.status is not None and "thread" not in str(each.refusal) for each in restarted.upstream.refused
        )
        _settle(folder, agents, report)
        report.folds = _folds(folder)
    return report


def _call(
    agent: KilledAgent,
    call: int,
    parts: list[Any],
    http: httpx.Client,
    proxy: FoxingProcess,
    service: FoxingProcess,
    upstream: RestartedUpstream,
    target: str | None,
    moment: str,
    report: KillReport,
) -> None:
    """Makes a call, which a kill may meet."""

    def kill() -> None:
        if target is None:
            return
        report.kills += 1
        report.by_target[target] = report.by_target.get(target, 0) + 1
        if target == "upstream":
            upstream.restart()
        else:
            process = proxy if target == "proxy" else service
            process.kill()
            process.start()

    if moment == "during" and agent.kind == "conversation":
        moment = "before"  # the provider holds what it was sent, and refuses to be sent it again
    if moment == "before":
        kill()
    asked = threading.Event()
    hold = threading.Event()
    first = True

    def respond(exchange: Any) -> ModelAnswer:
        asked.set()
        return ModelAnswer(tuple(parts), hold=hold if moment == "during" and first and target else None)

    upstream.upstream.respond_with(respond)
    if moment == "during" and target is not None:

        def kill_when_asked() -> None:
            nonlocal first
            asked.wait(60)
            first = False
            if target == "upstream":
                hold.set()
            kill()
            hold.set()

        killer = threading.Thread(target=kill_when_asked)
        killer.start()
        answer = _answered(agent, http, proxy, upstream, report)
        killer.join()
    else:
        answer = _answered(agent, http, proxy, upstream, report)
    if moment == "after":
        kill()
    agent.take(answer, call)


def _answered(
    agent: KilledAgent, http: httpx.Client, proxy: FoxingProcess, upstream: RestartedUpstream, report: KillReport
) -> Json:
    """Sends a call until it is answered."""
    while True:
        stream = (report.sent_again + len(agent.said)) % 2 == 0 and agent.kind in ("openai", "anthropic")
        body = agent.body() | ({"stream": True} if stream else {})
        try:
            answer = http.post(f"{proxy.url}{agent.agent.path}", json=body, headers=agent.headers)
        except httpx.HTTPError:
            answer = None
        if answer is not None and answer.status_code == 200:
            if not stream:
                value: Json = answer.json()
                return value
            reader = AnswerReader(agent.agent.wire)
            reader.feed(answer.content)
            if reader.is_complete:
                said = next(each for each in reversed(upstream.upstream.calls) if each.answered)
                assert said.answered is not None
                return said.answered
        report.sent_again += 1
        if answer is not None and answer.status_code in (400, 404) and agent.kind == "thread":
            agent.held = None  # the provider no longer holds the thread, so that all is sent again
        elif answer is not None and 300 <= answer.status_code < 500:
            raise RuntimeError(answer.text[:500])
        time.sleep(0.05)


def _settle(folder: Path, agents: list[KilledAgent], report: KillReport) -> None:
    """Waits until the bank holds what was said, and counts what is missing or there twice."""
    until = time.monotonic() + SETTLED_S
    with Memory(folder / "bank.db") as memory:
        while True:
            found = Counter(each.text for each in memory.export("main"))
            wanted = [text for agent in agents for text in agent.said[: _answered_turns(agent)]]
            lost = [text for text in wanted if not any(text in each for each in _near(found, text))]
            if not lost or time.monotonic() > until:
                break
            time.sleep(0.2)
    report.turns = len(wanted)
    report.lost = len(lost)
    report.doubled = sum(sum(number for each, number in found.items() if text in each) > 1 for text in wanted)


def _answered_turns(agent: KilledAgent) -> int:
    """Returns the number of turns up to the last answer; what was said after it has not been sent."""
    last = max(number for number, text in enumerate(agent.said) if " answer " in text)
    return last + 1


def _near(found: Counter[str], text: str) -> list[str]:
    return [each for each in found if text in each]


def _folds(folder: Path) -> int:
    import sqlite3

    connection = sqlite3.connect(folder / "bank.db")
    number = connection.execute("SELECT count(*) FROM folds").fetchone()[0]
    connection.close()
    return int(number)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(asdict(run(options.kills, options.seed))))


if __name__ == "__main__":
    main()

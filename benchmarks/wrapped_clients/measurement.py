"""The trial: an upstream that breaks streams and kills the agent, and a service that is killed."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from foxing.integrations.client import Client
from foxing.integrations.testing import Fault, ModelAnswer, RecordedCall, ScriptedCall, Thinking, Upstream

from .agent import Task

CLIENTS = ("anthropic", "async-anthropic", "chat", "async-chat", "responses", "async-responses")
BANK = "trial"


@dataclass
class Trial:
    """Outcome of a trial."""

    client: str
    turns: int
    killed_agents: int = 0
    killed_services: int = 0
    calls: int = 0
    refused: list[str] = field(default_factory=list)
    #: Turns of the agent's history that are not stored, stored more than once, or out of order.
    missing: int = 0
    doubled: int = 0
    out_of_order: int = 0
    #: Stored turns that are not in the history: answers that a killed agent had received and not kept.
    lost_by_the_agent: int = 0
    #: Input tokens read from the cache, of all.
    cache_read: float = 0.0
    #: From a built request to the moment before it is sent, in ms.
    delay_p50_ms: float = 0.0
    delay_p95_ms: float = 0.0
    delay_max_ms: float = 0.0

    @property
    def passed(self) -> bool:
        """True if each turn is stored once and in order, and nothing was refused."""
        return not (self.refused or self.missing or self.doubled or self.out_of_order)


class Scene:
    """A trial while it runs."""

    def __init__(self, client: str, turns: int, kill_agents: int, kill_services: int, seed: int, folder: Path) -> None:
        self.trial = Trial(client, turns)
        self._random = random.Random(seed)
        self._folder = folder
        self._port = _free_port()
        self._service: subprocess.Popen[bytes] | None = None
        self._agent: subprocess.Popen[bytes] | None = None
        calls = turns * 3 // 2
        self._agent_kills = set(self._random.sample(range(5, calls), kill_agents))
        self._service_kills = set(self._random.sample(range(5, calls), kill_services))
        self._failed: set[str] = set()

    def run(self) -> Trial:
        """Runs the agent to its end, again and again as it is killed."""
        with Upstream() as upstream:
            upstream.respond_with(self._respond)
            self._start_service()
            try:
                self._run_agents(upstream)
            finally:
                for process in (self._agent, self._service):
                    if process is not None and process.poll() is None:
                        process.kill()
                        process.wait()
            bills = [each.bill for each in upstream.calls if each.bill is not None]
            self.trial.calls = len(upstream.calls)
            self.trial.refused = [str(each.refusal) for each in upstream.refused]
            self.trial.cache_read = sum(bill.read for bill in bills) / max(1, sum(bill.input for bill in bills))
        return self.trial

    def _run_agents(self, upstream: Upstream) -> None:
        base = upstream.url if self.trial.client.endswith("anthropic") else upstream.openai_url
        service = f"http://127.0.0.1:{self._port}"
        task = Task(self.trial.client, base, service, BANK, str(self._folder), self.trial.turns)
        command = [sys.executable, "-m", "benchmarks.wrapped_clients.agent", json.dumps(asdict(task))]
        while True:
            self._agent = subprocess.Popen(command)
            status = self._agent.wait()
            self._start_service()
            if status == 0:
                break
            if status != -signal.SIGKILL:
                raise RuntimeError(f"the agent ended with status {status}")
        delays = sorted(float(line) * 1000 for line in (self._folder / "delays").read_text().split())
        self.trial.delay_p50_ms = delays[len(delays) // 2]
        self.trial.delay_p95_ms = delays[len(delays) * 95 // 100]
        self.trial.delay_max_ms = delays[-1]
        self._compare(service)

    def _compare(self, service: str) -> None:
        history = json.loads((self._folder / "history.json").read_text())["history"]
        expected = [said for message in history for said in _said(message)]
        with Client(service) as client:
            stored: list[tuple[str, str]] = [(each.role, _key(each.text)) for each in client.export(BANK)]
        numbers = Counter(stored)
        self.trial.missing = sum(1 for said in expected if not numbers[said])
        self.trial.doubled = sum(numbers[said] - 1 for said in set(expected) if numbers[said] > 1)
        self.trial.lost_by_the_agent = len(stored) - len(expected) - self.trial.doubled + self.trial.missing
        places = [stored.index(said) for said in expected if said in numbers]
        self.trial.out_of_order = sum(1 for a, b in pairwise(places) if a >= b)

    def _respond(self, exchange: RecordedCall) -> ModelAnswer | Fault:
        """Answers by what was said last, so that a repeated question has the same answer."""
        if exchange.number in self._service_kills and self._service is not None:
            self._service.kill()
            self.trial.killed_services += 1
            self._service.wait()
            self._start_service(wait=False)
        if exchange.number in self._agent_kills and self._agent is not None:
            self._agent.kill()
            self.trial.killed_agents += 1
        value = exchange.value or {}
        messages = value.get("messages") or value["input"]
        turn, kind, results = _asked(messages)
        if kind == "refused" and turn not in self._failed:
            self._failed.add(turn)
            return Fault(self._random.choice((429, 500, 529)), headers={"retry-after": "0.01"})
        if kind == "tools" and not results:
            calls = [ScriptedCall("look", {"turn": turn, "at": side}) for side in ("left", "right")]
            return ModelAnswer((Thinking(f"{turn} needs a look"), f"I look for {turn}.", *calls))
        cut = 4 if kind == "aborted" and value.get("stream") and self._random.random() < 0.5 else None
        return ModelAnswer((Thinking(f"{turn} is clear"), f"Noted for {turn}."), cut_after_events=cut)

    def _start_service(self, wait: bool = True) -> None:
        if self._service is None or self._service.poll() is not None:
            environment = {
                **os.environ,
                "FOXING_DATABASE_URL": f"sqlite:///{self._folder / 'foxing.db'}",
                "FOXING_AGEING_ENABLED": "false",
            }
            command = [sys.executable, "-m", "foxing.api.cli.main", "serve", "--port", str(self._port)]
            with (self._folder / "service.log").open("ab") as log:
                self._service = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        ends = time.monotonic() + 120
        while wait and time.monotonic() < ends:
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{self._port}/readyz").is_success:
                    return
            time.sleep(0.1)


def _asked(messages: list[dict[str, Any]]) -> tuple[str, str, bool]:
    """Turn, its kind, and whether its tools have answered."""
    last = messages[-1]
    for message in reversed(messages):
        text = json.dumps(message.get("content"))
        if message.get("role") == "user" and '"Turn ' in text.replace("\\n", '"'):
            found = text.replace("\\n", '"').rpartition('"Turn ')[2]
            results = last is not message and message is not last
            return f"turn {found.split()[0]}", found.split("(")[1].split(")")[0], results
    raise ValueError("nothing was asked")


def _said(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Role and text of what a message of the history says, as the memory renders it."""
    from foxing.integrations.frameworks.turns import turn_fields
    from foxing.integrations.turns.sent import read_request
    from foxing.memory.conversation import FORMATS, Wire
    from foxing.memory.values.messages import NewMessage

    wire: Wire = "openai-responses" if "type" in message and "role" not in message else "anthropic"
    if "tool_calls" in message or message.get("role") == "tool":
        wire = "openai"
    if message.get("type") == "message":
        wire = "openai-responses"
    read = read_request(wire, {FORMATS[wire].member: [message]})
    assert read is not None
    return [(turn.role, _key(NewMessage.model_validate(turn_fields(turn, "turn", None)).text)) for turn in read.turns]


def _key(text: str) -> str:
    return text.strip()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def measure(client: str, turns: int, kill_agents: int, kill_services: int, seed: int) -> Trial:
    """Runs a trial in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        return Scene(client, turns, kill_agents, kill_services, seed, Path(folder)).run()

"""Measurements of hooks, through the program that agents start and a service of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from benchmarks.command_line import Advance
from benchmarks.load import texts
from benchmarks.load.processes import FOXING, IDLE_S, processor_s
from foxing.encoder.text_tokens import count_text_tokens
from foxing.integrations.hooks.client import ask
from foxing.integrations.hooks.doctor import service_status
from foxing.integrations.hooks.places import ASKED, PATH, folder_of, spool_of
from foxing.integrations.hooks.projects import bank_of
from foxing.integrations.hooks.settings_files import find_executables
from foxing.integrations.hooks.spool import waiting
from foxing.memory import Memory
from foxing.renderer.announcement import Announcement

from .sessions import Project, SessionLog

TOOL = "claude-code"
QUIET_S = 5.0
#: A kill comes within this time after the start of the program.
KILLED_WITHIN_S = 0.08
SESSION_TURNS = 10
WAIT_S = 120.0
#: Age of the first message of a session.
AGO = timedelta(days=1)


@dataclass(frozen=True)
class FactsRow:
    """Facts of earlier sessions, asked for in new ones."""

    split: str
    facts: int
    #: share of the facts of which the model is given the answer
    given: float
    off_topic: int
    #: share of the prompts that the sessions have nothing to say about, and that are given something
    given_off_topic: float
    #: mean text tokens of what is given for a fact
    tokens: float
    missed: Sequence[str]
    given_for_nothing: Sequence[str]


@dataclass(frozen=True)
class PromptRow:
    """Time of the hook at a prompt, the start of its process included."""

    messages: int
    prompts: int
    #: share of the prompts that got something
    given: float
    #: share that waited until the limit
    given_up: float
    p50_ms: float
    p95_ms: float
    max_ms: float
    #: 95th percentile of starting the interpreter alone
    interpreter_p95_ms: float
    #: processor time for a prompt, of the hook and of the service, which a busy machine changes little
    processor_ms: float
    service_processor_ms: float


@dataclass(frozen=True)
class BusyRow:
    """Prompts whose hooks got an answer in time, beside processes that compute and while a history is imported."""

    prompts: int
    #: number of busy processes → prompts that were answered
    answered: dict[int, int]
    #: prompts answered while the past sessions of a project are stored and sealed, and messages of these
    answered_in_import: int
    imported: int
    slowest_ms: float


@dataclass(frozen=True)
class KillsRow:
    """Turns through hooks, while hooks and services are killed."""

    turns: int
    sessions: int
    killed_hooks: int
    killed_services: int
    #: messages of the logs that are not stored, stored twice, or stored in another order
    lost: int
    twice: int
    out_of_order: int
    #: hooks that ended with a status other than 0, or wrote to stderr
    failed_hooks: int
    slowest_hook_ms: float


class Hooks:
    """Service on a database, as a hook would start it, and the program that calls it. Leaving the context kills the
    service."""

    def __init__(self, database: Path, bank: str | None = None) -> None:
        self.database = str(database)
        self.bank = [] if bank is None else ["--bank", bank]
        programs = find_executables(None, None)
        self.program = [*programs.launch, programs.hook]
        self._service: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill_service()

    def start_service(self) -> None:
        """Starts a service and waits until it answers."""
        command = [*FOXING, "--database", self.database, "serve", "--port", "0"]
        log = Path(folder_of(self.database)) / "service.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._service = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        self.wait_for_service()

    def wait_for_service(self) -> None:
        """Waits until a service answers. Raises `TimeoutError`."""
        end = time.monotonic() + WAIT_S
        while service_status(self.database) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"no service answers; see {folder_of(self.database)}")
            time.sleep(0.1)

    def service_processor_s(self) -> float:
        """Returns the processor time that the service has used, in seconds."""
        assert self._service is not None
        return processor_s(self._service.pid)

    def wait_until_warm(self, limit_s: float) -> None:
        """Waits until the service is idle, or for `limit_s`."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            before = self.service_processor_s()
            time.sleep(IDLE_S)
            if self.service_processor_s() - before < IDLE_S / 20:
                return

    def kill_service(self) -> bool:
        """Kills the service, also one that a hook has started. Returns whether there was one."""
        killed = False
        if self._service is not None:
            self._service.kill()
            self._service.wait()
            self._service, killed = None, True
        lock = Path(folder_of(self.database)) / "service-starting"
        with suppress(OSError, ValueError):
            os.kill(int(lock.read_text()), signal.SIGKILL)
            lock.write_text("")
            killed = True
        return killed

    def call(self, event: str, payload: bytes) -> "subprocess.Popen[bytes]":
        """Starts the program for an event."""
        process = subprocess.Popen(
            [*self.program, TOOL, event, *self.bank, "--database", self.database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(payload)
            process.stdin.close()
        process.stdin = None  # `communicate` would write to it
        return process

    def answer(self, event: str, payload: bytes) -> tuple[str, float]:
        """Returns what the model is given at an event, and the milliseconds that the agent waits."""
        started = time.perf_counter()
        process = self.call(event, payload)
        output, _ = process.communicate()
        took = 1000 * (time.perf_counter() - started)
        return _given(output), took

    def patient_answer(self, event: str, payload: bytes) -> str:
        """Returns what the model is given at an event if there is time, for figures that do not depend on load."""
        service = Announcement.of(self.database)
        if service is None:
            raise TimeoutError("the service does not run")
        bank = self.bank[1] if self.bank else ""
        output = ask(service, f"{PATH}/{TOOL}/{event}?bank={bank}&folder=", payload, time.monotonic() + WAIT_S)
        return _given(output or b"")

    def taken_in(self) -> None:
        """Waits until the spool is empty and past sessions are imported. Raises `TimeoutError` if nothing happens."""
        left, since = None, time.monotonic()
        while left != 0:
            status = service_status(self.database)
            now = len(waiting(spool_of(self.database))) + (1 if status is None else int(status["past"]))
            if now != left:
                left, since = now, time.monotonic()
            elif time.monotonic() > since + WAIT_S:
                raise TimeoutError(f"{left} events and sessions wait; see {folder_of(self.database)}")
            time.sleep(0.1)


def measure_facts(folder: Path, split: str, progress: Advance | None = None) -> FactsRow:
    """Has the sessions of a split stored by hooks at the ends of turns, and asks each fact, and each prompt that they
    have nothing to say about, in a new session."""
    project = Project.read(split)
    place = folder / "project"
    (place / ".git").mkdir(parents=True)
    with Hooks(folder / "bench.db") as hooks:
        hooks.start_service()
        for number, (at, messages) in enumerate(project.sessions):
            log = SessionLog(folder / "logs", place, f"{split} {number}", at)
            for place_in_session, (role, text) in enumerate(messages):
                log.add(role, text)
                if place_in_session + 1 == len(messages) or messages[place_in_session + 1][0] == "user":
                    hooks.answer("Stop", log.payload("Stop"))
            hooks.answer("SessionEnd", log.payload("SessionEnd", reason="exit"))
            if progress is not None:
                progress(number + 1, len(project.sessions))
        hooks.taken_in()
        time.sleep(QUIET_S)  # embeddings of the last messages
        new = SessionLog(folder / "logs", place, f"{split} new", datetime.now(UTC))

        def given(prompt: str) -> str:
            return hooks.patient_answer("UserPromptSubmit", new.payload("UserPromptSubmit", prompt=prompt))

        answers = [(fact, given(fact.question)) for fact in project.facts]
        others = [prompt for prompt in project.off_topic if given(prompt)]
    missed = [fact.question for fact, text in answers if not any(part in text for part in fact.answer)]
    return FactsRow(
        split=split,
        facts=len(answers),
        given=1 - len(missed) / len(answers),
        off_topic=len(project.off_topic),
        given_off_topic=len(others) / len(project.off_topic),
        tokens=sum(count_text_tokens(text) for _, text in answers) / len(answers),
        missed=missed,
        given_for_nothing=others,
    )


def measure_prompts(
    database: Path, bank: str, prompts: int, warm_s: float, progress: Advance | None = None
) -> PromptRow:
    """Measures the hook at a prompt. Half of the prompts quote a message of the bank, the others ask about three words.
    `warm_s`: most seconds that the service has for reading pages ahead."""
    with Memory(database) as memory:
        count = memory.bank(bank).messages
        quoted = [span.text for span in memory.recall(bank, None, limit=500).spans]
    random = Random(prompts)
    log = SessionLog(database.parent / "logs", database.parent, "prompts", datetime.now(UTC))
    took, given = [], 0
    with Hooks(database, bank) as hooks:
        hooks.start_service()
        hooks.patient_answer("UserPromptSubmit", log.payload("UserPromptSubmit", prompt=texts.query(random)))
        hooks.wait_until_warm(warm_s)
        before, service_before = os.times(), hooks.service_processor_s()
        for number in range(prompts):
            prompt = texts.query(random) if number % 2 else random.choice(quoted)[:80]
            text, ms = hooks.answer("UserPromptSubmit", log.payload("UserPromptSubmit", prompt=prompt))
            given += bool(text)
            took.append(ms)
            if progress is not None:
                progress(number + 1, prompts)
        after, service_s = os.times(), hooks.service_processor_s() - service_before
        hook_s = after.children_user + after.children_system - before.children_user - before.children_system
        asked = Path(folder_of(str(database))) / ASKED
        given_up = asked.read_text().count("no answer in") if asked.exists() else 0
    took.sort()
    return PromptRow(
        messages=count,
        prompts=prompts,
        given=given / prompts,
        given_up=given_up / prompts,
        p50_ms=_percentile(took, 50),
        p95_ms=_percentile(took, 95),
        max_ms=took[-1],
        interpreter_p95_ms=_percentile(sorted(_interpreter_ms() for _ in range(40)), 95),
        processor_ms=1000 * hook_s / prompts,
        service_processor_ms=1000 * service_s / prompts,
    )


def measure_busy(
    folder: Path, prompts: int, busy: Sequence[int], imported: int, progress: Advance | None = None
) -> BusyRow:
    """Measures how many prompts are answered beside busy processes of equal priority, and while `imported` messages are
    stored and sealed in the same service."""
    place = folder / "project"
    (place / ".git").mkdir(parents=True)
    bank, random = bank_of(place), Random(prompts)
    topics = [texts.message(random, 400) for _ in range(100)]  # a message equal to the prompt is not given
    database = folder / "bench.db"
    with Memory(database) as memory:
        memory.store(bank, [{"role": "user", "content": topic} for topic in topics])
    log = SessionLog(folder / "logs", place, "busy", datetime.now(UTC))
    times: list[float] = []

    def answered(hooks: Hooks) -> int:
        answers = 0
        for topic in random.sample(topics, prompts):
            text, ms = hooks.answer("UserPromptSubmit", log.payload("UserPromptSubmit", prompt=topic[:80]))
            answers += bool(text)
            times.append(ms)
            time.sleep(0.5)
        return answers

    counts = {}
    with Hooks(database) as hooks:
        hooks.start_service()
        hooks.patient_answer("UserPromptSubmit", log.payload("UserPromptSubmit", prompt=topics[0]))
        hooks.wait_until_warm(60.0)
        for done, number in enumerate(busy):
            if progress is not None:
                progress(done, len(busy) + 1)
            computing = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
            try:
                time.sleep(2.0)
                counts[number] = answered(hooks)
            finally:
                for process in computing:
                    process.kill()
                    process.wait()
        past = SessionLog(folder / "logs", place, "past", datetime.now(UTC) - AGO)
        for number in range(imported):
            past.add(("user", "assistant")[number % 2], texts.message(random, 400))
        hooks.answer("SessionEnd", past.payload("SessionEnd", reason="exit"))  # which seals
        time.sleep(1.0)
        in_import = answered(hooks)
    return BusyRow(prompts, counts, in_import, imported, max(times))


def measure_kills(
    folder: Path, turns: int, hook_kills: float, service_kills: int, progress: Advance | None = None
) -> KillsRow:
    """Has turns stored by hooks, a share `hook_kills` of which is killed at a random point, while the service is killed
    `service_kills` times; hooks start it again. Then a new session begins, and what is stored is compared with the logs
    of the sessions."""
    random = Random(turns)
    place = folder / "project"
    (place / ".git").mkdir(parents=True)
    database = folder / "bench.db"
    logs: list[SessionLog] = []
    said: list[list[str]] = []
    killed = failed = services = 0
    slowest = 0.0
    service_at = set(random.sample(range(1, turns), min(service_kills, turns - 1)))
    with Hooks(database) as hooks:
        for turn in range(turns):
            if turn % SESSION_TURNS == 0:
                logs.append(SessionLog(folder / "logs", place, f"kills {turn}", datetime.now(UTC) - AGO))
                said.append([])
            log = logs[-1]
            events = ["UserPromptSubmit", "Stop", *(["SessionEnd"] if (turn + 1) % SESSION_TURNS == 0 else [])]
            for event in events:
                if event == "Stop":
                    for role in ("user", "assistant"):
                        text = f"{role} {turn}: {texts.message(random, 120)}"
                        log.add(role, text)
                        said[-1].append(text)
                if event == "Stop" and turn in service_at:
                    services += hooks.kill_service()
                started = time.perf_counter()
                process = hooks.call(event, log.payload(event, prompt=f"what about {texts.message(random, 30)}"))
                if random.random() < hook_kills:
                    time.sleep(random.random() * KILLED_WITHIN_S)
                    process.kill()
                    killed += 1
                    process.communicate()
                    continue
                _, errors = process.communicate()
                slowest = max(slowest, 1000 * (time.perf_counter() - started))
                failed += process.returncode != 0 or bool(errors)
            if progress is not None:
                progress(turn + 1, turns)
        new = SessionLog(folder / "logs", place, "kills, the next session", datetime.now(UTC))
        hooks.kill_service()
        hooks.answer("SessionStart", new.payload("SessionStart", source="startup"))
        hooks.wait_for_service()
        hooks.taken_in()
    lost = twice = disordered = 0
    with Memory(database) as memory:
        for log, expected in zip(logs, said, strict=True):
            found = [span.text for span in memory.recall(bank_of(place), None, thread=log.thread, limit=500).spans]
            counts = Counter(found)
            lost += sum(text not in counts for text in expected)
            twice += sum(number - 1 for number in counts.values())
            kept = [text for text in expected if text in counts]
            disordered += sum(one != other for one, other in zip(dict.fromkeys(found), kept, strict=False))
    return KillsRow(turns, len(logs), killed, services, lost, twice, disordered, failed, slowest)


def _given(output: bytes) -> str:
    """Returns what the model is given by the document of a hook."""
    document = json.loads(output) if output else {}
    return str(document.get("hookSpecificOutput", {}).get("additionalContext", ""))


def _interpreter_ms() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return 1000 * (time.perf_counter() - started)


def _percentile(values: Sequence[float], percent: int) -> float:
    """Returns a percentile of sorted values, the nearest rank."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]

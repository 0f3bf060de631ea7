"""Turns lost or stored twice while processes that bring a session into a bank are killed, and find the
bank down or the disk full.

    python -m benchmarks.entry_kills [--kills 50] [--turns 400] [--down 60] [--ways import,watch]

A session of Claude Code, which grows, comes by an import of its log, by `watch`, by hooks and their service, by a
wrapped client, and by one behind a proxy, which send the whole history each time: each way into a bank of its own, then
all at once into one. The processes end by SIGKILL at random moments and begin again, so many times for each way. After
half of the kills another process locks the bank for a minute, and after three quarters the files of one round of
processes may not grow: they go on, and are killed, meanwhile. The last ones may end. Then each turn must be in the bank
once.
`benchmarks.proxy.kills` has other conversations, and kills the service and the upstream as well.
"""

import argparse
import json
import multiprocessing
import random
import resource
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from anthropic import Anthropic

from foxing.encoder.text_tokens import load_vocabulary
from foxing.integrations.hooks.answers import Answers
from foxing.integrations.hooks.intake import Intake
from foxing.integrations.hooks.places import spool_of
from foxing.integrations.hooks.spool import Event, put
from foxing.integrations.outbox.file import states
from foxing.integrations.proxy.options import ProxyOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.integrations.testing import ModelAnswer, RecordedCall, Upstream
from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory, MemoryOptions
from foxing.memory.ingest.importers import HistoryWatcher, import_file

BANK = "main"
SESSION = "7c1d2a90-5b1e-4f52-8a39-0d3f6b1c9e44"
START = datetime(2026, 9, 1, 8, tzinfo=UTC)
#: Longest time that a process runs before it is killed, in seconds: a proxy takes longer to start.
LONGEST_S, LONGEST_OF_PROXY_S = 1.0, 4.0
#: Time for the last turns, in seconds.
SETTLED_S = 120.0


@dataclass(frozen=True)
class Trial:
    """Places of a trial."""

    folder: Path
    upstream: str

    @property
    def log(self) -> Path:
        """The log of the session."""
        return self.folder / "logs" / "-titan" / f"{SESSION}.jsonl"

    def memory(self) -> Memory:
        """Returns the memory, opened."""
        return Memory(self.folder / "bank.db", options=MemoryOptions(embedder="none"))


@dataclass
class EntryKills:
    """Outcome of a trial."""

    way: str
    kills: int = 0
    #: Processes that ended with an error while the bank was down or the disk full.
    failed: int = 0
    turns: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: float = 0.0


def by_import(trial: Trial) -> None:
    """Imports the log."""
    with trial.memory() as memory:
        import_file(memory, trial.log, bank=BANK)


def by_watch(trial: Trial) -> None:
    """Looks at the folder of the log once."""
    with trial.memory() as memory:
        for found in HistoryWatcher(memory, [trial.log.parent], BANK).poll():
            if found.error is not None:
                raise RuntimeError(found.error)


def by_hook(trial: Trial) -> None:
    """Leaves an event as a hook does, and takes in all that wait as its service does."""
    database = str(trial.folder / "bank.db")
    payload = {"session_id": SESSION, "transcript_path": str(trial.log), "cwd": "/titan", "hook_event_name": "Stop"}
    put(spool_of(database), Event("claude-code", "Stop", BANK, "/titan", json.dumps(payload).encode()))
    with trial.memory() as memory:
        Intake(memory, database, Answers(memory)).take_in()


def by_wrap(trial: Trial) -> None:
    """Holds the conversation with a wrapped client, from where its answers ended."""
    with trial.memory() as memory, Anthropic(base_url=trial.upstream, api_key="key", max_retries=0) as plain:
        options: Any = {"memory": memory, "bank": BANK, "recall": False, "journal": trial.folder / "wrap.db"}
        with wrap(plain, thread=f"claude-code:{SESSION}", **options) as client:
            _converse(trial, client, "wrap")
            if not flush(client, SETTLED_S):
                raise RuntimeError("turns still wait")


def by_proxy(trial: Trial) -> None:
    """Holds the conversation through a proxy, from where its answers ended."""
    journal = trial.folder / "proxy.db"
    options = ProxyOptions(trial.upstream, BANK, journal=journal, memory="bank")
    headers = {"x-foxing-session": f"claude-code:{SESSION}"}
    with (
        trial.memory() as memory,
        BackgroundProxy(options, lambda: memory) as proxy,
        Anthropic(base_url=proxy.url, api_key="key", max_retries=0, default_headers=headers) as client,
    ):
        _converse(trial, client, "proxy")
        until = time.monotonic() + SETTLED_S
        while any(state.entries for state in states(journal)):
            if time.monotonic() > until:
                raise RuntimeError("turns still wait")
            time.sleep(0.05)


def _converse(trial: Trial, client: Anthropic, way: str) -> None:
    """Asks the questions of the log that the history of a way does not have yet."""
    history = trial.folder / f"{way}.json"
    said: list[Any] = json.loads(history.read_text()) if history.exists() else []
    for number in range(len(said) // 2, len(trial.log.read_text().splitlines()) // 2):
        said.append({"role": "user", "content": f"question {number}"})
        answer: Any = client.messages.create(model="claude-opus-5-5", max_tokens=99, messages=said)
        said.append({"role": "assistant", "content": answer.content[0].text})
        written = history.with_suffix(".new")
        written.write_text(json.dumps(said))
        written.replace(history)


WAYS: Mapping[str, Callable[[Trial], None]] = {
    "import": by_import,
    "watch": by_watch,
    "hook": by_hook,
    "wrap": by_wrap,
    "proxy": by_proxy,
}


def run(ways: list[str], kills: int, turns: int, down_s: float, seed: int) -> EntryKills:
    """Kills each of some ways into one bank so many times, and returns what became of the turns."""
    rng = random.Random(f"{seed} {ways}")
    report = EntryKills("+".join(ways), turns=2 * turns)
    began = time.monotonic()
    wanted = kills * len(ways)
    with TemporaryDirectory() as folder, Upstream() as upstream:
        upstream.respond_with(_answer)
        trial = Trial(Path(folder), upstream.url)
        trial.log.parent.mkdir(parents=True)
        failures = {wanted // 2: "down", wanted * 3 // 4: "full"}
        while report.kills < wanted:
            _write_log(trial.log, 1 + turns * report.kills // wanted)
            due = min((at for at in failures if at <= report.kills), default=None)
            failure = None if due is None else failures.pop(due)
            if failure == "down":
                report.failed += _while_down(trial, ways, rng, down_s)
            elif failure == "full":
                report.failed += _round(trial, ways, rng, may_fail=True, most_bytes=_largest(trial.folder))[1]
            else:
                report.kills += _round(trial, ways, rng)[0]
        _write_log(trial.log, turns)
        for process in [_start(trial, way) for way in ways]:
            process.join()
            if process.exitcode:
                raise RuntimeError(f"{report.way} ended with {process.exitcode}")
        with trial.memory() as memory:
            found = Counter(each.text for each in memory.export(BANK))
    texts = [f"{what} {number}" for number in range(turns) for what in ("question", "answer")]
    report.lost = sum(text not in found for text in texts)
    report.doubled = sum(found.values()) - len(found)
    report.seconds = round(time.monotonic() - began, 1)
    return report


def _round(
    trial: Trial, ways: list[str], rng: random.Random, *, may_fail: bool = False, most_bytes: int | None = None
) -> tuple[int, int]:
    """Starts a process of each way and kills it. Returns how many were killed, and how many had failed before."""
    killed = failed = 0
    for way, process in [(way, _start(trial, way, most_bytes)) for way in ways]:
        longest_s = LONGEST_OF_PROXY_S if way == "proxy" else LONGEST_S
        process.join(longest_s if most_bytes is not None else rng.uniform(0.0, longest_s))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        failed += process.exitcode not in (0, -signal.SIGKILL)
        if failed and not may_fail:
            raise RuntimeError(f"{way} ended with {process.exitcode}")
    return killed, failed


def _while_down(trial: Trial, ways: list[str], rng: random.Random, down_s: float) -> int:
    """Kills processes while the bank is locked, and returns how many have failed meanwhile."""
    failed = 0
    with closing(sqlite3.connect(trial.folder / "bank.db", isolation_level=None)) as bank:
        bank.execute("PRAGMA busy_timeout = 60000")
        bank.execute("BEGIN IMMEDIATE")
        until = time.monotonic() + down_s
        while time.monotonic() < until:
            failed += _round(trial, ways, rng, may_fail=True)[1]
    return failed


def _largest(folder: Path) -> int:
    return max(file.stat().st_size for file in folder.glob("*.db*"))


def _start(trial: Trial, way: str, most_bytes: int | None = None) -> Any:
    process = multiprocessing.get_context("fork").Process(target=_enter, args=(trial, way, most_bytes))
    process.start()
    return process


def _enter(trial: Trial, way: str, most_bytes: int | None) -> None:
    """Runs a way. `most_bytes`: a limit on files, in place of a full disk."""
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    WAYS[way](trial)


def _answer(call: RecordedCall) -> ModelAnswer:
    value: Any = call.value
    asked = value["messages"][-1]["content"]
    return ModelAnswer((str(asked).replace("question", "answer"),))


def _write_log(log: Path, turns: int) -> None:
    lines = []
    for number in range(2 * turns):
        role, what = (("user", "question"), ("assistant", "answer"))[number % 2]
        line = {"type": role, "uuid": f"u{number}", "sessionId": SESSION, "cwd": "/titan"}
        line["timestamp"] = (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
        said = {"role": role, "content": f"{what} {number // 2}"}
        lines.append(json.dumps({**line, "message": said}))
    log.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--turns", type=int, default=400)
    parser.add_argument("--down", type=float, default=60.0, help="seconds for which the bank is locked")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    names = options.ways.split(",")
    load_vocabulary()  # before the forks, so that a proxy starts quickly
    for ways in (*([way] for way in names), *([names] if len(names) > 1 else [])):
        print(json.dumps(asdict(run(ways, options.kills, options.turns, options.down, options.seed))), flush=True)


if __name__ == "__main__":
    main()

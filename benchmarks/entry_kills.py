"""Turns lost or stored twice while processes that bring a session into a bank are killed.

    python -m benchmarks.entry_kills [--kills 50] [--turns 400]

A session of Claude Code, which grows, comes by an import of its log, by `watch`, by hooks and their service, and by a
wrapped client that sends the whole history each time: each way into a bank of its own, then all at once into one. The
processes end by SIGKILL at random moments and begin again, so many times for each way; the last ones may end. Then each
turn must be in the bank once. The proxy has a trial of its own, `benchmarks.proxy.kills`.
"""

import argparse
import json
import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from anthropic import Anthropic

from foxing.integrations.hooks.answers import Answers
from foxing.integrations.hooks.intake import Intake
from foxing.integrations.hooks.places import spool_of
from foxing.integrations.hooks.spool import Event, put
from foxing.integrations.testing import ModelAnswer, RecordedCall, Upstream
from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory, MemoryOptions
from foxing.memory.ingest.importers import HistoryWatcher, import_file

BANK = "main"
SESSION = "7c1d2a90-5b1e-4f52-8a39-0d3f6b1c9e44"
START = datetime(2026, 9, 1, 8, tzinfo=UTC)
#: Longest time that a process runs before it is killed, in seconds.
LONGEST_S = 1.0


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
    history = trial.folder / "history.json"
    said: list[Any] = json.loads(history.read_text()) if history.exists() else []
    with trial.memory() as memory, Anthropic(base_url=trial.upstream, api_key="key", max_retries=0) as plain:
        options: Any = {"memory": memory, "bank": BANK, "recall": False, "journal": trial.folder / "wrap.db"}
        with wrap(plain, thread=f"claude-code:{SESSION}", **options) as client:
            for number in range(len(said) // 2, len(trial.log.read_text().splitlines()) // 2):
                said.append({"role": "user", "content": f"question {number}"})
                answer: Any = client.messages.create(model="claude-opus-5-5", max_tokens=99, messages=said)
                said.append({"role": "assistant", "content": answer.content[0].text})
                written = history.with_suffix(".new")
                written.write_text(json.dumps(said))
                written.replace(history)
            if not flush(client, 60):
                raise RuntimeError("turns still wait")


WAYS: Mapping[str, Callable[[Trial], None]] = {
    "import": by_import,
    "watch": by_watch,
    "hook": by_hook,
    "wrap": by_wrap,
}


def run(ways: list[str], kills: int, turns: int, seed: int) -> EntryKills:
    """Kills each of some ways into one bank so many times, and returns what became of the turns."""
    rng = random.Random(f"{seed} {ways}")
    report = EntryKills("+".join(ways), turns=2 * turns)
    began = time.monotonic()
    with TemporaryDirectory() as folder, Upstream() as upstream:
        upstream.respond_with(_answer)
        trial = Trial(Path(folder), upstream.url)
        trial.log.parent.mkdir(parents=True)
        while report.kills < kills * len(ways):
            _write_log(trial.log, 1 + turns * report.kills // (kills * len(ways)))
            running = [_start(trial, way) for way in ways]
            for process in running:
                process.join(rng.uniform(0.0, LONGEST_S))
                process.kill()
                process.join()
                if process.exitcode not in (0, -signal.SIGKILL):
                    raise RuntimeError(f"{report.way} ended with {process.exitcode}")
                report.kills += process.exitcode != 0
        _write_log(trial.log, turns)
        for process in [_start(trial, way) for way in ways]:
            process.join()
            if process.exitcode:
                raise RuntimeError(f"{report.way} ended with {process.exitcode}")
        with trial.memory() as memory:
            found = Counter(each.text for each in memory.export(BANK))
    wanted = [f"{what} {number}" for number in range(turns) for what in ("question", "answer")]
    report.lost = sum(text not in found for text in wanted)
    report.doubled = sum(found.values()) - len(found)
    report.seconds = round(time.monotonic() - began, 1)
    return report


def _start(trial: Trial, way: str) -> Any:
    process = multiprocessing.get_context("fork").Process(target=WAYS[way], args=(trial,))
    process.start()
    return process


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
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for ways in (*([way] for way in WAYS), list(WAYS)):
        print(json.dumps(asdict(run(ways, options.kills, options.turns, options.seed))), flush=True)


if __name__ == "__main__":
    main()

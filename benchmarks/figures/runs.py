"""Commands that measure the figures of the documentation."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.locomo import read_locomo

ROOT = Path(__file__).resolve().parents[2]
#: Held-out texts, one file each; that of `LOCOMO` is converted from its own format.
LOCOMO = "locomo"
TEXTS = (
    *(LOCOMO, "en_irc", "en_sgd", "en_aider", "en_tau_retail", "en_swe_agent"),
    *("de_gesetze", "de_tldr", "fr_tldr", "ru_tldr"),
    *("ko_nsmc", "ko_songys", "ko_tldr", "ja_real_persona_chat", "ja_tldr", "zh_kdconv", "zh_tldr"),
    *("es_tldr", "pl_tldr", "tr_tldr", "uk_tldr", "el_tldr"),
)
SPEED_TEXTS = ("en_sgd", "en_aider", "ko_nsmc")
#: Readers of dense types, asked all questions of LoCoMo, and readers beside them.
DENSE_READERS = ("claude-fable-5", "gemini-3.6-flash")
OTHER_READERS = ("claude-opus-5", "gpt-5.6-sol", "deepseek-ocr", "native", "text")
EMBEDDERS = ("use", "none")
HALVES = ("dev", "held-out")


class RunFailed(Exception):
    """A command failed; its message says why."""


@dataclass(frozen=True)
class Run:
    """A command that prints JSON."""

    module: str
    arguments: Sequence[str]
    #: Estimated duration on two idle cores, where no run has been timed yet.
    minutes: float
    #: Whether it measures time, and has the machine to itself.
    timed: bool = False


def all_runs(data: Path, locomo: Path) -> dict[str, Run]:
    """Returns name → run. The first word of a name is the part to which it belongs. `data`: folder with `eval`, `train`
    and a checkout of tau-bench; `locomo`: the file that `write_locomo` writes."""
    files = {name: data / "eval" / f"{name}.jsonl.gz" for name in TEXTS} | {LOCOMO: locomo}
    texts = {names: [f"{name}={files[name]}" for name in names] for names in (TEXTS, SPEED_TEXTS)}
    questions = ("--locomo", str(data / "eval" / "locomo_dev.json.gz"))

    def bench(minutes: float, *arguments: str, timed: bool = False) -> Run:
        return Run("foxing.api.cli.main", ("codec", "bench", *arguments), minutes, timed)

    def load(name: str, minutes: float, *options: str) -> Run:
        return Run("benchmarks.load", ("--only", name, *options), minutes, timed=True)

    runs = {
        "overlap": Run("benchmarks.overlap", ("--data", str(data)), 5),
        "codec": bench(60, "--texts", *texts[TEXTS], "--pages", "10", "--identifiers", "4"),
        "repeated": bench(
            60, "--texts", *texts[TEXTS], *("--pages", "3", "--identifiers", "1", "--degraded", "--ageing")
        ),
        "characters": bench(
            15, *("--identifiers", "1", "--characters", "--tier", "base", "--tier", "small", "--tier", "tiny")
        ),
        "speed codec": bench(5, "--texts", *texts[SPEED_TEXTS], "--pages", "4", "--speed", timed=True),
        "speed bank": Run("benchmarks.bank", ("--texts", *texts[SPEED_TEXTS], "--pages", "4"), 5, timed=True),
        "recall words": Run("benchmarks.recall", (*questions, "--tier", "small", "--embedder", "none"), 10),
        "recall latency": Run("benchmarks.recall", (), 10, timed=True),
        "updates numbered": Run("benchmarks.updates", ("--numbered", "--embedder", "none"), 10),
        "decay ages": Run("benchmarks.decay", ("--data", str(data)), 90),
        "decay packages": Run(
            "benchmarks.decay",
            ("--data", str(data), "--source", LOCOMO, "--memory", "langgraph", "--memory", "mem0"),
            30,
        ),
        "decay small": Run("benchmarks.decay", ("--data", str(data), "--tier", "small", "--source", LOCOMO), 15),
        "decay micro": Run("benchmarks.decay", ("--data", str(data), "--tier", "micro"), 30),
        "service": Run("benchmarks.service", ("--requests", "500"), 1, timed=True),
        "commands": Run("benchmarks.commands", (), 2, timed=True),
        "stores": Run("benchmarks.stores", (), 6, timed=True),
        "idle": Run("benchmarks.idle_banks", ("--banks", "20000"), 8, timed=True),
        "idle postgresql": Run("benchmarks.idle_banks", ("--banks", "20000", "--postgresql"), 8, timed=True),
        "sizing": Run("benchmarks.sizing", ("--pages", "40"), 5, timed=True),
        "million": Run("benchmarks.million", (), 40, timed=True),
        "console": Run("benchmarks.console", ("--requests", "20", "--browser"), 30, timed=True),
        "images": Run("benchmarks.images", (), 20),
        "load mixed": load("mixed", 10),
        "load stores": load("stores", 2),
        "load batches": load("batches", 2),
        "load stalls": load("stalls", 5),
        "load stop": load("stop", 5),
        "load kills": load("kills", 20),
        "load kills-postgresql": load("kills", 25, "--postgresql"),
    }
    for tier in ("small", "tiny"):
        runs[f"recall {tier}"] = Run("benchmarks.recall", (*questions, "--tier", tier), 10)
    for embedder in EMBEDDERS:
        for name in ("relevance", "updates"):
            runs[f"{name} {embedder}"] = Run(f"benchmarks.{name}", (*questions, "--embedder", embedder), 10)
    for name, readers, options in (("dense", DENSE_READERS, ("--questions", "760")), ("others", OTHER_READERS, ())):
        runs[f"context {name}"] = Run("benchmarks.context", (*questions, *_each("--reader", readers), *options), 40)
    for half in HALVES:
        checkout = (str(data / "tau-bench"), "--half", half)
        runs[f"resume {half}"] = Run("benchmarks.resume", checkout, 60)
        runs[f"resume {half} padded"] = Run("benchmarks.resume", (*checkout, "--wordings", "2", "--pad", "10"), 90)
    return runs


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [part for value in values for part in (option, value)]


def write_locomo(data: Path, file: Path) -> None:
    """Writes the conversations of LoCoMo to `file` as JSON Lines."""
    with file.open("w", encoding="utf-8") as lines:
        for number, conversation in enumerate(read_locomo(data / "eval" / "locomo_dev.json.gz")):
            messages = [{"role": m.role, "name": m.name, "content": m.content} for m in conversation.messages]
            lines.write(json.dumps({"id": f"{LOCOMO}-{number}", "lang": "en", "messages": messages}) + "\n")


def run_json(run: Run) -> Any:
    """Returns the JSON that a run prints, without the Foxing settings of this machine. Raises `RunFailed`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOXING_")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
    if not run.timed:
        environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-W", "ignore", "-m", run.module, *run.arguments, "--json"]
    with tempfile.TemporaryDirectory(prefix="foxing-figures-") as folder:  # has no foxing.toml
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    if done.returncode:
        raise RunFailed(done.stderr.strip()[-500:] or f"status {done.returncode}")
    return json.loads(done.stdout)

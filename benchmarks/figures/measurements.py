"""Measurements of the documentation. Each runs public commands in subprocesses."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.locomo import read_locomo
from benchmarks.resume.phrases import HALVES
from foxing.encoder import load_codec
from foxing.memory.index.model_source import NONE

from .document import MEASURED, Measurement

ROOT = Path(__file__).resolve().parents[2]

#: Groups of held-out texts, one file each; the file of `LOCOMO` is converted from its own format.
LOCOMO = "locomo"
GROUPS = (
    *(LOCOMO, "en_irc", "en_sgd", "en_aider", "en_tau_retail", "en_swe_agent"),
    *("de_gesetze", "de_tldr", "fr_tldr", "ru_tldr"),
    *("ko_nsmc", "ko_songys", "ko_tldr", "ja_real_persona_chat", "ja_tldr", "zh_kdconv", "zh_tldr"),
    *("es_tldr", "pl_tldr", "tr_tldr", "uk_tldr", "el_tldr"),
)
SPEED_GROUPS = ("en_sgd", "en_aider", "ko_nsmc")
CHARACTER_TIERS = ("base", "small", "tiny")
LOCOMO_TIERS = ("small", "tiny")
RELEVANCE_EMBEDDERS = ("use", "none")
DECAY_TIERS = ("small", "micro")
DECAY_PACKAGES = ("langgraph", "mem0")  # names of modules, and of memories of `benchmarks.decay`
#: Maximum number of dense pages per group, for accuracy.
PAGES = 10
#: Readers of dense types, whose context is measured on all questions of LoCoMo, and readers beside them.
DENSE_READERS, ALL_QUESTIONS = ("claude-fable-5", "gemini-3.6-flash"), "760"
OTHER_READERS = ("claude-opus-5", "gpt-5.6-sol", "deepseek-ocr", "native", "text")
#: Options of the interrupted tasks, alone and with ten times as many other conversations.
RESUME_OPTIONS, RESUME_PADDED = ("--tasks", "35"), ("--wordings", "2", "--pad", "10")
REPEATED_PAGES = 3  # for altered images and repeated ageing
SPEED_PAGES = 4
IDENTIFIER_PAGES = 4  # pages of random identifiers


def run_json(module: str, *arguments: str) -> Any:
    """Returns the JSON that `python -m MODULE … --json` writes, run without the Foxing settings of this machine. Exits
    if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOXING_")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments, "--json"]
    with tempfile.TemporaryDirectory(prefix="foxing-figures-") as folder:  # has no foxing.toml
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[3:])} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def _codec_bench(*arguments: str) -> Any:
    return run_json("foxing.api.cli.main", "codec", "bench", *arguments)


@contextmanager
def _texts(data: Path, groups: Sequence[str]) -> Iterator[list[str]]:
    """Files of `groups` as NAME=FILE; the file of LoCoMo is temporary."""
    with tempfile.TemporaryDirectory(prefix="foxing-figures-") as folder:
        files = {group: data / "eval" / f"{group}.jsonl.gz" for group in groups}
        if LOCOMO in files:
            files[LOCOMO] = Path(folder) / "locomo.jsonl"
            files[LOCOMO].write_text("".join(_locomo_documents(data)), encoding="utf-8")
        yield [f"{group}={file}" for group, file in files.items()]


def _locomo_documents(data: Path) -> Iterator[str]:
    """Conversations of LoCoMo as JSON Lines."""
    for number, conversation in enumerate(read_locomo(data / "eval" / "locomo_dev.json.gz")):
        messages = [
            {"role": message.role, "name": message.name, "content": message.content}
            for message in conversation.messages
        ]
        yield json.dumps({"id": f"{LOCOMO}-{number}", "lang": "en", "messages": messages}) + "\n"


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    return [part for value in values for part in (option, value)]


def _codec_bench_on(data: Path, pages: int, *options: str, groups: Sequence[str] = GROUPS) -> Any:
    """Runs `foxing codec bench` on at most `pages` pages per group."""
    with _texts(data, groups) as texts:
        # the first pages of LoCoMo are skipped too, although no weights were chosen on them
        return _codec_bench(*_repeated("--texts", texts), "--pages", str(pages), *options)


def measure_codec(data: Path) -> Measurement:
    """Measures accuracy and size of pages, by group and tier."""
    return {"rows": _codec_bench_on(data, PAGES, "--identifiers", str(IDENTIFIER_PAGES))["rows"]}


def measure_repeated(data: Path) -> Measurement:
    """Measures altered images and ageing tier by tier, on fewer pages."""
    options = ("--identifiers", "1", "--degraded", "--ageing")
    return {"rows": _codec_bench_on(data, REPEATED_PAGES, *options)["rows"]}


def measure_characters(_: Path) -> Measurement:
    """Measures accuracy by kind of character."""
    tiers = _repeated("--tier", CHARACTER_TIERS)
    return {"rows": _codec_bench("--identifiers", "1", "--characters", *tiers)["characters"]}


def measure_speed(data: Path) -> Measurement:
    """Measures the speed of the codec alone and of a bank."""
    speed = _codec_bench_on(data, SPEED_PAGES, "--speed", groups=SPEED_GROUPS)["speed"]
    with _texts(data, SPEED_GROUPS) as texts:
        bank = run_json("benchmarks.bank", "--texts", *texts, "--pages", str(SPEED_PAGES))["bank"]
    return {"speed": speed, "bank": bank}


def measure_recall(data: Path) -> Measurement:
    """Measures evidence recall on LoCoMo, by tier, and at the first of them without embeddings."""
    locomo = str(data / "eval" / "locomo_dev.json.gz")
    common = ("benchmarks.recall", "--locomo", locomo, "--tier")
    return {
        "locomo": {tier: run_json(*common, tier) for tier in LOCOMO_TIERS},
        "words": run_json(*common, LOCOMO_TIERS[0], "--embedder", NONE),
    }


def measure_recall_speed(_: Path) -> Measurement:
    """Measures the latency of recall in a large bank."""
    return dict(run_json("benchmarks.recall"))


def measure_relevance(data: Path) -> Measurement:
    """Measures the relevance of recall on LoCoMo, with embeddings and without."""
    locomo = str(data / "eval" / "locomo_dev.json.gz")
    return {
        "rows": [
            run_json("benchmarks.relevance", "--locomo", locomo, "--embedder", embedder)["relevance"]
            for embedder in RELEVANCE_EMBEDDERS
        ]
    }


def measure_updates(data: Path) -> Measurement:
    """Measures whether the newest of statements that replace each other comes first, by embedder."""
    locomo = str(data / "eval" / "locomo_dev.json.gz")
    return {
        "rows": [
            run_json("benchmarks.updates", "--locomo", locomo, "--embedder", embedder)["updates"]
            for embedder in RELEVANCE_EMBEDDERS
        ]
    }


def measure_resume(data: Path) -> Measurement:
    """Measures interrupted tasks that one recall resumes, of both halves. `data`/tau-bench: a checkout of tau-bench."""
    runs = [
        run_json("benchmarks.resume", str(data / "tau-bench"), "--half", half, *RESUME_OPTIONS, *padded)
        for half in HALVES
        for padded in ((), RESUME_PADDED)
    ]
    return joined_runs(runs)


def joined_runs(runs: Sequence[Mapping[str, Any]]) -> Measurement:
    """Returns the rows of several runs of `benchmarks.resume`. A later run adds what the earlier ones do not have."""
    parts: dict[str, list[Any]] = {}
    for name, key in (("rows", ("half", "pad", "system", "age_days")), ("bytes", ("half", "pad", "age_days"))):
        by_key: dict[tuple[object, ...], Any] = {}
        for row in (row for run in runs for row in run[name]):
            by_key.setdefault(tuple(row[field] for field in key), row)
        parts[name] = list(by_key.values())
    return {**parts, "left_out": {name: reason for run in runs for name, reason in run["left_out"].items()}}


def measure_decay(data: Path) -> Measurement:
    """Measures what a memory still answers by age, beside other memories if they are installed, and by tier."""
    given = ("--data", str(data))
    packages = [name for name in DECAY_PACKAGES if find_spec(name) is not None]
    others = _repeated("--memory", packages)
    return {
        "rows": run_json("benchmarks.decay", *given)["decay"],
        "packages": run_json("benchmarks.decay", *given, "--source", LOCOMO, *others)["decay"] if packages else [],
        "tiers": [row for tier in DECAY_TIERS for row in _at_tier(data, tier)],
    }


def _at_tier(data: Path, tier: str) -> list[dict[str, Any]]:
    """Rows of all labelled texts at the lowest tier, and of LoCoMo alone at the others."""
    options = () if tier == DECAY_TIERS[-1] else ("--source", LOCOMO)
    rows: list[dict[str, Any]] = run_json("benchmarks.decay", "--data", str(data), "--tier", tier, *options)["decay"]
    return rows


def _context(data: Path, *options: str) -> list[dict[str, Any]]:
    locomo = str(data / "eval" / "locomo_dev.json.gz")
    rows: list[dict[str, Any]] = run_json("benchmarks.context", "--locomo", locomo, *options)["context"]
    return rows


def _context_in_processes(data: Path, parts: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Rows of several concurrent runs, one for each entry of `parts`, in their order."""
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(chain(*pool.map(lambda options: _context(data, *options), parts)))


def measure_context(data: Path) -> Measurement:
    """Measures evidence recall of context per billed token: of dense readers on all questions, of others on fewer."""
    parts = (
        ("--questions", ALL_QUESTIONS, *_repeated("--reader", DENSE_READERS)),
        _repeated("--reader", OTHER_READERS),
    )
    return {"rows": _context_in_processes(data, parts)}


def measure_service(_: Path) -> Measurement:
    """Measures the latency of storing over HTTP."""
    return dict(run_json("benchmarks.service", "--requests", "500"))


def measure_commands(_: Path) -> Measurement:
    """Measures a command, alone and answered by a service."""
    return dict(run_json("benchmarks.commands"))


def measure_stores(_: Path) -> Measurement:
    """Measures storing and searching beside other stores."""
    return dict(run_json("benchmarks.stores"))


#: Measurement → function that makes it from the data folder, in the order of execution.
MEASUREMENTS: Mapping[str, Callable[[Path], Measurement]] = {
    "codec": measure_codec,
    "repeated": measure_repeated,
    "characters": measure_characters,
    "speed": measure_speed,
    "recall": measure_recall,
    "recall-speed": measure_recall_speed,
    "relevance": measure_relevance,
    "updates": measure_updates,
    "decay": measure_decay,
    "resume": measure_resume,
    "context": measure_context,
    "service": measure_service,
    "commands": measure_commands,
    "stores": measure_stores,
}


def run_measurement(name: str, data: Path) -> Measurement:
    """Returns the results of a measurement, with its conditions."""
    conditions = {
        "weights": load_codec("native").weights,
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "day": datetime.now(UTC).date().isoformat(),
    }
    return {MEASURED: conditions, **MEASUREMENTS[name](data)}

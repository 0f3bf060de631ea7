"""Command line of the figures; see --help."""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .pictures import draw_pictures
from .results import Results, conditions
from .runs import ROOT, Run, RunFailed, all_runs, run_json, write_locomo
from .tables import TABLES

FIGURES = ROOT / "docs" / "figures.json"
IMAGES = ROOT / "docs" / "images"
DOCUMENTS = (ROOT / "README.md", ROOT / "encoder" / "native" / "MODEL_CARD.md", *sorted((ROOT / "docs").rglob("*.md")))
PICTURES, TABLES_ONLY = "pictures", "none"
#: Runs that measure no time and can share the two cores.
TOGETHER = 2


def with_tables(text: str, results: Results) -> str:
    """Returns `text` with the tables between `<!-- figures:NAME -->` and `<!-- /figures -->` made from `results`."""
    for name, table in TABLES.items():
        block = f"<!-- figures:{name} -->\n{table.text(results)}\n<!-- /figures -->"
        text = re.sub(
            rf"<!-- figures:{name} -->.*?<!-- /figures -->", block.replace("\\", r"\\"), text, flags=re.DOTALL
        )
    return text


def write_tables(results: Results) -> None:
    """Rewrites the tables in the documents."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        document.write_text(with_tables(text, results), encoding="utf-8")


def measure(runs: Mapping[str, Run], results: Results, now: Mapping[str, Any]) -> list[str]:
    """Measures `runs` that are not stored as of the commit and weights of `now`, and stores each when it is done; those
    that measure time alone, the others two at a time. Returns the names of those that failed."""
    failed = []

    def one(name: str) -> None:
        start = time.monotonic()
        try:
            result = run_json(runs[name])
        except RunFailed as error:
            failed.append(name)
            print(f"{name}: failed: {error}", file=sys.stderr, flush=True)
            return
        seconds = round(time.monotonic() - start)
        results.store(name, {**now, "seconds": seconds}, result)
        print(f"{name}: {seconds} s", flush=True)

    missing = [name for name in runs if not results.has(name, now)]
    with ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(one, (name for name in missing if not runs[name].timed)))
    for name in missing:
        if runs[name].timed:
            one(name)
    return failed


def show_plan(runs: Mapping[str, Run], results: Results) -> None:
    """Prints the runs, with what is stored of them and how long each takes: as timed, or as estimated (~)."""
    minutes = {}
    for name, run in runs.items():
        measured = results.measured(name)
        seconds = measured.get("seconds")
        minutes[name] = run.minutes if seconds is None else seconds / 60
        stored = f"{measured['day']}, commit {measured['commit']}" if measured else "not measured"
        print(f"{name:24} {'~' if seconds is None else ' '}{minutes[name]:6.1f} min  {stored}")
    alone = sum(minutes[name] for name in runs if runs[name].timed)
    together = sum(minutes.values()) - alone
    print(f"about {(alone + together / TOGETHER) / 60:.1f} h: {alone:.0f} min alone, {together:.0f} min two at a time")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command: measures, draws the pictures and writes the tables. Exits with status 1 if a run failed."""
    data = ROOT.parent / "shared" / "data"
    names = list(all_runs(data, data))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.figures",
        description="Measure all figures of the documentation into docs/figures.json, on the commit and with the "
        "weights of this checkout, write the tables made from it into README.md, the model card and docs/, and draw "
        "the pictures in docs/images. A run that is stored for this commit is skipped, so that an interrupted command "
        "resumes; delete it from docs/figures.json to repeat it.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=data,
        metavar="FOLDER",
        help="Folder with eval/ and train/ (JSON "
        "Lines of messages, and LoCoMo) and tau-bench/, a checkout (default: %(default)s).",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        choices=[*dict.fromkeys(n.split()[0] for n in names), *(n for n in names if " " in n), PICTURES, TABLES_ONLY],
        help="Only this run, or the runs of this part; can be repeated. 'none' only writes the tables.",
    )
    parser.add_argument("--plan", action="store_true", help="Print the runs and how long they take instead.")
    options = parser.parse_args(arguments)
    results, failed = Results(FIGURES), []
    with tempfile.TemporaryDirectory(prefix="foxing-figures-") as folder:
        locomo = Path(folder) / "locomo.jsonl"
        runs = all_runs(options.data.resolve(), locomo)
        if options.only:
            runs = {name: run for name, run in runs.items() if {name, name.split()[0]} & set(options.only)}
        if options.plan:
            show_plan(runs, results)
            return
        if runs:
            if any(str(locomo) in argument for run in runs.values() for argument in run.arguments):
                write_locomo(options.data, locomo)
            failed = measure(runs, results, conditions())
    if options.only is None or PICTURES in options.only:
        draw_pictures(results, IMAGES)
    write_tables(results)
    if failed:
        sys.exit(f"error: not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()

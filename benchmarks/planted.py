"""Share of planted instructions that rules recognise, by form and language, and of ordinary messages that they flag.

    python -m benchmarks.planted --planted planted.jsonl --ordinary ordinary.jsonl

Lines are objects with `lang`, `form`, `role` and `text`.
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from foxing.memory.text.planted import planted_form


def main() -> None:
    """Prints the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planted", type=Path, required=True)
    parser.add_argument("--ordinary", type=Path)
    parser.add_argument("--missed", action="store_true", help="also list what was missed and what was flagged")
    options = parser.parse_args()
    _report("recognised", options.planted, listed=False if options.missed else None)
    if options.ordinary is not None:
        _report("flagged", options.ordinary, listed=True if options.missed else None)


def _report(what: str, path: Path, *, listed: bool | None) -> None:
    totals = Counter[str]()
    hits = Counter[str]()
    characters, start = 0, time.process_time()
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        form = planted_form(entry["text"])
        characters += len(entry["text"])
        for key in ("all", f"lang {entry['lang']}", f"form {entry['form']}"):
            totals[key] += 1
            hits[key] += form is not None
        if listed is not None and (form is not None) == listed:
            print(f"  {entry['lang']} {entry['form']}: {entry['text'][:200]!r} {form or ''}")
    spent = time.process_time() - start
    for key in sorted(totals):
        print(f"{what} {key}: {hits[key]} of {totals[key]}, {hits[key] / totals[key]:.1%}")
    print(f"{1e6 * spent / max(1, sum(totals[k] for k in ('all',))):.0f} us a message, {characters} characters")


if __name__ == "__main__":
    main()

"""Command line of the figures; see --help."""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .document import Figures
from .measurements import MEASUREMENTS, ROOT, run_measurement
from .pictures import draw_pictures
from .tables import TABLES

FIGURES = ROOT / "docs" / "figures.json"
IMAGES = ROOT / "docs" / "images"
DOCUMENTS = (ROOT / "README.md", ROOT / "encoder" / "native" / "MODEL_CARD.md", *sorted((ROOT / "docs").rglob("*.md")))
PICTURES, NOTHING = "pictures", "none"
#: Measurements that have a picture.
DRAWN = frozenset({"context", "decay", "relevance"})


def with_tables(text: str, figures: Figures) -> str:
    """Returns `text` with the tables between `<!-- figures:NAME -->` and `<!-- /figures -->` replaced, except those
    that are not measured."""
    for name, table in TABLES.items():
        if _marker(name) in text and all(part in figures for part in table.measurements):
            text = _replace_block(text, name, table.make(figures))
    return text


def _marker(name: str) -> str:
    return f"<!-- figures:{name} -->"


def _replace_block(text: str, name: str, content: str) -> str:
    block = f"{_marker(name)}\n{content}\n<!-- /figures -->"
    return re.sub(rf"{_marker(name)}.*?<!-- /figures -->", lambda _: block, text, flags=re.DOTALL)


def write_tables(figures: Figures, documents: Sequence[Path]) -> None:
    """Rewrites the tables in `documents`."""
    for document in documents:
        text = document.read_text(encoding="utf-8")
        document.write_text(with_tables(text, figures), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command: measures, stores the figures, draws the pictures and writes the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.figures",
        description="Measure the figures of the documentation into docs/figures.json, write the tables made from it "
        "into README.md, the model card and docs/, and draw the pictures in docs/images.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=ROOT.parent / "shared" / "data",
        metavar="FOLDER",
        help="FOLDER/eval holds the held-out JSON Lines of messages, and LoCoMo (default: %(default)s).",
    )
    parser.add_argument(
        "--only",
        choices=(*MEASUREMENTS, PICTURES, NOTHING),
        action="append",
        help="Run only this part; can be repeated. 'none' only writes the tables from docs/figures.json. Tables are "
        "always written.",
    )
    options = parser.parse_args(arguments)
    parts: Sequence[str] = options.only or (*MEASUREMENTS, PICTURES)
    figures = Figures.load(FIGURES, MEASUREMENTS)
    for name in MEASUREMENTS:
        if name in parts:
            start = datetime.now(UTC)
            measurement = run_measurement(name, options.data.resolve())
            figures = Figures.load(FIGURES, MEASUREMENTS)  # another process may have stored a part meanwhile
            figures.add(name, measurement)
            print(f"{name}: {(datetime.now(UTC) - start).total_seconds():.0f} s", flush=True)
            figures.save(FIGURES)
    if len(set(figures.weights.values())) > 1:
        print(f"the figures were measured with different weights; measure again: {figures.weights}", file=sys.stderr)
    if figures.outdated:
        print(f"outdated tables, unchanged until measured again: {', '.join(figures.outdated)}", file=sys.stderr)
    if (DRAWN | {PICTURES}) & set(parts):
        draw_pictures(figures, IMAGES)
    write_tables(figures, DOCUMENTS)


if __name__ == "__main__":
    main()

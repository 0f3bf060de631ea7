"""The traced part of architecture.md: what each call passes, between two marks in a page that is written by hand."""

from pathlib import Path

from .markdown import table
from .traces import Way, ways

PAGE = Path(__file__).resolve().parent.parent / "explanation" / "architecture.md"
BEGIN = "<!-- Traced by docs/generate.py from here on; do not edit. -->"
END = "<!-- End of what was traced. -->"


def architecture_page() -> str:
    """architecture.md with the traces of today."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{_traced(ways())}\n{END}{after}"


def _traced(found: list[Way]) -> str:
    counts = table(
        ("call", "files", "functions", "deepest chain"),
        [
            (f"`{way.call}`", str(len(way.trace.files)), str(way.trace.functions), str(len(way.trace.deepest)))
            for way in found
        ],
    )
    return "\n".join([counts, "", *map(_way, found)])


def _way(way: Way) -> str:
    """The files of a call in the order in which they are entered, each with its functions by name, and the deepest
    chain. In the order of calls, functions would follow matches of equal scores, which the key of the index orders."""
    chain = " → ".join(f"`{name}`" for _, name in way.trace.deepest)
    files = [
        f"- [{path}](../../{path}): {', '.join(f'`{name}`' for name in sorted(names))}"
        for path, names in way.trace.files.items()
    ]
    summary = f"<summary>{way.name}: {len(way.trace.files)} files in the order in which they are entered</summary>"
    return "\n".join(["<details>", summary, "", f"Deepest chain: {chain}", "", *files, "", "</details>", ""])

"""The page of traces: what each call passes."""

from .markdown import table
from .traces import Way, ways

HEAD = """\
<!-- Written by docs/generate.py; do not edit. -->
# Traces

What the calls of [architecture](architecture.md) pass, traced in one process on a bank of 128 messages, most of them
sealed and aged. Comprehensions and lambdas are not counted; a thread that a call starts has a chain of its own.

"""


def traces_page() -> str:
    """Returns the page: a table of the calls, and the files and functions of each."""
    traced = ways()
    counts = table(
        ("call", "files", "functions", "deepest chain"),
        [
            (f"`{way.call}`", str(len(way.trace.files)), str(way.trace.functions), str(len(way.trace.deepest)))
            for way in traced
        ],
    )
    return HEAD + "\n".join([counts, "", *map(_way, traced)])


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

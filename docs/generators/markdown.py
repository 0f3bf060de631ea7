"""Markdown for the generated pages."""

import re
from collections.abc import Sequence

_CODE = re.compile(r"(`+[^`]*`+)")


def escaped(text: str) -> str:
    """`text` on one line. `<` outside code is escaped, so that it is not taken for HTML."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def paragraphs(text: str) -> str:
    """The paragraphs of a docstring, each on one line."""
    return "\n\n".join(escaped(paragraph) for paragraph in text.split("\n\n") if paragraph.strip())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table without the columns that are empty in every row; the last column always stays."""
    last = len(head) - 1
    shown = [column for column in range(len(head)) if column == last or any(row[column] for row in rows)]
    lines = [
        [head[column] for column in shown],
        ["---"] * len(shown),
        *([_cell(row[column]) for column in shown] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

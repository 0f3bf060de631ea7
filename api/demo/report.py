"""The result of the demo, as JSON and for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from foxing.api.cli.output import minute
from foxing.memory import NewMessage, RecalledMessage, RecallResult

from .conversation import ENDS_AT, SEOUL
from .measurement import TierRow

_COLUMNS = ("tier", "pages", "vision tokens", "bytes", "bits/char", "words left", "facts left", "never said")
#: The full text of the pages and what is left of it, and each as zstd compresses it.
_TEXT_COLUMNS = ("tier", "full text", "zstd -19 of it", "left", "zstd -19 of what is left")


@dataclass(frozen=True)
class DemoAnswer:
    """A question and what the memory recalls."""

    question: str
    recall: RecallResult


@dataclass(frozen=True)
class DemoResult:
    """What became of the conversation."""

    #: How many were stored.
    messages: int
    #: The pages, by the tier at which they ended.
    tiers: Sequence[TierRow]
    answers: Sequence[DemoAnswer]
    #: Images and texts of one page at every tier.
    files: Sequence[Path]
    #: Duration of the whole demo.
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `foxing demo --json`."""
        return {
            "messages": self.messages,
            "pages": sum(row.pages for row in self.tiers),
            "tiers": [row.to_dict() for row in self.tiers],
            "answers": [
                {"question": answer.question, "recall": answer.recall.model_dump(mode="json")}
                for answer in self.answers
            ],
            "files": [str(path) for path in self.files],
            "seconds": round(self.seconds, 1),
        }


def show_introduction(console: Console, messages: Sequence[NewMessage]) -> None:
    """Says what the demo is about to do."""
    console.print(
        f"Storing {len(messages):,} messages of an agent and its user, dated "
        f"{minute(messages[0].created_at, SEOUL)} to {minute(ENDS_AT, SEOUL)}, while their pages are sealed and age in "
        "simulated time.",
        soft_wrap=True,
    )


def show_result(console: Console, result: DemoResult) -> None:
    """Prints the pages by tier, the answer to the question, and the files written."""
    pages = _table(f"Pages by tier on {minute(ENDS_AT, SEOUL)}", _COLUMNS)
    texts = _table("Their text, in characters, and as zstd compresses it, in bytes", _TEXT_COLUMNS)
    for row in result.tiers:
        pages.add_row(
            *(row.tier, str(row.pages), f"{row.vision_tokens:,}", f"{row.token_bytes:,}"),
            f"{row.bits_per_character:.2f}",
            f"{row.words_kept / row.words:.1%}",
            f"{row.facts_kept / max(1, row.facts):.1%}",
            f"{row.words_invented}",
        )
        sizes = (row.characters, row.zstd_bytes, row.characters_left, row.zstd_bytes_left)
        texts.add_row(row.tier, *(f"{size:,}" for size in sizes))
    console.print(pages)
    console.print(texts)
    console.print(
        "Bytes and bits/char: the vision tokens, over the characters of the full text. zstd -19 compresses the full "
        "text of the pages as one stream, of which nothing fades; beside it stands what is left, compressed the same "
        "way. Words left: of the words that were said, those still read from the vision tokens; facts are names, "
        "numbers, dates and negations; never said: words that are read and were not there. A vision token is a unit "
        "of storage here, not of LLM context.\n",
        style="dim",
    )
    for answer in result.answers:
        console.print(Text.assemble((f"> {answer.question}", "bold")))
        for span in answer.recall.spans:
            console.print(_span_text(span), soft_wrap=True)
        console.print()
    console.print(
        f"{len(result.files)} files in {result.files[0].parent}: one page at every tier, and the text decoded from "
        f"each. Took {result.seconds:.0f} s.",
        soft_wrap=True,
    )


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name == "tier" else "right")
    return table


def _span_text(span: RecalledMessage) -> Text:
    """The span with its uncertain runs in reverse video."""
    tier = f", {span.tier}" if span.tier else ""
    text = Text(f"\n{minute(span.created_at, SEOUL)} {span.name or span.role}", style="cyan")
    text.append(f"  {span.source}{tier}, {span.kept_percent}% kept, confidence {span.confidence:.3f}\n", style="dim")
    body = Text(span.text, style="default")
    for start, stop, _ in span.uncertain:
        body.stylize("reverse", start, stop)
    return text.append_text(body)

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

_COLUMNS = ("tier", "pages", "characters", "vision tokens", "token bytes", "zstd -19", "bits/char", "accuracy")


@dataclass(frozen=True)
class DemoResult:
    """What became of the conversation."""

    #: How many were stored.
    messages: int
    #: The pages, by the tier at which they ended.
    tiers: Sequence[TierRow]
    question: str
    answer: RecallResult
    #: Images and texts of one page at every tier.
    files: Sequence[Path]
    #: Duration of the whole demo.
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `foxing demo --json`."""
        return {
            "messages": self.messages,
            "pages": sum(row.pages for row in self.tiers),
            "tiers": [
                {
                    **vars(row),
                    "bits_per_character": round(row.bits_per_character, 3),
                    "accuracy": round(row.accuracy, 5),
                }
                for row in self.tiers
            ],
            "question": self.question,
            "recall": self.answer.model_dump(mode="json"),
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
    table = Table(title=f"Pages by tier on {minute(ENDS_AT, SEOUL)}", title_justify="left")
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name == "tier" else "right")
    for row in result.tiers:
        table.add_row(
            *(row.tier, str(row.pages), f"{row.characters:,}", f"{row.vision_tokens:,}", f"{row.token_bytes:,}"),
            *(f"{row.zstd_bytes:,}", f"{row.bits_per_character:.2f}", f"{row.accuracy:.2%}"),
        )
    console.print(table)
    console.print(
        "zstd -19: bytes of the same text, compressed exactly as one stream. Accuracy: 1 − Levenshtein distance / "
        "longer length, between the page as sealed and the text decoded from its vision tokens alone. A vision token "
        "is a unit of storage here, not of LLM context.\n",
        style="dim",
    )
    console.print(Text.assemble((f"> {result.question}", "bold")))
    for span in result.answer.spans:
        console.print(_span_text(span), soft_wrap=True)
    console.print(
        f"\n{len(result.files)} files in {result.files[0].parent}: one page at every tier, and the text decoded from "
        f"each. Took {result.seconds:.0f} s.",
        soft_wrap=True,
    )


def _span_text(span: RecalledMessage) -> Text:
    """The span with its uncertain runs in reverse video."""
    tier = f", {span.tier}" if span.tier else ""
    text = Text(f"\n{minute(span.created_at, SEOUL)} {span.name or span.role}", style="cyan")
    kept = f", {span.kept:.0%} kept" if span.gaps else ""
    text.append(f"  {span.source}{tier}{kept}, confidence {span.confidence:.3f}\n", style="dim")
    body = Text(span.text, style="default")
    for start, stop, _ in span.uncertain:
        body.stylize("reverse", start, stop)
    return text.append_text(body)

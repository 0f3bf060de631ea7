"""The result of the demo, as JSON and as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from foxing.api.cli.output import Timezone, table
from foxing.api.cli.recall import show_span
from foxing.memory import NewMessage, RecallResult

from .conversation import ENDS_AT, SEOUL
from .measurement import TierRow

TIMEZONE = Timezone("Asia/Seoul", SEOUL)


@dataclass(frozen=True)
class DemoAnswer:
    """A question and the recalled messages."""

    question: str
    recall: RecallResult


@dataclass(frozen=True)
class DemoResult:
    """Result of the demo."""

    #: Number of stored messages.
    messages: int
    #: The pages by their final tier.
    tiers: Sequence[TierRow]
    answers: Sequence[DemoAnswer]
    #: Images and texts of one page at every tier.
    files: Sequence[Path]
    #: Duration of the whole demo, in seconds.
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON document of `foxing demo --json`."""
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


def introduction(messages: Sequence[NewMessage]) -> str:
    """Returns a sentence that describes what the demo does."""
    return (
        f"Storing {len(messages):,} messages of an agent and its user, dated "
        f"{TIMEZONE.show(messages[0].created_at)} to {TIMEZONE.show(ENDS_AT)}; their pages are sealed and age in "
        "simulated time."
    )


def show_result(console: Console, result: DemoResult) -> None:
    """Prints the pages by tier, the answer to the question, and the files written."""
    pages = table(
        "tier, >pages, >vision tokens, >bytes, >bits/char, >words kept, >facts kept, >invented",
        [
            (
                *(row.tier, row.pages, row.vision_tokens, row.token_bytes, f"{row.bits_per_character:.2f}"),
                f"{row.words_kept / row.words:.1%}",
                f"{row.facts_kept / max(1, row.facts):.1%}",
                row.words_invented,
            )
            for row in result.tiers
        ],
    )
    texts = table(
        "tier, >original text, >zstd -19, >remaining text, >zstd -19",
        [(row.tier, row.characters, row.zstd_bytes, row.characters_left, row.zstd_bytes_left) for row in result.tiers],
    )
    console.print(f"\nPages by tier on {TIMEZONE.show(ENDS_AT)}", pages, sep="\n")
    console.print("\nText of these pages in characters, and compressed by zstd in bytes", texts, sep="\n")
    console.print(
        "\nbytes: size of the vision tokens; bits/char: the same per character of the original text. words kept: share "
        "of the original words that are still read from the vision tokens; facts are names, numbers, dates, "
        "identifiers and negations with what they negate; invented: words that are read but are not in the original. "
        "zstd compresses all pages of a tier as "
        "one stream. A vision token is a unit of storage here, not of LLM context.\n",
        style="dim",
    )
    for answer in result.answers:
        console.print(f"> {answer.question}\n", style="bold")
        for span in answer.recall.spans:
            show_span(console, span, TIMEZONE)
    console.print(
        f"{len(result.files)} files written to {result.files[0].parent}: one page at every tier as an image, and the "
        f"text decoded from it. Took {result.seconds:.0f} s.",
    )

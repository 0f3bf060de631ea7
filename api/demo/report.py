"""The result of the demo, as JSON and for people."""

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


def introduction(messages: Sequence[NewMessage]) -> str:
    """Says what the demo is about to do."""
    return (
        f"Storing {len(messages):,} messages of an agent and its user, dated "
        f"{TIMEZONE.show(messages[0].created_at)} to {TIMEZONE.show(ENDS_AT)}, while their pages are sealed and age in "
        "simulated time."
    )


def show_result(console: Console, result: DemoResult) -> None:
    """Prints the pages by tier, the answer to the question, and the files written."""
    pages = table(
        "tier, >pages, >vision tokens, >bytes, >bits/char, >words left, >facts left, >never said",
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
        "tier, >full text, >zstd -19 of it, >left, >zstd -19 of what is left",
        [(row.tier, row.characters, row.zstd_bytes, row.characters_left, row.zstd_bytes_left) for row in result.tiers],
    )
    console.print(f"\nPages by tier on {TIMEZONE.show(ENDS_AT)}", pages, sep="\n")
    console.print("\nTheir text, in characters, and as zstd compresses it, in bytes", texts, sep="\n")
    console.print(
        "\nBytes and bits/char: the vision tokens, over the characters of the full text. zstd -19 compresses the full "
        "text of the pages as one stream, of which nothing fades; beside it stands what is left, compressed the same "
        "way. Words left: of the words that were said, those still read from the vision tokens; facts are names, "
        "numbers, dates and negations; never said: words that are read and were not there. A vision token is a unit "
        "of storage here, not of LLM context.\n",
        style="dim",
    )
    for answer in result.answers:
        console.print(f"> {answer.question}\n", style="bold")
        for span in answer.recall.spans:
            show_span(console, span, TIMEZONE)
    console.print(
        f"{len(result.files)} files in {result.files[0].parent}: one page at every tier, and the text decoded from "
        f"each. Took {result.seconds:.0f} s.",
    )

"""Survival of answers under fading: words of LoCoMo's answers that their evidence messages still hold, by tier.

python -m benchmarks.faded_answers --locomo locomo_dev.json.gz --json
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from foxing.encoder.bench.word_classes import WordClass, classify, lower_case, words_of
from foxing.encoder.bench.word_lists import ENGLISH
from foxing.memory import Memory
from foxing.renderer import FoxingError

from .command_line import Advance, add_json_option, progress_bar, show_rows, write_json
from .locomo import Question, read_locomo

BASE = "base"
AGED_TIERS = ("small", "tiny", "micro")
CATEGORIES = range(1, 5)  # category 5 is adversarial: its questions have no answer
#: No text is kept, not even at `base`, so that everything is decoded.
KEEP_NO_TEXT = f"until:{BASE}"


@dataclass(frozen=True)
class FadedAnswers:
    """Answer words that evidence messages at one tier still hold."""

    tier: str
    #: Questions of `CATEGORIES` with a word of their answer in their evidence.
    questions: int
    #: Answer words that occur in the evidence, without the commonest English words, each once per question.
    words: int
    #: Share of these words that are still read.
    kept: float
    #: Share of the questions for which all of these words are read.
    complete_answers: float
    #: `kept` ÷ `kept` at `base`.
    against_base: float


@dataclass(frozen=True)
class Answer:
    """The answer to a question, with its evidence."""

    #: Ids of the evidence messages.
    evidence: frozenset[str]
    #: Words of the answer that occur in the evidence.
    words: frozenset[str]

    def words_in(self, texts: Mapping[str, str]) -> int:
        """Returns the number of answer words in the evidence. `texts`: message id → text."""
        return len(self.words & _words(texts[each] for each in self.evidence))


def measure_faded_answers(
    memory: Memory, file: Path, tiers: Sequence[str] = AGED_TIERS, progress: Advance | None = None
) -> list[FadedAnswers]:
    """Returns a row for `base` and each of `tiers`, highest resolution first. Stores each LoCoMo conversation in a bank
    without kept text and ages it from tier to tier. Raises `InvalidInput` for a file that is not LoCoMo."""
    conversations = read_locomo(file)
    found: dict[str, list[tuple[int, int]]] = {
        tier: [] for tier in (BASE, *tiers)
    }  # words of an answer, and how many are kept
    for number, conversation in enumerate(conversations):
        bank = f"locomo-{number}"
        originals = {str(message.id): message.text for message in conversation.messages}
        answers = [answer for question in conversation.questions if (answer := answer_of(question, originals)).words]
        memory.store(bank, conversation.messages)
        for tier in found:
            hold_at(memory, bank, tier)
            texts = {span.message_id: span.text for span in memory.export(bank)}
            found[tier] += [(len(answer.words), answer.words_in(texts)) for answer in answers]
        if progress is not None:
            progress(number + 1, len(conversations))
    base = kept_share(found[BASE])
    return [
        FadedAnswers(
            tier=tier,
            questions=len(counts),
            words=sum(words for words, _ in counts),
            kept=kept_share(counts),
            complete_answers=sum(words == kept for words, kept in counts) / max(1, len(counts)),
            against_base=kept_share(counts) / base if base else 0.0,
        )
        for tier, counts in found.items()
    ]


def answer_of(question: Question, originals: Mapping[str, str]) -> Answer:
    """Returns the answer to a question, without words if the question is of another category. `originals`: message id →
    text."""
    said = _words(originals[each] for each in question.evidence)
    words = _content_words(question.answer) & said if question.category in CATEGORIES else frozenset()
    return Answer(question.evidence, frozenset(words))


def hold_at(memory: Memory, bank: str, tier: str) -> None:
    """Seals a bank at `base`, or ages it to another tier."""
    steps = [] if tier == BASE else [{"after": "PT1S", "tier": tier}]
    policy = {"fresh": BASE, "steps": steps, "keep_text": KEEP_NO_TEXT, "age_from": "message"}
    memory.set_policy(bank, policy)
    if tier == BASE:
        memory.seal(bank)
    else:
        memory.age(bank)


def kept_share(counts: Sequence[tuple[int, int]]) -> float:
    """Returns the share of words kept. `counts`: words and kept words of each answer."""
    return sum(kept for _, kept in counts) / max(1, sum(words for words, _ in counts))


def _words(texts: Iterable[str]) -> frozenset[str]:
    """Words of texts, normalised for comparison."""
    return frozenset(_compared(word.text) for text in texts for word in words_of(text))


def _content_words(text: str) -> frozenset[str]:
    """Words of `text` without the commonest English ones."""
    words = words_of(text)
    classes = classify(text, words, ENGLISH)
    return frozenset(
        _compared(word.text) for word, found in zip(words, classes, strict=True) if found != WordClass.COMMON
    )


def _compared(word: str) -> str:
    """Lower case, without a possessive ending."""
    return lower_case(word).removesuffix("'s")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if the file is not LoCoMo."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faded_answers",
        description="Measure the share of the words of LoCoMo's answers that their evidence still holds, by tier.",
    )
    parser.add_argument(
        "--locomo", type=Path, required=True, metavar="FILE", help="LoCoMo with its questions, as JSON or gzipped."
    )
    parser.add_argument(
        "--tier",
        action="append",
        choices=AGED_TIERS,
        help="Tier to measure in addition to base; can be repeated (default: all).",
    )
    add_json_option(parser)
    options = parser.parse_args(arguments)
    tiers = [tier for tier in AGED_TIERS if options.tier is None or tier in options.tier]
    with (
        tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder,
        Memory(Path(folder) / "bench.db") as memory,
        progress_bar("measuring") as progress,
    ):
        try:
            rows = [asdict(row) for row in measure_faded_answers(memory, options.locomo, tiers, progress)]
        except FoxingError as error:
            sys.exit(f"error: {error}")
    if options.as_json:
        write_json({"answers": rows})
    else:
        show_rows(rows)


if __name__ == "__main__":
    main()

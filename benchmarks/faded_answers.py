"""Whether answers survive fading: the words of LoCoMo's answers that are still in their evidence messages, by tier.

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
CATEGORIES = range(1, 5)  # category 5 asks for what was never said
#: Nothing is read from kept text, at `base` neither.
KEEP_NO_TEXT = f"until:{BASE}"


@dataclass(frozen=True)
class FadedAnswers:
    """What messages held at one tier still say of the answers that they are the evidence for."""

    tier: str
    #: Questions of `CATEGORIES` with a word of their answer in their evidence.
    questions: int
    #: Words of their answers that the evidence holds, commonest words of English left out, each once per question.
    words: int
    #: Share of these words that are still read.
    kept: float
    #: Share of the questions that have all of these words.
    whole_answers: float
    #: `kept` ÷ the same at `base`.
    against_base: float


@dataclass(frozen=True)
class Answer:
    """The answer to a question, and where it stands."""

    #: Ids of its evidence.
    evidence: frozenset[str]
    #: Its words in the evidence.
    words: frozenset[str]

    def words_in(self, texts: Mapping[str, str]) -> int:
        """How many of the words are in its evidence, by message id."""
        return len(self.words & _words(texts[each] for each in self.evidence))


def measure_faded_answers(
    memory: Memory, file: Path, tiers: Sequence[str] = AGED_TIERS, progress: Advance | None = None
) -> list[FadedAnswers]:
    """A row for `base` and each of `tiers`, the sharpest first. LoCoMo is stored as a bank for each conversation,
    without kept text, and ages from tier to tier. Raises `InvalidInput` for a file that is not LoCoMo."""
    conversations = read_locomo(file)
    found: dict[str, list[tuple[int, int]]] = {
        tier: [] for tier in (BASE, *tiers)
    }  # words of an answer, and those kept
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
            whole_answers=sum(words == kept for words, kept in counts) / max(1, len(counts)),
            against_base=kept_share(counts) / base if base else 0.0,
        )
        for tier, counts in found.items()
    ]


def answer_of(question: Question, originals: Mapping[str, str]) -> Answer:
    """No words if the question is of another category."""
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
    return sum(kept for _, kept in counts) / max(1, sum(words for words, _ in counts))


def _words(texts: Iterable[str]) -> frozenset[str]:
    """The words of texts, in the form in which they are compared."""
    return frozenset(_compared(word.text) for text in texts for word in words_of(text))


def _content_words(text: str) -> frozenset[str]:
    """The words of `text` without the commonest of English."""
    words = words_of(text)
    classes = classify(text, words, ENGLISH)
    return frozenset(
        _compared(word.text) for word, found in zip(words, classes, strict=True) if found != WordClass.COMMON
    )


def _compared(word: str) -> str:
    """In lower case and without a possessive ending."""
    return lower_case(word).removesuffix("'s")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faded_answers",
        description="Measure which share of the words of LoCoMo's answers is still in their evidence, by tier.",
    )
    parser.add_argument(
        "--locomo", type=Path, required=True, metavar="FILE", help="LoCoMo with its questions, as JSON or gzipped."
    )
    parser.add_argument(
        "--tier",
        action="append",
        choices=AGED_TIERS,
        help="Tier to measure beside base; may be given more than once (default: all).",
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

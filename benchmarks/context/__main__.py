"""Measures the evidence recall of context on LoCoMo per billed token: as text, as page images, and as the best of both,
beside the newest messages that fit and random page images.

Page images are assumed to be read without error at the type size that the reader is known to read. A message that
images show only in part does not count. The questions are asked from a new thread, so that the whole budget is spent on
recalled messages.

python -m benchmarks.context --locomo locomo_dev.json.gz --json
python -m benchmarks.context --locomo locomo_dev.json.gz --reader claude --plot context.svg
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import NamedTuple, get_args

from cachetools import LRUCache

from benchmarks.command_line import Advance, add_json_option, at_least, progress_bar, show_rows, write_json
from benchmarks.evidence import CATEGORIES, OPEN, found_share, store_at
from benchmarks.locomo import Conversation, Question, read_locomo
from foxing.memory import ContextRequest, Memory
from foxing.memory.context.composed import Composer, Composition
from foxing.memory.context.prompt_images import PromptImage
from foxing.memory.pages.reader_pages import ReaderPages
from foxing.memory.recall.answer import Enough
from foxing.memory.recall.search import Recaller
from foxing.memory.values.context import Show
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import RELEVANCE_FLOOR, RecallQuery, RecallResult
from foxing.renderer import FoxingError
from foxing.renderer.readers import Reader, Readers

from .plot import plot
from .rivals import RandomImages, newest

BUDGETS = (512, 1024, 2048, 4096, 8192)
QUESTIONS = 190  # every fourth of LoCoMo dev
NEW_THREAD = "a new thread"
#: What context is compared with, and the ways of showing that are the same for every reader.
RIVALS, AS_TEXT = ("newest", "random"), ("text", "newest")
IMAGE_BYTES = 1 << 30  # image cache: holds the pages of one conversation for all readers


@dataclass(frozen=True)
class ContextRow:
    """Context of one reader within one budget, as means over the questions."""

    reader: str
    tier: str
    budget: int
    #: best, text or images; newest: the newest messages that fit, as text; random: random page images
    show: str
    questions: int
    #: evidence recall: share of the evidence that is shown
    evidence: float
    billed_tokens: float
    text_tokens_instead: float
    images: float

    @property
    def per_token(self) -> float:
        """Evidence recall per thousand billed tokens."""
        return 1000 * self.evidence / self.billed_tokens if self.billed_tokens else 0.0


class _Answered(NamedTuple):
    """Context of one question."""

    evidence: float
    billed_tokens: int
    text_tokens_instead: int
    images: int


@dataclass(frozen=True)
class _Stored:
    """A conversation in a bank, with the texts that the memory still holds."""

    bank: str
    conversation: Conversation
    #: message id → text
    held: dict[str, str]


def measure(
    memory: Memory, conversations: Sequence[Conversation], options: argparse.Namespace, progress: Advance
) -> list[ContextRow]:
    """Returns a row for each reader, budget and way of showing. `options`: parsed arguments. Raises `FoxingError`."""
    stored = [_store(memory, n, conversation, options.tier) for n, conversation in enumerate(conversations)]
    asked = _spread(
        [(each, q) for each in stored for q in each.conversation.questions if q.category in CATEGORIES],
        options.questions,
    )
    cases = list(_cases(options))
    _prepare(memory)
    rivals = _Rivals(memory)
    answers: dict[_Case, list[_Answered]] = {case: [] for case in cases}
    for number, each in enumerate(asked):
        progress(number, len(asked))
        of_all: dict[tuple[int, str], _Answered] = {}  # text does not depend on the reader
        for case in cases:
            answer = of_all.get((case.budget, case.show)) if case.show in AS_TEXT else None
            if answer is None and case.show in RIVALS:
                answer = rivals.answered(each, case)
            answer = answer or _answered(memory, each, case)
            of_all[case.budget, case.show] = answer
            answers[case].append(answer)
    return [_row(answers[case], case, options.tier) for case in cases]


class _Rivals:
    """Answers of the rivals."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._newest: dict[tuple[str, int], tuple[list[str], int]] = {}
        self._random: dict[tuple[str, str], RandomImages] = {}

    def answered(self, asked: tuple[_Stored, Question], case: "_Case") -> _Answered:
        """Returns the score of the newest messages, or of random images."""
        stored, question = asked
        if case.show == "newest":
            key = (stored.bank, case.budget)
            if key not in self._newest:
                self._newest[key] = newest(list(self._memory.export(stored.bank)), case.budget)
            keys, tokens = self._newest[key]
            images = 0
        else:
            of = (stored.bank, case.reader)
            if of not in self._random:
                self._random[of] = RandomImages(self._memory, stored.bank, Readers()[case.reader])
            keys, tokens, images = self._random[of].within(case.budget, f"{stored.bank} {question.text}")
        originals = {str(message.id): message.text for message in stored.conversation.messages}
        shown = {key: stored.held[key] for key in keys if key in stored.held}
        return _Answered(found_share(question, originals, shown), tokens, tokens, images)


def _prepare(memory: Memory) -> None:
    """Shares recall results among readers, and page images among ways of showing, to save time."""
    builder = memory._context
    builder.recaller = _RecallOnce(builder.recaller)
    builder._reader_pages = _ReaderPagesOnce(builder.database, builder.assembler.decoder, PromptImage.of, IMAGE_BYTES)
    builder._composer = _ComposeOnce(builder._reader_pages.proofs)


def _cases(options: argparse.Namespace) -> Iterator["_Case"]:
    """Readers, budgets and ways of showing, in the order of the rows."""
    floor = options.min_relevance
    return (_Case(r, b, show, floor) for r in options.readers for b in options.budgets for show in _ways(r))


class _Case(NamedTuple):
    """Case of a row: a reader, a budget and a way of showing."""

    reader: str
    budget: int
    show: str
    min_relevance: float = RELEVANCE_FLOOR

    @property
    def request(self) -> ContextRequest:
        """Request of the case, without the question."""
        return ContextRequest.from_fields({**self._asdict(), "thread": NEW_THREAD, "form": "blocks"})


class _RecallOnce(Recaller):
    """Caches recall results for all readers; nothing is stored between questions."""

    def __init__(self, recaller: Recaller) -> None:
        super().__init__(recaller.database, recaller.search, recaller.assembler)
        self._answers: LRUCache[tuple[str, RecallQuery, Enough | None], RecallResult] = LRUCache(len(BUDGETS))

    def recall(self, bank_name: str, query: RecallQuery, now: datetime, enough: Enough | None = None) -> RecallResult:
        """See `Recaller.recall`."""
        key = (bank_name, query, enough)
        if key not in self._answers:
            self._answers[key] = super().recall(bank_name, query, now, enough)
        return self._answers[key]


class _ReaderPagesOnce(ReaderPages[PromptImage]):
    """Caches the last page look-up for all ways of showing."""

    _last: tuple[Sequence[int], Reader] | None = None
    _found: Sequence[PromptImage] = ()

    def images(self, page_ids: Sequence[int], reader: Reader) -> list[PromptImage]:
        """See `ReaderPages.images`."""
        if self._last != (page_ids, reader):
            self._last, self._found = (page_ids, reader), super().images(page_ids, reader)
        return list(self._found)


class _ComposeOnce(Composer):
    """Caches the last composition for all ways of showing."""

    _last: tuple[object, ...] = ()
    _made: Composition | None = None

    def compose(
        self,
        spans: Sequence[RecalledMessage],
        reader: Reader,
        room: int,
        most_images: int,
        beside: Callable[[Sequence[PromptImage]], int],
    ) -> Composition | None:
        """See `Composer.compose`."""
        key = (spans, reader, room, most_images)
        if self._last != key:
            self._last, self._made = key, super().compose(spans, reader, room, most_images, beside)
        return self._made


def _ways(reader: str) -> Sequence[str]:
    return (*get_args(Show), *RIVALS) if Readers()[reader].accepts_images else AS_TEXT


def _store(memory: Memory, number: int, conversation: Conversation, tier: str) -> _Stored:
    bank = f"locomo-{number}"
    store_at(memory, bank, conversation, tier)
    return _Stored(bank, conversation, {message.message_id: message.text for message in memory.export(bank)})


def _spread(asked: Sequence[tuple[_Stored, Question]], count: int) -> list[tuple[_Stored, Question]]:
    """`count` questions at even distances."""
    return [asked[int(place * len(asked) / count)] for place in range(min(count, len(asked)))]


def _answered(memory: Memory, asked: tuple[_Stored, Question], case: _Case) -> _Answered:
    """Builds the context of one question and scores it."""
    stored, question = asked
    answer = memory.context(stored.bank, case.request.model_copy(update={"query": question.text}))
    originals = {str(message.id): message.text for message in stored.conversation.messages}
    shown = {key: stored.held[key] for key in answer.message_ids}
    images = sum(block["type"] == "image" for block in answer.content)
    return _Answered(found_share(question, originals, shown), answer.billed_tokens, answer.text_tokens_instead, images)


def _row(answers: Sequence[_Answered], case: _Case, tier: str) -> ContextRow:
    return ContextRow(
        case.reader,
        tier,
        case.budget,
        case.show,
        len(answers),
        fmean(answer.evidence for answer in answers),
        fmean(answer.billed_tokens for answer in answers),
        fmean(answer.text_tokens_instead for answer in answers),
        fmean(answer.images for answer in answers),
    )


def _parser() -> argparse.ArgumentParser:
    seeing = [name for name, reader in Readers().items() if reader.accepts_images]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.context",
        description="Measure the evidence recall of context on LoCoMo per billed token, by reader and budget.",
    )
    parser.add_argument("--locomo", type=Path, metavar="FILE", required=True, help="LoCoMo, as JSON or gzipped.")
    parser.add_argument("--reader", action="append", dest="readers", help="Reader; can be repeated (default: all).")
    parser.add_argument(
        "--budget", action="append", type=at_least(1), dest="budgets", help="Billed tokens; can be repeated."
    )
    parser.add_argument("--tier", choices=(OPEN, "small", "tiny", "micro"), default="small", help="Tier of the pages.")
    parser.add_argument("--questions", type=at_least(1), default=QUESTIONS, help="Number of questions, evenly spaced.")
    parser.add_argument(
        "--min-relevance",
        type=float,
        default=RELEVANCE_FLOOR,
        help="Least relevance of the best match; below it nothing is recalled (default: %(default)s, that of context).",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="File for a plot of the rows, such as context.svg.")
    add_json_option(parser)
    parser.set_defaults(readers=None, budgets=None, seeing=seeing)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns the exit status."""
    options = _parser().parse_args(arguments)
    options.readers = options.readers or ["text", *options.seeing]
    options.budgets = options.budgets or list(BUDGETS)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="foxing-context-") as folder,
            progress_bar("context") as progress,
            Memory(Path(folder) / "foxing.db") as memory,
        ):
            rows = measure(memory, read_locomo(options.locomo), options, progress)
    except FoxingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    shown = [asdict(row) | {"per_1000_tokens": row.per_token} for row in rows]
    if options.plot:
        plot(shown, options.plot)
    if options.as_json:
        write_json({"context": shown})
    else:
        show_rows(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())

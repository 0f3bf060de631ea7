"""Running a calibration: what it will cost, asking for each page once, and the curve that comes out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from statistics import fmean
from typing import Any

from foxing.encoder.errors import CodecError
from foxing.encoder.remote.endpoint import Endpoint
from foxing.encoder.remote.requests import merged
from foxing.encoder.text_tokens import count_text_tokens
from foxing.renderer.readers import TypeSize

from .chat import PROMPT, Api, ChatAnswer, call_of, request_body
from .journal import Journal
from .sample_pages import SamplePage
from .scores import Score, score

#: How many tokens a model may write for each token of the page: letters that are misread take more of them.
TOKENS_PER_TOKEN, SPARE_TOKENS = 1.5, 64
QUOTED_CHARS = 80


@dataclass(frozen=True)
class Prices:
    """Prices of a million tokens, in whatever currency."""

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """The price of so many tokens."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


@dataclass(frozen=True)
class Cost:
    """Requests, and what they take."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    price: float


@dataclass(frozen=True)
class CellResult:
    """How a reader reads cells of one size."""

    cell: TypeSize
    pages: int
    score: Score
    #: Tokens that the reader's formula says a page is billed, and the prompt tokens that the endpoint reported, without
    #: those of the prompt's text; None if it reports none.
    formula_tokens: float
    reported_tokens: float | None
    #: Text tokens that a page holds.
    text_tokens: float

    @property
    def type(self) -> TypeSize:
        """The cell with what was measured."""
        measured = {
            "exact": round(self.score.exact, 4),
            "identifiers": round(self.score.identifiers_exact, 4),
            "silent": round(self.score.silent, 5),
        }
        return self.cell.model_copy(update=measured)


#: Called with pages done, all pages, and what has been spent in this run.
Advance = Callable[[int, int, Cost], None]


class ReaderCurve:
    """Sample pages, the endpoint that reads them, and the journal of its answers."""

    def __init__(self, pages: Sequence[SamplePage], journal: Journal, prices: Prices) -> None:
        self.pages = pages
        self.journal = journal
        self.prices = prices
        self._prompt_tokens = count_text_tokens(PROMPT)

    @property
    def pending(self) -> list[SamplePage]:
        """Pages without an answer."""
        return [page for page in self.pages if page.key not in self.journal.answers]

    def expected_cost(self) -> Cost:
        """What the pages that are left cost if the model writes what stands on them."""
        return self._cost(self.pending, [page.text_tokens for page in self.pending])

    def max_cost(self) -> Cost:
        """What they cost if the model writes as much as it may."""
        return self._cost(self.pending, [max_answer_tokens(page) for page in self.pending])

    def _cost(self, pages: Sequence[SamplePage], written: Iterable[int]) -> Cost:
        prompt = sum(page.image.tokens + self._prompt_tokens for page in pages)
        completion = sum(written)
        return Cost(len(pages), prompt, completion, self.prices.of(prompt, completion))

    def run(self, endpoint: Endpoint, api: Api, extra: dict[str, Any], advance: Advance) -> Cost:
        """Asks for the pages that are left, one after the other, each written to the journal before the next. Returns
        what was spent. Raises `ReadFailed` if the endpoint does not answer, and `CodecError` if it reads nothing."""
        self.journal.open()
        spent = Cost(0, 0, 0, 0.0)
        left = self.pending
        for done, page in enumerate(left):
            advance(len(self.pages) - len(left) + done, len(self.pages), spent)
            body = merged(request_body(api, endpoint.options.model, page.image.png, max_answer_tokens(page)), extra)
            answer = endpoint.ask(call_of(api), body)
            self.journal.add(page.key, answer)
            spent = self._with(spent, page, answer)
        advance(len(self.pages), len(self.pages), spent)
        return spent

    def _with(self, spent: Cost, page: SamplePage, answer: ChatAnswer) -> Cost:
        """`spent` and an answer; tokens that the endpoint does not report are counted here."""
        prompt = answer.prompt_tokens or page.image.tokens + self._prompt_tokens
        completion = answer.completion_tokens or count_text_tokens(answer.text)
        return Cost(
            spent.requests + 1,
            spent.prompt_tokens + prompt,
            spent.completion_tokens + completion,
            spent.price + self.prices.of(prompt, completion),
        )

    def results(self) -> list[CellResult]:
        """A row for each size of cells, in the order of the pages. Raises `CodecError` if the model read nothing at
        all, with the beginning of what it said."""
        answers = self.journal.answers
        if all(answers[page.key].refused or not answers[page.key].text.strip() for page in self.pages):
            refused = sum(answers[page.key].refused for page in self.pages)
            raise CodecError(
                f"the model read none of {len(self.pages)} pages: it refused {refused} and answered nothing to the "
                "others; check that it takes images, and remove the journal before you try again"
            )
        rows = [self._row(cell, list(pages)) for cell, pages in groupby(self.pages, lambda page: page.cell)]
        if not any(row.score.exact_sentences for row in rows):
            said = max((answers[page.key].text for page in self.pages[-1:]), key=len)
            raise CodecError(
                "the model read not one sentence at any size; to the last page it answered: "
                f"“{' '.join(said.split())[:QUOTED_CHARS]}”. Check that it takes images and that 'model' is the one "
                "you mean, and remove the journal before you try again"
            )
        return rows

    def _row(self, cell: TypeSize, pages: Sequence[SamplePage]) -> CellResult:
        answers = [self.journal.answers[page.key] for page in pages]
        scores = [score(page, answer.text) for page, answer in zip(pages, answers, strict=True)]
        reported = [answer.prompt_tokens - self._prompt_tokens for answer in answers if answer.prompt_tokens]
        return CellResult(
            cell,
            len(pages),
            sum(scores, Score()),
            fmean(page.image.tokens for page in pages),
            fmean(reported) if reported else None,
            fmean(page.text_tokens for page in pages),
        )


def max_answer_tokens(page: SamplePage) -> int:
    """How many tokens a model may write about a page."""
    return ceil(page.text_tokens * TOKENS_PER_TOKEN) + SPARE_TOKENS

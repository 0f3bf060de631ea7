"""Calibration run: cost estimate, one request per page, and the resulting accuracy curve."""

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
from foxing.renderer.readers import TypeSize, require_exact

from .chat import PROMPT, Api, ChatAnswer, call_of, request_body
from .journal import Journal
from .sample_pages import SamplePage
from .scores import Score, score

#: Maximum tokens of an answer: per text token of the page, and in addition. Misread letters take more tokens.
TOKENS_PER_TOKEN, SPARE_TOKENS = 1.5, 64
QUOTED_CHARS = 80


@dataclass(frozen=True)
class Prices:
    """Prices per million tokens, in any currency."""

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Returns the price of the given numbers of tokens."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


@dataclass(frozen=True)
class Cost:
    """Number of requests, with their tokens and price."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    price: float


@dataclass(frozen=True)
class CellResult:
    """Accuracy and billing of a reader at one cell size."""

    cell: TypeSize
    pages: int
    score: Score
    #: Mean tokens per page by the reader's billing formula.
    formula_tokens: float
    #: Mean prompt tokens per page as reported by the endpoint, without the text of the prompt; None if not reported.
    reported_tokens: float | None
    #: Mean text tokens on a page.
    text_tokens: float

    @property
    def type(self) -> TypeSize:
        """Cell size with the measured accuracy, for a profile."""
        measured = {
            "exact": round(self.score.exact, 4),
            "identifiers": round(self.score.identifiers_exact, 4),
            "silent": round(self.score.silent, 5),
            "n": self.score.sentences + self.score.identifiers or None,
        }
        return self.cell.model_copy(update=measured)


#: Called with the pages done, the total, and the cost of this run so far.
Advance = Callable[[int, int, Cost], None]


class ReaderCurve:
    """Calibration of a reader: sample pages, and the journal of the answers to them."""

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
        """Returns the cost of the pending pages if the model transcribes them exactly."""
        return self._cost(self.pending, [page.text_tokens for page in self.pending])

    def max_cost(self) -> Cost:
        """Returns the cost of the pending pages if every answer has the maximum length."""
        return self._cost(self.pending, [max_answer_tokens(page) for page in self.pending])

    def _cost(self, pages: Sequence[SamplePage], written: Iterable[int]) -> Cost:
        prompt = sum(page.image.tokens + self._prompt_tokens for page in pages)
        completion = sum(written)
        return Cost(len(pages), prompt, completion, self.prices.of(prompt, completion))

    def run(self, ask: Callable[[SamplePage], ChatAnswer], advance: Advance) -> Cost:
        """Proof-reads the pending pages, asks for them one after another, and writes each answer to the journal before
        the next one. Returns the cost. `ask`: returns the answer to a page, such as that of `asking`; `advance`:
        progress callback. Raises the errors of `ask`, `RenderError` for a page that is not exact, and `CodecError` if
        the journal cannot be written."""
        self.journal.open()
        spent = Cost(0, 0, 0, 0.0)
        pending = self.pending
        for done, page in enumerate(pending):
            advance(len(self.pages) - len(pending) + done, len(self.pages), spent)
            require_exact(page.image)
            answer = ask(page)
            self.journal.add(page.key, answer)
            spent = self._with(spent, page, answer)
        advance(len(self.pages), len(self.pages), spent)
        return spent

    def _with(self, spent: Cost, page: SamplePage, answer: ChatAnswer) -> Cost:
        """Returns `spent` plus the cost of an answer; tokens that the endpoint does not report are estimated."""
        prompt = answer.prompt_tokens or page.image.tokens + self._prompt_tokens
        completion = answer.completion_tokens or count_text_tokens(answer.text)
        return Cost(
            spent.requests + 1,
            spent.prompt_tokens + prompt,
            spent.completion_tokens + completion,
            spent.price + self.prices.of(prompt, completion),
        )

    def results(self) -> list[CellResult]:
        """Returns one result per cell size, in the order of the pages. Raises `CodecError`, which quotes the model, if
        it read nothing at all."""
        answers = self.journal.answers
        if all(answers[page.key].refused or not answers[page.key].text.strip() for page in self.pages):
            refused = sum(answers[page.key].refused for page in self.pages)
            raise CodecError(
                f"the model read none of {len(self.pages)} pages: it refused {refused} and returned no text for the "
                "others; check that it accepts images, and remove the journal before you try again"
            )
        rows = [
            cell_result(pages, [answers[page.key] for page in pages])
            for _, group in groupby(self.pages, lambda page: page.cell)
            for pages in [list(group)]
        ]
        if not any(row.score.exact_sentences for row in rows):
            answer = max((answers[page.key].text for page in self.pages[-1:]), key=len)
            raise CodecError(
                "the model read no sentence exactly at any cell size; its answer to the last page was "
                f"“{' '.join(answer.split())[:QUOTED_CHARS]}”. Check that it accepts images and that 'model' names the "
                "intended model, and remove the journal before you try again"
            )
        return rows


def cell_result(pages: Sequence[SamplePage], answers: Sequence[ChatAnswer]) -> CellResult:
    """Returns what a reader made of pages of one cell size."""
    scores = [score(page, answer.text) for page, answer in zip(pages, answers, strict=True)]
    prompt_tokens = count_text_tokens(PROMPT)
    reported = [answer.prompt_tokens - prompt_tokens for answer in answers if answer.prompt_tokens]
    return CellResult(
        pages[0].cell,
        len(pages),
        sum(scores, Score()),
        fmean(page.image.tokens for page in pages),
        fmean(reported) if reported else None,
        fmean(page.text_tokens for page in pages),
    )


def asking(endpoint: Endpoint, api: Api, extra: dict[str, Any]) -> Callable[[SamplePage], ChatAnswer]:
    """Returns a function that requests a page from an endpoint. `extra`: fields to merge into each request. The
    function raises `ReadFailed` if the endpoint does not answer."""

    def ask(page: SamplePage) -> ChatAnswer:
        body = request_body(api, endpoint.options.model, page.image.png, max_answer_tokens(page))
        return endpoint.ask(call_of(api), merged(body, extra))

    return ask


def max_answer_tokens(page: SamplePage) -> int:
    """Returns the maximum number of tokens of an answer to a page."""
    return ceil(page.text_tokens * TOKENS_PER_TOKEN) + SPARE_TOKENS

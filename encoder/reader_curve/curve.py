"""Requests for sample pages, and the accuracy of a reader at a cell size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean
from typing import Any

from foxing.encoder.remote.endpoint import Endpoint
from foxing.encoder.remote.requests import merged
from foxing.encoder.text_tokens import count_text_tokens
from foxing.renderer.readers import TypeSize

from .chat import PROMPT, Api, ChatAnswer, call_of, request_body
from .sample_pages import SamplePage
from .scores import Score, score

#: Maximum tokens of an answer: per text token of the page, and in addition. Misread letters take more tokens.
TOKENS_PER_TOKEN = 1.5
SPARE_TOKENS = 64


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

"""Conformance checks of rerankers, those of plug-ins included."""

import math
from collections.abc import Callable, Sequence

from .reranker import Reranker

_QUESTION = "When do trains to Busan leave?"
_TEXTS = ("The red apple fell from the tree.", "Trains to Busan leave at noon.", "The sky is blue.")


def every_text_has_a_score(reranker: Reranker) -> None:
    """Checks that any text gets one finite score."""
    texts = ["an apple", "사과", "", " \n", "a" * 20_000, "\0\ud7ff🦊", "an apple"]
    for question in (_QUESTION, "사과?", ""):
        scores = reranker.scores(question, texts)
        _expect(len(scores) == len(texts), f"{len(texts)} texts get {len(scores)} scores")
        _expect(all(map(math.isfinite, scores)), "a score is not finite")
    _expect(len(reranker.scores(_QUESTION, [])) == 0, "an empty list of texts gets scores")


def an_answer_is_worth_more_than_other_texts(reranker: Reranker) -> None:
    """Checks that the text that answers a question scores highest, whatever its position."""
    for shift in range(len(_TEXTS)):
        texts = [*_TEXTS[shift:], *_TEXTS[:shift]]
        scores = reranker.scores(_QUESTION, texts)
        best = max(range(len(texts)), key=lambda number: scores[number])
        _expect(texts[best] == _TEXTS[1], f"'{texts[best]}' scores higher than the answer")


def asking_again_gives_the_same_order(reranker: Reranker) -> None:
    """Checks that the order of the same texts for the same question is reproducible."""
    first, again = (reranker.scores(_QUESTION, _TEXTS) for _ in range(2))
    _expect(_order(first) == _order(again), "the order changes from call to call")


#: All checks of a reranker.
RERANKER_CHECKS: tuple[Callable[[Reranker], None], ...] = (
    every_text_has_a_score,
    an_answer_is_worth_more_than_other_texts,
    asking_again_gives_the_same_order,
)


def check_reranker(reranker: Reranker) -> None:
    """Runs all checks of a reranker. Raises `AssertionError`."""
    for check in RERANKER_CHECKS:
        check(reranker)


def _order(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda number: -scores[number])


def _expect(condition: object, message: str) -> None:
    if not condition:
        raise AssertionError(message)

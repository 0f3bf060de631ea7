"""What storing vision tokens in fewer bits does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StorageEffect:
    """Tokens stored in `dtype` beside those in float32, over every step of writing some pages' texts.

    `bytes_per_page`: of the numbers, scales included; `largest` and `mean`: absolute change of a logit; `spread`: the
    standard deviation of the logits, to compare with; `same_choice`: share of steps at which the token of the highest
    logit stays the same, of `steps`.
    """

    dtype: str
    bytes_per_page: int
    largest: float
    mean: float
    spread: float
    same_choice: float
    steps: int

"""Messages and queries of frequent English words, always the same for a seed."""

from functools import cache
from random import Random

from foxing.renderer.fading.frequencies import FREQUENT_WORDS_PATH, LINES_PER_HALVING

CHARACTERS = 200


@cache
def _words() -> tuple[list[str], list[float]]:
    """Words, with the running sum of their frequencies."""
    words: list[str] = []
    sums: list[float] = []
    total = 0.0
    lines = (FREQUENT_WORDS_PATH / "en.txt").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        for word in line.split():
            total += 2 ** (-number / LINES_PER_HALVING)
            words.append(word)
            sums.append(total)
    return words, sums


def message(random: Random, characters: int = CHARACTERS) -> str:
    """Returns a text of exactly `characters` characters."""
    words, sums = _words()
    text = " ".join(random.choices(words, cum_weights=sums, k=characters))
    return text[: characters - 1].strip().ljust(characters - 1, ".") + "."


def query(random: Random) -> str:
    """Returns a question about three words."""
    first, second, third = random.choices(_words()[0], k=3)
    return f"What did we say about {first} and {second}, or {third}?"

"""Salience of words as in a bank, for messages that are not stored: the codec bench fades its pages with it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from foxing.encoder.annotation import Refinement
from foxing.memory.salience import by_rarity, fade_last
from foxing.memory.text.terms import terms
from foxing.renderer.fading import MessageWords, Salience

from .keepsakes import find_keepsakes, within_budget


def salience_in_bank(messages: Iterable[str]) -> Callable[[Sequence[str]], Sequence[Refinement]]:
    """Returns a function from the message texts of a page to the refinements that ageing would apply in a bank of
    `messages`."""
    frequencies = Counter(term for text in messages for term in terms(text))

    def refine(page: Sequence[str]) -> Sequence[Refinement]:
        return by_rarity(frequencies), _fade_texts_last(_keepsakes(page))

    return refine


def _keepsakes(page: Sequence[str]) -> frozenset[str]:
    """Returns the texts of the keepsakes that sealing would extract from a page."""
    text = "\n".join(page)
    keepsakes = within_budget(find_keepsakes(text), sum(len(part) for part in page))
    return frozenset(text[keepsake.start : keepsake.stop] for keepsake in keepsakes)


def _fade_texts_last(exact: frozenset[str]) -> Refinement:
    """Returns a refinement under which words of keepsakes in `exact` fade last."""

    def refine(messages: Sequence[MessageWords], salience: Sequence[Salience]) -> list[Salience]:
        texts = [message.entry.content for message in messages]
        ranges = [
            [(k.start, k.stop) for k in find_keepsakes(text) if text[k.start : k.stop] in exact] for text in texts
        ]
        return fade_last(ranges)(messages, salience)

    return refine

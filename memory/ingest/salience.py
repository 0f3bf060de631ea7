"""Salience of words on the pages of a bank that is not stored: for the codec bench, whose pages fade as in one."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from foxing.encoder import Refinement
from foxing.memory.salience import by_rarity, fade_last
from foxing.memory.text.terms import terms
from foxing.renderer.fading import MessageWords, Salience

from .keepsakes import find_keepsakes, within_budget


def salience_in_bank(messages: Iterable[str]) -> Callable[[Sequence[str]], Sequence[Refinement]]:
    """The texts of the messages of a page → what changes the salience of their words in a bank of `messages`, as when
    its pages age."""
    frequencies = Counter(term for text in messages for term in terms(text))

    def refine(page: Sequence[str]) -> Sequence[Refinement]:
        return by_rarity(frequencies), _fade_texts_last(_keepsakes(page))

    return refine


def _keepsakes(page: Sequence[str]) -> frozenset[str]:
    """The texts of the keepsakes that are lifted out of a page when it is sealed."""
    text = "\n".join(page)
    found = within_budget(find_keepsakes(text), sum(len(part) for part in page))
    return frozenset(text[keepsake.start : keepsake.stop] for keepsake in found)


def _fade_texts_last(kept: frozenset[str]) -> Refinement:
    """Words of keepsakes whose text is one of `kept` fade after all others."""

    def refine(messages: Sequence[MessageWords], salience: Sequence[Salience]) -> list[Salience]:
        texts = [message.entry.content for message in messages]
        ranges = [[(k.start, k.stop) for k in find_keepsakes(text) if text[k.start : k.stop] in kept] for text in texts]
        return fade_last(ranges)(messages, salience)

    return refine

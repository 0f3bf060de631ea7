"""Mentions of the words of a piece."""

from itertools import permutations

from foxing.memory.recall.mentions import Mentions

TEXTS = ("The kettle of copper is not for the stove.", "Then the blue kettle, of enamel, for the stove.")
WORTH = {"kettle": 0.1, "copper": 0.2, "stove": 0.3, "enamel": 0.7}


def test_worth_does_not_depend_on_the_order_of_words() -> None:
    """Words come as a set, whose order differs between processes: a last bit would decide between equal pieces."""
    mentions = Mentions(TEXTS)
    values = {mentions.value(words, WORTH, ()).value for words in permutations(WORTH)}
    assert len(values) == 1

"""Words in the place of which a later statement has others."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import chain
from typing import NamedTuple

from .statement import Statement
from .tokens import Token, forms_of
from .wording import Kind


class Difference(NamedTuple):
    """Words of a statement in the place of which a later one has others."""

    old: Sequence[Token]
    new: Sequence[Token]
    #: Whether they come before the predicate, and so say which thing the statement is about.
    old_names: bool
    new_names: bool

    @property
    def has_things(self) -> bool:
        """True if both have words that are no times and numbers."""
        return all(any(token.kind & Kind.THING for token in side) for side in (self.old, self.new))

    @property
    def has_person(self) -> bool:
        """True if either has kin, an animal or a role."""
        return any(token.kind & Kind.PERSON for token in (*self.old, *self.new))

    @property
    def has_event(self) -> bool:
        """True if either says that something happened."""
        return any(token.kind & Kind.EVENT and not token.kind & Kind.STATUS for token in (*self.old, *self.new))

    @property
    def is_of_quantities(self) -> bool:
        """True if both are times and numbers."""
        return all(token.kind & Kind.QUANTITY for token in (*self.old, *self.new))

    @property
    def is_of_figures(self) -> bool:
        """True if the quantities in both are figures, as in an address, rather than times."""
        return all(any(map(str.isdigit, token.form)) for token in (*self.old, *self.new) if token.kind & Kind.QUANTITY)

    @property
    def is_of_two_times(self) -> bool:
        """True if both say on which days something is so, beside another time: “6 on Mondays”, “8 on Saturdays”."""
        return all(
            len(side) > 1 and any(token.kind & Kind.RECURRING for token in side) for side in (self.old, self.new)
        )

    @property
    def is_of_states(self) -> bool:
        """True if both have a state: “open”, “closed”."""
        return all(any(token.kind & Kind.STATUS for token in side) for side in (self.old, self.new))

    @property
    def has_one_unit(self) -> bool:
        """True if both are numbers of one unit, such as milligrams."""
        units = (
            {token.form for token in side if not any(map(str.isdigit, token.form))} for side in (self.old, self.new)
        )
        return bool(frozenset.intersection(*map(frozenset, units)))


def differences_of(before: Statement, after: Statement) -> Iterator[Difference]:
    """Yields the runs of words that differ between two statements, where both have words. Times and numbers that stand
    together are compared as one."""
    units = before.units, after.units
    for tag, a, b, c, d in SequenceMatcher(None, before.unit_forms, after.unit_forms, autojunk=False).get_opcodes():
        if tag == "replace":
            for old_range, new_range in _ranges(units, (a, b), (c, d)):
                old, new = (
                    tuple(chain(*of[slice(*range_)])) for of, range_ in zip(units, (old_range, new_range), strict=True)
                )
                yield Difference(old, new, old_range[0] < before.units_of_topic, new_range[0] < after.units_of_topic)


def _ranges(
    units: Sequence[Sequence[Sequence[Token]]], old: tuple[int, int], new: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yields the ranges of the words that differ, one for each number of those that words announcing a change set
    apart."""
    (a, b), (c, d) = old, new
    if b - a == d - c and all(unit[0].kind & Kind.QUANTITY for unit in (*units[0][a:b], *units[1][c:d])):
        yield from (((a + step, a + step + 1), (c + step, c + step + 1)) for step in range(b - a))
    else:
        yield old, new


def difference_in_any_order(before: Statement, after: Statement) -> Iterator[Difference]:
    """Yields the words that each of two statements lacks, if they stand together in both."""
    runs = []
    for one, other in ((before, after), (after, before)):
        places = [place for place, token in enumerate(one.tokens) if token.form not in forms_of(other.tokens)]
        if not places or places[-1] - places[0] >= len(places):
            return
        runs.append((one.tokens[places[0] : places[-1] + 1], places[0] < one.topic))
    (old, old_names), (new, new_names) = runs
    yield Difference(old, new, old_names, new_names)

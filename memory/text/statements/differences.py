"""Words in the place of which a later statement has others."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from .statement import Statement
from .tokens import Token, forms_of
from .wording import Kind

_Range = tuple[int, int]


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
    for old, new in _replaced(before, after):
        yield Difference(
            tuple(chain(*before.units[slice(*old)])),
            tuple(chain(*after.units[slice(*new)])),
            old[0] < before.units_of_topic,
            new[0] < after.units_of_topic,
        )


def differ_in_several(before: Statement, after: Statement) -> bool:
    """Returns True if two statements differ in several runs of words, or in what both are about."""
    for number, (old, new) in enumerate(_replaced(before, after)):
        if number or (old[0] < before.units_of_topic and new[0] < after.units_of_topic):
            return True
    return False


def _replaced(before: Statement, after: Statement) -> Iterator[tuple[_Range, _Range]]:
    """Yields the ranges of the units that differ, one for each number of those that words announcing a change set
    apart."""
    a = c = 0
    sizes = len(before.units), len(after.units)
    for b, d, size in chain(_runs_in_common(before, after), [(*sizes, 0)]):
        if a < b and c < d:
            units = (*before.units[a:b], *after.units[c:d])
            if b - a == d - c and all(unit[0].kind & Kind.QUANTITY for unit in units):
                yield from (((a + step, a + step + 1), (c + step, c + step + 1)) for step in range(b - a))
            else:
                yield (a, b), (c, d)
        a, c = b + size, d + size


def _runs_in_common(before: Statement, after: Statement) -> Iterator[tuple[int, int, int]]:
    """Yields the runs of units that both have, as the start in each and the length: the longest one, the first of
    several, and those before and after it (Ratcliff and Obershelp). The places of a unit are the bits of an integer, so
    that one step compares a unit with all others."""
    places = [after.places.get(form, 0) for form in before.unit_forms]
    regions = [(0, len(places), 0, len(after.units), 0)]
    while regions:
        a, b, c, d, size = regions.pop()
        if size:
            yield a, c, size
            continue
        inside = (1 << d) - (1 << c)
        ends = single = [bits & inside for bits in places[a:b]]
        if not any(ends):
            continue
        size = 1
        while any(longer := [last << 1 & bits for last, bits in zip(ends, single[size:], strict=False)]):
            ends, size = longer, size + 1
        number, bits = next((number, bits) for number, bits in enumerate(ends) if bits)
        old, new = a + number, (bits & -bits).bit_length() - size
        regions += [(old + size, b, new + size, d, 0), (old, old + size, new, new + size, size), (a, old, c, new, 0)]


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

"""Places of a text that rules match, and what becomes of those that overlap."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class RuleMatch:
    """A place of a text that a rule matches."""

    #: half-open range of characters
    start: int
    stop: int
    #: name of the form, which is shown in its place
    name: str
    #: rule that it belongs to
    rule: str
    #: forms with a lower number are more specific
    order: int
    #: whether it is nothing where it overlaps a more specific one: what looks like an address in `://user:password@host`
    whole: bool = False


def without_overlaps(found: Iterable[RuleMatch]) -> list[RuleMatch]:
    """Returns places in their order, without overlaps: of two that overlap, the more specific one gives the name, and
    the longer one the range."""
    starts: list[int] = []
    chosen: list[RuleMatch] = []
    for each in sorted(found, key=lambda one: (one.order, one.start - one.stop, one.start)):
        first = bisect_left(starts, each.start)
        if first and chosen[first - 1].stop > each.start:
            first -= 1
        last = bisect_left(starts, each.stop, lo=first)
        over = chosen[first:last]
        if over:
            if each.whole:
                continue
            start = min(each.start, over[0].start)
            stop = max(each.stop, over[-1].stop)
            each = RuleMatch(start, stop, over[0].name, over[0].rule, over[0].order, over[0].whole)
        starts[first:last] = [each.start]
        chosen[first:last] = [each]
    return chosen


def replaced(text: str, found: Iterable[RuleMatch]) -> str:
    """Returns a text with `[redacted: NAME]` in place of what was found, in order and without overlaps."""
    pieces = []
    at = 0
    for each in found:
        pieces += [text[at : each.start], f"[redacted: {each.name}]"]
        at = each.stop
    return "".join(pieces) + text[at:]

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


def without_overlaps(matches: Iterable[RuleMatch]) -> list[RuleMatch]:
    """Returns places in their order, without overlaps: of two that overlap, the more specific one gives the name, and
    the longer one the range."""
    starts: list[int] = []
    chosen: list[RuleMatch] = []
    for match in sorted(matches, key=lambda one: (one.order, one.start - one.stop, one.start)):
        first = bisect_left(starts, match.start)
        if first and chosen[first - 1].stop > match.start:
            first -= 1
        last = bisect_left(starts, match.stop, lo=first)
        over = chosen[first:last]
        if over:
            if match.whole:
                continue
            start = min(match.start, over[0].start)
            stop = max(match.stop, over[-1].stop)
            match = RuleMatch(start, stop, over[0].name, over[0].rule, over[0].order, over[0].whole)
        starts[first:last] = [match.start]
        chosen[first:last] = [match]
    return chosen


def replaced(text: str, matches: Iterable[RuleMatch]) -> str:
    """Returns a text with `[redacted: NAME]` in place of what was found, in order and without overlaps."""
    pieces = []
    at = 0
    for match in matches:
        pieces += [text[at : match.start], f"[redacted: {match.name}]"]
        at = match.stop
    return "".join(pieces) + text[at:]

"""Parts of sentences: what stands between commas and words as “because”, each read as a statement."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .statement import INFORMATIVE, TOPIC_FIRST, SentenceFrame, Statement, topic_end
from .tokens import BREAK, JOIN, Token, kinds_of
from .wording import Kind, Wording

MOST_SETTING_WORDS = 4  # of “on day 2 of the trip, we …”
MOST_THINGS_ANNOUNCING = 2  # things in “Change of plans!”, which says nothing else
MOST_LABEL_WORDS = 2  # of “gate K41, …”
_VERBS = Kind.COPULA | Kind.PREDICATE | Kind.EVENT | Kind.ROLE


def statements_in(tokens: Sequence[Token], frame: SentenceFrame, words: Wording) -> Iterator[Statement]:
    """Yields a sentence, followed by its parts if it has several, and each again without since when it holds."""
    parts = list(_parts(tokens))
    if any(_only_announces(part) for part in parts):
        frame = replace(frame, changed=True)
    yield from _with_and_without_beginning([token for part in parts for token in part], (), frame, words)
    lead: list[Token] = []
    for number, part in enumerate(parts if len(parts) > 1 else ()):
        subject = _subject(parts[number - 1], words) if number and _resumes(part, words) else ()
        yield from _with_and_without_beginning([*subject, *part], tuple(lead), frame, words)
        lead += part


def _only_announces(part: Sequence[Token]) -> bool:
    """Returns True if a part announces a change, which the others tell: “…, I misremembered”."""
    if not kinds_of(part) & Kind.CHANGE:
        return False
    return sum([bool(token.kind & Kind.THING) for token in part]) <= MOST_THINGS_ANNOUNCING


def _with_and_without_beginning(
    part: Sequence[Token], lead: Sequence[Token], frame: SentenceFrame, words: Wording
) -> Iterator[Statement]:
    yield Statement(frame, tuple(part), tuple(lead))
    rest = _without_beginning(part, words)
    if len(rest) < len(part):
        yield Statement(frame, tuple(rest), tuple(lead), since=True)


def _parts(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Yields the words between breaks. An “and” is one only after a predicate: “Ana and I walk” is one part."""
    part: list[Token] = []
    for token in tokens:
        if token is not BREAK and token is not JOIN:
            part.append(token)
        elif part and _ends(part, token):
            yield part
            part = []
    if part:
        yield part


def _ends(part: Sequence[Token], token: Token) -> bool:
    """Returns True if a part ends at a break or an “and”."""
    return bool(kinds_of(part) & _VERBS) if token is JOIN else not _is_setting(part)


def _is_setting(part: Sequence[Token]) -> bool:
    """Returns True if words before a comma say of what, or when, the words after it hold: “on day 2, …”."""
    things = [token for token in part if token.kind & INFORMATIVE]
    if not 0 < len(things) <= MOST_SETTING_WORDS:
        return False
    if len(things) > MOST_LABEL_WORDS and kinds_of(part) & _VERBS:
        return bool(part[0].kind & Kind.SETTING) and not part[0].kind & Kind.DEFINITE
    return bool(part[0].kind & Kind.SETTING) or any(token.kind & Kind.QUANTITY for token in things)


def _resumes(part: Sequence[Token], words: Wording) -> bool:
    """Returns True if a part is about what the one before it is about: “…, he is late”, “… and is late”."""
    if words.code in TOPIC_FIRST:
        return not topic_end(part)
    first = part[0]
    verb = first.kind & Kind.COPULA or (first.kind & _VERBS and first.kind & Kind.THING)
    return first.form in words.pronouns or bool(verb)


def _subject(part: Sequence[Token], words: Wording) -> Sequence[Token]:
    """Returns the words of what a part is about or, without them, speaks of last."""
    end = topic_end(part) or next((place for place, token in enumerate(part) if token.kind & _VERBS), 0)
    if end:
        return part[: end + (words.code in TOPIC_FIRST)]
    things = [token for token in part if token.kind & Kind.THING]
    if part[0].kind & Kind.DEFINITE and len(things) > 1:  # the last one is a verb
        return [token for token in part if token is not things[-1]]
    places = [place for place, token in enumerate(part) if token.kind & Kind.DEFINITE]
    return part[places[-1] :] if places else things[-1:]


def _without_beginning(part: Sequence[Token], words: Wording) -> Sequence[Token]:
    """Returns a part without the words that say since when it holds: “from Monday”, 4月から."""
    for place, token in enumerate(part):
        if token.form in words.since:
            start, stop = _time_at(part, place, follows=words.code in TOPIC_FIRST)
            times = [each.form for each in part[start:stop] if each.kind & Kind.QUANTITY]
            words_of_days = [form for form in times if not any(map(str.isdigit, form))]
            if words_of_days and words.clock.isdisjoint(times):
                return [*part[:start], *part[stop:]]
    return part


def _time_at(part: Sequence[Token], place: int, *, follows: bool) -> tuple[int, int]:
    """Returns the range of a word as “from” and of the time after it or, if it `follows` the time, before it."""
    start, stop = place, place + 1
    if follows:
        while start and part[start - 1].kind & Kind.QUANTITY:
            start -= 1
        return start, stop
    while stop < len(part) and not part[stop].kind & ~(Kind.DEFINITE | Kind.SETTING):
        stop += 1
    while stop < len(part) and part[stop].kind & Kind.QUANTITY:
        stop += 1
    return start, stop

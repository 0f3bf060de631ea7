"""Pairs of statements, made by rule from a conversation: updates, whose value changed, and look-alikes, which speak of
another person, animal or event.

The earlier statement of a pair is a message of the conversation as it is. The later one is written from the sentence
that has a value, by a template. Development and test have different conversations, templates and values.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from benchmarks.locomo import Conversation
from foxing.memory.values.messages import NewMessage

Split = Literal["dev", "test"]

#: Seed of the choice of templates and values.
SEED = 7
#: Sessions after its own that the later statement of a pair ends.
FEWEST_SESSIONS, MOST_SESSIONS = 1, 4
#: Share of the updates of times that name the topic alone instead of the whole sentence, where a rule finds one.
SHARE_BY_TOPIC = 0.4
_TIMES = frozenset({"day", "month", "unit", "relative", "frequency"})
#: Pause that begins a session.
PAUSE = timedelta(hours=1)
FEWEST_WORDS, MOST_WORDS = 4, 30  # of the sentence

_NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = [
    *("January", "February", "March", "April", "June", "July"),
    *("August", "September", "October", "November", "December"),
]
_UNITS = ["week", "weekend", "month", "year", "summer", "spring", "fall", "winter"]
_RELATIVE = ["yesterday", "tomorrow", "today", "tonight"]
_ACTIVITIES = (
    *("painting", "drawing", "swimming", "running", "jogging", "camping", "hiking", "dancing", "reading", "cooking"),
    *("baking", "gaming", "writing", "yoga", "pottery", "basketball", "soccer", "tennis", "volunteering", "fishing"),
    *("photography", "piano", "guitar", "violin", "clarinet", "chess", "boxing", "surfing", "cycling", "pizza"),
    *("pasta", "chocolate", "sushi", "coffee", "tea", "fantasy", "horror", "comedy", "romance", "thriller"),
    *("jazz", "rock", "rap"),
)
_FREQUENCIES = ["daily", "weekly", "monthly"]


def _after(words: str, value: str) -> str:
    """Returns a pattern of a value after one of some words."""
    return "|".join(rf"(?<=\b{word} )(?:{value})" for word in words.split())


_KINDS = {
    "day": re.compile(rf"\b(?:{'|'.join(_DAYS)})\b"),
    "month": re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b"),
    "unit": re.compile(_after("next last", rf"(?:{'|'.join(_UNITS)})\b")),
    "year": re.compile(_after("in since", r"20\d\d\b")),
    "number": re.compile(
        rf"\b(?:{'|'.join(_NUMBERS)}|[2-9]|\d\d)"
        r"(?= (?:days|weeks|months|years|hours|times|miles|people|kids|books|games)\b)"
    ),
    "title": re.compile(r"(?<=[\"“])[A-Z][^\"“”]{2,40}(?=[\"”])"),
    # of a place, a company or a thing; after other words, a name may be that of a friend or an animal
    "name": re.compile(_after("in at to from of visit playing play called", r"[A-Z][a-z]{3,}\b(?!['’])")),
    "relative": re.compile(rf"\b(?:{'|'.join(_RELATIVE)})\b"),
    "frequency": re.compile(rf"\b(?:{'|'.join(_FREQUENCIES)})\b"),
    "activity": re.compile(
        _after(
            "love like go do enjoy learn play started playing into with from in my the some",
            rf"(?:{'|'.join(_ACTIVITIES)})\b",
        )
    ),
}
#: What a question about a value of each kind asks for.
_ASKS = {
    **{"day": "on which day", "month": "in which month", "unit": "when", "number": "how many"},
    **{"year": "since when", "title": "which one", "name": "which", "relative": "when", "frequency": "how often"},
    "activity": "what",
}
#: New values by split. Days, months, units and numbers are taken from their own kind.
_VALUES: Mapping[Split, Mapping[str, Sequence[str]]] = {
    "dev": {
        "title": ("Silent Harbour", "The Long Winter", "Paper Moons"),
        "name": ("Lisbon", "Bergen", "Nairobi", "Quebec"),
        "activity": ("kayaking", "knitting", "bowling", "sewing"),
    },
    "test": {
        "title": ("Glass Orchard", "A Year of Rain", "North of Here", "Seven Lanterns"),
        "name": ("Ghent", "Kyoto", "Tallinn", "Porto", "Dakar"),
        "activity": ("fencing", "skating", "gardening", "birdwatching", "sailing"),
    },
}
#: Later statements by split. {s}: the sentence with the new value; {l}: the same, to follow other words; {t}: its
#: topic; {v}: the new value as the sentence has it; {o}: the old one.
_UPDATES: Mapping[Split, Sequence[str]] = {
    "dev": (
        "Actually, {l}.",
        "Correction: {l}.",
        "Hey! Quick update. {s}.",
        "{s} now.",
        "{s}, not {o}.",
        "About the {t}: it's {v} now.",
        "The {t} changed to {v}.",
        "Remember the {t}? It's {v} now.",
        "I was wrong about the {t}, it's {v}.",
        "The {t} is now {v} rather than {o}.",
        "I have to correct myself: {l}.",
        "Instead of {o}, {l}.",
        "No wait, as of this week {l}.",
        "Sorry, the {t} was postponed from {o} to {v}.",
        "Turns out I got that wrong, {l}.",
        "Oh, change of plans! {s}.",
        "Scratch what I said the other day: {l}.",
        "{s} instead, by the way.",
        "Nice to hear from you! So, {l} after all.",
        "My mistake, {l}, not {o}.",
        "You know the {t}? It moved to {v}.",
        "We switched the {t} from {o} to {v}.",
        "Small correction about the {t}: {v}, not {o}.",
    ),
    "test": (
        "Plans changed: {l}.",
        "On second thought, {l}.",
        "I take back what I told you. {s}.",
        "Oops, I meant to say {l}.",
        "{s}, at least that's how it looks now.",
        "Not {o}, as I thought: {l}.",
        "Whoops, the {t} is {v}, I misremembered.",
        "They pushed the {t} to {v}.",
        "By the way, the {t} will be {v} instead of {o}.",
    ),
}
_NOW: Mapping[Split, Sequence[str]] = {
    "dev": ("{w} is it now: {r}?", "{r}: {w} is it currently?"),
    "test": ("{r} - {w}, as things stand?", "Can you tell me {w}: {r}?", "{w}? {r}"),
}
_PAST: Mapping[Split, Sequence[str]] = {
    "dev": ("{w} was it before: {r}?", "{w} was it originally, {r}?"),
    "test": (
        "{w} did it use to be, before that was changed: {r}?",
        "{r} - {w} was it at first?",
        "{w} was the previous plan: {r}?",
        "{r}: {w} did they initially say?",
        "{w} used to be the answer to this: {r}?",
    ),
}
#: Look-alikes by split: how the sentence is said of another event or subject.
_ALIKE: Mapping[Split, Sequence[str]] = {
    "dev": ("{s}.", "Guess what! {s}.", "Actually, {l}."),
    "test": ("{s}.", "Oh wow. {s}!", "So {l} now.", "By the way, {l}."),
}
_OTHERS: Sequence[Sequence[str]] = (
    ("mom", "aunt", "mother-in-law"),
    ("dad", "uncle", "grandpa"),
    ("sister", "cousin", "roommate"),
    ("brother", "nephew", "neighbor"),
    ("kids", "parents", "coworkers"),
    ("son", "nephew", "student"),
    ("daughter", "niece", "goddaughter"),
    ("husband", "brother", "landlord"),
    ("wife", "sister", "landlady"),
    ("friend", "colleague", "coach"),
    ("friends", "colleagues", "students"),
    ("family", "team", "choir"),
    ("dog", "cat", "parrot"),
    ("dogs", "cats", "rabbits"),
    ("cat", "hamster", "dog"),
    ("pets", "horses", "chickens"),
    ("turtles", "parrots", "fish"),
    ("puppy", "kitten", "pony"),
    ("concert", "lecture", "wedding"),
    ("trip", "conference", "retreat"),
    ("class", "rehearsal", "marathon"),
    ("game", "exam", "parade"),
    ("tournament", "audition", "fair"),
    ("movie", "play", "exhibition"),
    ("book", "podcast", "comic"),
    ("studio", "bakery", "garage"),
    ("store", "clinic", "farm"),
    ("painting", "carpentry", "pottery"),
    ("pottery", "yoga", "chess"),
    ("race", "picnic", "seminar"),
    ("party", "funeral", "workshop"),
    ("script", "thesis", "song"),
    ("campaign", "garden", "orchestra"),
    ("meeting", "recital", "regatta"),
    ("car", "bike", "boat"),
    ("hike", "dinner", "swim"),
    ("camping", "fishing", "surfing"),
    ("dance", "chess", "cooking"),
    ("shop", "school", "theater"),
)
_OTHER = {first: rest for first, *rest in _OTHERS}
_SENTENCE = re.compile(r"[^.!?]+")
_STATES = re.compile(r"\b[Tt]he\b")
_OWN = re.compile(r"\b(?:I|I'm|I've|I'll|I'd|[Ww]e|[Ww]e're|[Ww]e've|[Ww]e'll|[Mm]y|[Oo]ur)\b")
_TOPIC = re.compile(
    r"\b(?:a|an|the|my|our|this)\s+"
    r"((?:(?!(?:few|lot|bit|couple|little|new|really|super|great|last|next|one)\b)[a-z]{3,} )?[a-z]{4,})\b(?![-'’])"
)
_NO_TOPIC = re.compile(
    r"(?:.* )?(?:with|from|that|this|have|been|were|will|about|after|before|last|next|there|them|some|when|while|since"
    r"|until|years?|weeks?|days?|months?|weekend|summer|winter|time|times|first|second|best|same|whole|thing|things|and"
    r"|for|was|is|are|but|did|who|had|has|got|to|of)(?: .*)?"
)
_FIRST_PERSON = (
    *((r"\bI'm\b", "{n} is"), (r"\bI've\b", "{n} has"), (r"\bI'll\b", "{n} will"), (r"\bI'd\b", "{n} would")),
    *((r"\b(?:I|[Mm]e)\b", "{n}"), (r"\b[Mm]y\b", "{n}'s")),
)


@dataclass(frozen=True)
class Pair:
    """Two statements, of which the later one is planted, and the questions about their value."""

    #: Message of the conversation.
    earlier: NewMessage
    later: NewMessage
    #: What the value is now, and what it was.
    now: str
    past: str


@dataclass(frozen=True)
class _Valued:
    """A sentence with a value."""

    message: NewMessage
    sentence: str
    kind: str
    start: int
    stop: int

    @property
    def value(self) -> str:
        return self.sentence[self.start : self.stop]

    def with_value(self, value: str) -> str:
        """The sentence with another value."""
        return self.sentence[: self.start] + value + self.sentence[self.stop :]

    @property
    def topic(self) -> str | None:
        """Subject of the sentence, in a word or two; None if no rule finds it."""
        for match in _TOPIC.finditer(self.sentence):
            apart = match.end() <= self.start or match.start() >= self.stop
            if apart and not _NO_TOPIC.fullmatch(match[1]):
                return match[1]
        return None


def make_pairs(conversation: Conversation, split: Split, number: int = 0) -> tuple[list[Pair], list[Pair]]:
    """Returns the updates and the look-alikes of a conversation; the same on every run. `number`: another one gives
    other templates and values."""
    generator = random.Random(SEED + number)
    valued = list(_valued(conversation))
    generator.shuffle(valued)
    ends = _session_ends(conversation.messages)
    updates: list[Pair] = []
    alike: list[Pair] = []
    for place, each in enumerate(valued):
        said, topic = _update(each, split, generator)
        updates.append(_pair(each, said, topic, each.message, ends, f"update-{place}", split, generator))
        other = _lookalike(each, conversation, split, generator)
        if other is not None:
            speaker, said = other
            alike.append(_pair(each, said, None, speaker, ends, f"alike-{place}", split, generator))
    return updates, alike


def _valued(conversation: Conversation) -> Iterator[_Valued]:
    """Yields a sentence of a speaker about themselves with a value."""
    names = {message.name for message in conversation.messages}
    for message in conversation.messages:
        for match in _SENTENCE.finditer(re.sub(r"\[a photo of .*", "", message.text)):
            sentence = match[0].strip(" ,")
            following = message.text[match.end() : match.end() + 1]
            states = _OWN.search(sentence) or _STATES.search(sentence)
            if following == "?" or not states or not FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS:
                continue
            found = next(
                ((kind, value) for kind, pattern in _KINDS.items() if (value := pattern.search(sentence)) is not None),
                None,
            )
            if found is None or found[1][0] in names:
                continue
            yield _Valued(message, sentence, found[0], found[1].start(), found[1].end())


def _session_ends(messages: Sequence[NewMessage]) -> list[datetime]:
    times = [message.created_at for message in messages if message.created_at is not None]
    return [at for at, after in zip(times, [*times[1:], times[-1] + 2 * PAUSE], strict=True) if after - at > PAUSE]


def _new_value(each: _Valued, split: Split, generator: random.Random) -> str:
    own: Mapping[str, Sequence[str]] = {
        **{"day": _DAYS, "month": _MONTHS, "unit": _UNITS, "year": [str(n) for n in range(2008, 2022)]},
        **{"relative": [f"on {day}" for day in _DAYS], "frequency": _FREQUENCIES},
    }
    if each.kind == "number":
        values: Sequence[str] = [str(n) for n in range(11, 40)] if each.value.isdigit() else _NUMBERS
    else:
        values = own[each.kind] if each.kind in own else _VALUES[split][each.kind]
    return generator.choice([value for value in values if value.lower() != each.value.lower()])


def _update(each: _Valued, split: Split, generator: random.Random) -> tuple[str, str | None]:
    """Returns the later statement, and its topic if it names that alone instead of the whole sentence."""
    value = _new_value(each, split, generator)
    short = [one for one in _UPDATES[split] if "{t}" in one]
    restated = [one for one in _UPDATES[split] if "{t}" not in one]
    by_topic = each.topic is not None and each.kind in _TIMES and generator.random() < SHARE_BY_TOPIC
    before = re.search(r"(?:next|last) $", each.sentence[: each.start])
    lead = before[0] if before else ""
    sentence = each.with_value(value)
    said = generator.choice(short if by_topic else restated).format(
        s=_capital(sentence), l=_inner(sentence), t=each.topic, v=lead + value.removeprefix("on "), o=lead + each.value
    )
    return said, each.topic if by_topic else None


def _lookalike(
    each: _Valued, conversation: Conversation, split: Split, generator: random.Random
) -> tuple[NewMessage, str] | None:
    """Returns a sentence with another subject and another value, with a message of its speaker: the one of the
    original if a noun of the sentence has a counterpart, otherwise the other speaker, who says the same of themselves.
    Returns None for a sentence with neither."""
    value = _new_value(each, split, generator)
    outside = each.sentence[: each.start] + "\0" * len(each.value) + each.sentence[each.stop :]
    nouns = [match for match in re.finditer(r"[a-z]+", outside) if match[0] in _OTHER]
    sentence, speaker = each.with_value(value), each.message
    if nouns:
        noun = generator.choice(nouns)
        shift = len(value) - len(each.value) if noun.start() > each.start else 0
        other = generator.choice(_OTHER[noun[0]])
        sentence = sentence[: noun.start() + shift] + other + sentence[noun.end() + shift :]
    elif not _OWN.search(sentence):
        return None
    else:
        speaker = next(one for one in conversation.messages if one.name != each.message.name)
    return speaker, generator.choice(_ALIKE[split]).format(s=_capital(sentence), l=_inner(sentence))


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _inner(sentence: str) -> str:
    """Returns a sentence as it stands after other words."""
    first = sentence.split()[0]
    return (
        sentence
        if first.split("'")[0] == "I" or (first.istitle() and first in _DAYS)
        else sentence[:1].lower() + sentence[1:]
    )


def _pair(
    each: _Valued,
    text: str,
    topic: str | None,
    speaker: NewMessage,
    ends: Sequence[datetime],
    key: str,
    split: Split,
    generator: random.Random,
) -> Pair:
    said = each.message.created_at or ends[0]
    later = [at for at in ends if at >= said][FEWEST_SESSIONS : MOST_SESSIONS + 1] or [ends[-1] + timedelta(days=3)]
    planted = NewMessage(
        id=key,
        role=speaker.role,
        name=speaker.name,
        thread=each.message.thread,
        content=text,
        created_at=generator.choice(later) + timedelta(seconds=generator.randrange(20, 600)),
    )
    rest = each.with_value("").replace('""', "").replace("“”", "")
    for pattern, form in _FIRST_PERSON:
        rest = re.sub(pattern, form.format(n=each.message.name), rest)
    rest = " ".join(rest.split()) if topic is None else f"{each.message.name} and the {topic}"
    asked = [generator.choice(forms[split]).format(w=_ASKS[each.kind], r=rest) for forms in (_NOW, _PAST)]
    return Pair(each.message, planted, *map(_capital, asked))

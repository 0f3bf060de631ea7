"""Secrets that no word introduces: what looks like a password or a code beside what it opens, or how it is entered.

“marmot77 is what gets you into the shared calendar”, “The alarm beeps. Go to the hall and type 80215.” The less a value
looks like a secret, the more its own sentence and those around it have to say. Each sentence is read at most once,
so the time grows with the text and no faster.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import regex

from .candidates import Candidates, Look
from .matches import RuleMatch
from .ranges import in_template
from .words import Cue, words

#: Most characters of a part of a sentence.
LONGEST = 240
#: Values between two looks at the time.
CHECKED = 16
_SENTENCE = regex.compile(
    rf"[^\n.!?。！？]{{0,{LONGEST}}}+(?:[.!?](?=[^\s\"'”»)])[^\n.!?。！？]{{0,{LONGEST}}}+){{0,20}}+(?:[\n.!?。！？]|$|)"
)
_OPENED = Cue.THING | Cue.OPENED
_SECRET = Cue.SECRET | Cue.KEY


@dataclass(frozen=True)
class Needs:
    """Cues that have to be said for a value to be a secret: of each entry at least one."""

    #: in its own sentence
    own: tuple[int, ...] = ()
    #: in its own sentence, the two before or the one after
    context: tuple[int, ...] = ()
    #: must not be said in its own sentence
    never: int = 0

    def met(self, own: int, context: int) -> bool:
        """True if enough is said."""
        return (
            not own & self.never and all(own & cue for cue in self.own) and all(context & cue for cue in self.context)
        )


NEEDS: Mapping[Look, Needs] = {
    Look.HARD: Needs(context=(_SECRET | _OPENED | Cue.ENTERING,)),
    Look.MIXED: Needs(context=(Cue.SECRET | _OPENED | Cue.ENTERING,), never=Cue.HASH),
    Look.CALLED: Needs(own=(Cue.ENTERING, Cue.SECRET | _OPENED)),
    Look.MACHINE: Needs(context=(_SECRET,), never=Cue.HASH),
    Look.HEX: Needs(own=(Cue.ENTERING, _SECRET), never=Cue.HASH | Cue.OTHER),
    Look.GROUPS: Needs(context=(_SECRET,), never=Cue.OTHER),
    Look.CHOSEN: Needs(own=(Cue.ENTERING,), context=(Cue.SECRET | _OPENED,)),
    Look.NAME: Needs(own=(Cue.ENTERING, Cue.SECRET), never=Cue.OTHER | Cue.HASH),
    Look.WORDS: Needs(own=(Cue.ENTERING, Cue.SECRET | _OPENED), context=(Cue.SECRET,)),
    Look.HUMPED: Needs(own=(Cue.ENTERING, Cue.SECRET | Cue.THING)),
    Look.TOLD: Needs(own=(Cue.ENTERING, Cue.SECRET)),
    Look.QUOTED: Needs(context=(Cue.PHRASE, Cue.SECRET | _OPENED)),
    Look.SPOKEN: Needs(own=(Cue.SIGNING,)),
    Look.ANSWER: Needs(context=(Cue.QUESTION,)),
    Look.NUMBER: Needs(own=(Cue.ENTERING,), context=(Cue.OPENED | Cue.SECRET,), never=Cue.OTHER),
    Look.YEAR: Needs(own=(Cue.ENTERING, Cue.OPENED | Cue.SECRET), never=Cue.OTHER),
    Look.THREE: Needs(own=(Cue.BACK,)),
    Look.ALONE: Needs(context=(Cue.OPENED | Cue.SECRET,), never=Cue.OTHER),
    Look.CODED: Needs(),
    Look.DIAL: Needs(own=(Cue.OPENED, Cue.ENTERING | Cue.TURNED), never=Cue.OTHER),
    Look.SEED: Needs(context=(_SECRET | Cue.PHRASE | Cue.THING,)),
    Look.TURNED: Needs(own=(Cue.TURNED,), context=(_OPENED,)),
    Look.CARD: Needs(own=(Cue.CARD,)),
}


def nearby(text: str, lower: str, check: Callable[[], object], order: int) -> Iterator[RuleMatch]:
    """Yields the secrets of a text that what is said around them shows. `lower`: the text in lower case, as long as the
    text; `check`: called for each value, to raise an exception if time is up; `order`: see `RuleMatch`."""
    lexicon = words()
    starts = [match.start() for match in _SENTENCE.finditer(text) if match.end() > match.start()]
    #: sentence → its cues: logs repeat themselves
    cues: dict[str, int] = {"": 0}
    #: number of a sentence → its cues, and those of the sentences around it with its own
    read: dict[int, tuple[int, int]] = {}

    def said(number: int) -> int:
        stop = starts[number + 1] if 0 <= number < len(starts) - 1 else len(text)
        sentence = lower[starts[number] : stop] if 0 <= number < len(starts) else ""
        if sentence not in cues:
            cues[sentence] = lexicon.cues.said(sentence)
        return cues[sentence]

    candidates = Candidates(text, lower, lexicon)
    for count, candidate in enumerate(candidates):
        if count % CHECKED == 0:
            check()
        number = bisect_right(starts, candidate.start) - 1
        if number not in read:
            own = said(number)
            read[number] = own, own | said(number - 1) | said(number + 1) | said(number - 2)
        own, context = read[number]
        if context or candidate.look is Look.CODED:
            look = candidates.settled(candidate)
            if look is not None and NEEDS[look].met(own, context) and not in_template(text, candidate.start):
                yield RuleMatch(candidate.start, candidate.stop, "secret", "secrets", order)

"""Statements compared: those of a later message that replace those of an earlier one."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .differences import Difference, difference_in_any_order, differences_of
from .incidence import Pairs, equal, in_common
from .sentences import Sentence
from .statement import INFORMATIVE, Statement
from .tokens import BREAK, Token, forms_of, kinds_of
from .wording import BY_WORDS, Kind

#: Share of its words that a statement must have in common with the one it replaces, where it announces a change and
#: where it does not.
SHARED_WITH_CHANGE, SHARED = 0.6, 0.75
MOST_VALUE_WORDS = 3
MOST_WORDS_OF_NAME = 8
LEAST_WORDS_OF_RELATION = 2  # of a sentence that says what is so of which thing
_VERBS = Kind.COPULA | Kind.PREDICATE | Kind.EVENT | Kind.ROLE
MOST_THINGS_OF_SHORT = 5  # things in a sentence that may have only one in common with another one


class Speakers(NamedTuple):
    """Speakers of two messages."""

    #: Whether they are one.
    are_one: bool
    #: Whether each speaks to the other.
    talk: bool


class SentencePairs:
    """Sentences that may replace each other, compared by their words at once, and then by what they state."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self._sentences = sentences
        self._one_code = equal([entry.code for entry in sentences])

    @cached_property
    def candidates(self) -> Pairs:
        """bool[after, before]: whether the words of two sentences admit that one replaces the other."""
        return np.asarray(self._ends | self._rules)

    @cached_property
    def _ends(self) -> Pairs:
        """bool[after, before]: whether both begin alike, of nobody who speaks or listens: see `_has_other_end`."""
        others = [entry.code in BY_WORDS and not entry.kinds & (Kind.OWN | Kind.OTHERS) for entry in self._sentences]
        may_end = np.array(others, np.bool_)
        starts = equal([tuple(entry.tokens[:1]) for entry in self._sentences])
        return np.asarray(self._one_code & starts & may_end[:, None] & may_end)

    @cached_property
    def _rules(self) -> Pairs:
        """bool[after, before]: whether the later one may replace what the earlier one states, and has enough words in
        common with it."""
        shared = in_common([entry.things for entry in self._sentences])
        sizes = shared.diagonal()
        exclusive = in_common([entry.exclusive for entry in self._sentences]) > 0
        changed, valued, parts, able = (
            np.array(flags, np.bool_).reshape(-1, 1)
            for flags in zip(*((s.changed, s.valued, s.has_parts, s.may_replace) for s in self._sentences), strict=True)
        )
        admitted = changed | exclusive | (valued & valued.T) | (parts & (shared >= sizes))
        few = exclusive | (sizes[:, None] <= MOST_THINGS_OF_SHORT)
        enough = changed | exclusive | (shared >= SHARED * np.minimum(sizes[:, None], sizes))
        return np.asarray(self._one_code & able & admitted & enough & (shared >= np.where(few, 1, 2)))

    def replaces(self, after: int, before: int, speakers: Speakers) -> bool:
        """Returns True if a sentence of a later message replaces one of an earlier message."""
        new, old = self._sentences[after], self._sentences[before]
        if not self.candidates[after, before] or not of_one_person(new, old, speakers):
            return False
        return (self._ends[after, before] and _has_other_end(new, old)) or bool(
            self._rules[after, before]
            and not _number_other_things(new, old)
            and any(_replaces(a, b) for a in new.statements for b in old.statements)
            and not _only_repeats(new.text, old.text)
        )


def value_words(old: Sequence[Sentence], new: Sequence[Sentence]) -> str:
    """Returns the words of a message that do not say what a statement is about, and in the place of which a later
    message has others, without states: who asks whether something is still open means that which holds now."""
    pairs = ((a, b) for one in old for other in new for a in one.statements for b in other.statements)
    values = (entry.old for a, b in pairs for entry in differences_of(a, b) if not entry.old_names)
    return " ".join(token.form for tokens in values for token in tokens if not token.kind & Kind.STATUS)


def quantities_of(tokens: Sequence[Token]) -> frozenset[str]:
    """Returns the times, numbers and codes among words."""
    return frozenset(token.form for token in tokens if token.kind & Kind.QUANTITY)


def _has_other_end(after: Sentence, before: Sentence) -> bool:
    """Returns True if two sentences begin with the same subject and relation and end with different names: “the author
    of Emma is …”. The relation ends with a copula or a preposition: one may have two cats, and one author of a book."""
    new, old = after.tokens, before.tokens
    start = next((n for n, (a, b) in enumerate(zip(new, old, strict=False)) if a.form != b.form), 0)
    while start and new[start - 1].kind & (Kind.NAME | Kind.DEFINITE):  # names that begin alike
        start -= 1
    kinds = kinds_of(new[:start])
    if (
        not start
        or new[start - 1].kind & ~(Kind.COPULA | Kind.SETTING)
        or any(token.kind & (Kind.ADDITION | Kind.SEVERAL) and not token.kind & Kind.QUANTITY for token in new[:start])
        or (kinds & Kind.EVENT and not kinds & Kind.COPULA)
        or sum(bool(token.kind & INFORMATIVE) for token in new[:start]) < LEAST_WORDS_OF_RELATION
    ):
        return False
    ends = [tuple(token for token in tokens[start:] if token is not BREAK) for tokens in (new, old)]
    words = [frozenset(token.form for token in end if token.kind & INFORMATIVE) for end in ends]
    return (
        all(_is_name(end, alone=bool(kinds & _VERBS)) for end in ends)
        and not words[0] <= words[1]
        and not words[1] <= words[0]
        and not (quantities_of(ends[0]) and quantities_of(ends[1]))
    )


def _is_name(end: Sequence[Token], *, alone: bool) -> bool:
    """Returns True if the words at the end of a sentence are a name or, if `alone`, a short phrase without a verb."""
    if len(end) > MOST_WORDS_OF_NAME or any(token.kind & _VERBS and not token.kind & Kind.NAME for token in end):
        return False
    others = sum(token.kind & (Kind.THING | Kind.NAME) == Kind.THING for token in end)
    return others <= (MOST_VALUE_WORDS if alone else 0)


def _only_repeats(one: str, other: str) -> bool:
    """Returns True if two texts have the same words, of which one says some more often."""
    ours, theirs = one.split(), other.split()
    return len(ours) != len(theirs) and set(ours) == set(theirs)


def _number_other_things(after: Sentence, before: Sentence) -> bool:
    """Returns True if the sentences begin with things of one sort and other numbers: “zebra number 5”, “zebra 6”. One
    that announces a change may correct the number."""
    if after.changed or not (after.statements and before.statements):
        return False
    ours, theirs = (entry.statements[0].numbered_thing for entry in (after, before))
    return ours is not None and theirs is not None and ours[0] == theirs[0] and ours[1] != theirs[1]


def of_one_person(after: Sentence, before: Sentence, speakers: Speakers) -> bool:
    """Returns False if the statements are about different speakers."""
    mine, yours = (after.own, after.addressed), (before.own, before.addressed)
    if speakers.are_one:
        return {mine, yours} != {(True, False), (False, True)}
    if speakers.talk and (after.own or before.own):
        return (mine, yours) in (((True, False), (False, True)), ((False, True), (True, False)))
    return not (after.own or before.own)


def _replaces(after: Statement, before: Statement) -> bool:
    """Returns True if `after` has the subject of `before` and another value."""
    if after.things.isdisjoint(before.things) and after.topic_forms != before.topic_forms:
        return False
    if after.frame.former or not after.persons <= before.persons or not after.possessors <= before.possessors:
        return False
    return _may_have_another_value(after, before) and _Comparison(after, before).replaces()


def _may_have_another_value(after: Statement, before: Statement) -> bool:
    """Returns False for most statements that say neither that something changed nor what holds of one thing."""
    return bool(
        after.changed
        or not after.lead.isdisjoint(before.things)
        or after.kinds & before.kinds & (Kind.QUANTITY | Kind.STATUS)
        or after.frame.denials
        or after.frame.denied_title
        or not after.exclusive.isdisjoint(before.exclusive)
    )


class _Comparison:
    """A later statement beside an earlier one."""

    def __init__(self, after: Statement, before: Statement) -> None:
        self.after, self.before = after, before
        self.common = after.things & before.things
        self.new, self.old = after.things - self.common, before.things - self.common
        frame = after.frame
        self.denied = frame.denials if frame.denials <= before.things | before.quantities else frozenset[str]()
        self.denied |= before.things & {frame.denied_title}
        self.one_topic = after.topic > 0 and before.topic_forms == after.topic_forms
        self.exclusive = not after.exclusive.isdisjoint(before.exclusive) and not self._of_two_verbs
        self.changed = after.changed or bool(self.denied) or self._names_the_old

    @property
    def _names_the_old(self) -> bool:
        """True if the parts before the later statement speak of the earlier value, whose end they may tell: “Maria
        left, Jonas is our accountant”."""
        lead = self.after.lead
        if not lead or not self.old or not self.old <= lead or self.before.things <= lead:
            return False
        return self.one_topic or self._of_roles or not self.before.predicates.isdisjoint(self.common)

    @property
    def _of_roles(self) -> bool:
        """True if both say what one person does for others."""
        return self.after.is_of_role and self.before.is_of_role

    @property
    def _of_two_verbs(self) -> bool:
        """True if verbs that come last differ."""
        forms = self.after.verbs | self.before.verbs
        return bool(forms) and not forms.isdisjoint(self.new | self.old)

    def replaces(self) -> bool:
        """Returns True if the later statement has the subject of the earlier one and another value."""
        after, before = self.after, self.before
        values = after.kinds & before.kinds & (Kind.QUANTITY | Kind.STATUS)
        if not (self.changed or self.exclusive or values) or self._is_of_another:
            return False
        shared = self.common | (self.denied & (self.old | (before.quantities - after.quantities)))
        if self.one_topic:
            shared |= after.topic_forms
        if not shared or not self._may_share_enough(len(shared)):
            return False
        differences = list(differences_of(before, after))
        if self.changed and len(differences) != 1 and self._keeps_the_topic(differences):
            differences = list(difference_in_any_order(before, after)) or differences
        if self._names_another(differences):
            return False
        if self.changed and self.one_topic and _is_of_one_topic(before, after):
            return True
        quantities = any(entry.is_of_quantities for entry in differences) or bool(
            after.quantities - before.quantities and before.quantities - after.quantities
        )
        blocks = [entry for entry in differences if entry.has_things]
        alone = len(differences) == 1
        of_figures = alone and blocks and (self.changed or self.exclusive) and blocks[0].is_of_figures
        if quantities and not of_figures:
            return self._has_other_quantity(differences, len(shared))
        return len(blocks) == 1 and self._has_other_value(blocks[0], len(shared), alone=alone)

    def _may_share_enough(self, shared: int) -> bool:
        """Returns False if the statements have too few words in common whatever their differences are, which take
        longer to find. `shared`: how many."""
        if (self.changed and (self.one_topic or self._of_roles)) or self._names_the_old:
            return True
        new, longer = len(self.new), max(len(self.new), len(self.old))
        of_quantity = SHARED_WITH_CHANGE * (shared + new) if self.changed else SHARED * (shared + longer)
        return shared >= min(of_quantity, SHARED * (shared + longer - MOST_VALUE_WORDS))

    def _keeps_the_topic(self, differences: Sequence[Difference]) -> bool:
        """Returns True if all words of what the earlier statement is about are in the later one, or both are of roles,
        and no two numbers differ."""
        topic = self.before.topic_forms
        inside = bool(topic) and topic <= self.after.things | self.after.quantities
        return (inside or self._of_roles) and sum(entry.is_of_quantities for entry in differences) < 2

    @property
    def _is_of_another(self) -> bool:
        """True if the later statement adds to the other, tells of another event, or is about someone else."""
        after, before = self.after, self.before
        if after.kinds & Kind.ADDITION and not before.kinds & Kind.ADDITION:
            return True
        if after.frame.own and not before.frame.own and before.possessors - after.possessors:
            return True
        if self.changed:
            return False
        return bool((after.kinds | before.kinds) & Kind.EVENT) or after.persons != before.persons

    def _names_another(self, differences: Sequence[Difference]) -> bool:
        """Returns True if words that differ say which thing the statements are about, rather than a value of it: they
        come before the predicate, or beside a value that differs as well."""
        if sum(entry.is_of_quantities for entry in differences) > 1:
            return True
        if self.changed:  # what differs alone is corrected
            named = any(entry.old_names and entry.new_names for entry in differences)
            return named and (
                len(differences) > 1 or not self.after.quantities <= self.after.topic_forms | self.before.quantities
            )
        return any(entry.old_names or entry.new_names or entry.is_of_two_times for entry in differences)

    def _has_other_quantity(self, differences: Sequence[Difference], shared: int) -> bool:
        """Returns True if a time or number differs and enough words are the same. `shared`: how many are."""
        alone = len(differences) == 1
        if any(entry.has_things for entry in differences) or self.after.names - self.before.names:
            return False
        if not (self.changed or alone):
            return False
        new, old = len(self.new), len(self.old)
        minimum = 1 if self.exclusive or self.one_topic or (alone and differences[0].has_one_unit) else 2
        if self.changed:
            return shared >= (1 if not new else minimum) and shared >= SHARED_WITH_CHANGE * (shared + new)
        return shared >= minimum and shared >= SHARED * (shared + max(new, old))

    def _has_other_value(self, value: Difference, shared: int, *, alone: bool) -> bool:
        """Returns True if words that differ are a value and enough words are the same. `shared`: how many are;
        `alone`: whether nothing else differs."""
        after, before = self.after, self.before
        if alone and (self._names_the_old or (self.changed and self._of_roles)):
            inside = self.new | self.old <= _things((*value.old, *value.new))
            if inside and shared >= (1 if self._names_the_old else 2) and not value.has_person:
                return True
        if self._of_two_verbs or not (self.changed or self.exclusive or value.is_of_states):
            return False
        if not _is_value(value, before, after):
            return False
        remainder = max(len(self.new - _things(value.new)), len(self.old - _things(value.old)))
        named = all(token.kind & Kind.NAME for token in (*value.old, *value.new))
        minimum = 2
        if (
            self.exclusive
            or value.is_of_states
            or (not remainder and (after.frame.corrected or (self.changed and named)))
        ):
            minimum = 1
        return shared >= minimum and shared >= SHARED * (shared + remainder)


def _is_of_one_topic(before: Statement, after: Statement) -> bool:
    """Returns True if the earlier statement says only a time, a number or a state of its topic, and the later one says
    another."""
    old = [token for token in before.tokens[before.topic :] if token.form not in after.things | after.quantities]
    new = [token for token in after.tokens[after.topic :] if token.form not in before.things | before.quantities]
    value = Kind.QUANTITY | Kind.STATUS
    if not old or not all(token.kind & value for token in old):
        return False
    if not new:  # “is in hospital”, “was discharged”
        return after.frame.corrected and all(token.kind & Kind.STATUS for token in old)
    return any(token.kind & value for token in new) and sum(not token.kind & value for token in new) <= MOST_VALUE_WORDS


def _is_value(words: Difference, before: Statement, after: Statement) -> bool:
    """Returns True if words that differ are a value rather than the subject."""
    if max(len(words.old), len(words.new)) > MOST_VALUE_WORDS or words.has_person or words.has_event:
        return False
    if after.names - before.names - forms_of(words.new):
        return False
    return _is_object(words.old, before) and _is_object(words.new, after)


def _is_object(value: Sequence[Token], statement: Statement) -> bool:
    """Returns True if a value follows a predicate rather than being, or containing, the subject."""
    tokens = statement.all_tokens
    first, last = (next(n for n, token in enumerate(tokens) if token is end) for end in (value[0], value[-1]))
    if not first and statement.frame.code in BY_WORDS:
        return False
    if any(token.kind & Kind.COPULA for token in tokens[first:last]):
        return False
    return not first or not tokens[first - 1].kind & Kind.PERSON


def _things(tokens: Iterable[Token]) -> frozenset[str]:
    return frozenset(token.form for token in tokens if token.kind & Kind.THING)

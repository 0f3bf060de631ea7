"""The choice between text and page images: which matches stand as text, and which sheets show them, within a budget.

A match is worth the less the later it comes in the answer of recall. Of several ways to spend the budget, the one that
shows the most is taken, so that a mixture never shows less than text or images alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

#: Rank at which a match is worth half of the first one.
HALF_RANK = 12


@dataclass(frozen=True)
class Match:
    """A message that recall found."""

    #: Tokens of it as text, with who and when.
    tokens: int
    #: The sheets that show it together; empty if none do.
    sheets: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Offer:
    """A sheet that can be shown."""

    #: What the reader bills for it and for the text beside it.
    tokens: int
    #: Tokens of all that it shows, as text.
    text_tokens: int


@dataclass(frozen=True)
class Plan:
    """What is shown: positions in the sequences of matches and offers."""

    texts: frozenset[int]
    sheets: frozenset[int]
    #: What it costs.
    tokens: int


class Planner:
    """Plans for one set of matches, best first, and offers."""

    def __init__(self, matches: Sequence[Match], offers: Sequence[Offer], room: int, most_sheets: int) -> None:
        """`room`: tokens that may be spent; `most_sheets`: images that may be shown."""
        self.matches = matches
        self.offers = offers
        self.room = room
        self.most_sheets = most_sheets
        self._worth = [HALF_RANK / (HALF_RANK + rank) for rank in range(len(matches))]
        self._of_sheet: list[list[int]] = [[] for _ in offers]
        for number, match in enumerate(matches):
            for sheet in match.sheets:
                self._of_sheet[sheet].append(number)

    def best(self) -> Plan:
        """The plan that shows the most; of equals the one that costs the least."""
        plans = [self.text(), self.images(), self._filled(self.images()), self._exchanged(self.text())]
        return max(plans, key=lambda plan: (round(self.shown(plan), 6), -plan.tokens))

    def shown(self, plan: Plan) -> float:
        """What the matches that a plan shows are worth."""
        return sum(worth for number, worth in enumerate(self._worth) if self._covered(number, plan.texts, plan.sheets))

    def text(self) -> Plan:
        """Matches as text, in their order; one that does not fit is passed over."""
        return self._filled(Plan(frozenset(), frozenset(), 0))

    def images(self) -> Plan:
        """Sheets alone: again and again the one whose matches are worth the most for a token."""
        sheets: set[int] = set()
        spent = 0
        while True:
            gains = [
                (self._gain(sheet, sheets) / offer.tokens, -sheet)
                for sheet, offer in enumerate(self.offers)
                if sheet not in sheets and offer.tokens <= min(self.room - spent, offer.text_tokens)
            ]
            if not gains or max(gains)[0] <= 0 or len(sheets) == self.most_sheets:
                return Plan(frozenset(), frozenset(sheets), spent)
            sheet = -max(gains)[1]
            sheets.add(sheet)
            spent += self.offers[sheet].tokens

    def _gain(self, sheet: int, shown: set[int]) -> float:
        """What the matches that a further sheet shows are worth; of one on several sheets, its share."""
        new = (number for number in self._of_sheet[sheet] if not self._covered(number, frozenset(), frozenset(shown)))
        return sum(self._worth[number] / len(self.matches[number].sheets) for number in new)

    def _filled(self, plan: Plan) -> Plan:
        """`plan` with further matches as text, as many as fit."""
        texts, spent = set(plan.texts), plan.tokens
        for number, match in enumerate(self.matches):
            if not self._covered(number, plan.texts, plan.sheets) and spent + match.tokens <= self.room:
                texts.add(number)
                spent += match.tokens
        return Plan(frozenset(texts), plan.sheets, spent)

    def _exchanged(self, plan: Plan) -> Plan:
        """`plan` with sheets in place of texts that cost more, and with what fits then."""
        while True:
            savings = [(self._saving(sheet, plan), -sheet) for sheet in range(len(self.offers))]
            if not savings or max(savings)[0] <= 0 or len(plan.sheets) == self.most_sheets:
                return plan
            sheets = plan.sheets | {-max(savings)[1]}
            texts = frozenset(n for n in plan.texts if not self._covered(n, frozenset(), sheets))
            plan = self._filled(Plan(texts, sheets, self._tokens(texts, sheets)))

    def _saving(self, sheet: int, plan: Plan) -> int:
        """Tokens that a sheet saves in place of the texts that it shows; never positive for one that costs more than
        its own text."""
        offer = self.offers[sheet]
        if sheet in plan.sheets or offer.tokens > offer.text_tokens:
            return 0
        with_it = plan.sheets | {sheet}
        replaced = [n for n in self._of_sheet[sheet] if n in plan.texts and self._covered(n, frozenset(), with_it)]
        return sum(self.matches[number].tokens for number in replaced) - offer.tokens

    def _tokens(self, texts: frozenset[int], sheets: frozenset[int]) -> int:
        return sum(self.matches[number].tokens for number in texts) + sum(self.offers[s].tokens for s in sheets)

    def _covered(self, number: int, texts: frozenset[int], sheets: frozenset[int]) -> bool:
        needed = self.matches[number].sheets
        return number in texts or (bool(needed) and needed <= sheets)

"""The choice between text and page images: which matches stand as text, and which images show them, within a budget.

What a plan shows is worth the sum of what each message is worth to the question. Text alone and images alone are
planned first; whichever is worth more is filled up without giving up anything of it. Other mixtures take its place only
where they are worth clearly more: values are estimates, and the best of a dozen estimates is usually too high.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

#: A match is worth (its score ÷ the best one) to this power, ÷ its rank to that power. Fitted to where the evidence of
#: LoCoMo's questions stands in the answer of recall.
SCORE_POWER, RANK_POWER = 3.0, 0.4
#: What a message that is none of the matches is worth where a page image shows it: of the last match, and at most.
BESIDE, MOST_BESIDE = 0.4, 0.001
#: How much more, as a share, another mixture must be worth. Over LoCoMo's 760 questions, the plan then shows no less
#: evidence than the better of text and images, whatever the reader and the budget; with no margin, up to 0.004 less.
MARGIN = 0.01
#: Matches that stand as text before images are chosen, in each of the other mixtures.
FIRST = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Match:
    """A message that recall found."""

    #: Tokens of it as text, with who and when.
    tokens: int
    #: What it is worth to show it, see `match_values`.
    value: float
    #: The images that show it together; empty if none do.
    images: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Offer:
    """A page image that can be shown."""

    #: What the reader bills for it and for the text beside it.
    tokens: int
    #: Tokens of all that it and the text beside it show, as text.
    text_tokens: int
    #: Messages on it that are none of the matches; of one on several images, its share.
    beside: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What is shown: positions in the sequences of matches and offers."""

    texts: frozenset[int]
    images: frozenset[int]
    #: What it costs.
    tokens: int


def match_values(scores: Sequence[float | None]) -> list[float]:
    """What matches are worth, by their scores, best first; the first one 1."""
    best = max((score or 0.0 for score in scores), default=0.0)
    shares = [1.0 if score is None or best <= 0 else max(0.0, score / best) ** SCORE_POWER for score in scores]
    return [share / rank**RANK_POWER for rank, share in enumerate(shares, 1)]


class Planner:
    """Plans for one set of matches, best first, and offers."""

    def __init__(self, matches: Sequence[Match], offers: Sequence[Offer], room: int, most_images: int) -> None:
        """`room`: tokens that may be spent; `most_images`: images that may be shown."""
        self.matches = matches
        self.offers = offers
        self.room = room
        self.most_images = most_images
        last = min((match.value for match in matches), default=0.0)
        self._beside = [min(BESIDE * last, MOST_BESIDE) * offer.beside for offer in offers]
        self._by_image: list[list[int]] = [[] for _ in offers]
        for number, match in enumerate(matches):
            for image in match.images:
                self._by_image[image].append(number)

    def best(self) -> Plan:
        """What shows all that the better of text and images alone shows, or another mixture that is worth more by
        `MARGIN`; of equals the one that costs the least."""
        text = self.text()
        if not self.offers:
            return text
        as_images = self.images()
        filled = self._exchanged(text), self._filled((), as_images.images)
        surest = filled[0] if self.value(text) >= self.value(as_images) else filled[1]
        other = max((*filled, *self._mixtures()), key=lambda plan: (round(self.value(plan), 9), -plan.tokens))
        return other if self.value(other) > (1 + MARGIN) * self.value(surest) else surest

    def value(self, plan: Plan) -> float:
        """What all that a plan shows is worth."""
        shown = (m.value for n, m in enumerate(self.matches) if self._covered(n, plan.texts, plan.images))
        return sum(shown) + sum(self._beside[image] for image in plan.images)

    def text(self) -> Plan:
        """Matches as text, in their order; one that does not fit is passed over."""
        return self._filled((), frozenset())

    def images(self) -> Plan:
        """Page images alone: those that are worth the most for a token."""
        images = self._chosen((), self.room)
        return Plan(frozenset(), images, self._tokens((), images))

    def _mixtures(self) -> Iterator[Plan]:
        """The first matches as text, then images, then what else fits as text; for several numbers of first matches."""
        for count in FIRST:
            first = range(min(count, len(self.matches)))
            left = self.room - self._tokens(first, ())
            if left < 0:
                return
            yield self._filled(first, self._chosen(first, left))
            if count >= len(self.matches):
                return

    def _chosen(self, texts: Iterable[int], room: int) -> frozenset[int]:
        """Page images beside matches that stand as text: those that add the most for a token, as many as fit."""
        known = frozenset(texts)
        density = {
            image: self._gain(image, known) / offer.tokens
            for image, offer in enumerate(self.offers)
            if offer.tokens <= offer.text_tokens
        }
        images: set[int] = set()
        for image in sorted(density, key=lambda image: (-density[image], image)):
            if density[image] > 0 and self.offers[image].tokens <= room and len(images) < self.most_images:
                images.add(image)
                room -= self.offers[image].tokens
        return frozenset(images)

    def _gain(self, image: int, texts: frozenset[int]) -> float:
        """What a page image adds to `texts`; of a match on several images, its share."""
        shown = (self.matches[number] for number in self._by_image[image] if number not in texts)
        return self._beside[image] + sum(match.value / len(match.images) for match in shown)

    def _filled(self, texts: Iterable[int], images: frozenset[int]) -> Plan:
        """`texts` that no image shows, and further matches as text, as many as fit."""
        chosen = {number for number in texts if not self._covered(number, frozenset(), images)}
        spent = self._tokens(chosen, images)
        for number, match in enumerate(self.matches):
            if spent + match.tokens <= self.room and not self._covered(number, chosen, images):
                chosen.add(number)
                spent += match.tokens
        return Plan(frozenset(chosen), images, spent)

    def _exchanged(self, plan: Plan) -> Plan:
        """`plan` with images in place of texts that cost more, and with what fits then."""
        while len(plan.images) < self.most_images:
            saving, image = max((self._saving(image, plan), -image) for image in range(len(self.offers)))
            if saving <= 0:
                break
            plan = self._filled(plan.texts, plan.images | {-image})
        return plan

    def _saving(self, image: int, plan: Plan) -> int:
        """Tokens that an image saves in place of the texts that it shows; never positive for one that costs more than
        its own text."""
        offer = self.offers[image]
        if image in plan.images or offer.tokens > offer.text_tokens:
            return 0
        with_it = plan.images | {image}
        replaced = [n for n in self._by_image[image] if n in plan.texts and self._covered(n, frozenset(), with_it)]
        return sum(self.matches[number].tokens for number in replaced) - offer.tokens

    def _tokens(self, texts: Iterable[int], images: Iterable[int]) -> int:
        return sum(self.matches[number].tokens for number in texts) + sum(self.offers[s].tokens for s in images)

    def _covered(self, number: int, texts: frozenset[int] | set[int], images: frozenset[int]) -> bool:
        needed = self.matches[number].images
        return number in texts or (bool(needed) and needed <= images)

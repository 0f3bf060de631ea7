"""Planner: chooses which matches to include as text and which page images to show, within a budget.

The value of a plan is the sum of the values of its messages. The planner first plans text alone and images alone, and
fills the remaining budget of the better one without removing anything from it. Another mixture replaces it only if its
value is clearly higher: values are estimates, and the maximum of a dozen estimates is biased upwards.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

#: Value of a match: (score ÷ best score) ** SCORE_POWER ÷ rank ** RANK_POWER, fitted to the ranks of the evidence of
#: LoCoMo's questions in recall results.
SCORE_POWER, RANK_POWER = 3.0, 0.4
#: Value of a message on a page image that is not a match: this share of the last match's value, and the maximum.
BESIDE, MOST_BESIDE = 0.4, 0.001
#: Minimum relative gain of another mixture. Over LoCoMo's 760 questions, the plan then shows no less evidence than the
#: better of text and images, for any reader and budget; without a margin, up to 0.004 less.
MARGIN = 0.01
#: Numbers of matches that the other mixtures include as text before they choose images.
FIRST = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Match:
    """A recalled message."""

    #: Tokens as text by itself, date and speaker included.
    tokens: int
    #: Value of showing it, see `match_values`.
    value: float
    #: Indexes of the images that together show it; empty if there are none.
    images: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Offer:
    """A page image that can be shown."""

    #: Tokens billed for the image and the text beside it, without what it shares with others.
    tokens: int
    #: Tokens that its messages would take as text.
    text_tokens: int
    #: Number of messages on it that are not matches; a partial one counts its share.
    beside: float = 0.0


@dataclass(frozen=True)
class Plan:
    """The matches shown as text and the images shown, as indexes of matches and offers."""

    texts: frozenset[int]
    images: frozenset[int]
    #: Cost in tokens.
    tokens: int


def match_values(scores: Sequence[float | None]) -> list[float]:
    """Returns the values of matches. `scores`: best first; the best match has value 1."""
    best = max((score or 0.0 for score in scores), default=0.0)
    shares = [1.0 if score is None or best <= 0 else max(0.0, score / best) ** SCORE_POWER for score in scores]
    return [share / rank**RANK_POWER for rank, share in enumerate(shares, 1)]


class Texts(Protocol):
    """Matches shown as text, and the tokens that they take together."""

    @property
    def tokens(self) -> int:
        """Tokens of the matches added."""

    def added(self, number: int) -> int:
        """Returns the tokens that another match would add. `number`: its index."""

    def add(self, number: int) -> None:
        """Adds a match."""

    def remove(self, number: int) -> None:
        """Removes a match."""


class SeparateTexts:
    """Matches that share nothing as text: each takes its `Match.tokens`."""

    def __init__(self, matches: Sequence[Match]) -> None:
        self._matches = matches
        self.tokens = 0

    def added(self, number: int) -> int:
        """See `Texts.added`."""
        return self._matches[number].tokens

    def add(self, number: int) -> None:
        """See `Texts.add`."""
        self.tokens += self.added(number)

    def remove(self, number: int) -> None:
        """See `Texts.remove`."""
        self.tokens -= self.added(number)


class Planner:
    """Plans the content for one set of matches, best first, and offers."""

    def __init__(
        self,
        matches: Sequence[Match],
        offers: Sequence[Offer],
        room: int,
        most_images: int,
        texts: Callable[[], Texts] | None = None,
        shared: Callable[[Iterable[int]], int] | None = None,
    ) -> None:
        """`room`: maximum number of tokens; `most_images`: maximum number of images; `texts`: returns an empty text,
        which counts what matches share; by default they share nothing; `shared`: returns the tokens of what images
        share, such as a list of identifiers, which their offers leave out; by default nothing."""
        self._texts = texts or (lambda: SeparateTexts(matches))
        self._shared = shared or (lambda _: 0)
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
        """Returns a plan that shows everything that the better of `text` and `images` shows, or another mixture whose
        value is higher by more than `MARGIN`; among equals the cheapest."""
        text = self.text()
        if not self.offers:
            return text
        as_images = self.images()
        filled = self._exchanged(text), self._filled((), as_images.images)
        surest = filled[0] if self.value(text) >= self.value(as_images) else filled[1]
        other = max((*filled, *self._mixtures()), key=lambda plan: (round(self.value(plan), 9), -plan.tokens))
        return other if self.value(other) > (1 + MARGIN) * self.value(surest) else surest

    def value(self, plan: Plan) -> float:
        """Returns the value of a plan."""
        shown = (m.value for n, m in enumerate(self.matches) if self._covered(n, plan.texts, plan.images))
        return sum(shown) + sum(self._beside[image] for image in plan.images)

    def text(self) -> Plan:
        """Returns the plan of text alone: matches in order, without those that do not fit."""
        return self._filled((), frozenset())

    def images(self) -> Plan:
        """Returns the plan of page images alone: those with the highest value per token."""
        images = self._chosen((), self.room)
        return Plan(frozenset(), images, self._tokens((), images))

    def _mixtures(self) -> Iterator[Plan]:
        """Yields plans of the first matches as text, then images, then further matches as text that fit; one for each
        of `FIRST`."""
        for count in FIRST:
            first = range(min(count, len(self.matches)))
            left = self.room - self._tokens(first, ())
            if left < 0:
                return
            yield self._filled(first, self._chosen(first, left))
            if count >= len(self.matches):
                return

    def _chosen(self, texts: Iterable[int], room: int) -> frozenset[int]:
        """Returns the page images with the highest gain per token over the matches `texts`, as many as fit `room`."""
        known = frozenset(texts)
        density = {
            image: self._gain(image, known) / self._billed([image])
            for image, offer in enumerate(self.offers)
            if self._billed([image]) <= offer.text_tokens
        }
        images: set[int] = set()
        for image in sorted(density, key=lambda image: (-density[image], image)):
            if density[image] > 0 and len(images) < self.most_images and self._billed({*images, image}) <= room:
                images.add(image)
        return frozenset(images)

    def _gain(self, image: int, texts: frozenset[int]) -> float:
        """Returns the value that a page image adds to `texts`; a match on several images counts its share."""
        shown = (self.matches[number] for number in self._by_image[image] if number not in texts)
        return self._beside[image] + sum(match.value / len(match.images) for match in shown)

    def _filled(self, texts: Iterable[int], images: frozenset[int]) -> Plan:
        """Returns the plan of `images` with those of `texts` that they do not show and further matches as text that
        fit."""
        chosen = {number for number in texts if not self._covered(number, frozenset(), images)}
        shown = self._shown(chosen)
        room = self.room - self._tokens((), images)
        for number in range(len(self.matches)):
            if self._covered(number, chosen, images) or shown.tokens + shown.added(number) > room:
                continue
            chosen.add(number)
            shown.add(number)
        return Plan(frozenset(chosen), images, self.room - room + shown.tokens)

    def _exchanged(self, plan: Plan) -> Plan:
        """Returns `plan` with texts replaced by cheaper images, and the tokens saved spent on further matches."""
        while len(plan.images) < self.most_images:
            shown = self._shown(plan.texts)
            saving, image = max((self._saving(image, plan, shown), -image) for image in range(len(self.offers)))
            if saving <= 0:
                break
            plan = self._filled(plan.texts, plan.images | {-image})
        return plan

    def _saving(self, image: int, plan: Plan, shown: Texts) -> int:
        """Returns the tokens that an image saves by replacing the texts that it shows; at most 0 if it costs more than
        its own text. `shown`: the texts of the plan."""
        if image in plan.images or self._billed([image]) > self.offers[image].text_tokens:
            return 0
        with_it = plan.images | {image}
        tokens = self._billed(with_it) - self._billed(plan.images)
        replaced = [n for n in self._by_image[image] if n in plan.texts and self._covered(n, frozenset(), with_it)]
        if not replaced:
            return -tokens
        before = shown.tokens
        for number in replaced:
            shown.remove(number)
        saved = before - shown.tokens
        for number in replaced:
            shown.add(number)
        return saved - tokens

    def _tokens(self, texts: Iterable[int], images: Collection[int]) -> int:
        return self._shown(texts).tokens + self._billed(images)

    def _billed(self, images: Collection[int]) -> int:
        """Returns the tokens billed for page images and what stands beside them."""
        return sum(self.offers[image].tokens for image in images) + self._shared(images)

    def _shown(self, numbers: Iterable[int]) -> Texts:
        """Returns the matches `numbers` as text."""
        shown = self._texts()
        for number in numbers:
            shown.add(number)
        return shown

    def _covered(self, number: int, texts: frozenset[int] | set[int], images: frozenset[int]) -> bool:
        needed = self.matches[number].images
        return number in texts or (bool(needed) and needed <= images)

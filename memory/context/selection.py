"""Selection: which matches a prompt shows as text, and which page images it shows, stored or composed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from foxing.memory.recall.transcript import Style, transcript_of
from foxing.memory.values.context import ContextRequest
from foxing.renderer.readers import Reader

from .composed import Composer
from .headings import heading_tokens
from .identifiers import IDENTIFIERS, identifier_tokens
from .limits import ImageLimits
from .matches import Matches, MatchTexts, whole_beside, words_beside
from .plan import MARGIN, MOST_BESIDE, Match, Offer, Plan, Planner, match_values
from .prices import CachePrices
from .prompt_images import Marks, PromptImage


def select(recalled: Matches, room: int, request: ContextRequest, reader: Reader, style: Style) -> Plan:
    """Returns the best plan for the recalled messages within `room` tokens and the provider's limits, and adds a note
    for everything that these exclude."""
    places: Sequence[frozenset[int]] = recalled.shown_by or [frozenset()] * len(recalled.spans)
    values = match_values([span.score for span in recalled.spans])
    matches = [
        Match(line.tokens(None), value, images)
        for line, value, images in zip(recalled.lines, values, places, strict=True)
    ]
    texts = partial(MatchTexts, recalled, style)
    whole = [transcript_of(whole_beside([image], recalled), style).packed_tokens for image in recalled.images]
    offers = [
        Offer(image.tokens + text, image.text_tokens + text, others)
        for image, text, others in zip(recalled.images, whole, recalled.beside, strict=True)
    ]
    beside = partial(words_beside, reader, request)
    shared = partial(_beside_tokens, recalled, beside)
    losing = _losing(recalled.images, shared, request) if request.show == "best" else set[int]()
    limits = ImageLimits(reader, recalled.images, request.images_given, request.given_bytes)
    while True:
        refused = losing | limits.left_out
        allowed = [replace(offer, tokens=room + 1) if n in refused else offer for n, offer in enumerate(offers)]
        planner = Planner(matches, allowed, max(0, room), limits.most, texts, shared)
        plan = {"best": planner.best, "text": planner.text, "images": planner.images}[request.show]()
        if limits.admit(plan.images):
            if losing:
                recalled.notes.append(
                    f"{len(losing):,} page images were left out: their text costs less, since the cache holds "
                    f"{request.cached_tokens:,} tokens of it"
                )
            recalled.notes += limits.notes
            if matches and not plan.tokens:
                recalled.notes.append(_too_small(matches, room))
            return plan


def select_composed(
    recalled: Matches,
    plan: Plan,
    room: int,
    request: ContextRequest,
    reader: Reader,
    style: Style,
    composer: Composer,
) -> tuple[Matches, Plan]:
    """Returns the matches with images composed of them, and the plan that shows these, unless `plan` shows the same
    matches or clearly more, or text costs less; then `recalled` and `plan`, whose images prompt caches may hold."""
    if not recalled.spans:
        return recalled, plan
    values = match_values([span.score for span in recalled.spans])
    before = {n for n in range(len(values)) if n in plan.texts or _covers(recalled.shown_by, n, plan.images)}
    if len(before) == len(values):
        return recalled, plan
    beside = partial(words_beside, reader, request)
    free = ImageLimits(reader, (), request.images_given, request.given_bytes).free

    def tokens(images: Sequence[PromptImage]) -> int:
        words = beside(images)
        return heading_tokens(IDENTIFIERS) + identifier_tokens(words) if words else 0

    made = composer.compose(recalled.spans, reader, room, free, tokens)
    if made is not None:
        most = ImageLimits(reader, made.images, request.images_given, request.given_bytes).most
        if len(made.images) > most:
            made = composer.compose(recalled.spans, reader, room, most, tokens)
    if made is None or made.tokens >= sum(image.text_tokens for image in made.images):
        return recalled, plan
    limits = ImageLimits(reader, made.images, request.images_given, request.given_bytes)
    if not limits.admit(range(len(made.images))):
        return recalled, plan
    shown_by = [
        frozenset(place for place, numbers in enumerate(made.shown) if n in numbers) for n in range(len(recalled.spans))
    ]
    texts = MatchTexts(recalled, style)
    chosen = set[int]()
    if request.show == "best":
        for n, images in enumerate(shown_by):
            if not images and made.tokens + texts.tokens + texts.added(n) <= room:
                chosen.add(n)
                texts.add(n)
    after = chosen | {n for n, images in enumerate(shown_by) if images}
    kept = sum(values[n] for n in before) + sum(recalled.beside[image] for image in plan.images) * MOST_BESIDE
    if before >= after or kept > (1 + MARGIN) * sum(values[n] for n in after):
        return recalled, plan
    composed = replace(recalled, images=made.images, shown_by=shown_by, beside=[0.0] * len(made.images), whole={})
    return composed, Plan(frozenset(chosen), frozenset(range(len(made.images))), made.tokens + texts.tokens)


def _covers(shown_by: Sequence[frozenset[int]], number: int, images: frozenset[int]) -> bool:
    """Returns True if images show a match."""
    return bool(shown_by) and bool(shown_by[number]) and shown_by[number] <= images


def _beside_tokens(
    recalled: Matches, beside: Callable[[Sequence[PromptImage]], Mapping[str, Marks]], images: Iterable[int]
) -> int:
    """Returns the tokens of the words that stand beside images, each listed once. `beside`: returns these words."""
    words = beside([recalled.images[image] for image in images])
    return heading_tokens(IDENTIFIERS) + identifier_tokens(words) if words else 0


def _losing(images: Sequence[PromptImage], shared: Callable[[Iterable[int]], int], request: ContextRequest) -> set[int]:
    """Returns the indexes of the images that cost no less than their text, net of the cache; none if nothing is
    cached. `shared`: see `_beside_tokens`."""
    prices = CachePrices.of(request)
    cached = prices.shares([image.text_tokens for image in images])
    return {
        number
        for number, (image, share) in enumerate(zip(images, cached, strict=True))
        if share and prices.new(image.tokens + shared([number])) >= prices.text(image.text_tokens, share)
    }


def _too_small(matches: Sequence[Match], room: int) -> str:
    """Returns the note for a budget too small for any recalled message."""
    least = min(match.tokens for match in matches)
    return (
        f"the budget leaves {max(0, room):,} tokens for recalled messages, too few for any of the {len(matches):,} "
        f"found; the shortest takes {least:,}"
    )

"""The result of a context: the content of a plan as blocks of a prompt, and what it costs."""

from collections.abc import Sequence

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.recall.transcript import Style, TextTranscript, TranscriptLine
from foxing.memory.values.context import ContextRequest, ContextResult
from foxing.memory.values.facts import Facts
from foxing.memory.values.fences import fenced
from foxing.renderer.readers import PageImage, Reader

from .blocks import request_fields, written
from .headings import FACTS, RECENT, recalled_heading
from .identifiers import IDENTIFIERS, listed
from .matches import Matches, place_of, whole_beside, words_beside
from .plan import Plan
from .prices import CachePrices

TEXT_FORMULA = "text: BPE tokens (Tekken, 131k)"


def context_result(
    request: ContextRequest,
    reader: Reader,
    recalled: Matches,
    plan: Plan,
    recent: Sequence[TranscriptLine],
    style: Style,
    facts: Facts | None = None,
) -> ContextResult:
    """Returns the content of a plan: standing facts, page images and the identifiers on them, then matches and the
    complete messages that images show in part, in time order, then the last messages."""
    images = [recalled.images[place] for place in sorted(plan.images)]
    whole = {message.message_id: message for message in whole_beside(images, recalled)}
    pairs = [(recalled.spans[n], recalled.lines[n]) for n in plan.texts if recalled.spans[n].message_id not in whole]
    pairs += [(message, TranscriptLine(message, style)) for message in whole.values()]
    matches = [line for _, line in sorted(pairs, key=lambda pair: place_of(pair[0]))]
    words = words_beside(reader, request, images)
    earlier = [fenced(recalled_heading(request, style), TextTranscript.of(matches, style).text)] if matches else []
    latest = [fenced(RECENT, TextTranscript.of(recent, style).text)] if recent else []
    beside = [fenced(IDENTIFIERS, listed(words.items()))] if words else []
    standing = [fenced(FACTS, facts.rendered)] if facts is not None and facts.facts else []
    drawings = (block for drawn in images for block in (drawn.label, drawn.image))
    blocks: list[str | PageImage] = [*standing, *drawings, *beside, *earlier, *latest]
    stable = len(blocks) - len(latest)
    text, last = (sum(map(count_text_tokens, part)) for part in ([*standing, *earlier], latest))
    image_tokens = sum(drawn.tokens for drawn in images) + sum(map(count_text_tokens, beside))
    replaced = sum(drawn.text_tokens for drawn in images)
    prices = CachePrices.of(request)
    shares = prices.shares([drawn.text_tokens for drawn in recalled.images])
    cached = sum(shares[place] for place in plan.images)
    price, as_text = prices.total(images=image_tokens, replaced=replaced, cached=cached, text=text, last=last)
    stated = facts.facts if standing and facts is not None else []
    shown_as_text = [line.message.message_id for line in (*matches, *recent)]
    form = request.form or reader.provider
    return ContextResult(
        content=written(blocks, form, reader),
        request_fields=request_fields(form, reader, images=bool(images)),
        images_free=_images_free(reader, request.images_given + len(images)),
        stable_blocks=stable,
        billed_tokens=text + last + image_tokens,
        image_tokens=image_tokens,
        text_tokens_instead=text + last + replaced,
        price=round(price, 6),
        price_as_text=round(as_text, 6),
        fact_ids=[fact.fact_id for fact in stated],
        message_ids=list(
            dict.fromkeys(
                [
                    *(fact.message_id for fact in stated),
                    *(key for drawn in images for key in drawn.placed.keys),
                    *shown_as_text,
                ]
            )
        ),
        partial_message_ids=list(
            dict.fromkeys(key for drawn in images for key in drawn.placed.keys_of(drawn.placed.in_part))
        ),
        reader=reader.name,
        formula="; ".join(filter(None, (reader.formula, TEXT_FORMULA))),
        notes=recalled.notes,
    )


def _images_free(reader: Reader, used: int) -> int | None:
    """Returns the number of images that a request with `used` images may still hold; None for a text-only reader."""
    return None if reader.limits is None else max(0, reader.limits.max_images - used)

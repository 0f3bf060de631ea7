"""Images of the messages in a context, at the size that the reader's billing and the budget allow."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.images.decoding import scaled
from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused
from foxing.memory.pages.message_images import MessageImages, ShownImage
from foxing.memory.values.context import ContextRequest, ContextResult
from foxing.memory.values.fences import fenced
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.part_text import IMAGE_MARK
from foxing.memory.values.speakers import IMAGE_LINE, set_apart, speaker_of
from foxing.renderer.readers import Reader

from .blocks import ImageBlock, request_fields, written
from .prices import CachePrices
from .prompt_images import minute

#: Images of this many of the best matches, and of as many of the last messages, are shown.
MATCHES, RECENT = 3, 3
#: Images of so many of the messages before these that are given word for word: the text in them, or else the images.
BEFORE = 10
#: Share of the budget that they may take.
SHARE = 0.25
#: Maximum sides in px at which an image may be shown, beside that at which it is held.
SIDES_PX = (1_568, 1_024, 768, 512, 384, 256, 128, 64)
READ_HEADING = (
    "Text in an image of the message of {name} from {time}, read by machine with confidence {confidence:.2f}:"
)
#: Characters of the text in an image that are given, and the fewest that are worth it.
MOST_READ_CHARS, FEWEST_READ_CHARS = 4_000, 100


@dataclass(frozen=True)
class OfferedImage:
    """An image that fits the budget, or in its place the text in it."""

    message_id: str
    #: The text before it.
    heading: str
    #: None for text alone.
    block: ImageBlock | None = None

    @property
    def image_tokens(self) -> int:
        """Tokens billed for the image."""
        return 0 if self.block is None else self.block.tokens

    @property
    def tokens(self) -> int:
        """Tokens billed for the image and its heading."""
        return self.image_tokens + count_text_tokens(self.heading)


def offers(
    images: MessageImages,
    bank: str,
    request: ContextRequest,
    reader: Reader,
    matches: Sequence[RecalledMessage],
    recent: Sequence[RecalledMessage],
) -> list[OfferedImage]:
    """Returns images of the best matches and of the last messages, each at the largest size for which the budget has
    room. Where an image has no room, for a text-only reader and if only text is asked for, the text that a machine read
    in it, if any. Of the messages before the last ones that are in `recent`, this text comes first, and the image only
    where there is none."""
    limits = None if request.show == "text" or reader.billing is None else reader.limits
    room, found = int(SHARE * request.budget), list[OfferedImage]()
    free_bytes = 0 if limits is None else limits.max_request_bytes // 2 - request.given_bytes
    free_images = 0 if limits is None else max(0, limits.max_images - request.images_given)
    before = [message for message in recent[:-RECENT] if IMAGE_MARK in message.text][-BEFORE:]
    text_first = {message.message_id for message in before}
    for image in images.read(bank, [*matches[:MATCHES], *reversed(recent[-RECENT:]), *reversed(before)]):
        offer = _read_text(image, room) if image.message.message_id in text_first else None
        offer = offer or (_offer(image, bank, reader, room, free_bytes) if free_images else None)
        offer = offer or _read_text(image, room)
        if offer is not None:
            room -= offer.tokens
            found.append(offer)
            if offer.block is not None:
                free_images -= 1
                free_bytes -= 4 * len(offer.block.content) // 3
    return found


def _read_text(shown: ShownImage, room: int) -> OfferedImage | None:
    """Returns the text in an image, cut to what fits in `room` tokens; None if there is none."""
    read, message = shown.placed.image.read, shown.message
    if read is None or not read.text:
        return None
    name = speaker_of(message)
    time = minute(message.created_at)
    said = READ_HEADING.format(name=name, time=time, confidence=read.confidence)
    chars = min(len(read.text), MOST_READ_CHARS)
    while chars >= min(len(read.text), FEWEST_READ_CHARS):
        offered = OfferedImage(message.message_id, fenced(said, set_apart(f"{shown.label}\n{read.text[:chars]}")))
        if offered.tokens <= room:
            return offered
        chars //= 2
    return None


def _offer(shown: ShownImage, bank: str, reader: Reader, room: int, free_bytes: int) -> OfferedImage | None:
    """Returns an image at the largest size whose tokens fit in `room`; None if there is none."""
    assert reader.limits is not None
    assert reader.billing is not None
    size, message = shown.placed.image.size, shown.message
    file = ImageFile(shown.content, size.media_type, size.width_px, size.height_px)
    longest = max(size.width_px, size.height_px)
    most = reader.limits.max_side_px
    if reader.limits.many_images is not None:
        most = min(most, reader.limits.many_images.max_side_px)
    said = IMAGE_LINE.format(name=speaker_of(message), time=minute(message.created_at))
    heading = fenced(said, set_apart(shown.label))
    for side_px in (min(longest, most), *(side for side in SIDES_PX if side < min(longest, most))):
        width, height = (max(1, round(each * side_px / longest)) for each in (size.width_px, size.height_px))
        tokens = reader.billing.tokens(width, height)
        if tokens + count_text_tokens(heading) > room:
            continue
        try:
            drawn = scaled(file, side_px, as_it_came=True, caller=bank)
        except ImageRefused:
            return None
        tokens = reader.billing.tokens(drawn.width_px, drawn.height_px)  # a file that is smaller keeps its pixels
        if tokens + count_text_tokens(heading) > room or max(drawn.width_px, drawn.height_px) > most:
            continue
        if len(drawn.content) > min(reader.limits.max_image_bytes, 3 * free_bytes // 4):
            continue
        block = ImageBlock(drawn.content, drawn.media_type, drawn.width_px, drawn.height_px, tokens)
        return OfferedImage(message.message_id, heading, block)
    return None


def with_images(
    result: ContextResult, offered: Collection[OfferedImage], request: ContextRequest, reader: Reader
) -> ContextResult:
    """Returns a context with those of the images whose messages it shows, after everything else."""
    shown = [image for image in offered if image.message_id in result.message_ids]
    images = [image for image in shown if image.block is not None][: result.images_free]
    shown = [image for image in shown if image.block is None or image in images]
    if not shown:
        return result
    form = request.form or reader.provider
    tokens = sum(image.tokens for image in shown)
    of_images = sum(image.tokens for image in images)
    price, as_text = CachePrices.of(request).total(images=0, replaced=0, cached=0, text=tokens, last=0)
    blocks = [block for image in shown for block in (image.heading, image.block) if block is not None]
    return result.model_copy(
        update={
            "content": [*result.content, *written(blocks, form, reader)],
            "request_fields": request_fields(form, reader, images=True) if images else result.request_fields,
            "images_free": (result.images_free or 0) - len(images) if images else result.images_free,
            "billed_tokens": result.billed_tokens + tokens,
            "image_tokens": result.image_tokens + of_images,
            "text_tokens_instead": result.text_tokens_instead + tokens,
            "price": round(result.price + price, 6),
            "price_as_text": round(result.price_as_text + as_text, 6),
        }
    )

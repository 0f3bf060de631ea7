"""Conformance suite for codecs. Each check takes a codec and raises `AssertionError` with the reason for a failure.

    from foxing.encoder import load_codec
    from foxing.encoder.conformance import CHECKS
    for check in CHECKS:
        check(load_codec("native"))

`READING_CHECKS` need trained weights; a model with random weights passes all others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from random import Random

import numpy as np
from PIL import Image

from foxing.renderer import Entry, Page, Typesetter, render, tier_rank
from foxing.renderer.page import BLANK, Cells
from foxing.renderer.tiers import TOKEN_SIDE_PX

from .capabilities import BlankableCodec, CostableCodec, VerifiableCodec, capabilities_of
from .contract import Codec, Reading, token_grid
from .drawing import is_cut
from .errors import CodecError, TokensError
from .tokens import STREAM, VisionTokens

#: Time of all messages.
SENT_AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
#: All different, because language models are kept from repeating themselves.
SENTENCES = (
    "We agreed to move the release of project Titan to the second week of March, because the battery test took longer.",
    "Please tell the others before Friday, and send me the report from the cold room when it is ready.",
    "The hotel near the station has no free room on Monday, but there is one at the harbour with breakfast.",
    "My sister asked whether we could bring the blue tent and four chairs to the lake next weekend.",
    "He found the mistake in the second chapter: two lines had been printed in the wrong order.",
    "Could you water the plants on the balcony while I am away? The small one needs very little.",
    "The train leaves at half past seven from platform nine, so let us meet outside the bakery at seven.",
    "I have paid the bill for the new windows, and the carpenter will come again in the autumn.",
    "Nobody knew who had left the umbrella in the library, until the old teacher came back for it.",
    "For the soup you take three onions, a little butter, and the rest of the bread from yesterday.",
    "They want to know how many people will join the walk through the forest, with or without dogs.",
    "It was warm enough to sit in the garden until the first stars came out above the church.",
)


def sample_page(codec: Codec, messages: int = 12) -> Page:
    """Returns a page of plain English in the codec's layout; 12 messages fill about a tenth of a dense page."""
    texts = [f"{SENTENCES[n % len(SENTENCES)]} That was point {n}." for n in range(messages)]
    entries = [Entry(str(n), "user", text, SENT_AT, "t") for n, text in enumerate(texts)]
    return Typesetter(codec.layout, codec.repertoire).page(entries)


def _expect(condition: object, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _expect_raises(error: type[CodecError], attempt: Callable[[], object], message: str) -> None:
    try:
        attempt()
    except error:
        return
    raise AssertionError(message)


def describes_itself(codec: Codec) -> None:
    """Checks that name, weights and tiers are set, that tiers are listed sharpest first, and that each tier takes fewer
    tokens than the one before."""
    _expect(codec.name and codec.weights, "name or weights is empty")
    _expect(isinstance(codec.tiers, Mapping) and codec.tiers, "the codec has no tiers")
    names = list(codec.tiers)
    _expect(names == sorted(names, key=tier_rank), "tiers are not listed sharpest first")
    tokens = [codec.tiers[name].tokens for name in names]
    _expect(tokens == sorted(set(tokens), reverse=True), "a lower tier does not take fewer tokens")
    for name, spec in codec.tiers.items():
        _expect(spec.name == name, f"the spec of '{name}' names another tier")
        _expect(0 <= spec.flag_below <= 1, f"flag_below of '{name}' is not a probability")


def tokens_match_the_spec(codec: Codec) -> None:
    """Checks that the tokens of a full and of a partly filled page match the tier's spec."""
    page = sample_page(codec)
    for tier, spec in codec.tiers.items():
        for rows in sorted({page.rows_used, codec.layout.rows}):
            tokens = codec.encode([_image(codec, page, tier, rows)], tier)[0]
            _expect(
                (tokens.codec, tokens.weights, tokens.tier) == (codec.name, codec.weights, tier),
                "tokens name another codec, other weights or another tier",
            )
            grid = token_grid(codec, codec.layout, rows, tier)
            right_grid = tokens.shape[:2] == grid or spec.dtype == STREAM
            _expect(right_grid, f"'{tier}': {tokens.shape[:2]} tokens, expected {grid}")
            right_size = tokens.bytes_per_token == spec.bytes_per_token or spec.variable
            _expect(right_size, f"'{tier}': the bytes per token differ from the spec")
            _expect(len(tokens.data) <= 2 * spec.max_bytes, f"'{tier}': more than twice the bytes of the spec")
            _expect(tokens.dtype == spec.dtype, f"'{tier}': the dtype of the tokens differs from the spec")
            _expect(tokens.count <= spec.max_tokens, f"'{tier}': more tokens than a full page has")
            _expect(spec.context_positions >= spec.tokens, f"'{tier}': fewer context positions than tokens")


def streams_are_as_long_as_their_page(codec: Codec) -> None:
    """Checks streams: that a full page fits the tier, that a short page takes fewer tokens, and that tokens have the
    size in the spec."""
    for tier, spec in codec.tiers.items():
        if spec.dtype != STREAM:
            continue
        full = sample_page(codec, 100)
        short = sample_page(codec, 2)
        longer, shorter = (codec.encode([_image(codec, page, tier, page.rows_used)], tier)[0] for page in (full, short))
        _expect(
            longer.count <= spec.max_tokens, f"'{tier}': {longer.count} tokens, at most {spec.max_tokens} are allowed"
        )
        _expect(shorter.count < longer.count, f"'{tier}': a short page takes as many tokens as a full one")
        sizes = {longer.bytes_per_token, shorter.bytes_per_token}
        _expect(sizes == {spec.bytes_per_token}, f"'{tier}': the bytes per token differ from the spec")


def readings_fit_the_grid(codec: Codec) -> None:
    """Checks that a reading has the shape of the grid and valid confidences."""
    page = sample_page(codec)
    tier = list(codec.tiers)[-1]
    reading = _read(codec, page, tier)
    _expect(reading.tier == tier, "the reading names another tier")
    _expect(reading.cells.shape == reading.confidence.shape, "cells and confidence differ in shape")
    _expect(reading.cells.shape[1] == codec.layout.columns, "the reading has another number of columns")
    _expect(page.rows_used <= reading.cells.shape[0] <= codec.layout.rows, "the reading has too few or too many rows")
    _expect(bool(((reading.confidence >= 0) & (reading.confidence <= 1)).all()), "a confidence is not a probability")
    _expect(0 <= reading.mean_confidence <= 1, "the mean confidence is not a probability")


def reads_its_own_tokens(codec: Codec) -> None:
    """Checks that plain English is read at the sharpest tier."""
    page = sample_page(codec)
    tier = next(iter(codec.tiers))
    reading = _read(codec, page, tier)
    right = sum(a == b for a, b in zip(page.text, reading.text, strict=False))
    _expect(right >= 0.97 * len(page.text), f"'{tier}': {right} of {len(page.text)} characters are right")
    _expect(not reading.unread, "a page that was read counts as unread")


def tokens_survive_a_round_trip(codec: Codec) -> None:
    """Checks that tokens survive a round trip through bytes and decode as before."""
    page = sample_page(codec)
    for tier in codec.tiers:
        tokens = codec.encode([render(page.cells, codec.layout, tier)], tier)[0]
        restored = VisionTokens.from_bytes(tokens.to_bytes())
        _expect(restored == tokens, "tokens differ after to_bytes and from_bytes")
        first = codec.decode([tokens])[0]
        second = codec.decode([restored])[0]
        _expect(bool((first.cells == second.cells).all()), "the same tokens decode differently")


def batches_decode_as_single_pages(codec: Codec) -> None:
    """Checks that pages of several sizes and tiers in one call decode in order, and as they do one by one."""
    pages = [sample_page(codec, n) for n in (2, 9, 2, 12)]
    tiers = list(codec.tiers)[-2:]
    tokens = []
    for tier in tiers:
        tokens += codec.encode([render(page.cells, codec.layout, tier) for page in pages], tier)
    together = codec.decode(tokens)
    for item, reading in zip(tokens, together, strict=True):
        alone = codec.decode([item])[0]
        _expect(reading.tier == item.tier, "readings are in another order")
        same = float((alone.cells == reading.cells).mean())
        _expect(same > 0.999, f"a page decodes differently in a batch ({same:.4f} of its cells agree)")


def crops_decode_as_the_page(codec: Codec) -> None:
    """Checks, if `context_rows` is set, that a crop with that margin decodes as it does within the page."""
    if codec.context_rows is None:
        return
    page = sample_page(codec, 40)
    for tier in codec.tiers:
        tokens = codec.encode([render(page.cells, codec.layout, tier)], tier)[0]
        _expect(tokens.has_rows, f"'{tier}': a stream decodes only as a whole, so there is no margin for crops")
        if tokens.shape[0] < 3:
            continue
        rows = codec.layout.rows_per_token(tier)
        margin = -(-codec.context_rows // rows)
        whole = codec.decode([tokens])[0].cells[margin * rows : (margin + 1) * rows]
        part = codec.decode([tokens.crop(0, min(tokens.shape[0], 2 * margin + 1))])[0]
        same = float((part.cells[margin * rows : (margin + 1) * rows] == whole).mean())
        _expect(same > 0.999, f"'{tier}': a crop decodes differently ({same:.4f} of its cells agree)")


def foreign_tokens_are_rejected(codec: Codec) -> None:
    """Checks that tokens of other weights, another codec, an unknown tier or a wrong shape raise `TokensError`."""
    tier = list(codec.tiers)[-1]
    tokens = codec.encode([render(sample_page(codec).cells, codec.layout, tier)], tier)[0]
    foreign: Sequence[tuple[str, VisionTokens]] = (
        ("other weights", replace(tokens, weights="0" * len(tokens.weights))),
        ("another codec", replace(tokens, codec="another")),
        ("an unknown tier", replace(tokens, tier="gigantic")),
        ("a wrong shape", replace(tokens, shape=_wrong_shape(tokens))),
    )
    for difference, item in foreign:
        _expect_raises(TokensError, partial(codec.decode, [item]), f"tokens of {difference} were decoded")


def _wrong_shape(tokens: VisionTokens) -> tuple[int, int, int]:
    """Returns a shape that fits the data but that no codec writes: one column, or a stream of one token."""
    return (1, 1, len(tokens.data)) if tokens.dtype == STREAM else (tokens.count, 1, tokens.shape[2])


def bad_images_are_rejected(codec: Codec) -> None:
    """Checks that an image of the wrong size and an unknown tier raise `CodecError`, and that empty batches are
    accepted."""
    tier, spec = next(iter(codec.tiers.items()))
    wrong = Image.new("L", (spec.side_px + TOKEN_SIDE_PX, spec.side_px), 255)
    _expect_raises(CodecError, lambda: codec.encode([wrong], tier), "an image of the wrong size was encoded")
    right = Image.new("L", (spec.side_px, spec.side_px), 255)
    _expect_raises(CodecError, lambda: codec.encode([right], "gigantic"), "an unknown tier was encoded")
    _expect(codec.encode([], tier) == [] and codec.decode([]) == [], "an empty batch has a result")


def other_modes_are_converted(codec: Codec) -> None:
    """Checks that a colour image gives the same tokens as the grey one."""
    tier = list(codec.tiers)[-1]
    image = render(sample_page(codec, 2).cells, codec.layout, tier)
    _expect(codec.encode([image.convert("RGB")], tier) == codec.encode([image], tier), "colour changes the tokens")


def capabilities_do_what_they_say(codec: Codec) -> None:
    """Checks each capability that `capabilities_of` reports; see `foxing.encoder.capabilities`."""
    capabilities = capabilities_of(codec)
    if capabilities.describable is not None:
        labels = capabilities.describable.runs_on()
        _expect(labels and all(isinstance(value, str) for value in labels.values()), "runs_on has no labels")
    page = sample_page(codec, 2)
    tier = list(codec.tiers)[-1]
    image = render(page.cells, codec.layout, tier)
    if capabilities.downscalable is not None:
        sharp = codec.encode([render(page.cells, codec.layout, next(iter(codec.tiers)))], next(iter(codec.tiers)))
        lowered = capabilities.downscalable.lower(sharp, tier, [page.rows_used])[0]
        _expect((lowered.codec, lowered.tier) == (codec.name, tier), "lowered tokens name another codec or tier")
    if capabilities.blankable is not None:
        _blanks_cells(capabilities.blankable, page, tier)
    if capabilities.costable is not None:
        _costs_add_up(capabilities.costable)
    if capabilities.verifiable is not None:
        _drops_confidences(capabilities.verifiable, page, tier)
    if capabilities.remote is not None:
        pages_before = capabilities.remote.usage.pages
        (reading,) = capabilities.remote.decode_each(codec.encode([image], tier))
        _expect(isinstance(reading, Reading), f"the server did not read a page: {reading}")
        _expect(capabilities.remote.usage.pages == pages_before + 1, "usage does not count the page")


def _blanks_cells(codec: BlankableCodec, page: Page, tier: str) -> None:
    """Checks that a blanked page looks like one drawn without these cells, except for pixels at their edges."""
    expected_cells = page.cells.copy()
    expected_cells[0, : codec.layout.columns // 2] = BLANK
    tokens = codec.encode([render(page.cells, codec.layout, tier)], tier)
    (blanked,) = codec.blank(tokens, [expected_cells != page.cells])
    (expected,) = codec.encode([render(expected_cells, codec.layout, tier)], tier)
    images = [np.asarray(item.image(), dtype=np.int16) for item in (blanked, expected)]
    _expect(images[0].shape == images[1].shape, "a blanked page has another size")
    _expect(float(np.abs(images[0] - images[1]).mean()) < 1, "a blanked page does not look like one without the cells")


def _drops_confidences(codec: VerifiableCodec, page: Page, tier: str) -> None:
    """Checks that tokens without confidences read the same and as certain, and take no more bytes: for `page`, and for
    ever fewer rows of a page of words in random order, until the tier holds them."""
    words = " ".join(SENTENCES).split()
    text = " ".join(Random(0).choices(words, k=4_000))
    full = Typesetter(codec.layout, codec.repertoire).page([Entry("0", "user", text, SENT_AT, "t")]).cells
    cut = _drops_confidences_of(codec, page.cells, tier)
    rows = len(full)
    while rows > 1 and (cut or rows == len(full)):
        cut = _drops_confidences_of(codec, full[:rows], tier)
        rows = rows * 7 // 8


def _drops_confidences_of(codec: VerifiableCodec, cells: Cells, tier: str) -> bool:
    """Returns whether the tokens are cut."""
    (tokens,) = codec.encode([render(cells, codec.layout, tier)], tier)
    (certain,) = codec.without_confidences([tokens])
    before, after = codec.decode([tokens, certain])
    _expect(bool((after.cells == before.cells).all()), "tokens without confidences read differently")
    _expect(bool((after.confidence >= before.confidence).all()), "a character is less certain without confidences")
    _expect(len(certain.data) <= len(tokens.data), "tokens without confidences take more bytes")
    _expect(codec.without_confidences([certain]) == [certain], "dropping confidences twice changes tokens again")
    return is_cut(cells, before)


def _costs_add_up(codec: CostableCodec) -> None:
    """Checks that there is one cost per cell, and that the costs of a page of prose add up to about the bytes of its
    tokens."""
    page = sample_page(codec)
    for tier in codec.tiers:
        costs = codec.cost(page.cells, tier)
        fits = costs.shape == page.cells.shape and costs.dtype == np.float32
        _expect(fits, f"'{tier}': costs are {costs.dtype}{list(costs.shape)}, expected float32 for each cell")
        _expect(bool((np.isfinite(costs) & (costs >= 0)).all()), f"'{tier}': a cost is negative or not finite")
        _expect(
            bool((codec.cost(page.cells, tier) == costs).all()),
            f"'{tier}': costs of the same page differ between calls",
        )
        size = len(codec.encode([render(page.cells, codec.layout, tier)], tier)[0].data)
        share = float(costs.sum()) / 8 / size
        _expect(0.5 <= share <= 2, f"'{tier}': costs add up to {share:.2f} of the bytes that the page takes")
    _expect_raises(CodecError, lambda: codec.cost(page.cells, "gigantic"), "costs were returned for an unknown tier")


def _image(codec: Codec, page: Page, tier: str, rows: int) -> Image.Image:
    """Draws the page at `tier`, padded with blank rows to `rows`."""
    blank = np.full((rows - page.rows_used, codec.layout.columns), BLANK, dtype=np.uint32)
    return render(np.concatenate([page.cells, blank]), codec.layout, tier)


def _read(codec: Codec, page: Page, tier: str) -> Reading:
    return codec.decode(codec.encode([render(page.cells, codec.layout, tier)], tier))[0]


#: Checks that need trained weights.
READING_CHECKS: tuple[Callable[[Codec], None], ...] = (reads_its_own_tokens,)

#: All checks.
CHECKS: tuple[Callable[[Codec], None], ...] = (
    describes_itself,
    tokens_match_the_spec,
    streams_are_as_long_as_their_page,
    readings_fit_the_grid,
    *READING_CHECKS,
    tokens_survive_a_round_trip,
    batches_decode_as_single_pages,
    crops_decode_as_the_page,
    foreign_tokens_are_rejected,
    bad_images_are_rejected,
    other_modes_are_converted,
    capabilities_do_what_they_say,
)

"""Readers: those that come with Foxing, those that are added, and images laid out for them."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from foxing.renderer import Entry, grid_text, rasterize, transcribe_placements
from foxing.renderer.marks import FILLER_MARK
from foxing.renderer.readers import (
    Reader,
    ReaderProfileError,
    Readers,
    TypeSize,
    UnknownReader,
    image_px,
    packaged_readers,
    page_images,
    reader_layout,
)

AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
SEEING = [reader for reader in packaged_readers().values() if reader.accepts_images]
PROFILE: dict[str, Any] = {
    "title": "Ours",
    "provider": "openai",
    "limits": {"max_side_px": 640, "max_images": 4, "max_image_bytes": 1 << 20, "max_request_bytes": 1 << 22},
    "billing": {"formula": "patches", "side": 32, "max_side_px": 640, "max_patches": 400},
    "type": [{"width_px": 8, "height_px": 16, "font": "unifont", "exact": 0.99}],
}


def entries(count: int) -> list[Entry]:
    words = "the ferry to Naxos leaves at 7:40 from pier E and takes four hours"
    return [Entry(str(number), "user", f"{number}: {words}", AT, name="Mina") for number in range(count)]


def test_readers_that_come_with_foxing() -> None:
    readers = Readers()
    assert {"claude", "gpt-4o", "gpt-6", "gemini-2", "gemini-3", "qwen2.5-vl", "deepseek-ocr", "text"} <= set(readers)
    assert not readers["text"].accepts_images
    assert readers["claude"].legible == TypeSize(width_px=10, height_px=16, exact=0.95)
    assert all(reader.title and reader.formula for reader in SEEING)


def test_an_unknown_reader_names_the_nearest() -> None:
    with pytest.raises(UnknownReader, match="unknown reader 'cluade'; did you mean 'claude'"):
        Readers()["cluade"]
    with pytest.raises(UnknownReader, match=r"unknown reader 'zzz'; known readers: claude, .*, text$"):
        Readers()["zzz"]


def test_a_reader_that_is_added_wins_over_one_of_the_same_name() -> None:
    readers = Readers({"claude": PROFILE, "ours": PROFILE})
    assert readers["claude"].title == readers["ours"].title == "Ours"
    assert len(readers) == len(packaged_readers()) + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"billing": {"formula": "guess"}}, "reader 'ours': billing: "),
        ({"limits": {**PROFILE["limits"], "max_side_px": 0}}, "reader 'ours': limits.max_side_px: "),
        ({"type": [{"width_px": 8, "height_px": 16, "exact": 95}]}, "reader 'ours': type.0.exact: "),
        ({"colour": "red"}, "reader 'ours': colour: "),
    ],
)
def test_an_invalid_reader_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ReaderProfileError) as caught:
        Readers({"ours": PROFILE | change})
    assert str(caught.value).startswith(message)


def test_type_that_is_read_badly_is_not_used() -> None:
    small = {"width_px": 5, "height_px": 8, "exact": 0.1}
    reader = Readers({"ours": PROFILE | {"type": [small, {"width_px": 12, "height_px": 24}]}})["ours"]
    assert reader.legible == TypeSize(width_px=12, height_px=24)
    blind = Readers({"ours": PROFILE | {"type": [small]}})["ours"]
    assert not blind.accepts_images
    with pytest.raises(ReaderProfileError, match="accepts no images"):
        reader_layout(blind)


def test_type_for_which_no_image_is_large_enough_is_refused() -> None:
    reader = Readers({"ours": PROFILE | {"type": [{"width_px": 200, "height_px": 200}]}})["ours"]
    with pytest.raises(ReaderProfileError, match="scales down every image"):
        reader_layout(reader)


@pytest.mark.slow
@pytest.mark.parametrize("reader", SEEING, ids=lambda reader: reader.name)
def test_images_are_seen_as_they_are_and_hold_everything(reader: Reader) -> None:
    assert reader.limits is not None
    assert reader.billing is not None
    images = page_images(entries(200), reader)
    texts: dict[str, str] = {}
    for image in images:
        size = image.width_px, image.height_px
        assert reader.billing.scaled_size(*size) == size
        assert image.tokens == reader.billing.tokens(*size)
        assert max(size) <= reader.limits.max_side_px
        assert len(image.png) <= reader.limits.max_image_bytes
        png = Image.open(BytesIO(image.png))
        assert png.size == size
        assert np.array_equal(_within_margin(png, reader), rasterize(image.page.cells, image.page.layout))
        for span, part in zip(image.page.placements, transcribe_placements(image.page), strict=True):
            texts[span.message_id] = texts.get(span.message_id, "") + part.text
    assert texts == {entry.message_id: entry.content for entry in entries(200)}
    assert [image.png for image in page_images(entries(200), reader)] == [image.png for image in images]


def _within_margin(image: Image.Image, reader: Reader) -> npt.NDArray[np.uint8]:
    """The pixels of a page image without its margin of one cell, which is blank; the last column is its right side."""
    pixels, cell = np.asarray(image), reader.legible
    assert cell is not None
    if reader.dense:
        return pixels
    left, above, right = cell.width_px, cell.height_px, image.width - cell.width_px
    assert (pixels[:above] == 255).all()
    assert (pixels[-above:] == 255).all()
    assert (pixels[:, :left] == 255).all()
    assert (pixels[:, right:] == 255).all()
    return pixels[above:-above, left:]


KOREAN = "배터리 시험은 추운 방에서 계획보다 오래 걸렸습니다. 2월 14일에 하기로 한 회의를 3월 둘째 주로 옮겼습니다."
JAPANESE = "電池の試験は「寒い部屋」で予定より長くかかったので、2月14日の会議を3月の第2週に移しました。キーは4f9a1c7e。"


@pytest.mark.parametrize("reader", SEEING, ids=lambda reader: reader.name)
def test_images_have_no_fillers_unless_our_codec_reads_them(reader: Reader) -> None:
    said = Entry("1", "user", f"{KOREAN} API를 씁니다. {JAPANESE}", AT, name="Mina")
    shown = "".join(image.page.text for image in page_images([said], reader))
    assert (FILLER_MARK in shown) == reader.dense == (reader.name == "native")


@pytest.mark.parametrize("reader", [reader for reader in SEEING if not reader.dense], ids=lambda reader: reader.name)
def test_rows_of_images_end_between_words(reader: Reader) -> None:
    said = f"{entries(1)[0].content}, though 192.43 kg of https://example.com/orders?id=4f9a1c7e are late. {KOREAN} "
    images = page_images([Entry("1", "user", said * 9, AT)], reader)
    rows = [grid_text(row) for image in images for row in image.page.cells]
    assert " ".join(rows).split()[3:] == (said * 9).split()
    japanese = page_images([Entry("1", "user", JAPANESE * 9, AT)], reader)
    ends = [grid_text(row) for image in japanese for row in image.page.cells]
    assert not any(row.startswith(tuple("。、」ー")) for row in ends)
    assert not any(row.endswith("「") for row in ends)
    assert not any(re.search("[0-9a-f]$", row) and re.match("[0-9a-f月日]", after) for row, after in pairwise(ends))


def test_no_other_shape_holds_much_more_for_a_token() -> None:
    for reader in SEEING:
        layout, cell = reader_layout(reader), reader.legible
        assert reader.billing is not None
        assert cell is not None
        share = layout.ink_columns * layout.rows / reader.billing.tokens(*image_px(layout, layout.rows))
        for side in (400, 768, 1000, 1280, 1500):
            shape = replace(layout, columns=side // cell.width_px // 2 * 2, rows=side // cell.height_px)
            other = image_px(shape, shape.rows)
            if reader.billing.scaled_size(*other) == other:
                assert shape.ink_columns * shape.rows / reader.billing.tokens(*other) <= 1.011 * share

"""Readers: those that come with Foxing, those that are added, and sheets laid out for them."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foxing.renderer import Entry, rasterize, transcribe_spans
from foxing.renderer.readers import (
    Reader,
    ReaderProfileError,
    Readers,
    Type,
    UnknownReader,
    packaged_readers,
    set_sheets,
    sheet_layout,
)

AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
SEEING = [reader for reader in packaged_readers().values() if reader.sees]
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
    assert not readers["text"].sees
    assert readers["claude"].legible == Type(width_px=10, height_px=16, exact=0.95)
    assert all(reader.title and reader.formula for reader in SEEING)


def test_an_unknown_reader_names_the_nearest() -> None:
    with pytest.raises(UnknownReader, match="there is no reader 'cluade'; did you mean 'claude'"):
        Readers()["cluade"]
    with pytest.raises(UnknownReader, match=r"there is no reader 'zzz'; there are claude, .*, text$"):
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
    assert reader.legible == Type(width_px=12, height_px=24)
    blind = Readers({"ours": PROFILE | {"type": [small]}})["ours"]
    assert not blind.sees
    with pytest.raises(ReaderProfileError, match="looks at no images"):
        sheet_layout(blind)


def test_type_for_which_no_image_is_large_enough_is_refused() -> None:
    reader = Readers({"ours": PROFILE | {"type": [{"width_px": 200, "height_px": 200}]}})["ours"]
    with pytest.raises(ReaderProfileError, match="no image of its type"):
        sheet_layout(reader)


@pytest.mark.parametrize("reader", SEEING, ids=lambda reader: reader.name)
def test_sheets_are_seen_as_they_are_and_hold_everything(reader: Reader) -> None:
    assert reader.limits is not None
    assert reader.billing is not None
    sheets = set_sheets(entries(200), reader)
    texts: dict[str, str] = {}
    for sheet in sheets:
        size = sheet.width_px, sheet.height_px
        assert reader.billing.seen(*size) == size
        assert sheet.tokens == reader.billing.tokens(*size)
        assert max(size) <= reader.limits.max_side_px
        assert len(sheet.png) <= reader.limits.max_image_bytes
        image = Image.open(BytesIO(sheet.png))
        assert image.size == size
        assert np.array_equal(np.asarray(image), rasterize(sheet.page.cells, sheet.page.layout))
        for span, part in zip(sheet.page.spans, transcribe_spans(sheet.page), strict=True):
            texts[span.message_id] = texts.get(span.message_id, "") + part.text
    assert texts == {entry.message_id: entry.content for entry in entries(200)}
    assert [sheet.png for sheet in set_sheets(entries(200), reader)] == [sheet.png for sheet in sheets]


def test_no_other_shape_holds_much_more_for_a_token() -> None:
    for reader in SEEING:
        layout, cell = sheet_layout(reader), reader.legible
        assert reader.billing is not None
        assert cell is not None
        size = layout.columns * cell.width_px, layout.rows * cell.height_px
        share = layout.cells / reader.billing.tokens(*size)
        for side in (400, 768, 1000, 1280, 1500):
            columns, rows = side // cell.width_px // 2 * 2, side // cell.height_px
            other = columns * cell.width_px, rows * cell.height_px
            if reader.billing.seen(*other) == other:
                assert columns * rows / reader.billing.tokens(*other) <= 1.011 * share

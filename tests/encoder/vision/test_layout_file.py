"""`foxing.json` beside a model's weights: how pages are laid out for it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from foxing.encoder import CodecError, load_codec
from foxing.encoder.vision.loading import LAYOUT_FILE, locate, page_layout
from foxing.renderer import PRINTED_PAGE, PageLayout


def test_pages_are_printed_unless_the_folder_says_otherwise(tmp_path: Path) -> None:
    place = locate(str(tmp_path), None)
    assert page_layout(place) == PRINTED_PAGE
    (tmp_path / LAYOUT_FILE).write_text('{"layout": {"columns": 64}}')
    assert page_layout(place).columns == 64
    assert page_layout(place).rows == PRINTED_PAGE.rows


def test_the_codec_of_a_folder_has_its_layout(
    make_deepseek: Callable[[Path, int], Path], tmp_path: Path, small_page: PageLayout
) -> None:
    folder = make_deepseek(tmp_path / "model", 3)
    (folder / LAYOUT_FILE).write_text(json.dumps({"layout": small_page.to_dict()}))
    assert load_codec("deepseek-ocr", "cpu", options={"model": str(folder)}).layout == small_page


@pytest.mark.parametrize(
    "text",
    ['{"layout": {"columns": 7}}', '{"layout": {"colour": "red"}}', '{"layout": 3}', '{"page": {}}', "[]", "no JSON"],
)
def test_a_file_that_gives_no_layout_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / LAYOUT_FILE).write_text(text)
    with pytest.raises(CodecError, match=r"foxing\.json .* gives no page layout .*; correct it"):
        page_layout(locate(str(tmp_path), None))

"""Page layout of a checkpoint, and the precision that a model computes in."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from foxing.encoder import CodecError, load_codec
from foxing.encoder.vision.models.checkpoint import LAYOUT_FILE, locate, page_layout, pick_dtype
from foxing.renderer import PageLayout
from foxing.renderer.layout import PRINTED_PAGE


def test_the_default_layout_is_the_printed_page(tmp_path: Path) -> None:
    checkpoint = locate(str(tmp_path), None)
    assert page_layout(checkpoint) == PRINTED_PAGE
    (tmp_path / LAYOUT_FILE).write_text('{"layout": {"columns": 64}}')
    assert page_layout(checkpoint).columns == 64
    assert page_layout(checkpoint).rows == PRINTED_PAGE.rows


@pytest.mark.slow
def test_a_codec_uses_the_layout_of_its_checkpoint(
    make_deepseek: Callable[[Path, int], Path], tmp_path: Path, small_page: PageLayout
) -> None:
    folder = make_deepseek(tmp_path / "model", 3)
    (folder / LAYOUT_FILE).write_text(json.dumps({"layout": small_page.to_dict()}))
    assert load_codec("deepseek-ocr", "cpu", options={"model": str(folder)}).layout == small_page


@pytest.mark.parametrize(
    "text",
    [
        '{"layout": {"columns": 7}}',
        '{"layout": {"wrap": "words"}}',
        '{"layout": {"colour": "red"}}',
        '{"layout": 3}',
        '{"page": {}}',
        "[]",
        "no JSON",
    ],
)
def test_an_invalid_layout_file_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / LAYOUT_FILE).write_text(text)
    with pytest.raises(CodecError, match=r"foxing\.json .* does not contain a valid page layout .*; correct it"):
        page_layout(locate(str(tmp_path), None))


@pytest.mark.parametrize(
    ("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_a_gpu_that_only_emulates_bfloat16_gets_float16(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert pick_dtype(torch.device("cuda")) == dtype
    assert pick_dtype(torch.device("cpu")) == torch.float32

"""Recall as page images laid out for a reader."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from support.texts import chat

from foxing.memory import Memory, RecalledImages
from foxing.renderer.readers import Readers

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

BANK = "ana"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
QUERY = "the garden by the river, at the table, in the summer, with the music of the story"


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    with Memory(tmp_path_factory.mktemp("images") / "foxing.db", clock=lambda: START.replace(month=3)) as opened:
        opened.store(BANK, chat(200, START))
        opened.seal(BANK)
        opened.store(BANK, [{"id": "open", "role": "user", "content": "The garden by the river again."}])
        yield opened


def shown(recalled: RecalledImages) -> list[str]:
    return [key for image in recalled.images for key in image.message_ids]


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["claude", "gemini-3", "gpt-4o", "deepseek-ocr"])
def test_pages_are_laid_out_and_billed_for_the_reader(memory: Memory, reader: str) -> None:
    recalled = memory.recall_images(BANK, QUERY, reader=reader, limit=500)
    billing = Readers()[reader].billing
    assert billing is not None
    assert recalled.images
    for image in recalled.images:
        size = Image.open(BytesIO(base64.b64decode(image.data))).size
        assert size == (image.width, image.height)
        assert image.tokens == billing.tokens(*size)
        assert image.message_ids
    assert recalled.vision_tokens == sum(image.tokens for image in recalled.images)
    native = memory.recall_images(BANK, QUERY, limit=500)
    assert set(shown(recalled)) == set(shown(native))
    assert {image.page_id for image in recalled.images} == {image.page_id for image in native.images}
    assert [span.message_id for span in recalled.open_spans] == ["open"]
    assert memory.recall_images(BANK, QUERY, reader=reader, limit=500) == recalled


@pytest.mark.slow
def test_images_count_towards_the_limit_and_the_cursor_continues_after_them(memory: Memory) -> None:
    whole = memory.recall_images(BANK, QUERY, reader="deepseek-ocr", limit=500)
    assert len(whole.images) > 2
    assert whole.next_cursor is None
    seen: list[str] = []
    opened: list[str] = []
    cursor: str | None = None
    while True:
        part = memory.recall_images(BANK, QUERY, reader="deepseek-ocr", limit=2, cursor=cursor)
        assert len(part.images) + len(part.open_spans) <= 2
        seen += shown(part)
        opened += [span.message_id for span in part.open_spans]
        cursor = part.next_cursor
        if cursor is None:
            break
    assert set(seen) == set(shown(whole))
    assert opened == ["open"]


@pytest.mark.slow
def test_a_page_that_faded_is_laid_out_as_it_is_held(tmp_path: Path) -> None:
    with Memory(tmp_path / "foxing.db", clock=lambda: START.replace(month=3)) as memory:
        memory.store(BANK, chat(110, START))
        memory.seal(BANK)
        before = memory.recall_images(BANK, QUERY, reader="claude")
        memory.set_policy(BANK, {"steps": [{"after": "P1D", "tier": "micro"}], "age_from": "message"})
        memory.age(BANK)
        after = memory.recall_images(BANK, QUERY, reader="claude")
    assert {image.tier for image in after.images} == {"micro"}
    assert after.vision_tokens < before.vision_tokens


def test_messages_in_a_script_that_nobody_measured_are_given_as_text(tmp_path: Path) -> None:
    korean = "배터리 시험은 추운 방에서 계획보다 오래 걸렸습니다. The battery test took longer."
    with Memory(tmp_path / "foxing.db", clock=lambda: START.replace(month=3)) as memory:
        memory.store(BANK, [*chat(40, START), {"id": "ko", "role": "user", "content": korean, "created_at": START}])
        memory.seal(BANK)
        dense = memory.recall_images(BANK, f"{QUERY} battery test", reader="claude-fable-5", limit=500)
        native = memory.recall_images(BANK, f"{QUERY} battery test", limit=500)
    assert "ko" in shown(native)
    assert dense.images
    assert "ko" not in shown(dense)
    assert {span.message_id: span.text for span in dense.whole_spans}["ko"] == korean
    assert not dense.left_out

"""The packaged glyph atlas."""

import shutil
from pathlib import Path

import pytest

from foxing.renderer import RenderError, atlas
from foxing.renderer.atlas import load_atlas


def test_the_atlas_covers_common_characters() -> None:
    assert all(load_atlas().width[ord(c)] == 1 for c in "Aé€→─│ﬁ")
    assert all(load_atlas().width[ord(c)] == 2 for c in "한漢あ🙂✓，")
    assert load_atlas().width[ord("A")]
    assert not load_atlas().width[ord("\x00")]
    assert not load_atlas().width[ord("\ud800")]


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "garbage", "flipped"])
def test_a_missing_or_damaged_atlas_is_reported(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "unifont.npz"
    shutil.copyfile(atlas.ATLAS_PATH, path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(
            {
                "empty": b"",
                "truncated": whole[:middle],
                "garbage": b"not an atlas" * 125,
                "flipped": whole[:middle] + bytes(64) + whole[middle + 64 :],
            }[damage]
        )
    monkeypatch.setattr(atlas, "ATLAS_PATH", path)
    load_atlas.cache_clear()
    try:
        with pytest.raises(RenderError, match=r"unifont\.npz cannot be read"):
            load_atlas()
    finally:
        load_atlas.cache_clear()

"""Page geometry: tiers, cropping, and validation of layouts."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from foxing.renderer import DENSE_PAGE, LayoutError, PageLayout, all_tiers, tier_rank
from foxing.renderer.layout import PRINTED_PAGE
from foxing.renderer.tiers import OWN_TIERS, TOKEN_SIDE_PX

# tier, side in px, vision tokens, cells per token
DENSE = [
    ("large", 1280, 400, 32),
    ("base", 1024, 256, 50),
    ("small", 640, 100, 128),
    ("tiny", 512, 64, 200),
    ("micro", 320, 25, 512),
]


@pytest.mark.parametrize(("tier", "side_px", "tokens", "cells"), DENSE)
def test_the_dense_page_at_each_tier(tier: str, side_px: int, tokens: int, cells: int) -> None:
    assert DENSE_PAGE.side_px(tier) == side_px
    assert DENSE_PAGE.vision_tokens(DENSE_PAGE.rows, tier) == tokens
    assert DENSE_PAGE.rows_per_token(tier) * DENSE_PAGE.columns_per_token(tier) == cells
    assert DENSE_PAGE.token_rows(tier) * TOKEN_SIDE_PX == side_px
    assert DENSE_PAGE.cells == 12_800 == tokens * cells


def test_a_token_covers_an_even_number_of_columns() -> None:
    assert all(DENSE_PAGE.columns_per_token(tier) % 2 == 0 for tier in all_tiers())


def test_tiers_are_ordered_sharpest_first() -> None:
    assert tuple(tier for tier, *_ in DENSE) == tuple(all_tiers())
    assert sorted(all_tiers(), key=tier_rank) == list(all_tiers())
    sides = [tier.side_px for tier in OWN_TIERS]
    assert sides == sorted(sides, reverse=True)


@pytest.mark.parametrize(
    ("rows_used", "tier", "rows", "tokens"),
    [
        (0, "small", 8, 10),  # even an empty page is an image
        (1, "small", 8, 10),
        (8, "small", 8, 10),
        (9, "small", 16, 20),
        (73, "small", 80, 100),
        (80, "small", 80, 100),
        (1, "large", 4, 20),
        (5, "base", 5, 16),
        (11, "tiny", 20, 16),
        (17, "micro", 32, 10),
    ],
)
def test_a_partly_filled_page_takes_only_the_token_rows_it_uses(
    rows_used: int, tier: str, rows: int, tokens: int
) -> None:
    assert DENSE_PAGE.cropped_rows(rows_used, tier) == rows
    assert DENSE_PAGE.vision_tokens(rows_used, tier) == tokens


def test_the_error_for_an_unknown_tier_lists_the_known_ones() -> None:
    with pytest.raises(LayoutError, match="unknown tier 'gigantic'; use one of large, base, small, tiny, micro"):
        tier_rank("gigantic")
    with pytest.raises(LayoutError):
        DENSE_PAGE.vision_tokens(1, "gigantic")


@pytest.mark.parametrize(
    "fields",
    [
        {"columns": 0},
        {"columns": 6},
        {"columns": 161},
        {"columns": -160},
        {"columns": 160.0},
        {"columns": "160"},
        {"columns": True},
        {"rows": 0},
        {"rows": -80},
        {"rows": None},
        {"newline": "pilcrow"},
        {"newline": None},
        {"cell_width_px": 10},
        {"cell_height_px": 0},
        {"cell_width_px": 16},
        {"cell_width_px": 16, "cell_height_px": 16},
        {"font": "comic"},
        {"font": None},
        {"font": "dejavu-sans-mono", "cell_width_px": 2},
        {"font": "dejavu-sans-mono", "cell_width_px": 20},
        {"font": "dejavu-sans-mono", "cell_width_px": 64, "cell_height_px": 128},
        {"cropped": 1},
        {"wrap": "letters"},
        {"wrap": "words", "columns": 8},
        {"wrap": "words", "rows": 0},
        {"margin_px": 4},
    ],
)
def test_invalid_layouts_are_rejected(fields: Mapping[str, Any]) -> None:
    with pytest.raises(LayoutError):
        PageLayout.from_dict(fields)


@pytest.mark.parametrize(("tier", "tokens"), [("large", 400), ("base", 256), ("small", 100), ("tiny", 64)])
def test_a_printed_page_is_never_cropped(tier: str, tokens: int) -> None:
    for rows_used in (0, 1, 17, 40):
        assert PRINTED_PAGE.cropped_rows(rows_used, tier) == PRINTED_PAGE.rows
        assert PRINTED_PAGE.bands(rows_used, tier) == 1
        assert PRINTED_PAGE.vision_tokens(rows_used, tier) == tokens
    with pytest.raises(LayoutError):
        PRINTED_PAGE.cropped_rows(1, "gigantic")


def test_a_printed_page_is_square_and_unscaled_at_the_sharpest_tier() -> None:
    assert PRINTED_PAGE.columns * PRINTED_PAGE.cell_width_px == PRINTED_PAGE.side_px("large")
    assert PRINTED_PAGE.rows * PRINTED_PAGE.cell_height_px == PRINTED_PAGE.side_px("large")


def test_the_bands_of_a_cropped_page_are_its_token_rows() -> None:
    assert DENSE_PAGE.bands(9, "small") == 2
    assert DENSE_PAGE.bands(80, "small") == DENSE_PAGE.token_rows("small")


def test_a_layout_that_a_tier_cannot_divide_is_rejected_at_that_tier() -> None:
    layout = PageLayout(columns=150, rows=70)
    assert layout.rows_per_token("small") == 7
    assert layout.columns_per_token("small") == 15
    with pytest.raises(LayoutError, match="70 rows do not divide"):
        layout.rows_per_token("large")
    with pytest.raises(LayoutError, match="150 columns do not divide"):
        layout.columns_per_token("large")
    with pytest.raises(LayoutError):
        PageLayout(columns=16, rows=4).vision_tokens(4, "micro")


def test_a_layout_survives_a_round_trip_through_json() -> None:
    layout = PageLayout(columns=80, rows=40, newline="break")
    assert PageLayout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout
    assert PageLayout.from_dict(json.loads(json.dumps(PRINTED_PAGE.to_dict()))) == PRINTED_PAGE
    assert PageLayout.from_dict({}) == DENSE_PAGE
    words = PageLayout(columns=9, wrap="words")
    assert PageLayout.from_dict(json.loads(json.dumps(words.to_dict()))) == words


def test_missing_fields_take_their_defaults() -> None:
    stored = {"columns": 160, "rows": 80, "cell_width_px": 8, "cell_height_px": 16, "newline": "mark"}
    assert PageLayout.from_dict(stored) == DENSE_PAGE


def test_layouts_compare_and_hash_by_value() -> None:
    assert PageLayout() == DENSE_PAGE
    assert hash(PageLayout()) == hash(DENSE_PAGE)
    assert PageLayout(newline="break") != DENSE_PAGE

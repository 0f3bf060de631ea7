"""Moving trained weights to a charset in which marks have classes of their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from foxing.encoder import CodecError
from foxing.encoder.native.charset import Charset, load_charset
from foxing.renderer import GAP_MARK, MARKS, load_atlas
from training.native.build_charset import build_charset, with_marks
from training.native.classes import Examples, Moves, fit_rows

CHARSET = load_charset()


def without_class(mark: str, instead: str) -> Charset:
    """The charset with `mark` among the rare characters, and `instead` in its place."""
    table = str.maketrans({mark: instead, instead: mark})
    return replace(CHARSET, common=CHARSET.common.translate(table), rare=CHARSET.rare.translate(table))


def test_marks_have_classes_of_their_own() -> None:
    assert set(MARKS) <= set(CHARSET.common)
    assert set(MARKS) <= set(build_charset(["only words"]).common)


def test_a_mark_takes_the_place_of_the_rarest_common_character() -> None:
    former = without_class(GAP_MARK, "◀")
    counted = "".join(c for c in former.common if c not in MARKS and c != "◀")
    changed = with_marks(former, [counted, counted])
    assert changed == CHARSET
    assert with_marks(changed, [counted]) == changed
    assert len(set(changed.common + changed.rare)) == len(former.common + former.rare)


def test_moves_are_found() -> None:
    former = without_class(GAP_MARK, "◀")
    moves = Moves.between(former, CHARSET)
    assert moves.classes == [CHARSET.common.index(GAP_MARK)]
    assert moves.rare == [CHARSET.rare.index("◀")]
    assert sorted(map(chr, moves.characters.tolist())) == sorted(GAP_MARK + "◀")


def test_other_changes_of_a_charset_are_refused() -> None:
    for other in (
        CHARSET,
        replace(CHARSET, rare=CHARSET.rare[1:]),
        replace(CHARSET, common="\ue000" + CHARSET.common[1:]),
    ):
        with pytest.raises(CodecError, match="moved characters alone"):
            Moves.between(other, CHARSET)


def test_only_the_rows_that_moved_learn() -> None:
    torch.manual_seed(1)
    layer = nn.Linear(8, 5).requires_grad_(False)
    layer.weight *= 20
    features = torch.randn(4000, 8)
    answers = layer(features).argmax(1)
    trained = layer.weight.clone(), layer.bias.clone()
    layer.weight[[1, 4]], layer.bias[[1, 4]] = 0.0, 0.0
    fit_rows(layer, Examples(features, answers, torch.isin(answers, torch.tensor([1, 4]))), [1, 4])
    assert (layer(features).argmax(1) == answers).float().mean() > 0.99
    for row in (0, 2, 3):
        assert torch.equal(layer.weight[row], trained[0][row])
        assert layer.bias[row] == trained[1][row]


def test_the_gap_mark_looks_like_no_other_character() -> None:
    drawing = load_atlas().drawing(GAP_MARK)
    assert [c for c in CHARSET.characters if load_atlas().drawing(c) == drawing] == [GAP_MARK]
    assert np.frombuffer(drawing, np.uint8).any()

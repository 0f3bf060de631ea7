"""Earlier weights: tokens that they packed are read as they read them, though their encoder is gone."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from foxing.encoder import CodecError, TokensError, VisionTokens, load_codec
from foxing.encoder.native.earlier import EARLIER_FOLDER, earlier_reader, keep, load_earlier
from foxing.encoder.native.weights import WEIGHTS_PATH, load_weights, save_weights, weights_digest

DATA = Path(__file__).parent / "data"
EARLIER = sorted(path.stem for path in EARLIER_FOLDER.glob("*.safetensors"))


def facts_of(digest: str) -> dict[str, Any]:
    """What the weights themselves read of a page, by tier, when they were the present ones."""
    found: dict[str, Any] = json.loads((DATA / f"tokens-{digest}.json").read_text(encoding="utf-8"))["pages"]
    return found


def tokens_of(digest: str) -> dict[str, VisionTokens]:
    pages = facts_of(digest)
    return {tier: VisionTokens.from_bytes(base64.b64decode(page["tokens"])) for tier, page in pages.items()}


def test_there_are_some_and_none_is_the_present_one() -> None:
    assert EARLIER
    assert weights_digest() not in EARLIER


@pytest.mark.parametrize("digest", EARLIER)
def test_tokens_are_read_as_the_weights_that_wrote_them_did(digest: str) -> None:
    facts, tokens = facts_of(digest), tokens_of(digest)
    readings = load_codec("native", "cpu").decode(list(tokens.values()))
    for (tier, page), reading in zip(facts.items(), readings, strict=True):
        assert reading.tier == tier
        assert reading.text == page["text"]
        assert reading.mean_confidence == pytest.approx(page["confidence"], abs=1e-4)
        assert reading.flag_below == page["flag_below"]


def test_it_is_in_memory_once_and_others_are_not_taken_for_it() -> None:
    digest = EARLIER[0]
    reader = earlier_reader(digest)
    assert reader is not None
    assert earlier_reader(digest) is reader
    for other in ("", "0" * 12, digest.upper(), f"../earlier/{digest}"):
        assert earlier_reader(other) is None
    page = tokens_of(digest)["small"]
    for foreign in (
        replace(page, weights="0" * 12),
        replace(page, codec="other"),
        replace(page, tier="huge"),
        replace(page, shape=(page.shape[0], page.shape[1] // 2, 2 * page.shape[2])),
    ):
        with pytest.raises(TokensError):
            reader.decode([foreign])


def test_weights_with_another_prior_keep_it(tmp_path: Path) -> None:
    model, charset, info = load_weights(WEIGHTS_PATH)
    model.prior.get_buffer("out_bias").add_(1)
    whole = tmp_path / "whole.safetensors"
    save_weights(model, charset, whole, info)
    path = keep(whole, tmp_path)
    assert path.stem == weights_digest(whole)
    assert set(load_file(path)) == {"doubts", "out_bias"}
    assert load_earlier(path).weights == path.stem


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    digest = EARLIER[0]
    kept = EARLIER_FOLDER / f"{digest}.safetensors"
    with pytest.raises(CodecError, match="cannot be read"):
        load_earlier(tmp_path / f"{digest}.safetensors")
    (tmp_path / f"{digest}.safetensors").write_bytes(kept.read_bytes()[:-9])
    with pytest.raises(CodecError, match="cannot be read"):
        load_earlier(tmp_path / f"{digest}.safetensors")
    (tmp_path / "0123456789ab.safetensors").write_bytes(kept.read_bytes())
    with pytest.raises(CodecError, match="reinstall"):
        load_earlier(tmp_path / "0123456789ab.safetensors")
    save_file(load_file(kept), tmp_path / "c0ffee000000.safetensors", {"format": "other", "weights": "c0ffee000000"})
    with pytest.raises(CodecError, match="format 'other'"):
        load_earlier(tmp_path / "c0ffee000000.safetensors")
    save_file({"hidden": np.zeros(3)}, tmp_path / "plain.safetensors")
    with pytest.raises(CodecError, match="no prior"):
        keep(tmp_path / "plain.safetensors", tmp_path)


def test_a_file_whose_prior_is_gone_says_so(tmp_path: Path) -> None:
    digest = EARLIER[0]
    kept = EARLIER_FOLDER / f"{digest}.safetensors"
    path = tmp_path / kept.name
    path.write_bytes(kept.read_bytes())
    arrays = load_file(path)
    arrays["out_bias"] = np.zeros(416, dtype=np.int32)
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    save_file(arrays, path, metadata)
    with pytest.raises(CodecError, match="needs the prior"):
        load_earlier(path)

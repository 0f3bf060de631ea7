"""Training the native codec for a moment: it learns, it stops, and it goes on where it stopped."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from foxing.encoder import CodecError
from foxing.encoder.native.charset import Charset, load_charset
from foxing.encoder.native.model import NativeDims, TierDims, build_model
from foxing.encoder.native.train import TrainingOptions, loss, share_codes, strip_rows, targets, train, with_tiers
from foxing.encoder.native.weights import load_weights
from foxing.renderer import DENSE_PAGE

OPTIONS = TrainingOptions(minutes=0.02, bootstrap_minutes=0.005, strips=1, evaluate_every_s=1e9)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a few pages of made-up text."""
    folder = tmp_path_factory.mktemp("texts")
    line = "the fox sat by the wall and wrote down what it saw on day {}, which was little. "
    document = {"id": "d", "lang": "en", "messages": [{"role": "user", "content": line.format(n)} for n in range(200)]}
    for part in ("train", "eval"):
        (folder / part).mkdir()
        with gzip.open(folder / part / "en_sgd.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write(json.dumps(document) + "\n")
    return folder


def test_training_writes_weights_and_goes_on_from_them(texts: Path, tmp_path: Path) -> None:
    report = train(texts, tmp_path, OPTIONS)
    _, _, first = load_weights(tmp_path / "latest.safetensors")
    assert first["step"] >= 1
    assert set(report) == {f"{tier}/en" for tier in NativeDims().tiers}

    train(texts, tmp_path, replace(OPTIONS, seed=2), resume=tmp_path / "latest.safetensors")

    _, _, second = load_weights(tmp_path / "latest.safetensors")
    assert second["step"] > first["step"]
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [0, first["step"], first["step"], second["step"]]


def test_a_few_steps_bring_the_loss_down() -> None:
    torch.manual_seed(0)
    charset = load_charset()
    model = build_model(NativeDims(n_encoder=64, n_decoder=64), charset)
    cells = torch.randint(97, 123, (2, 16, DENSE_PAGE.columns), dtype=torch.int64).numpy().astype("uint32")
    target = targets(list(cells), charset)
    pixels = torch.rand(2, 1, 16 * 8, 640)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(8):
        logits = model(pixels, "small", 8, 8)
        value = loss(model, logits.cells, logits.hidden, target, charset)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < losses[0] - 0.5


def test_tiers_that_share_codes_see_the_same_in_the_same_pixels() -> None:
    model = build_model(NativeDims(), load_charset())
    share_codes(model, "small")
    coarse = torch.rand(1, 1, 64, 64)
    fine = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    small = model.encoder.stems["small"](torch.nn.functional.pixel_unshuffle(coarse, 2))
    base = model.encoder.stems["base"](torch.nn.functional.pixel_unshuffle(fine, 4))
    assert torch.allclose(small, base, atol=1e-4)


def test_a_tier_can_be_given_smaller_tokens_and_larger_ones() -> None:
    charset = load_charset()
    model = build_model(NativeDims(n_encoder=64, n_decoder=64), charset)
    sizes = {**model.dims.tiers, "small": TierDims(8, 3), "micro": TierDims(8, 4)}
    resized = with_tiers(model, charset, sizes)
    old, new = model.state_dict(), resized.state_dict()
    assert resized.dims.tiers == sizes
    assert torch.equal(new["quantizer.squeeze.small.weight"], old["quantizer.squeeze.small.weight"][:3])
    assert torch.equal(new["decoder.expand.micro.weight"][:, :2], old["decoder.expand.micro.weight"])
    assert torch.equal(new["encoder.compress.weight"], old["encoder.compress.weight"])
    assert with_tiers(model, charset, model.dims.tiers) is model


def test_training_strips_are_whole_token_rows() -> None:
    for tier in NativeDims().tiers:
        assert strip_rows(tier) % DENSE_PAGE.rows_per_token(tier) == 0


def test_text_outside_the_charset_is_refused() -> None:
    charset = Charset(common=load_charset().common, rare="", wide="")
    grid = torch.full((16, DENSE_PAGE.columns), 0x4E00, dtype=torch.int64).numpy().astype("uint32")
    with pytest.raises(CodecError, match="outside the charset"):
        targets([grid], charset)


def test_missing_texts_and_bad_recipes_are_named(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="no training texts"):
        train(tmp_path, tmp_path / "run", OPTIONS)
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"minuets": 3}')
    with pytest.raises(CodecError, match=r"recipe\.json"):
        TrainingOptions.from_recipe(recipe)


def test_the_recipes_of_the_released_weights_can_be_read(repository: Path) -> None:
    recipes = sorted((repository / "encoder" / "native" / "recipes").glob("*.json"))
    assert recipes
    assert all(TrainingOptions.from_recipe(path).minutes > 0 for path in recipes)

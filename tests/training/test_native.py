"""Short training runs of the native codec, and the data that they train on."""

import gzip
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.processes import forking_context

from foxing.encoder import CodecError
from foxing.encoder.contract import UNREADABLE
from foxing.encoder.native.charset import Charset, load_charset
from foxing.encoder.native.model import NativeModel
from foxing.encoder.native.network.dims import NativeDims
from foxing.encoder.native.network.layers import TextConv
from foxing.encoder.native.network.patches import extract_patches, resample
from foxing.encoder.native.weights import load_weights
from foxing.renderer import DENSE_PAGE
from foxing.renderer.atlas import load_atlas
from foxing.renderer.page import BLANK, WIDE_TAIL
from training.native import batches
from training.native.__main__ import main
from training.native.batches import Batch
from training.native.negatives import inked_cells, negative_image
from training.native.objective import targets
from training.native.options import TrainingOptions
from training.native.texts.strips import StripSource, strip_rows
from training.native.texts.synthetic import SyntheticText, alphabets
from training.native.train import Trainer, train

OPTIONS = TrainingOptions(
    minutes=0.002,
    strips=1,
    evaluate_every_s=1e9,
    tier_shares={"small": 0.5, "micro": 0.5},
    text_shares={"en_sgd": 1.0},
    drawn_shares={"identifiers": 0.1},
)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a few pages of text."""
    folder = tmp_path_factory.mktemp("texts")
    line = "the fox sat by the wall and wrote down what it saw on day {}, which was little. "
    document = {"id": "d", "lang": "en", "messages": [{"role": "user", "content": line.format(n)} for n in range(500)]}
    for part in ("train", "eval"):
        (folder / part).mkdir()
        with gzip.open(folder / part / "en_sgd.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write(json.dumps(document) + "\n")
    return folder


@pytest.fixture
def forked_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forks the process that draws batches from one that has imported what it needs."""
    monkeypatch.setattr(batches.multiprocessing, "get_context", lambda _: forking_context())


def test_the_command_writes_weights_and_training_resumes_from_them(
    texts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    recipe, run = tmp_path / "recipe.json", tmp_path / "run"
    recipe.write_text(json.dumps({"strips": 1, "tier_shares": {"micro": 1.0}, "text_shares": {"en_sgd": 1.0}}))
    main(["--data", str(texts), "--run", str(run), "--minutes", "0.001", "--recipe", str(recipe), "--json"])
    answer = json.loads(capfd.readouterr().out)  # what the drawing process prints is not part of it
    assert answer["run"] == str(run)
    assert set(answer["held_out"]) == {f"{tier}/en_sgd" for tier in NativeDims().tiers}
    first = load_weights(run / "latest.safetensors").info
    assert first["step"] >= 1

    request.getfixturevalue("forked_drawing")
    report = train(texts, run, replace(OPTIONS, seed=2), resume=run / "latest.safetensors")

    assert set(report) == set(answer["held_out"])
    second = load_weights(run / "latest.safetensors").info
    assert second["step"] > first["step"]
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [0, first["step"], first["step"], second["step"]]


@pytest.mark.parametrize("tier", ["small", "micro"])
def test_a_few_steps_reduce_the_loss(tier: str) -> None:
    torch.manual_seed(0)
    charset = load_charset()
    trainer = Trainer(NativeModel(NativeDims(n_pair=64, n_cell=32), charset), charset, OPTIONS)
    cells = np.random.default_rng(0).integers(97, 123, (2, 16, DENSE_PAGE.columns), dtype=np.uint32)
    target = targets(list(cells), charset)
    pixels = torch.rand(2, 1, 16 * 8, 640)
    losses = [trainer.step(Batch(tier, pixels, target), 0.0, 1.0) for _ in range(8)]
    assert losses[-1] < losses[0] - 0.5


def test_the_initial_stems_of_all_tiers_agree() -> None:
    model = NativeModel(NativeDims(), load_charset())
    coarse = torch.rand(1, 1, 64, 64)
    fine = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    small = model.encoder.stems["small"](torch.nn.functional.pixel_unshuffle(coarse, 2))
    base = model.encoder.stems["base"](torch.nn.functional.pixel_unshuffle(fine, 4))
    assert torch.allclose(small, base, atol=1e-4)


def test_synthetic_text_fills_strips_with_characters_of_the_charset() -> None:
    charset = load_charset()
    synthetic = SyntheticText(charset, ["fox", "wall"], random.Random(1))
    assert len(charset.characters) == len(set(charset.characters))
    assert all(load_atlas().width[ord(c)] for c in charset.characters)
    for text in (
        synthetic.identifiers,
        synthetic.ascii,
        synthetic.narrow,
        synthetic.full_width,
        synthetic.ideographs,
        synthetic.hangul,
        synthetic.record,
        synthetic.chat,
        synthetic.mixed,
        synthetic.figure,
        synthetic.formula,
    ):
        cells = synthetic.cells(text, 16)
        assert cells.shape == (16, DENSE_PAGE.columns)
        assert (cells != BLANK).mean() > 0.3
        targets([cells], charset)


def test_the_charset_holds_the_national_standards() -> None:
    charset = load_charset()
    for name in ("gb2312", "euc_jp", "euc_kr"):
        for row in (0xB0, 0xC8, 0xD7):
            character = bytes((row, 0xA1)).decode(name)
            assert character in charset.characters, (name, character)


@pytest.mark.parametrize("seed", range(12))
def test_negative_images_have_inked_cells(seed: int) -> None:
    page = Image.new("L", (640, 128), 255)
    page.paste(0, (10, 10, 300, 60))
    image = negative_image(page, "words in another font " * 40, random.Random(seed))
    inked = inked_cells(image, 16, 160)
    assert image.size == page.size
    assert inked.shape == (16, 160)
    assert inked.any()


def test_unreadable_cells_have_a_class() -> None:
    charset = load_charset()
    grid = np.full((16, DENSE_PAGE.columns), UNREADABLE, dtype=np.uint32)
    assert (targets([grid], charset).cells == charset.unreadable_class).all()


def test_training_strips_have_whole_token_rows() -> None:
    for tier in NativeDims().tiers:
        assert strip_rows(tier) % DENSE_PAGE.rows_per_token(tier) == 0


def test_text_outside_the_charset_is_rejected() -> None:
    charset = Charset(common=load_charset().common, rare="", wide="", rare_wide="")
    grid = np.full((16, DENSE_PAGE.columns), 0x4E00, dtype=np.uint32)
    with pytest.raises(CodecError, match="outside the charset"):
        targets([grid], charset)


@pytest.mark.usefixtures("forked_drawing")
def test_missing_texts_and_invalid_recipes_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="no training texts"):
        train(tmp_path, tmp_path / "run", OPTIONS)
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"minuets": 3}')
    with pytest.raises(CodecError, match=r"recipe\.json"):
        TrainingOptions.from_recipe(recipe)


def test_the_command_reports_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="nothing to resume"):
        main(["--data", str(tmp_path), "--run", str(tmp_path / "run"), "--resume"])
    with pytest.raises(SystemExit):
        main(["--data", str(tmp_path), "--minutes", "0"])
    assert "0 is not a number above 0" in capsys.readouterr().err


def test_the_recipes_in_the_repository_are_valid(repository: Path) -> None:
    recipes = sorted((repository / "training" / "native" / "recipes").glob("*.json"))
    assert recipes
    assert all(TrainingOptions.from_recipe(path).minutes > 0 for path in recipes)


def test_a_convolution_is_the_same_with_and_without_gradients() -> None:
    torch.manual_seed(3)
    layer = TextConv(16, 5)
    torch.nn.init.normal_(layer.out.weight)
    x = torch.randn(2, 7, 16)
    with_gradients = layer(x)
    with torch.inference_mode():
        in_place = layer(x.clone())
    assert torch.allclose(with_gradients, in_place, atol=1e-5)
    assert not torch.allclose(with_gradients, x, atol=0.1)


def test_sprinkled_strips_are_valid_pages(texts: Path) -> None:
    source = StripSource(texts / "train", load_charset(), OPTIONS)
    strip = source.strip(16)
    seen: set[int] = set()
    for _ in range(60):
        sprinkled = source.sprinkled(strip)
        assert sprinkled.shape == strip.shape
        right = sprinkled == WIDE_TAIL
        assert not right[:, 0].any()
        left = np.roll(right, -1, axis=1)
        assert not (left & right).any()
        width = load_atlas().width[np.where(sprinkled == BLANK, 0x20, sprinkled)]
        assert np.array_equal(width == 2, left)  # exactly the full-width characters have a tail
        assert not (np.flatnonzero(left.reshape(-1)) % 2).any()
        seen |= set(sprinkled[(sprinkled != strip)].tolist())
    assert len(seen) > 1000
    targets([sprinkled], load_charset())


def test_chats_use_every_script(texts: Path) -> None:
    charset = load_charset()
    synthetic = SyntheticText(charset, ["fox"], random.Random(5), [["лиса", "стена"]])
    chats = [synthetic.chat() for _ in range(1000)]
    assert any("лиса" in text.lower() for text in chats)
    assert any("\n" in text for text in chats)
    for letters in alphabets(charset):
        assert any(sum(c in letters for c in text) > len(text) / 2 for text in chats), letters[:5]


@pytest.mark.parametrize(("tier", "side"), [("base", 1024), ("small", 640), ("micro", 320)])
def test_inference_and_training_use_the_same_patches(tier: str, side: int) -> None:
    dims = NativeDims().tiers[tier]
    pixels = torch.randint(0, 256, (2, 1, side // 4, side), dtype=torch.uint8)
    extracted = extract_patches(pixels, dims, 20, torch.float32)
    resampled = resample(1 - pixels.float() / 255, dims, 20)
    expected = torch.nn.functional.pixel_unshuffle(resampled, dims.pair_px // 4)
    assert extracted.shape == expected.shape
    assert (extracted - expected).abs().max() <= 0.51 / 255 + 1e-5

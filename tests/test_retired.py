"""Retired weights: what they wrote is read as they read it, and nothing else is."""

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from foxing.encoder import CodecError, TokensError, VisionTokens
from foxing.encoder.bench import accuracy
from foxing.encoder.native.retired import FORMAT_BEFORE, RETIRED_FOLDER, load_retired, retire, retired_reader

FIRST = "24ef2a2cbfd9"
DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    """What the weights themselves said of the bank when they were the present ones."""
    found: dict[str, Any] = json.loads((DATA / "bank-first-weights.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def tokens() -> dict[str, VisionTokens]:
    """The vision tokens of its pages."""
    with closing(sqlite3.connect(f"file:{DATA / 'bank-first-weights.db'}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT key, tokens FROM pages JOIN page_contents ON page_id = id").fetchall()
    return {key: VisionTokens.from_bytes(blob) for key, blob in rows}


def test_every_retired_file_reads() -> None:
    found = sorted(path.stem for path in RETIRED_FOLDER.glob("*.safetensors"))
    assert FIRST in found
    for digest in found:
        reader = retired_reader(digest)
        assert reader is not None
        assert reader.weights == digest


def test_it_reads_what_the_weights_read(facts: dict[str, Any], tokens: dict[str, VisionTokens]) -> None:
    assert facts["weights"] == FIRST
    reader = retired_reader(FIRST)
    assert reader is not None
    readings = dict(zip(tokens, reader.decode(list(tokens.values())), strict=True))
    for key, page in facts["pages"].items():
        reading = readings[key]
        assert reading.tier == page["tier"]
        # the two kinds of arithmetic, float32 and bfloat16, may take a doubtful character differently
        assert accuracy(page["text"], reading.text) >= 0.998
        assert reading.mean_confidence == pytest.approx(page["confidence"], abs=0.002)
        assert reading.flag_below == reader.flag_below[reading.tier]
        assert reading.cells.shape == reading.confidence.shape
        assert reading.cells.dtype == np.uint32
        assert reading.confidence.dtype == np.float32


def test_a_page_reads_alike_alone_in_company_and_in_part(tokens: dict[str, VisionTokens]) -> None:
    reader = retired_reader(FIRST)
    assert reader is not None
    pages = list(tokens.values())
    alone = [reader.decode([page])[0] for page in pages]
    together = reader.decode(pages * 6)
    for number, reading in enumerate(together):
        assert np.array_equal(reading.cells, alone[number % len(pages)].cells)
    page = replace(pages[0], shape=(3, *pages[0].shape[1:]), data=3 * pages[0].data)
    whole = reader.decode([page])[0]
    rows = whole.cells.shape[0] // page.shape[0]
    assert reader.context_rows <= rows
    part = reader.decode([page.crop(0, 2)])[0]
    assert np.array_equal(part.cells[:rows], whole.cells[:rows])
    assert part.confidence[:rows] == pytest.approx(whole.confidence[:rows], abs=0.02)


def test_it_is_in_memory_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        readers = list(pool.map(retired_reader, [FIRST] * 8))
    assert readers[0] is not None
    assert all(reader is readers[0] for reader in readers)


@pytest.mark.parametrize("digest", ["", "0" * 12, FIRST.upper(), f"{FIRST}.safetensors", f"../retired/{FIRST}", "x\0"])
def test_other_weights_have_no_reader(digest: str) -> None:
    assert retired_reader(digest) is None


def taller(tokens: VisionTokens) -> VisionTokens:
    return replace(
        tokens, shape=(100, *tokens.shape[1:]), data=tokens.data[: len(tokens.data) // tokens.shape[0]] * 100
    )


def narrower(tokens: VisionTokens) -> VisionTokens:
    rows, columns, numbers = tokens.shape
    return replace(tokens, shape=(rows * columns, 1, numbers))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: replace(t, codec="other"), "'other'"),
        (lambda t: replace(t, weights="0" * 12), "0" * 12),
        (lambda t: replace(t, tier="huge"), "'huge'"),
        (lambda t: replace(t, tier="micro"), "'micro'"),
        (lambda t: replace(t, dtype="uint8", shape=(*t.shape[:2], t.shape[2] // 2)), "uint8"),
        (taller, "no page"),
        (narrower, "no page"),
    ],
)
def test_what_it_did_not_write_is_refused(
    tokens: dict[str, VisionTokens], change: Callable[[VisionTokens], VisionTokens], said: str
) -> None:
    reader = retired_reader(FIRST)
    assert reader is not None
    page = next(iter(tokens.values()))
    with pytest.raises(TokensError, match=said):
        reader.decode([page, change(page)])


def test_damaged_files_are_named(tmp_path: Path) -> None:
    blob = (RETIRED_FOLDER / f"{FIRST}.safetensors").read_bytes()
    path = tmp_path / f"{FIRST}.safetensors"
    path.write_bytes(blob[:-100])
    with pytest.raises(CodecError, match=rf"{FIRST}\.safetensors cannot be read"):
        load_retired(path)
    renamed = tmp_path / "0123456789ab.safetensors"
    renamed.write_bytes(blob)
    with pytest.raises(CodecError, match=FIRST):
        load_retired(renamed)
    with pytest.raises(CodecError, match="cannot be read"):
        load_retired(tmp_path / "none.safetensors")


def test_weights_are_retired_without_their_encoder(tmp_path: Path, tokens: dict[str, VisionTokens]) -> None:
    before = RETIRED_FOLDER / f"{FIRST}.safetensors"
    with safe_open(before, framework="pt") as file:
        metadata = {**file.metadata(), "format": FORMAT_BEFORE}
        decoder = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    whole = tmp_path / "whole.safetensors"
    some = next(iter(decoder.values()))
    save_file(
        {"encoder.some": some.clone(), **{f"decoder.{name}": value for name, value in decoder.items()}}, whole, metadata
    )

    path = retire(whole, tmp_path / "retired")

    assert path.stem != FIRST
    reader, first = load_retired(path), retired_reader(FIRST)
    assert first is not None
    pages = list(tokens.values())
    for ours, theirs in zip(
        reader.decode([replace(page, weights=path.stem) for page in pages]), first.decode(pages), strict=True
    ):
        assert np.array_equal(ours.cells, theirs.cells)
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == set(decoder)
    with pytest.raises(CodecError, match="foxing-native-1-decoder"):
        retire(path, tmp_path / "retired")
    with pytest.raises(CodecError, match="cannot be read"):
        retire(tmp_path / "none.safetensors", tmp_path / "retired")

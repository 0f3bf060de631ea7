"""Training the prior of the native codec on a few pages."""

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from foxing.encoder.native.charset import load_charset
from foxing.encoder.native.entropy.kernel import CodedCells, Kernel
from foxing.encoder.native.entropy.tables import PriorTables
from foxing.renderer.marks import NEWLINE_MARK
from training.native.prior import symbol_pages
from training.native.prior.__main__ import main, train_prior
from training.native.prior.learning import initial_state, logistic_tables, uncertain_levels
from training.native.prior.symbol_pages import SymbolPage, load_groups
from training.native.prior.trees import huffman

CHARSET = load_charset()
WORDS = ("the fox", "sat by the wall", "and wrote down", "what it saw", "on the day", "which was little", "as ever")


def write_texts(folder: Path, messages: int) -> Path:
    """A data folder with a page of text for each twenty messages."""
    (folder / "train").mkdir()
    generator = random.Random(3)
    content = [{"role": "user", "content": " ".join(generator.choices(WORDS, k=40))} for _ in range(messages)]
    with gzip.open(folder / "train" / "en_a.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"id": "d", "lang": "en", "messages": content}) + "\n")
    return folder


@pytest.fixture(autouse=True)
def _no_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"id": "s", "messages": [{"role": "tool", "content": "def fox(): return wall\n" * 20}]}
    monkeypatch.setattr(symbol_pages, "python_sources", lambda _: iter([document]))


def stream_bytes(tables: PriorTables, page: SymbolPage) -> int:
    kernel = Kernel(tables, CHARSET.rare_class, int(CHARSET.cell_class[ord(NEWLINE_MARK)]))
    levels = np.zeros(len(page.symbols), dtype=np.uint8)
    return len(kernel.encode(CodedCells(page.symbols, page.rare, levels), 20_000).data)


def test_a_trained_prior_knows_its_texts(tmp_path: Path) -> None:
    data = write_texts(tmp_path, 300)
    main(["--data", str(data), "--output", str(tmp_path / "prior.safetensors")])
    tables = PriorTables.from_arrays(load_file(tmp_path / "prior.safetensors"))
    page = load_groups(data / "train", CHARSET)[0].pages[-1]
    untrained = PriorTables.from_arrays(
        tables.to_arrays()
        | {
            "nodes": np.zeros((1, 4), dtype=np.uint16),
            "symbols": np.zeros((1, 4, 3), dtype=np.uint8),
            "state": initial_state(tables.squash),
        }
    )
    assert stream_bytes(tables, page) < 0.8 * stream_bytes(untrained, page)


def test_training_is_repeatable(tmp_path: Path) -> None:
    data = write_texts(tmp_path, 60)
    one, other = (train_prior(data / "train", CHARSET).to_arrays() for _ in range(2))
    assert all((one[name] == other[name]).all() for name in one)


def test_a_folder_without_texts_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no training texts"):
        main(["--data", str(tmp_path), "--output", str(tmp_path / "prior.safetensors")])


def test_frequent_symbols_have_short_paths() -> None:
    counts = np.array([50.0, 1, 20, 3, 1, 25])
    tree = huffman(counts)
    depths: dict[int, int] = {}
    waiting = [(0, 0)]
    while waiting:
        node, depth = waiting.pop()
        for child in tree[node].tolist():
            if child >= 0:
                waiting.append((child, depth + 1))
            else:
                depths[~child] = depth + 1
    assert sorted(depths) == list(range(6))
    assert sum(2.0**-depth for depth in depths.values()) == 1
    assert depths[0] == 1 < depths[2] <= depths[3] <= depths[1]


def test_uncertain_levels_are_rare_and_in_runs() -> None:
    generator = random.Random(1)
    levels = np.concatenate([uncertain_levels(12_800, generator) for _ in range(40)])
    assert 0 < (levels > 0).mean() < 0.01
    assert levels.max() == 15
    stretch, squash = logistic_tables()
    assert (np.diff(stretch) >= 0).all()
    assert (np.diff(squash.astype(int)) >= 0).all()

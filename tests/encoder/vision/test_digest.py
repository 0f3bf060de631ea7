"""The weights digest covers exactly the tensors that are loaded."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from foxing.encoder import CodecError
from foxing.encoder.vision.digest import CHUNK_BYTES, weights_digest
from foxing.encoder.vision.models.checkpoint import Checkpoint


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return {"a": torch.zeros(64, 1000), "b": torch.arange(CHUNK_BYTES // 4 + 9, dtype=torch.float32)}


def digest(folder: Path) -> str:
    return weights_digest(Checkpoint("m", folder))


def save_shards(folder: Path, files: dict[str, dict[str, torch.Tensor]]) -> None:
    """Writes one file per item, and their index."""
    for file, tensors in files.items():
        save_file(tensors, folder / file)
    weight_map = {name: file for file, tensors in files.items() for name in tensors}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


@pytest.mark.parametrize(("name", "index"), [("a", 10_500), ("a", 63_999), ("b", 0), ("b", 900_000), ("b", -1)])
def test_a_change_of_one_value_changes_the_digest(
    tmp_path: Path, tensors: dict[str, torch.Tensor], name: str, index: int
) -> None:
    save_file(tensors, tmp_path / "model.safetensors")
    before = digest(tmp_path)
    tensors[name].view(-1)[index] += 1
    save_file(tensors, tmp_path / "model.safetensors")
    assert digest(tmp_path) != before


def test_other_weight_files_in_the_folder_do_not_matter(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, tmp_path / "model.safetensors")
    before = digest(tmp_path)
    save_file({"a": torch.ones(2)}, tmp_path / "model_old.safetensors")
    assert digest(tmp_path) == before
    save_file({**tensors, "a": tensors["a"] + 1}, tmp_path / "model.safetensors")
    assert digest(tmp_path) != before


def test_sharded_weights_are_those_in_the_index(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, tmp_path / "model.safetensors")
    before = digest(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    parts = {"model-1.safetensors": {"a": tensors["a"]}, "model-2.safetensors": {"b": tensors["b"]}}
    save_shards(tmp_path, parts)
    save_file({"b": torch.ones(2)}, tmp_path / "model-3.safetensors")
    assert digest(tmp_path) == before
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(CodecError, match=r"model-2\.safetensors of m cannot be read"):
        digest(tmp_path)


def test_missing_and_damaged_weights_are_reported(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(CodecError, match="m has no weights"):
        digest(tmp_path)
    for content in ("{", "[]", '{"weight_map": {"a": 1}}', '{"weight_map": []}'):
        (tmp_path / "model.safetensors.index.json").write_text(content)
        with pytest.raises(CodecError, match=r"index\.json of m cannot be read"):
            digest(tmp_path)
    data = (tmp_path / "other.safetensors").read_bytes()
    for damaged in (data[:-1], data[:40], b"", b"\xff" * 20, b"\2" + bytes(7) + b"[]"):
        (tmp_path / "model.safetensors").write_bytes(damaged)
        with pytest.raises(CodecError, match=r"model\.safetensors of m cannot be read"):
            digest(tmp_path)

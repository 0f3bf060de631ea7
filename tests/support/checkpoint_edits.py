"""Edited copies of a checkpoint folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

#: Changes the files of a folder.
Edit = Callable[[Path], object]


def edited_copy(folder: Path, target: Path, edit: Edit) -> Path:
    """`target`, a new folder with the files of `folder` after `edit`."""
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    edit(target)
    return target


def edit_config(**fields: Any) -> Edit:
    """Sets fields of `config.json`; removes those that are None."""

    def edit(folder: Path) -> None:
        path = folder / "config.json"
        config = json.loads(path.read_text()) | fields
        path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))

    return edit


def edit_weights(edit_tensors: Callable[[dict[str, torch.Tensor]], object]) -> Edit:
    """Changes the tensors of `model.safetensors` in place."""

    def edit(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        edit_tensors(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return edit


def truncate(name: str, n_bytes: int) -> Edit:
    """Cuts `n_bytes` off the end of the file `name`."""

    def edit(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:-n_bytes])

    return edit


def remove(name: str) -> Edit:
    """Deletes the file `name`."""
    return lambda folder: (folder / name).unlink()

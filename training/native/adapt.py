"""Transfers trained weights to another charset: rows of the heads are matched by character, new rows start as the
mean."""

from collections.abc import Mapping

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.model import NativeModel

#: Suffix of each tensor with one row per character of a list → the list.
HEADS = {"glyphs.rare": "rare", "glyphs.rare_wide": "rare_wide"}


def adapt_model(model: NativeModel, trained: Charset, charset: Charset) -> NativeModel:
    """Returns a model for `charset` with the weights of `model`, which was trained for `trained`. Raises `CodecError`
    if a list differs whose characters share their rows with other layers."""
    if any(getattr(trained, name) != getattr(charset, name) for name in ("common", "wide", "frequent_wide")):
        raise CodecError("only the rare lists of a charset may change; start from new weights")
    result = NativeModel(model.dims, charset)
    state: dict[str, Tensor] = dict(model.state_dict())
    for name, tensor in result.state_dict().items():
        part = next((part for part in HEADS if name.rsplit(".", 1)[0].endswith(part)), None)
        if part is not None:
            rows = _rows(getattr(trained, HEADS[part]), getattr(charset, HEADS[part]))
            state[name] = _moved(state[name], len(tensor), rows)
    result.load_state_dict(state)
    return result


def _rows(trained: str, characters: str) -> Mapping[int, int]:
    """Index in `characters` → index in `trained`."""
    known = {character: index for index, character in enumerate(trained)}
    return {index: known[c] for index, c in enumerate(characters) if c in known}


def _moved(source: Tensor, length: int, rows: Mapping[int, int]) -> Tensor:
    """`length` rows: those of `source`, and their mean for new ones, which scores lower than any trained row that fits.
    Logits have no fixed level, so zeros or random rows would outscore trained ones."""
    result = source.mean(0, keepdim=True).repeat(length, *[1] * (source.ndim - 1))
    if rows:
        result[torch.tensor(list(rows))] = source[torch.tensor(list(rows.values()))]
    return result

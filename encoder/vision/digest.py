"""Digest that identifies the weights of a checkpoint."""

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path

from foxing.encoder.errors import CodecError

from .models.checkpoint import Checkpoint

DIGEST_CHARACTERS = 12  # of the sha256, as stored in vision tokens
CHUNK_BYTES = 4 << 20  # per read
MAX_HEADER_BYTES = 100 << 20  # limit of safetensors
_LENGTH = struct.Struct("<Q")


def weights_digest(checkpoint: Checkpoint) -> str:
    """Returns a hash of the name, dtype, shape and values of every tensor that `load_network` loads, independent of
    their distribution over files: equal for copies of a checkpoint, different for every training run. Reads all
    weights, at about 1 GB/s (7 s for DeepSeek-OCR). Raises `CodecError`."""
    tensors: dict[str, bytes] = {}
    for path in _weight_files(checkpoint):
        try:
            tensors |= dict(_tensor_digests(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            raise CodecError(f"{path.name} of {checkpoint.name} cannot be read ({error}); download it again") from error
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + b"\0" + tensors[name])
    return digest.hexdigest()[:DIGEST_CHARACTERS]


def _weight_files(checkpoint: Checkpoint) -> list[Path]:
    """Returns exactly the files that transformers loads: the single file, else those in the index."""
    single = checkpoint.folder / "model.safetensors"
    if single.is_file():
        return [single]
    index = checkpoint.folder / "model.safetensors.index.json"
    if not index.is_file():
        raise CodecError(f"{checkpoint.name} has no weights (model.safetensors); download all files of the model")
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        return [checkpoint.folder / name for name in names]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CodecError(f"{index.name} of {checkpoint.name} cannot be read ({error}); download it again") from error


def _tensor_digests(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yields the name of each tensor, and the sha256 of its dtype, shape and values."""
    with path.open("rb") as file:
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        if length > MAX_HEADER_BYTES:
            raise ValueError("its header is too long")
        header = json.loads(file.read(length))
        for name, tensor in header.items():
            if name == "__metadata__":
                continue
            first, stop = (int(offset) + _LENGTH.size + length for offset in tensor["data_offsets"])
            digest = hashlib.sha256(json.dumps([tensor["dtype"], tensor["shape"]]).encode())
            file.seek(first)
            for start in range(first, stop, CHUNK_BYTES):
                chunk = file.read(min(CHUNK_BYTES, stop - start))
                if len(chunk) != min(CHUNK_BYTES, stop - start):
                    raise ValueError("it is truncated")
                digest.update(chunk)
            yield name, digest.digest()

"""Models from a hub or a folder, strictly and without running any code of theirs."""

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from foxing.encoder.errors import CodecError
from foxing.renderer import PRINTED_PAGE, LayoutError, PageLayout

DIGEST_CHARACTERS = 12  # of the sha256 that names weights in vision tokens
CHUNK_BYTES = 4 << 20  # that are read at a time
LONGEST_HEADER_BYTES = 100 << 20  # the limit that safetensors has
FILES = ("*.json", "*.safetensors")
#: Says how pages are laid out for a model that wants them otherwise than printed: `{"layout": {"columns": 32, …}}`.
LAYOUT_FILE = "foxing.json"
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Place:
    """A folder with a model. `name`: what the user called it."""

    name: str
    folder: Path


def transformers() -> ModuleType:
    """The package of that name. Raises `CodecError` where it is not installed."""
    try:
        import transformers

        return transformers  # type: ignore[no-any-return]
    except ImportError as error:
        raise CodecError(
            f"models of others need the package transformers ({error}); run: pip install 'foxing[gpu]'"
        ) from error


def locate(model: str, revision: str | None) -> Place:
    """The folder of a model: `model` itself where it is one, otherwise what the hub has under that id, downloaded once.
    Raises `CodecError`."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return Place(model, folder)
    if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise CodecError(f"there is no folder '{model}'; set the option 'model' to a hub id or a folder with a model")
    transformers()
    from huggingface_hub import snapshot_download

    try:
        return Place(model, Path(snapshot_download(model, revision=revision, allow_patterns=list(FILES))))
    except Exception as error:  # of the hub, of the network, of the disk: the user can do the same about each
        raise CodecError(
            f"the model '{model}' cannot be downloaded ({type(error).__name__}: {_line(error)}); check the id, "
            "the option 'revision' and the network, or set the option 'model' to a folder that holds it"
        ) from error


def read_config(place: Place) -> dict[str, Any]:
    """`config.json`. Raises `CodecError`."""
    try:
        fields = json.loads((place.folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CodecError(f"{place.name} has no config.json that can be read ({error}); is it a model?") from error
    if not isinstance(fields, dict):
        raise CodecError(f"the config.json of {place.name} describes no model")
    return fields


def published_config(kind: Any, fields: dict[str, Any], place: Place) -> Any:
    """The configuration of class `kind` for a model published in the form of transformers. Raises `CodecError`."""
    if not isinstance(fields.get("vision_config"), dict):  # transformers would take one of its own
        raise CodecError(f"the config.json of {place.name} describes no encoder (vision_config); get it anew")
    try:
        return kind.from_dict(fields)
    except Exception as error:  # of many kinds, from checks of types and sizes
        raise CodecError(f"the config.json of {place.name} makes no sense ({_line(error)}); get it anew") from error


def page_layout(place: Place) -> PageLayout:
    """How pages are laid out for the model: what `foxing.json` beside the weights says, the printed page where there is
    none. Raises `CodecError`."""
    path = place.folder / LAYOUT_FILE
    if not path.exists():
        return PRINTED_PAGE
    try:
        given = json.loads(path.read_text(encoding="utf-8"))["layout"]
        return PageLayout.from_dict({**PRINTED_PAGE.to_dict(), **given})
    except (OSError, ValueError, KeyError, TypeError, LayoutError) as error:
        raise CodecError(f"the {LAYOUT_FILE} of {place.name} gives no page layout ({error}); correct it") from error


def load_tokenizer(place: Place) -> Any:
    """The tokenizer of `tokenizer.json`. Raises `CodecError`."""
    transformers()
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(place.folder / "tokenizer.json"))
    except Exception as error:  # the package raises plain Exception
        raise CodecError(f"{place.name} has no tokenizer.json that can be read ({error}); download it again") from error


def token_id(tokenizer: Any, token: str, place: Place) -> int:
    """Raises `CodecError` where the tokenizer lacks it."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise CodecError(f"the tokenizer of {place.name} has no token {token}; this is another model")
    return int(found)


def pick_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """ "auto": bfloat16 on a GPU, float32 elsewhere."""
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[dtype]


def load_network(
    kind: Any,
    place: Place,
    config: Any,
    device: torch.device,
    dtype: torch.dtype,
    attention: str | dict[str, str] = "sdpa",
) -> Any:
    """The transformers model of class `kind` in evaluation mode, with every parameter of the folder's safetensors and
    no other. `attention`: its implementation, for all of the model or by part of its configuration. Raises
    `CodecError`."""
    try:
        network, info = kind.from_pretrained(
            place.folder,
            config=config,
            dtype=dtype,
            attn_implementation=attention,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:  # many kinds, of many packages, for a folder that holds something else
        raise CodecError(f"the weights of {place.name} cannot be loaded ({_line(error)}); get them anew") from error
    for kind_of_key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        wrong = sorted(str(key) for key in info.get(kind_of_key) or ())
        if wrong:
            raise CodecError(
                f"{place.name} is not the model that its config.json describes: {kind_of_key.replace('_', ' ')} "
                f"{', '.join(wrong[:3])}{f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''}"
            )
    _check_head(network, place)
    # the folder's would otherwise fill in what a caller leaves open: sampling, penalties
    network.generation_config = transformers().GenerationConfig()
    try:
        return network.eval().requires_grad_(False).to(device)
    except torch.OutOfMemoryError as error:
        raise CodecError(
            f"{place.name} does not fit into the memory of '{device}' ({_line(error)}); free some, or "
            "choose the device 'cpu'"
        ).naming("device") from error


def _check_head(network: Any, place: Place) -> None:
    """Raises `CodecError` where the output layer should be the table of embeddings and is not, but made up anew."""
    head, table = network.get_output_embeddings(), network.get_input_embeddings()
    if network.config.tie_word_embeddings and head.weight.data_ptr() != table.weight.data_ptr():
        raise CodecError(
            f"the output layer (lm_head) of {place.name} is not the table of embeddings, as its config.json says "
            "(tie_word_embeddings); get both anew"
        )


def weights_digest(place: Place) -> str:
    """Names the weights: a hash over name, type, shape and every number of every tensor that `load_network` loads,
    whatever files they are in. The same for a copy of a checkpoint, another for every training. All of it is read, at
    about 1 GB/s: some 7 s for DeepSeek-OCR, once for each load. Raises `CodecError`."""
    entries: dict[str, bytes] = {}
    for path in _weight_files(place):
        try:
            entries |= dict(_hashed(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            raise CodecError(f"{path.name} of {place.name} cannot be read ({error}); get it anew") from error
    digest = hashlib.sha256()
    for name in sorted(entries):
        digest.update(name.encode() + b"\0" + entries[name])
    return digest.hexdigest()[:DIGEST_CHARACTERS]


def _weight_files(place: Place) -> list[Path]:
    """The files that transformers loads, and none that lies beside them: the one file, else those of the index."""
    whole = place.folder / "model.safetensors"
    if whole.is_file():
        return [whole]
    index = place.folder / "model.safetensors.index.json"
    if not index.is_file():
        raise CodecError(f"{place.name} has no weights (model.safetensors); download them, all of them")
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        return [place.folder / name for name in names]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CodecError(f"{index.name} of {place.name} cannot be read ({error}); get it anew") from error


def _hashed(path: Path) -> Iterator[tuple[str, bytes]]:
    """Tensor name → sha256 of what it is and of its numbers."""
    with path.open("rb") as file:
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        if length > LONGEST_HEADER_BYTES:
            raise ValueError("its header has no end")
        header = json.loads(file.read(length))
        for name, tensor in header.items():
            if name == "__metadata__":
                continue
            first, stop = (int(offset) + _LENGTH.size + length for offset in tensor["data_offsets"])
            digest = hashlib.sha256(json.dumps([tensor["dtype"], tensor["shape"]]).encode())
            file.seek(first)
            for start in range(first, stop, CHUNK_BYTES):
                part = file.read(min(CHUNK_BYTES, stop - start))
                if len(part) != min(CHUNK_BYTES, stop - start):
                    raise ValueError("it is cut short")
                digest.update(part)
            yield name, digest.digest()


def _line(error: Exception) -> str:
    """The first line of its message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

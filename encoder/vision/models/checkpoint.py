"""Model checkpoints from a hub or a folder, loaded strictly and without running code from them."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from foxing.encoder.errors import CodecError
from foxing.renderer import LayoutError, PageLayout
from foxing.renderer.layout import PRINTED_PAGE

FIRST_WITH_BFLOAT16 = (8, 0)  # compute capability: Ampere
DOWNLOADED = ("*.json", "*.safetensors")
#: File with the page layout of a model for pages other than the printed page: `{"layout": {"columns": 32, …}}`.
LAYOUT_FILE = "foxing.json"


@dataclass(frozen=True)
class Checkpoint:
    """Folder with a model."""

    #: Hub id or path as given by the user.
    name: str
    folder: Path


def transformers() -> ModuleType:
    """Imports and returns the package transformers. Raises `CodecError` if it is not installed."""
    try:
        import transformers

        return transformers  # type: ignore[no-any-return]
    except ImportError as error:
        raise CodecError(
            f"third-party models need the package transformers ({error}); run: pip install 'foxing[gpu]'"
        ) from error


def locate(model: str, revision: str | None) -> Checkpoint:
    """Returns the checkpoint in the folder `model`, else the one with that id on the hub, downloaded once. Raises
    `CodecError`."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return Checkpoint(model, folder)
    if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise CodecError(f"there is no folder '{model}'; set the option 'model' to a hub id or a folder with a model")
    transformers()
    from huggingface_hub import snapshot_download

    try:
        return Checkpoint(model, Path(snapshot_download(model, revision=revision, allow_patterns=list(DOWNLOADED))))
    except Exception as error:  # hub, network and disk failures all have the same remedy
        raise CodecError(
            f"the model '{model}' cannot be downloaded ({type(error).__name__}: {_first_line(error)}); check the id, "
            "the option 'revision' and the network, or set the option 'model' to a folder that holds it"
        ) from error


def read_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """Reads the fields of `config.json`. Raises `CodecError`."""
    try:
        fields = json.loads((checkpoint.folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CodecError(f"{checkpoint.name} has no readable config.json ({error}); download it again") from error
    if not isinstance(fields, dict):
        raise CodecError(f"the config.json of {checkpoint.name} does not describe a model")
    return fields


def parse_config(config_class: Any, fields: dict[str, Any], checkpoint: Checkpoint) -> Any:
    """Returns a transformers configuration of `config_class` from the fields of `config.json`. Raises `CodecError`."""
    if not isinstance(fields.get("vision_config"), dict):  # transformers would silently use its default
        raise CodecError(
            f"the config.json of {checkpoint.name} does not describe an encoder (vision_config); download it again"
        )
    try:
        return config_class.from_dict(fields)
    except Exception as error:  # transformers validates types and sizes with many exception classes
        raise CodecError(
            f"the config.json of {checkpoint.name} is invalid ({_first_line(error)}); download it again"
        ) from error


def page_layout(checkpoint: Checkpoint) -> PageLayout:
    """Reads the page layout in `foxing.json` beside the weights; the default is the printed page. Raises
    `CodecError`."""
    path = checkpoint.folder / LAYOUT_FILE
    if not path.exists():
        return PRINTED_PAGE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))["layout"]
        layout = PageLayout.from_dict({**PRINTED_PAGE.to_dict(), **fields})
        if layout.wrap != "cells":
            raise LayoutError("a page that a model reads back needs wrap 'cells'")
        return layout
    except (OSError, ValueError, KeyError, TypeError, LayoutError) as error:
        raise CodecError(
            f"the {LAYOUT_FILE} of {checkpoint.name} does not contain a valid page layout ({error}); correct it"
        ) from error


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """Loads the `tokenizers.Tokenizer` in `tokenizer.json`. Raises `CodecError`."""
    transformers()
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(checkpoint.folder / "tokenizer.json"))
    except Exception as error:  # the package raises plain Exception
        raise CodecError(f"{checkpoint.name} has no readable tokenizer.json ({error}); download it again") from error


def token_id(tokenizer: Any, token: str, checkpoint: Checkpoint) -> int:
    """Returns the id of `token`. Raises `CodecError` if the tokenizer lacks it."""
    number = tokenizer.token_to_id(token)
    if number is None:
        raise CodecError(f"the tokenizer of {checkpoint.name} has no token {token}; it belongs to another model")
    return int(number)


def pick_dtype(device: torch.device) -> torch.dtype:
    """Returns float32 for a CPU, float16 for a GPU that only emulates bfloat16 (Turing and older), and bfloat16
    elsewhere."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < FIRST_WITH_BFLOAT16:
        return torch.float16
    return torch.float32 if device.type == "cpu" else torch.bfloat16


def load_network(
    network_class: Any,
    checkpoint: Checkpoint,
    config: Any,
    device: torch.device,
    dtype: torch.dtype,
    attention: str | dict[str, str] = "sdpa",
) -> Any:
    """Loads a transformers model of `network_class` in evaluation mode to `device`. `attention`: implementation for the
    whole model, or by part of its configuration. Raises `CodecError` if a parameter is missing or unexpected."""
    try:
        network, info = network_class.from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=dtype,
            attn_implementation=attention,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:  # several packages raise many exception classes for a wrong folder
        raise CodecError(
            f"the weights of {checkpoint.name} cannot be loaded ({_first_line(error)}); download them again"
        ) from error
    _check_parameters(info, checkpoint)
    _check_head(network, checkpoint)
    # the published configuration would supply sampling and penalties that the caller leaves unset
    network.generation_config = transformers().GenerationConfig()
    try:
        return network.eval().requires_grad_(False).to(device)
    except torch.OutOfMemoryError as error:
        raise CodecError(
            f"{checkpoint.name} does not fit into the memory of '{device}' ({_first_line(error)}); free some, or set "
            "the device to 'cpu'"
        ).naming("device") from error


def _check_parameters(info: dict[str, Any], checkpoint: Checkpoint) -> None:
    """Raises `CodecError` if the weights and the configuration differ in a parameter."""
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        keys = sorted(str(key) for key in info.get(problem) or ())
        if keys:
            raise CodecError(
                f"{checkpoint.name} is not the model that its config.json describes: {problem.replace('_', ' ')} "
                f"{', '.join(keys[:3])}{f' and {len(keys) - 3} more' if len(keys) > 3 else ''}"
            )


def _check_head(network: Any, checkpoint: Checkpoint) -> None:
    """Raises `CodecError` if the output layer should be tied to the embedding table and transformers initialised a new
    one instead."""
    head = network.get_output_embeddings()
    table = network.get_input_embeddings()
    if network.config.tie_word_embeddings and head.weight.data_ptr() != table.weight.data_ptr():
        raise CodecError(
            f"the output layer (lm_head) of {checkpoint.name} is not tied to the embedding table as its config.json "
            "says (tie_word_embeddings); download both again"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

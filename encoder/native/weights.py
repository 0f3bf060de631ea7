"""Weights of the native codec: one safetensors file that also contains its dimensions and charset."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from foxing.encoder.errors import CodecError

from .charset import Charset
from .confidence_scaling import ConfidenceScalingInfo
from .entropy.tables import PriorTables
from .model import NativeModel
from .network.dims import NativeDims

WEIGHTS_PATH = Path(__file__).parent / "data" / "native.safetensors"
FORMAT = "foxing-native-3"
PRIOR = "prior."  # prefix of the names of the prior's tables
DIGEST_CHARACTERS = 12  # of the sha256 that identifies the weights in vision tokens


class WeightsInfo(ConfidenceScalingInfo, total=False):
    """Metadata that training and calibration record in a weights file."""

    #: Number of training steps.
    step: int
    #: Mean held-out accuracy, without `micro`.
    score: float
    #: Held-out accuracy by "tier/text".
    held_out: dict[str, float]


class LoadedWeights(NamedTuple):
    """Contents of a weights file."""

    #: Network in float32.
    model: NativeModel
    charset: Charset
    prior: PriorTables
    info: WeightsInfo


def save_weights(weights: LoadedWeights, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Writes the weights to `path` atomically, with the network in `dtype`."""
    model, charset, prior, info = weights
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).detach().contiguous()
        for name, tensor in model.state_dict().items()
    }
    tensors |= {f"{PRIOR}{name}": torch.from_numpy(array) for name, array in prior.to_arrays().items()}
    metadata = {
        "format": FORMAT,
        "dims": json.dumps(model.dims.to_dict()),
        "charset": json.dumps(charset.to_dict(), ensure_ascii=False),
        "info": json.dumps(info),
    }
    partial = path.with_suffix(".part")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def load_weights(path: Path = WEIGHTS_PATH) -> LoadedWeights:
    """Loads a weights file strictly: it must contain every tensor and no other.

    Raises `CodecError` if the file is missing, damaged or of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CodecError(
            f"the weights {path.name} cannot be read ({error}); reinstall foxing or train new ones"
        ) from error
    if metadata.get("format") != FORMAT:
        raise CodecError(
            f"{path.name} holds weights of format {metadata.get('format')!r}; this version reads {FORMAT!r}"
        )
    network = {name: _to_float32(tensor) for name, tensor in tensors.items() if not name.startswith(PRIOR)}
    arrays = {name.removeprefix(PRIOR): t.numpy() for name, t in tensors.items() if name.startswith(PRIOR)}
    try:
        dims = NativeDims.from_dict(json.loads(metadata["dims"]))
        charset = Charset.from_dict(json.loads(metadata["charset"]))
        info: WeightsInfo = json.loads(metadata["info"])
        model = NativeModel(dims, charset)
        model.load_state_dict(network, strict=True)
        prior = PriorTables.from_arrays(arrays)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CodecError(f"{path.name} does not fit the network it describes: {error}") from error
    return LoadedWeights(model, charset, prior, info)


def _to_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def weights_digest(path: Path = WEIGHTS_PATH) -> str:
    """Returns the first `DIGEST_CHARACTERS` of the file's sha256, which identify the weights in vision tokens."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:DIGEST_CHARACTERS]

"""Weights of the native codec: one safetensors file that also contains its dimensions and charset."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from safetensors import SafetensorError, safe_open

from foxing.encoder.errors import CodecError

from .charset import Charset
from .confidence_scaling import ConfidenceScalingInfo
from .entropy.tables import PriorTables
from .network.dims import NativeDims

if TYPE_CHECKING:
    import torch

    from .model import NativeModel

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
    model: "NativeModel"
    charset: Charset
    prior: PriorTables
    info: WeightsInfo


class ReadingWeights(NamedTuple):
    """The part of a weights file that reading pages takes: neither network nor torch."""

    dims: NativeDims
    charset: Charset
    prior: PriorTables
    info: WeightsInfo


def save_weights(weights: LoadedWeights, path: Path, dtype: "torch.dtype | None" = None) -> None:
    """Writes the weights to `path` atomically, with the network in `dtype`, by default float32."""
    import torch
    from safetensors.torch import save_file

    dtype = dtype or torch.float32
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


def load_for_reading(path: Path = WEIGHTS_PATH) -> ReadingWeights:
    """Loads what reading pages takes of a weights file. Raises `CodecError` if the file is missing, damaged or of
    another format."""
    with _readable(path):
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            names = [name for name in file.keys() if name.startswith(PRIOR)]  # noqa: SIM118
            arrays = {name.removeprefix(PRIOR): file.get_tensor(name) for name in names}
        if metadata.get("format") != FORMAT:
            raise CodecError(
                f"{path.name} holds weights of format {metadata.get('format')!r}; this version reads {FORMAT!r}"
            )
        dims = NativeDims.from_dict(json.loads(metadata["dims"]))
        charset = Charset.from_dict(json.loads(metadata["charset"]))
        info = json.loads(metadata["info"])
        if not isinstance(info, dict):
            raise TypeError("its info must be an object")
        return ReadingWeights(dims, charset, PriorTables.from_arrays(arrays), cast("WeightsInfo", info))


def load_network(path: Path, dims: NativeDims, charset: Charset) -> "NativeModel":
    """Loads the network of a weights file strictly: it must contain every tensor and no other. Raises `CodecError`."""
    from .model import NativeModel

    with _readable(path):
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if not name.startswith(PRIOR)]  # noqa: SIM118
            tensors = {name: file.get_tensor(name) for name in names}
        model = NativeModel(dims, charset)
        model.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in tensors.items()})
        return model


def load_weights(path: Path = WEIGHTS_PATH) -> LoadedWeights:
    """Loads a complete weights file. Raises `CodecError`."""
    dims, charset, prior, info = load_for_reading(path)
    return LoadedWeights(load_network(path, dims, charset), charset, prior, info)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raises `CodecError` for what goes wrong while a weights file is read."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise CodecError(
            f"the weights {path.name} cannot be read ({error}); reinstall foxing or train new ones"
        ) from error
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError, MemoryError) as error:
        raise CodecError(f"{path.name} does not fit the network it describes: {error}") from error


def weights_digest(path: Path = WEIGHTS_PATH) -> str:
    """Returns the first `DIGEST_CHARACTERS` of the file's sha256, which identify the weights in vision tokens."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:DIGEST_CHARACTERS]

"""Weights before the present ones that packed their tokens as these do: such tokens are still read, none are written.

Reading needs no encoder: what stays in the package of earlier weights is their calibration, how likely their doubts
were, their charset, and their prior, unless it is that of the present weights. Each is one small file
`data/earlier/<digest>.safetensors`. Weights of the network before, which knew no prior, are `retired`.

    python -m foxing.encoder.native.earlier before.safetensors    # once the present weights are in their place
"""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from foxing.encoder.errors import CodecError

from .charset import Charset
from .prior import blank_arrays
from .reading import Calibration, PackedReader, Unpacker
from .weights import DIGEST_CHARACTERS, WEIGHTS_PATH, weights_digest

EARLIER_FOLDER = Path(__file__).parent / "data" / "earlier"
FORMAT = "foxing-native-packed"
PRIOR = "prior."  # before the names of its arrays in whole weights

Arrays = dict[str, npt.NDArray[Any]]

_lock = Lock()


def earlier_reader(digest: str) -> PackedReader | None:
    """The reader of tokens that the weights called `digest` wrote; None where they are not among the earlier weights of
    this package. In memory once per process. Raises `CodecError` when their file is damaged."""
    if not re.fullmatch(rf"[0-9a-f]{{{DIGEST_CHARACTERS}}}", digest):  # it comes out of stored tokens, and names a file
        return None
    with _lock:
        return _loaded(digest)


@cache
def _loaded(digest: str) -> PackedReader | None:
    path = EARLIER_FOLDER / f"{digest}.safetensors"
    return load_earlier(path) if path.is_file() else None


def load_earlier(path: Path) -> PackedReader:
    """The reader that the file `path` describes. Raises `CodecError`."""
    metadata, arrays = _opened(path, "")
    if metadata.get("format") != FORMAT or metadata.get("weights") != path.stem:
        raise CodecError(
            f"{path.name} holds weights {metadata.get('weights')!r} of format {metadata.get('format')!r}, "
            f"not {path.stem!r} of {FORMAT!r}; reinstall foxing"
        )
    arrays = {**_prior_of(WEIGHTS_PATH), **arrays}
    try:
        if prior_digest(arrays) != metadata["prior"]:
            raise CodecError(f"{path.name} needs the prior {metadata['prior']}, which this version does not have")
        charset = Charset.from_dict(json.loads(metadata["charset"]))
        sizes = {tier: tuple(offered) for tier, offered in json.loads(metadata["sizes"]).items()}
        calibration = Calibration.of(json.loads(metadata["info"]))
        return PackedReader(Unpacker(arrays, charset), path.stem, calibration, sizes)
    except (KeyError, TypeError, ValueError) as error:
        raise CodecError(f"{path.name} does not say what reading needs: {error!r}") from error


def keep(path: Path, folder: Path = EARLIER_FOLDER) -> Path:
    """Keeps what reading needs of the whole weights in `path`, beside the present ones, which must be in their place
    already: of the prior only what differs from theirs is written. Returns the file. Raises `CodecError` when they
    cannot be read, or have no prior."""
    metadata, arrays = _opened(path, PRIOR)
    if set(arrays) != {*blank_arrays(), "doubts"}:
        raise CodecError(f"{path.name} is of format {metadata.get('format')!r} and has no prior to read tokens with")
    present = _prior_of(WEIGHTS_PATH)
    ours = {name: array for name, array in arrays.items() if not np.array_equal(array, present.get(name, array[:0]))}
    charset: dict[str, str] = json.loads(metadata["charset"])
    tiers = json.loads(metadata["dims"])["tiers"]
    digest = weights_digest(path)
    noted = {
        "format": FORMAT,
        "weights": digest,
        "prior": prior_digest(arrays),
        "charset": json.dumps(charset, ensure_ascii=False),
        "sizes": json.dumps({tier: dims["sizes"] for tier, dims in tiers.items()}),
        "info": json.dumps(Calibration.of(json.loads(metadata["info"])).note()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{digest}.safetensors"
    partial = target.with_suffix(".part")
    save_file({**ours, "doubts": arrays["doubts"]}, partial, noted)
    partial.replace(target)
    return target


def prior_digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """A name for the prior alone, whatever else is among `arrays`."""
    digest = hashlib.sha256()
    for name in sorted(blank_arrays()):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()[:DIGEST_CHARACTERS]


def _prior_of(path: Path) -> Arrays:
    return _opened(path, PRIOR)[1]


def _opened(path: Path, prefix: str) -> tuple[dict[str, str], Arrays]:
    """What the file says of itself, and its arrays whose names begin with `prefix`. Raises `CodecError`."""
    try:
        with safe_open(path, framework="np") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return file.metadata() or {}, {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise CodecError(f"the weights {path.name} cannot be read ({error}); reinstall foxing") from error


def main() -> None:
    import argparse

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the whole weights, as they were released")
    target = keep(parser.parse_args().weights)
    print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

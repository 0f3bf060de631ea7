"""Codecs by name, loaded once per process."""

from collections.abc import Callable
from functools import cache
from threading import Lock

from .contract import Codec
from .errors import CodecError

_lock = Lock()


def _native(device: str) -> Codec:
    from .native.codec import NativeCodec

    return NativeCodec.load(device=device)


CODECS: dict[str, Callable[[str], Codec]] = {"native": _native}


@cache
def _loaded(name: str, device: str) -> Codec:
    return CODECS[name](device)


def load_codec(name: str = "native", device: str = "auto") -> Codec:
    """The codec called `name` on `device` ("auto", "cpu", "cuda"); its weights are in memory once per process.

    Raises `CodecError` for an unknown name, missing weights or a device that is not there.
    """
    if name not in CODECS:
        raise CodecError(f"there is no codec '{name}'; set FOXING_CODEC to one of {', '.join(CODECS)}")
    with _lock:
        return _loaded(name, device)

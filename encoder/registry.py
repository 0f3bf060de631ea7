"""Codecs by name, loaded once per process."""

from collections.abc import Callable, Mapping
from functools import cache
from threading import Lock

from .contract import Codec, ResizableCodec
from .errors import CodecError

_lock = Lock()


def _native(device: str) -> Codec:
    from .native.codec import NativeCodec

    return NativeCodec.load(device=device)


CODECS: dict[str, Callable[[str], Codec]] = {"native": _native}


@cache
def _loaded(name: str, device: str) -> Codec:
    return CODECS[name](device)


def load_codec(name: str = "native", device: str = "auto", token_bytes: Mapping[str, int] | None = None) -> Codec:
    """The codec called `name` on `device` ("auto", "cpu", "cuda"); its weights are in memory once per process.

    `token_bytes`: bytes of a vision token at some tiers, where the default is not wanted. Raises `CodecError` for an
    unknown name, missing weights, a device that is not there or a size that the codec does not have.
    """
    if name not in CODECS:
        raise CodecError(f"there is no codec '{name}'; set FOXING_CODEC to one of {', '.join(CODECS)}")
    with _lock:
        codec = _loaded(name, device)
    if not token_bytes:
        return codec
    if not isinstance(codec, ResizableCodec):
        raise CodecError(f"tokens of the codec '{name}' have one size; leave FOXING_TOKEN_BYTES out")
    return codec.sized(token_bytes)

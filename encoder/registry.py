"""Codecs by name, loaded once per process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from threading import Lock
from time import monotonic

from .capabilities import ResizableCodec
from .contract import Codec
from .errors import CodecError
from .options import CodecOptions

#: What asking a server needs, whichever codec asks.
SERVER_EXTRA = "remote"
SERVER_MODULES = ("httpx",)
SERVER_NEEDS = ("FOXING_REMOTE_URL", "FOXING_REMOTE_MODEL")

FAILED_FOR_S = 10.0  # how long what could not be loaded is not tried again
_seconds: Callable[[], float] = monotonic
_loading: dict[tuple[str, str, CodecOptions], "_Loading"] = {}
_lock = Lock()


@dataclass(frozen=True)
class CodecEntry:
    """A codec that can be asked for by name. Telling about it imports nothing that it needs.

    `about`: one sentence. `load`: (device, options) → the codec; raises `CodecError`. `extra`: of the package, with
    what the codec needs beside the core; `modules`: what that installs. `needs`: settings without which it cannot be
    loaded. `served`: whether a server can decode its tokens.
    """

    name: str
    about: str
    load: Callable[[str, CodecOptions], Codec]
    extra: str | None = None
    modules: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    served: bool = False

    def decoded(self, decoder: str) -> "CodecEntry":
        """The same with what it needs where `decoder` reads its tokens."""
        if decoder != "remote" or not self.served:
            return self
        return replace(
            self,
            extra=f"{self.extra},{SERVER_EXTRA}",
            modules=self.modules + SERVER_MODULES,
            needs=self.needs + SERVER_NEEDS,
        )

    @property
    def shipped(self) -> bool:
        """Whether it comes with the package, weights included."""
        return self.extra is None

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules that are not installed."""
        return tuple(module for module in self.modules if find_spec(module) is None)


def _native(device: str, options: CodecOptions) -> Codec:
    from .native.codec import NativeCodec

    return NativeCodec.load(device=device)


def _deepseek_ocr(device: str, options: CodecOptions) -> Codec:
    from .vision.deepseek import HUB_ID, DeepSeekOcr
    from .vision.factory import open_codec

    return open_codec(DeepSeekOcr, options.model or HUB_ID, device, options)


def _got_ocr2(device: str, options: CodecOptions) -> Codec:
    from .vision.factory import open_codec
    from .vision.got import HUB_ID, GotOcr2

    return open_codec(GotOcr2, options.model or HUB_ID, device, options)


def _qwen_vl(device: str, options: CodecOptions) -> Codec:
    from .vision.factory import open_codec
    from .vision.qwen import HUB_ID, QwenVl

    return open_codec(QwenVl, options.model or HUB_ID, device, options)


def _remote(device: str, options: CodecOptions) -> Codec:
    from .remote.codec import EndpointCodec

    return EndpointCodec.load(options.remote)


_ENTRIES = (
    CodecEntry(
        "native",
        "Our own, small, with its weights in the package: dense pages, every tier, two CPU cores are enough.",
        _native,
    ),
    CodecEntry(
        "deepseek-ocr",
        "Stores the vision tokens of DeepSeek-OCR and reads them with its decoder, here or on a server: printed pages, "
        "large to tiny.",
        _deepseek_ocr,
        extra="gpu",
        modules=("transformers", "tokenizers"),
        served=True,
    ),
    CodecEntry(
        "got-ocr2",
        "Stores the vision tokens of GOT-OCR 2.0 and reads them with its decoder: printed pages, base alone.",
        _got_ocr2,
        extra="gpu",
        modules=("transformers", "tokenizers"),
    ),
    CodecEntry(
        "qwen-vl",
        "Stores the vision tokens of Qwen2.5-VL, Qwen3-VL or MinerU2.5 and reads them with its decoder: printed pages, "
        "every tier.",
        _qwen_vl,
        extra="gpu",
        modules=("transformers", "tokenizers"),
    ),
    CodecEntry(
        "remote",
        "Keeps the image of each page and has it read by a vision model behind an OpenAI-compatible endpoint.",
        _remote,
        extra=SERVER_EXTRA,
        modules=SERVER_MODULES,
        needs=SERVER_NEEDS,
    ),
)
CODECS: dict[str, CodecEntry] = {entry.name: entry for entry in _ENTRIES}


class _Loading:
    """A codec that is loaded once, by whoever asks first; the others wait, and learn of a failure with it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._codec: Codec | None = None
        self._failure: CodecError | None = None
        self._failed_at = 0.0

    def get(self, load: Callable[[], Codec]) -> Codec:
        with self._lock:
            if self._codec is not None:
                return self._codec
            if self._failure is not None and _seconds() - self._failed_at < FAILED_FOR_S:
                raise type(self._failure)(str(self._failure)) from self._failure
            try:
                self._codec = load()
            except CodecError as error:
                self._failure, self._failed_at = error, _seconds()
                raise
            return self._codec


def _loaded(name: str, device: str, options: CodecOptions) -> Codec:
    with _lock:
        loading = _loading.setdefault((name, device, options), _Loading())
    return loading.get(lambda: CODECS[name].load(device, options))


def load_codec(
    name: str = "native",
    device: str = "auto",
    token_bytes: Mapping[str, int] | None = None,
    options: CodecOptions | None = None,
) -> Codec:
    """The codec called `name` on `device` ("auto", "cpu", "cuda"); its weights are in memory once per process.

    `token_bytes`: bytes of a vision token at some tiers, where the default is not wanted. `options`: what else can be
    chosen. Raises `CodecError` for an unknown name, an extra that is not installed, missing weights or
    settings, a device that is not there or a size that the codec does not have; what has just failed fails in the same
    way for `FAILED_FOR_S`, without another try.
    """
    if name not in CODECS:
        raise CodecError(f"there is no codec '{name}'; set FOXING_CODEC to one of {', '.join(CODECS)}")
    options = options or CodecOptions()
    entry = CODECS[name].decoded(options.decoder)
    if entry.missing:
        raise CodecError(f"the codec '{name}' needs {' and '.join(entry.missing)}; pip install 'foxing[{entry.extra}]'")
    codec = _loaded(name, device, options)
    if not token_bytes:
        return codec
    if not isinstance(codec, ResizableCodec):
        raise CodecError(f"tokens of the codec '{name}' have one size; leave FOXING_TOKEN_BYTES out")
    return codec.sized(token_bytes)

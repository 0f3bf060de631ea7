"""The codecs by name, each loaded once per process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from threading import Lock
from time import monotonic

from .capabilities import ResizableCodec
from .contract import Codec
from .errors import CodecError
from .options import CodecOptions

#: What decoding on a server requires, whichever codec does it.
SERVER_EXTRA = "remote"
SERVER_MODULES = ("httpx", "stamina")
SERVER_NEEDS = ("FOXING_REMOTE_URL", "FOXING_REMOTE_MODEL")

FAILED_FOR_S = 10.0  # after a failed load, the time until the next attempt
_seconds: Callable[[], float] = monotonic
_loading: dict[tuple[str, str, CodecOptions], "_Loading"] = {}
_lock = Lock()


@dataclass(frozen=True)
class CodecEntry:
    """A codec that can be loaded by name. Creating an entry imports none of the codec's dependencies."""

    name: str
    #: One or two sentences for people choosing a codec.
    about: str
    #: (device, options) → the codec; raises `CodecError`.
    load: Callable[[str, CodecOptions], Codec]
    #: The extra of the package that installs its dependencies; None if it needs none.
    extra: str | None = None
    #: Modules that the extra installs.
    modules: tuple[str, ...] = ()
    #: Settings without which it cannot be loaded.
    needs: tuple[str, ...] = ()
    #: Whether a server can decode its tokens.
    served: bool = False

    def decoded(self, decoder: str) -> "CodecEntry":
        """This entry with the requirements of decoding at `decoder` ("here" or "remote")."""
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
        """Whether the package includes the codec and its weights."""
        return self.extra is None

    @property
    def missing(self) -> tuple[str, ...]:
        """Required modules that are not installed."""
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
        "Foxing's own small codec, weights included: dense pages, every tier, fast enough on two CPU cores.",
        _native,
    ),
    CodecEntry(
        "deepseek-ocr",
        "Stores the vision tokens of DeepSeek-OCR and decodes them with its decoder, here or on a server: printed "
        "pages, large to tiny.",
        _deepseek_ocr,
        extra="gpu",
        modules=("transformers", "tokenizers"),
        served=True,
    ),
    CodecEntry(
        "got-ocr2",
        "Stores the vision tokens of GOT-OCR 2.0 and decodes them with its decoder: printed pages, base only.",
        _got_ocr2,
        extra="gpu",
        modules=("transformers", "tokenizers"),
    ),
    CodecEntry(
        "qwen-vl",
        "Stores the vision tokens of Qwen2.5-VL, Qwen3-VL or MinerU2.5 and decodes them with its decoder: printed "
        "pages, every tier.",
        _qwen_vl,
        extra="gpu",
        modules=("transformers", "tokenizers"),
    ),
    CodecEntry(
        "remote",
        "Stores page images and has them read by a vision model behind an OpenAI-compatible endpoint.",
        _remote,
        extra=SERVER_EXTRA,
        modules=SERVER_MODULES,
        needs=SERVER_NEEDS,
    ),
)
#: The codecs by name.
CODECS: dict[str, CodecEntry] = {entry.name: entry for entry in _ENTRIES}


class _Loading:
    """Loads a codec once. Concurrent callers wait for the first one, and share its failure for `FAILED_FOR_S`."""

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
    """The codec called `name` on `device` ("auto", "cpu", "cuda"). Its weights are loaded once per process.

    `token_bytes`: tier → bytes of a vision token, where they differ from the default. `options`: see `CodecOptions`.
    Raises `CodecError` for an unknown name, an extra that is not installed, missing weights or settings, an
    unavailable device, or a size that the codec does not offer. A failure is repeated for `FAILED_FOR_S` seconds
    without another attempt.
    """
    if name not in CODECS:
        raise CodecError(f"unknown codec '{name}'; set FOXING_CODEC to one of {', '.join(CODECS)}")
    options = options or CodecOptions()
    entry = CODECS[name].decoded(options.decoder)
    if entry.missing:
        raise CodecError(f"the codec '{name}' needs {' and '.join(entry.missing)}; pip install 'foxing[{entry.extra}]'")
    codec = _loaded(name, device, options)
    if not token_bytes:
        return codec
    if not isinstance(codec, ResizableCodec):
        raise CodecError(f"the codec '{name}' has only one token size; remove FOXING_TOKEN_BYTES")
    return codec.sized(token_bytes)

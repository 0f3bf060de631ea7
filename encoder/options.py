"""What can be chosen about a codec that runs somebody else's model."""

from dataclasses import dataclass, field

from .errors import CodecError
from .remote.options import RemoteOptions

DTYPES = ("auto", "bfloat16", "float16", "float32")
TOKEN_DTYPES = ("bfloat16", "float8_e4m3", "int8")
DECODERS = ("here", "remote")
DEFAULT_BATCH_TOKENS = 32_768


@dataclass(frozen=True)
class CodecOptions:
    """Each codec takes what concerns it.

    For one that runs another's model here: `model`: hub id or folder of the model, None for the one that the codec is
    named after; `revision`: commit or tag of a hub id; `dtype`: what it computes in ("auto": bfloat16 on a GPU, float32
    elsewhere); `token_dtype`: what its tokens are stored in; `batch_tokens`: positions that the pages of one batch may
    fill, which bounds memory; `decoder`: whether its tokens are read here or by a server. `remote`: where and how a
    server is asked, by that and by the codec 'remote'.

    Raises `CodecError` when it makes no sense.
    """

    model: str | None = None
    revision: str | None = None
    dtype: str = "auto"
    token_dtype: str = "bfloat16"
    batch_tokens: int = DEFAULT_BATCH_TOKENS
    decoder: str = "here"
    remote: RemoteOptions = field(default_factory=RemoteOptions)

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise CodecError(f"FOXING_CODEC_DTYPE is one of {', '.join(DTYPES)}, not '{self.dtype}'")
        if self.token_dtype not in TOKEN_DTYPES:
            raise CodecError(f"FOXING_CODEC_TOKEN_DTYPE is one of {', '.join(TOKEN_DTYPES)}, not '{self.token_dtype}'")
        if self.decoder not in DECODERS:
            raise CodecError(f"FOXING_CODEC_DECODER is one of {', '.join(DECODERS)}, not '{self.decoder}'")
        if self.batch_tokens < 1:
            raise CodecError(f"FOXING_CODEC_BATCH_TOKENS is a positive number, not {self.batch_tokens}")

"""Options of the codecs that run another project's model, here or on a server."""

from dataclasses import dataclass, field

from .errors import CodecError
from .remote.options import RemoteOptions

DTYPES = ("auto", "bfloat16", "float16", "float32")
TOKEN_DTYPES = ("bfloat16", "float8_e4m3", "int8")
DECODERS = ("here", "remote")
DEFAULT_BATCH_TOKENS = 32_768


@dataclass(frozen=True)
class CodecOptions:
    """Options for loading a codec. Each codec ignores those that do not apply to it.

    Raises `CodecError` for invalid values, naming the setting to change.
    """

    #: Hub id or folder of the model; None for the codec's own default.
    model: str | None = None
    #: Commit or tag, if `model` is a hub id.
    revision: str | None = None
    #: What the model computes in: one of `DTYPES`. "auto" is bfloat16 on a GPU and float32 elsewhere.
    dtype: str = "auto"
    #: What vision tokens are stored in: one of `TOKEN_DTYPES`.
    token_dtype: str = "bfloat16"
    #: Maximum number of context positions that the pages of one batch fill; bounds memory.
    batch_tokens: int = DEFAULT_BATCH_TOKENS
    #: Where stored tokens are decoded: "here", or "remote" for the server in `remote`.
    decoder: str = "here"
    #: The server, for the codec "remote" and for the decoder "remote".
    remote: RemoteOptions = field(default_factory=RemoteOptions)

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise CodecError(f"FOXING_CODEC_DTYPE must be one of {', '.join(DTYPES)}, not '{self.dtype}'")
        if self.token_dtype not in TOKEN_DTYPES:
            raise CodecError(
                f"FOXING_CODEC_TOKEN_DTYPE must be one of {', '.join(TOKEN_DTYPES)}, not '{self.token_dtype}'"
            )
        if self.decoder not in DECODERS:
            raise CodecError(f"FOXING_CODEC_DECODER must be one of {', '.join(DECODERS)}, not '{self.decoder}'")
        if self.batch_tokens < 1:
            raise CodecError(f"FOXING_CODEC_BATCH_TOKENS must be a positive number, not {self.batch_tokens}")

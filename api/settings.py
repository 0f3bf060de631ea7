"""Settings of the service and of the command, from the environment (`FOXING_*`) and `foxing.toml`."""

import ipaddress
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from foxing.encoder import CodecOptions
from foxing.encoder.options import DEFAULT_BATCH_TOKENS
from foxing.encoder.remote.options import PROMPTS, RemoteOptions
from foxing.renderer import FoxingError

SETTINGS_FILE = "foxing.toml"
ENV_PREFIX = "FOXING_"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class InvalidSettings(FoxingError):
    """A setting that cannot be used; the message names it and says what it takes."""


class _FileSource(PydanticBaseSettingsSource):
    """What `foxing.toml` in the working directory says."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        try:
            return tomllib.loads(Path(SETTINGS_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InvalidSettings(f"{SETTINGS_FILE} cannot be read: {error}") from error


class Settings(BaseSettings):
    """Every setting can be given as `FOXING_<NAME>` in the environment or as `<name>` in `foxing.toml` in the working
    directory; the environment wins. Use `load_settings`, whose errors are one sentence."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL or file path of the database; a SQLite file in the user's data folder if not set.",
    )
    codec: str = Field(default="native", description="The codec that encodes and decodes pages.")
    device: str = Field(
        default="auto", description="Where the codec computes: 'auto', 'cpu' or a torch device as 'cuda:0'."
    )
    token_bytes: dict[str, int] | None = Field(
        default=None,
        description="Bytes of a vision token at some tiers, where the codec's default is not wanted; a JSON object in "
        "the environment. More bytes are read better; tokens of every size that the codec offers are read.",
    )
    codec_model: str | None = Field(
        default=None,
        description="Hub id or folder of the model that the codec runs, for codecs that run another's model; the one "
        "that the codec is named after if not set. Code that comes with a model is never run.",
    )
    codec_revision: str | None = Field(
        default=None, description="Commit or tag of the model on the hub; set it, so that the model stays the same."
    )
    codec_dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        default="auto",
        description="What such a model computes in; 'auto' takes bfloat16 on a GPU and float32 elsewhere.",
    )
    codec_token_dtype: Literal["bfloat16", "float8_e4m3", "int8"] = Field(
        default="bfloat16",
        description="What its vision tokens are stored in. int8 (with a scale for every 128 numbers) and "
        "float8_e4m3 halve their bytes and change what is read, int8 less; tokens of every kind are read.",
    )
    codec_batch_tokens: int = Field(
        default=DEFAULT_BATCH_TOKENS,
        ge=1,
        description="Positions that the pages of one batch of such a model may fill, prompt and text together; lower "
        "it where memory is short.",
    )
    codec_decoder: Literal["here", "remote"] = Field(
        default="here",
        description="Who reads its vision tokens. 'remote', which the codec `deepseek-ocr` alone can do: vLLM at "
        "`remote_url` with the same model, started with --enable-prompt-embeds. The tokens are the same, so that it "
        "can be changed at any time.",
    )
    ageing_enabled: bool = Field(
        default=True,
        description="Whether the service seals and ages by itself. `seal` and `age` on request work regardless.",
    )
    ageing_interval_s: float = Field(
        default=60.0, gt=0, le=86_400, description="Seconds from one tick of ageing to the next."
    )
    time_travel: bool = Field(
        default=False, description="Whether requests may say what time it is (`now`); for tests and demonstrations."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on. Other than loopback needs `api_key`.")
    port: int = Field(default=8765, ge=0, le=65_535, description="TCP port to listen on; 0 takes a free one.")
    api_key: SecretStr | None = Field(
        default=None,
        description="The key that callers send as `Authorization: Bearer <key>`; none is asked for if not set.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="'json' writes one JSON object a line, 'text' lines for people; both to stderr."
    )
    max_message_bytes: int = Field(
        default=1 << 20, ge=1, description="The largest content of a message that is accepted, in bytes of UTF-8."
    )
    max_body_bytes: int = Field(
        default=16 << 20, ge=1, description="The largest request body that is accepted, in bytes."
    )
    threads: int = Field(
        default=40, ge=1, le=1000, description="Requests without codec work that run at once; more wait for their turn."
    )
    codec_threads: int = Field(
        default=16,
        ge=1,
        le=1000,
        description="Requests with codec work (recall, read, image, seal, age) that run at once; more wait for their "
        "turn. They have threads of their own, so that they never hold up storing. Pages that several recalls want "
        "at the same time are decoded together.",
    )

    remote_url: str | None = Field(
        default=None,
        repr=False,  # may hold a password
        description="Where a server reads: the base of the OpenAI-compatible API that reads pages, usually ending in "
        "/v1.",
    )
    remote_model: str | None = Field(default=None, description="Where a server reads: the model that reads pages.")
    remote_api_key: SecretStr | None = Field(
        default=None, description="Where a server reads: the key that is sent as `Authorization: Bearer <key>`."
    )
    remote_server: Literal["openai", "vllm", "sglang"] = Field(
        default="openai",
        description="Of the codec `remote`: the server whose own fields may stand in a request. 'vllm' and 'sglang' "
        "add those that keep DeepSeek-OCR from repeating itself; 'openai' adds none.",
    )
    remote_prompt: str = Field(
        default="transcribe",
        description=f"Of the codec `remote`: what the model is asked: {', '.join(f'`{name}`' for name in PROMPTS)}, or "
        "words of your own.",
    )
    remote_columns: int = Field(
        default=80,
        description="Of the codec `remote`: columns of a page, 80 or 160. 80 makes printed pages, in an outline "
        "font; 160 makes dense pages, which few models read.",
    )
    remote_timeout_s: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        description="Where a server reads: seconds that a request may take, from the connection to the end of the "
        "answer.",
    )
    remote_page_timeout_s: float = Field(
        default=180.0,
        gt=0,
        le=36_000,
        description="Where a server reads: seconds that all tries for a page may take together, pauses included.",
    )
    remote_concurrency: int = Field(
        default=8, ge=1, le=1000, description="Where a server reads: requests that run at once."
    )
    remote_retries: int = Field(
        default=4, ge=0, le=20, description="Where a server reads: how often a request that failed is sent again."
    )
    remote_max_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Where a server reads: text tokens of an answer, at most; what the ink on the page calls for if "
        "not set.",
    )
    remote_default_confidence: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="Where a server reads: how sure a character is where the server tells no log-probabilities. Under "
        "0.8 every character is flagged, and its words leave the index.",
    )
    remote_extra: dict[str, Any] | None = Field(
        default=None,
        description="Where a server reads: fields that are merged into each request, a JSON object in the "
        "environment; a null takes a field out.",
    )
    remote_prompt_price: float = Field(
        default=0.0, ge=0, description="Where a server reads: what a million tokens of requests cost."
    )
    remote_completion_price: float = Field(
        default=0.0, ge=0, description="Where a server reads: what a million tokens of answers cost."
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("remote_columns")
    @classmethod
    def _divides(cls, value: int) -> int:
        if value not in (80, 160):
            raise ValueError("must be 80 or 160")
        return value

    @field_validator("api_key", "remote_api_key")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value()
        if not key:
            return None
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("must be printable ASCII without spaces, as it is sent in a header")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileSource(settings_cls)

    @property
    def key(self) -> str | None:
        """The API key in the clear."""
        return None if self.api_key is None else self.api_key.get_secret_value()

    @property
    def codec_options(self) -> CodecOptions:
        """What the codec is loaded with beside its device."""
        remote = RemoteOptions(
            url=self.remote_url,
            model=self.remote_model,
            api_key=None if self.remote_api_key is None else self.remote_api_key.get_secret_value(),
            server=self.remote_server,
            prompt=self.remote_prompt,
            columns=self.remote_columns,
            timeout_s=self.remote_timeout_s,
            page_timeout_s=self.remote_page_timeout_s,
            concurrency=self.remote_concurrency,
            retries=self.remote_retries,
            max_tokens=self.remote_max_tokens,
            default_confidence=self.remote_default_confidence,
            extra=self.remote_extra or {},
            prompt_price=self.remote_prompt_price,
            completion_price=self.remote_completion_price,
        )
        return CodecOptions(
            model=self.codec_model,
            revision=self.codec_revision,
            dtype=self.codec_dtype,
            token_dtype=self.codec_token_dtype,
            batch_tokens=self.codec_batch_tokens,
            decoder=self.codec_decoder,
            remote=remote,
        )

    @property
    def loopback(self) -> bool:
        """Whether `host` is reached from this machine alone."""
        if self.host.lower() in LOOPBACK_NAMES:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check_host(self) -> Self:
        """These settings. Raises `InvalidSettings` when they would serve other machines without a key."""
        if not self.loopback and self.key is None:
            raise InvalidSettings(
                f"refusing to listen on '{self.host}' without a key: anyone who reaches it could read and write every "
                f"bank. Set {ENV_PREFIX}API_KEY to a long random string, or listen on 127.0.0.1"
            )
        return self


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings in force; `overrides` win over environment and file, None values among them do not count.

    Raises `InvalidSettings` with one sentence that names what is wrong.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise InvalidSettings("; ".join(_sentence(dict(reason)) for reason in error.errors())) from error
    except SettingsError as error:
        raise InvalidSettings(f"the settings cannot be read: {error}") from error


def _sentence(reason: Mapping[str, Any]) -> str:
    name = ".".join(map(str, reason["loc"])) or "settings"
    if reason["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        return f"there is no setting '{name}' ({SETTINGS_FILE}); the settings are {known}"
    shown = "" if name.endswith("api_key") else f", not {reason['input']!r}"
    message = str(reason["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"the setting {ENV_PREFIX}{name.upper()} (in {SETTINGS_FILE}: {name}) {message}{shown}"

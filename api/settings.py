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
from foxing.memory.storage.database import DatabaseOptions
from foxing.renderer import FoxingError

SETTINGS_FILE = "foxing.toml"
ENV_PREFIX = "FOXING_"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class InvalidSettings(FoxingError):
    """A setting is invalid; the message names it and says what it accepts."""


class _TomlSource(PydanticBaseSettingsSource):
    """The settings in `foxing.toml` in the working directory."""

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
    """All settings. Each can be set as `FOXING_<NAME>` in the environment or as `<name>` in `foxing.toml` in the
    working directory; the environment takes precedence. `load_settings` reports errors in one sentence."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL or file path of the database; by default a SQLite file in the user's data folder.",
    )
    database_pool_size: int = Field(
        default=5, ge=1, le=1000, description="Database connections that a process keeps open."
    )
    database_max_overflow: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="Further database connections that a process opens under load and closes afterwards.",
    )
    database_pool_timeout_s: float = Field(
        default=30.0, gt=0, le=3600, description="Seconds that a request waits for a free database connection."
    )
    database_busy_timeout_s: float = Field(
        default=30.0, gt=0, le=3600, description="Seconds that a write waits for a lock that another process holds."
    )
    codec: str = Field(default="native", description="Codec that encodes and decodes pages.")
    device: str = Field(
        default="auto", description="Device that the codec runs on: 'auto', 'cpu' or a torch device such as 'cuda:0'."
    )
    token_bytes: dict[str, int] | None = Field(
        default=None,
        description="Bytes per vision token by tier, for tiers that should not use the codec's default; a JSON object "
        "in the environment. More bytes are read more accurately. Existing tokens of any size that the codec offers "
        "stay readable.",
    )
    codec_model: str | None = Field(
        default=None,
        description="Hub id or folder of the model, for codecs that run a third-party model; by default the model that "
        "the codec is named after. Code that comes with a model is never run.",
    )
    codec_revision: str | None = Field(
        default=None, description="Commit or tag of the model on the hub; set it to pin the model."
    )
    codec_dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        default="auto",
        description="Data type that a third-party model computes in; 'auto' is bfloat16 on a GPU and float32 "
        "elsewhere.",
    )
    codec_token_dtype: Literal["bfloat16", "float8_e4m3", "int8"] = Field(
        default="bfloat16",
        description="Data type that the vision tokens of a third-party model are stored in. int8 (with one scale per "
        "128 numbers) and float8_e4m3 halve their size at some cost in accuracy, int8 at the lower cost. Existing "
        "tokens of every type stay readable.",
    )
    codec_batch_tokens: int = Field(
        default=DEFAULT_BATCH_TOKENS,
        ge=1,
        description="Maximum number of positions, prompt and text together, in one batch of pages for a third-party "
        "model; lower it if memory is short.",
    )
    codec_decoder: Literal["here", "remote"] = Field(
        default="here",
        description="Where the vision tokens of a third-party model are decoded: in this process, or by vLLM at "
        "`remote_url` with the same model, started with --enable-prompt-embeds. Only the codec `deepseek-ocr` supports "
        "'remote'. The stored tokens are the same, so the setting can be changed at any time.",
    )
    ageing_enabled: bool = Field(
        default=True,
        description="Whether the service seals and ages on a schedule. `seal` and `age` on request always work.",
    )
    ageing_interval_s: float = Field(default=60.0, gt=0, le=86_400, description="Seconds between ageing ticks.")
    time_travel: bool = Field(
        default=False, description="Whether requests may set the current time (`now`); for tests and demonstrations."
    )
    host: str = Field(
        default="127.0.0.1", description="Address to listen on. Any but a loopback address requires `api_key`."
    )
    port: int = Field(default=8765, ge=0, le=65_535, description="TCP port to listen on; 0 picks a free port.")
    api_key: SecretStr | None = Field(
        default=None,
        description="API key that clients send as `Authorization: Bearer <key>`; no key is required if not set.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged."
    )
    log_format: Literal["json", "text"] = Field(
        default="json",
        description="Format of the log on stderr: 'json' writes one JSON object per line, 'text' lines for people.",
    )
    max_message_bytes: int = Field(
        default=1 << 20, ge=1, description="Maximum size of the content of a message, in bytes of UTF-8."
    )
    max_body_bytes: int = Field(default=16 << 20, ge=1, description="Maximum size of a request body, in bytes.")
    threads: int = Field(
        default=40,
        ge=1,
        le=1000,
        description="Number of requests without codec work that run concurrently; others wait.",
    )
    codec_threads: int = Field(
        default=16,
        ge=1,
        le=1000,
        description="Number of requests with codec work (recall, read, image, seal, age) that run concurrently; others "
        "wait. They have their own threads and never delay storing. Pages that concurrent recalls need are decoded in "
        "shared batches.",
    )

    remote_url: str | None = Field(
        default=None,
        repr=False,  # may hold a password
        description="Remote decoding: base URL of the OpenAI-compatible API that reads pages, usually ending in /v1.",
    )
    remote_model: str | None = Field(default=None, description="Remote decoding: name of the model that reads pages.")
    remote_api_key: SecretStr | None = Field(
        default=None, description="Remote decoding: key that is sent as `Authorization: Bearer <key>`."
    )
    remote_server: Literal["openai", "vllm", "sglang"] = Field(
        default="openai",
        description="Codec `remote`: server whose request extensions may be used. 'vllm' and 'sglang' add fields that "
        "keep DeepSeek-OCR from repeating itself; 'openai' adds none.",
    )
    remote_prompt: str = Field(
        default="transcribe",
        description=f"Codec `remote`: prompt for the model: {', '.join(f'`{name}`' for name in PROMPTS)}, or your own "
        "text.",
    )
    remote_columns: int = Field(
        default=80,
        description="Codec `remote`: columns of a page, 80 or 160. 80 makes printed pages in an outline font, 160 "
        "dense pages, which few models can read.",
    )
    remote_timeout_s: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        description="Remote decoding: timeout of one request in seconds, from connecting to the end of the response.",
    )
    remote_page_timeout_s: float = Field(
        default=180.0,
        gt=0,
        le=36_000,
        description="Remote decoding: timeout of one page in seconds, over all attempts and the pauses between them.",
    )
    remote_concurrency: int = Field(
        default=8, ge=1, le=1000, description="Remote decoding: maximum number of concurrent requests."
    )
    remote_retries: int = Field(
        default=4, ge=0, le=20, description="Remote decoding: how many times a failed request is retried."
    )
    remote_max_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Remote decoding: maximum number of text tokens in a response; by default derived from the ink on "
        "the page.",
    )
    remote_default_confidence: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="Remote decoding: confidence of a character if the server returns no log-probabilities. Below 0.8 "
        "every character is flagged and its words leave the index.",
    )
    remote_extra: dict[str, Any] | None = Field(
        default=None,
        description="Remote decoding: fields that are merged into each request, a JSON object in the environment; null "
        "removes a field.",
    )
    remote_prompt_price: float = Field(
        default=0.0, ge=0, description="Remote decoding: price of one million prompt tokens."
    )
    remote_completion_price: float = Field(
        default=0.0, ge=0, description="Remote decoding: price of one million completion tokens."
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("remote_columns")
    @classmethod
    def _check_columns(cls, value: int) -> int:
        if value not in (80, 160):
            raise ValueError("must be 80 or 160")
        return value

    @field_validator("api_key", "remote_api_key")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value()
        if not key:
            return None
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("must be printable ASCII without spaces, because it is sent in a header")
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
        return init_settings, env_settings, _TomlSource(settings_cls)

    @property
    def key(self) -> str | None:
        """The API key in plain text."""
        return None if self.api_key is None else self.api_key.get_secret_value()

    @property
    def database_options(self) -> DatabaseOptions:
        """How connections to the database are held."""
        return DatabaseOptions(
            pool_size=self.database_pool_size,
            max_overflow=self.database_max_overflow,
            pool_timeout_s=self.database_pool_timeout_s,
            busy_timeout_s=self.database_busy_timeout_s,
        )

    @property
    def codec_options(self) -> CodecOptions:
        """The options that the codec is loaded with, beside its device."""
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
        """Whether `host` is reachable from this machine only."""
        if self.host.lower() in LOOPBACK_NAMES:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check_host(self) -> Self:
        """Returns these settings. Raises `InvalidSettings` if they would serve other machines without an API key."""
        if not self.loopback and self.key is None:
            raise InvalidSettings(
                f"refusing to listen on '{self.host}' without an API key: anyone who can connect could read and write "
                f"every bank. Set {ENV_PREFIX}API_KEY to a long random string, or listen on 127.0.0.1"
            )
        return self


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """The effective settings. `overrides` that are not None take precedence over environment and file.

    Raises `InvalidSettings` with one sentence that names what is wrong.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise InvalidSettings("; ".join(_error_sentence(dict(entry)) for entry in error.errors())) from error
    except SettingsError as error:
        raise InvalidSettings(f"the settings cannot be read: {error}") from error


def _error_sentence(entry: Mapping[str, Any]) -> str:
    """An entry of pydantic's `ValidationError.errors()` as a sentence that names the setting."""
    name = ".".join(map(str, entry["loc"])) or "settings"
    if entry["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        return f"there is no setting '{name}' ({SETTINGS_FILE}); the settings are {known}"
    shown = "" if name.endswith("api_key") else f", not {entry['input']!r}"
    message = str(entry["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"the setting {ENV_PREFIX}{name.upper()} (in {SETTINGS_FILE}: {name}) {message}{shown}"

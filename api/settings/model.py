"""All settings, with what they accept."""

import ipaddress
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from foxing.memory import DatabaseOptions
from foxing.memory.index.model_endpoint import EndpointOptions
from foxing.memory.recall.reranking.source import TIMEOUT_S
from foxing.memory.storage.options import BLOBS_MIN_BYTES
from foxing.renderer.readers import ReaderProfileError, Readers

from .codecs import CodecSettings, checked_codecs, with_plain_names
from .names import (
    ENV_DELIMITER,
    ENV_PREFIX,
    FILE_VARIABLE,
    NOT_FROM_FOLDER,
    SETTINGS_FILE,
    InvalidSettings,
    named_file,
    settings_file,
)

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class EnvironmentSource(EnvSettingsSource):
    """The variables `FOXING_*`. Options of codecs stay text, which the model of the codec's options parses: taken for
    JSON, the revision 1234567 would become a number."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        return super().decode_complex_value(field_name, field, value) if field else value


class FileSource(TomlConfigSettingsSource):
    """The file that the environment names, else `foxing.toml` in the working directory, which may not say where texts
    and keys go."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        file = settings_file()
        if named_file() is not None and not file.is_file():
            raise InvalidSettings(f"there is no file {file}; correct {FILE_VARIABLE}")
        super().__init__(settings_cls, file)

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        refused = [name for name in NOT_FROM_FOLDER if name in values]
        if refused and named_file() is None:
            raise InvalidSettings(
                f"{SETTINGS_FILE} in the working directory sets {', '.join(refused)}, which say where texts and keys "
                f"go, and is not trusted to do so; if it is yours, set {FILE_VARIABLE}={SETTINGS_FILE}"
            )
        return {name: with_plain_names(value) if name == "codecs" else value for name, value in values.items()}


class Settings(BaseSettings):
    """All settings. Each can be set as `FOXING_<NAME>` in the environment or as `<name>` in the file that
    `FOXING_SETTINGS_FILE` names, by default `foxing.toml` in the working directory; a nested one has `__` between its
    parts, or is in a table. The environment takes precedence.
    `load_settings` reports errors in one sentence. Nothing shows a key, or an address, which may hold a password."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: str | None = Field(
        default=None,
        repr=False,
        description="The database: the path of a SQLite file, or a URL such as `postgresql://user@host/foxing`; by "
        "default a SQLite file in the user's data folder.",
    )
    search_index: str = Field(
        default="packed",
        description="What finds messages by their words: 'packed' is an index in the database; packages add others.",
    )
    embedder: str = Field(
        default="use",
        description="What finds messages by their meaning: 'use' is the Universal Sentence Encoder, which comes with "
        "the package; 'openai' an endpoint; 'none' leaves it out. Packages can add others. Run `foxing reindex` after "
        "a change.",
    )
    embedder_url: str | None = Field(
        default=None, repr=False, description="Address of the OpenAI-compatible endpoint for embeddings, up to `/v1`."
    )
    embedder_model: str | None = Field(default=None, description="Model that the endpoint embeds with.")
    embedder_api_key: SecretStr | None = Field(default=None, description="API key of the endpoint.")
    embedder_timeout_s: float = Field(
        default=5.0, gt=0, le=600, description="Seconds that recall waits for the endpoint before it goes on without."
    )
    reranker: str = Field(
        default="none",
        description="What puts the best matches of a question in a better order by reading them with it: 'endpoint', "
        "or 'none'. Packages can add others.",
    )
    reranker_url: str | None = Field(
        default=None,
        repr=False,
        description="Address of the endpoint that answers `POST …/rerank` as Cohere's, Jina AI's and vLLM's do, up to "
        "`/v1` or `/v2`.",
    )
    reranker_model: str | None = Field(default=None, description="Model that the endpoint reranks with.")
    reranker_api_key: SecretStr | None = Field(default=None, description="API key of the endpoint.")
    reranker_timeout_s: float = Field(
        default=TIMEOUT_S,
        gt=0,
        le=60,
        description="Seconds that recall waits for the reranker before it goes on without.",
    )
    recall_weights: bool = Field(
        default=True,
        description="Whether messages that recall finds get a recall weight, so that they fade later. What was counted "
        "before keeps its effect, which halves every 90 days.",
    )
    reader_api_key: SecretStr | None = Field(
        default=None, description="API key of the endpoint that `foxing calibrate` asks."
    )
    page_cache_bytes: int = Field(
        default=64 << 20, ge=0, description="Bytes of memory for pages that stay decoded between requests."
    )
    warm_cache: bool = Field(
        default=True,
        description="Whether the service reads the newest pages when it starts, until that memory is full: about 20 ms "
        "of computing a page. Pages of codecs that print them are left out.",
    )
    database_pool_size: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Database connections that a process keeps open; by default 5 with SQLite, 20 with PostgreSQL.",
    )
    database_max_overflow: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="Further database connections that a process opens under load and closes afterwards; by default 60 "
        "with SQLite, none with PostgreSQL. With `database_pool_size` more than `threads` and `codec_threads` "
        "together, no request waits for one.",
    )
    database_pool_timeout_s: float = Field(
        default=30.0, gt=0, le=3600, description="Seconds that a request waits for a free database connection."
    )
    database_busy_timeout_s: float = Field(
        default=30.0, gt=0, le=3600, description="Seconds that a write waits for a lock that another process holds."
    )
    database_connect_timeout_s: float = Field(
        default=10.0, ge=2, le=600, description="PostgreSQL: seconds that the server may take to accept a connection."
    )
    database_statement_timeout_s: float = Field(
        default=120.0, ge=0, le=86_400, description="PostgreSQL: seconds that a statement may take; 0 for no limit."
    )
    database_idle_timeout_s: float = Field(
        default=120.0,
        ge=0,
        le=86_400,
        description="PostgreSQL: seconds that a transaction may wait for this process before the server ends it; 0 for "
        "no limit.",
    )
    database_owner: str | None = Field(
        default=None,
        description="PostgreSQL: whose banks this process reads and writes; all others are kept from it by row-level "
        "security. Needs a role that does not own the tables.",
    )
    blobs_url: str | None = Field(
        default=None,
        repr=False,
        description="Object storage for large blobs of pages: `s3://bucket/prefix`, `gs://…`, `az://…` or "
        "`file:///folder`, with the credentials of its own variables (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`, …); by "
        "default they are in the database. Needs the extra `blobs`.",
    )
    blobs_min_bytes: int = Field(
        default=BLOBS_MIN_BYTES,
        ge=64,
        description="Bytes from which on a blob is large; smaller ones stay in the database.",
    )
    codec: str = Field(default="native", description="Codec that encodes and decodes pages.")
    device: str = Field(
        default="auto", description="Device that the codec runs on: 'auto', 'cpu' or a torch device such as 'cuda:0'."
    )
    codecs: CodecSettings = Field(
        default_factory=dict,
        repr=False,  # may hold keys and passwords
        description="Options of each codec, by its name.",
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
    tracing: Literal["none", "otlp"] = Field(
        default="none",
        description="Where traces go: 'otlp' sends them by OpenTelemetry to the collector that `OTEL_EXPORTER_OTLP_*` "
        "name, and needs `foxing[otel]`. They hold names of banks and ids of pages, and nothing of what was said.",
    )
    max_message_bytes: int = Field(
        default=1 << 20, ge=1, description="Maximum size of the content of a message, in bytes of UTF-8."
    )
    max_body_bytes: int = Field(default=4 << 20, ge=1, description="Maximum size of a request body, in bytes.")
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

    readers: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Readers of page images beside those that come with Foxing, by name, each a table as in "
        "`renderer/readers/profiles.toml`. `foxing calibrate` writes such a table.",
    )

    @field_validator("readers")
    @classmethod
    def _check_readers(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        try:
            Readers(value)
        except ReaderProfileError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("codecs")
    @classmethod
    def _check_codecs(cls, value: CodecSettings) -> CodecSettings:
        return checked_codecs(value)

    @field_validator("api_key", "embedder_api_key", "reranker_api_key", "reader_api_key")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        key = plain_text(value)
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
        return init_settings, EnvironmentSource(settings_cls), FileSource(settings_cls)

    @property
    def key(self) -> str | None:
        """The API key in plain text."""
        return plain_text(self.api_key)

    @property
    def embedder_endpoint(self) -> EndpointOptions:
        """The endpoint that embeds, if that is the embedder."""
        key = plain_text(self.embedder_api_key)
        return EndpointOptions(self.embedder_url or "", self.embedder_model or "", key, self.embedder_timeout_s)

    @property
    def reranker_endpoint(self) -> EndpointOptions:
        """The endpoint that reranks, if that is the reranker."""
        return EndpointOptions(self.reranker_url or "", self.reranker_model or "", plain_text(self.reranker_api_key))

    @property
    def database_options(self) -> DatabaseOptions:
        """The database, and how connections to it are held."""
        return DatabaseOptions(
            self.database_url,
            pool_size=self.database_pool_size,
            max_overflow=self.database_max_overflow,
            pool_timeout_s=self.database_pool_timeout_s,
            busy_timeout_s=self.database_busy_timeout_s,
            connect_timeout_s=self.database_connect_timeout_s,
            statement_timeout_s=self.database_statement_timeout_s,
            idle_timeout_s=self.database_idle_timeout_s,
            owner=self.database_owner,
            blobs_url=self.blobs_url,
            blobs_min_bytes=self.blobs_min_bytes,
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


def plain_text(secret: SecretStr | None) -> str | None:
    """The text of a secret, if there is one."""
    return None if secret is None else secret.get_secret_value()

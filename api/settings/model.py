"""Definitions of all settings."""

import ipaddress
import os
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from foxing.memory import DatabaseOptions, MemoryOptions
from foxing.memory.doors import LOOPBACK_NAMES
from foxing.memory.index.model_endpoint import EndpointOptions
from foxing.memory.values.audit import AuditLevel
from foxing.memory.values.gap_marks import GapMark
from foxing.renderer import Readers
from foxing.renderer.readers import ReaderProfileError

from .codecs import CodecSettings, checked_codecs, with_plain_names
from .measured_readers import with_measured_readers
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
from .tokens import TokenSettings

MAX_PORT = 65_535
#: Maximum number of processes of a service for each processor.
PROCESSES_PER_CPU = 4


class EnvironmentSource(EnvSettingsSource):
    """The environment variables `FOXING_*`. Codec options stay strings, which the codec's options model parses: as
    JSON, the revision 1234567 would become a number."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """Returns the decoded value of a setting; the string itself for a codec option."""
        return super().decode_complex_value(field_name, field, value) if field else value


class FileSource(TomlConfigSettingsSource):
    """The file named by the environment, else `foxing.toml` in the working directory, which may not contain the
    settings in `NOT_FROM_FOLDER`."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        file = settings_file()
        if named_file() is not None and not file.is_file():
            raise InvalidSettings(f"the file {file} does not exist; correct {FILE_VARIABLE}")
        super().__init__(settings_cls, file)

    def __call__(self) -> dict[str, Any]:
        """Returns the settings of the file. Raises `InvalidSettings` for settings that the file may not contain."""
        values = super().__call__()
        refused = [name for name in NOT_FROM_FOLDER if name in values]
        if refused and named_file() is None:
            raise InvalidSettings(
                f"{SETTINGS_FILE} in the working directory is not trusted to set {', '.join(refused)}, which decide "
                f"where texts and keys are sent; if the file is yours, set {FILE_VARIABLE}={SETTINGS_FILE}"
            )
        return {name: with_plain_names(value) if name == "codecs" else value for name, value in values.items()}


class Settings(BaseSettings):
    """All settings. Each can be set as `FOXING_<NAME>` in the environment or as `<name>` in the file named by
    `FOXING_SETTINGS_FILE`, by default `foxing.toml` in the working directory. Nested settings have `__` between their
    parts in the environment, and are in tables in the file. The environment takes precedence.

    `load_settings` reports errors in one sentence. API keys, and URLs, which may contain passwords, are never shown."""

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
        description="Database: path of a SQLite file, or URL such as `postgresql://user@host/foxing`. Default: a "
        "SQLite file in the user's data folder.",
    )
    search_index: str = Field(
        default="packed",
        description="Index for search by words: 'packed' is stored in the database; packages can add others.",
    )
    embedder: str = Field(
        default=str(MemoryOptions().embedder),
        description="Embedder for semantic search: 'use' is the bundled Universal Sentence Encoder, 'openai' an "
        "OpenAI-compatible endpoint, 'multimodal' an endpoint that embeds images as well, with the inputs of Jina AI, "
        "'none' disables semantic search. Packages can add others. Run `foxing reindex` after a change.",
    )
    embedder_url: str | None = Field(
        default=None, repr=False, description="Base URL of the endpoint for embeddings, up to `/v1`."
    )
    embedder_model: str | None = Field(default=None, description="Embedding model of the endpoint.")
    embedder_api_key: SecretStr | None = Field(default=None, description="API key of the embedding endpoint.")
    embedder_timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=600,
        description="Timeout of the embedding endpoint during recall, in seconds; after it, recall uses words alone.",
    )
    recall_weights: bool = Field(
        default=True,
        description="Give recalled messages a recall weight, so that they fade later. If disabled, existing weights "
        "remain; they halve every 90 days.",
    )
    read_images: bool = Field(
        default=True,
        description="Read text in images when their messages are sealed, where the extra `ocr` (Tesseract, English) is "
        "installed, so that recall finds them by it.",
    )
    gap_mark: GapMark = Field(
        default=MemoryOptions.gap_mark,
        description="Mark of faded text in recalled text, unless a query chooses another. The default is one token.",
    )
    audit: AuditLevel = Field(
        default="off",
        description="Audit log: 'changes' records who stored, exported, pinned, erased or configured what and when, "
        "'all' also who read and recalled. It holds no words of messages.",
    )
    audit_days: int | None = Field(
        default=MemoryOptions.audit_days, ge=1, le=36_500, description="Days for which audit events are kept."
    )
    reader_api_key: SecretStr | None = Field(default=None, description="API key of the endpoint of `foxing calibrate`.")
    labels_file: str | None = Field(
        default=None,
        description="File, in JSON Lines, of what people say in the console about the messages of a recall: right, "
        "wrong or missing, with the question. Default: beside a SQLite database, and none for another; 'none' keeps "
        "none. "
        "Erasing a message or a bank erases its labels, where the process that erases has this file.",
    )
    page_cache_bytes: int = Field(default=64 << 20, ge=0, description="Size of the cache of decoded pages, in bytes.")
    warm_cache: bool = Field(
        default=True,
        description="Fill the cache of decoded pages with the newest pages when the service starts, at about 20 ms of "
        "CPU time per page. Pages of codecs that generate text with a language model are not preloaded.",
    )
    database_pool_size: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Number of database connections that a process keeps open. Default: 5 for SQLite, 20 for "
        "PostgreSQL.",
    )
    database_max_overflow: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="Number of additional connections that a process opens under load and closes afterwards. Default: "
        "60 for SQLite, 0 for PostgreSQL. Requests never wait for a connection if this plus `database_pool_size` "
        "exceeds `threads` plus `codec_threads`.",
    )
    database_pool_timeout_s: float = Field(
        default=30.0, gt=0, le=3600, description="Timeout for a free database connection, in seconds."
    )
    database_busy_timeout_s: float = Field(
        default=30.0, gt=0, le=3600, description="Timeout for a lock held by another process, in seconds."
    )
    database_connect_timeout_s: float = Field(
        default=10.0, ge=2, le=600, description="PostgreSQL: timeout for connecting, in seconds."
    )
    database_statement_timeout_s: float = Field(
        default=120.0, ge=0, le=86_400, description="PostgreSQL: timeout of a statement, in seconds; 0 for none."
    )
    database_idle_timeout_s: float = Field(
        default=120.0,
        ge=0,
        le=86_400,
        description="PostgreSQL: timeout of an idle transaction, in seconds; 0 for none.",
    )
    database_owner: str | None = Field(
        default=None,
        description="PostgreSQL: owner of the banks that this process may access; row-level security hides all other "
        "banks. Requires a role that does not own the tables.",
    )
    blobs_url: str | None = Field(
        default=None,
        repr=False,
        description="Object storage for large blobs of pages: `s3://bucket/prefix`, `gs://…`, `az://…` or "
        "`file:///folder`. Credentials come from the usual variables (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`, …). "
        "Default: the database. Requires the extra `blobs`.",
    )
    blobs_min_bytes: int = Field(
        default=DatabaseOptions.blobs_min_bytes,
        ge=64,
        description="Minimum size of a blob in object storage, in bytes; smaller blobs stay in the database.",
    )
    codec: str = Field(default="native", description="Codec that encodes and decodes pages.")
    device: str = Field(
        default="auto", description="Device of the codec: 'auto', 'cpu', or a torch device such as 'cuda:0'."
    )
    codecs: CodecSettings = Field(
        default_factory=dict,
        repr=False,  # may contain keys and passwords
        description="Options of codecs, by codec name.",
    )
    ageing_enabled: bool = Field(
        default=True,
        description="Seal and age pages on a schedule in the service. Requests to `seal` and `age` always work.",
    )
    ageing_interval_s: float = Field(default=60.0, gt=0, le=86_400, description="Seconds between ageing ticks.")
    console: bool = Field(default=True, description="Serve the console, pages for people, at `/console`.")
    time_travel: bool = Field(
        default=False, description="Allow requests to set the current time (`now`); for tests and demonstrations."
    )
    host: str = Field(
        default="127.0.0.1", description="Address to listen on. An address other than loopback requires `api_key`."
    )
    port: int = Field(default=8765, ge=0, le=MAX_PORT, description="TCP port to listen on; 0 picks a free port.")
    worker_http: str | None = Field(
        default=None,
        description="Address, `host:port`, on which `foxing worker` serves `/healthz`, `/readyz` and `/metrics`; port "
        "0 picks a free one. An address other than loopback requires `api_key`. Default: none.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        description="Number of processes that serve the address, on Linux and macOS: at most four for each processor. "
        "The first also ages pages, and answers the console and hooks. Each has the connections, threads and caches "
        "that are set here for itself.",
    )
    drain_s: float = Field(
        default=0.0,
        ge=0,
        le=600,
        description="Seconds for which a service that is told to stop answers on, while `/readyz` fails, before it "
        "closes its port: time for a load balancer to notice, 5 for instance.",
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="API key that clients send as `Authorization: Bearer <key>`. Default: no authentication.",
    )
    tokens: TokenSettings | None = Field(
        default=None,
        description="Issuer of tokens (JWT) that callers may send in place of a key: a table with `issuer`, "
        "`audience` and `keys_file`, a JSON Web Key Set. `tenant_claim`, `role_claim` and `banks_claim` name the "
        "claims that say what a token permits; `leeway_s` is by how many seconds clocks may differ.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Minimum level of logged entries."
    )
    log_format: Literal["json", "text"] = Field(
        default="json",
        description="Format of the log on stderr: 'json' for one JSON object per line, 'text' for readable lines.",
    )
    tracing: Literal["none", "otlp"] = Field(
        default="none",
        description="Exporter of traces: 'otlp' sends them to the OpenTelemetry collector of `OTEL_EXPORTER_OTLP_*` "
        "and requires the extra `otel`. Traces contain names of banks and ids of pages, and no message content.",
    )
    max_message_bytes: int = Field(
        default=1 << 20, ge=1, description="Maximum size of the content of a message, in bytes of UTF-8."
    )
    max_body_bytes: int = Field(
        default=4 << 20,
        ge=1,
        description="Maximum size of a request body, in bytes. A conversation to fold or to compress may have 32 MiB "
        "in any case.",
    )
    max_import_bytes: int = Field(
        default=2 << 30,
        ge=1,
        description="Maximum size of a file to import, in bytes; decompressed it may be ten times as large. It is "
        "received into the folder for temporary files (`TMPDIR`), and deleted once it is imported.",
    )
    threads: int = Field(
        default=40,
        ge=1,
        le=1000,
        description="Maximum number of concurrent requests without codec work; further requests wait.",
    )
    codec_threads: int = Field(
        default=16,
        ge=1,
        le=1000,
        description="Maximum number of concurrent requests with codec work (recall, read, image, seal, age); further "
        "requests wait. Their threads are separate, so that they never delay storing. Concurrent recalls decode pages "
        "in shared batches.",
    )

    readers: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Additional readers of page images, by name, each a table as in `renderer/readers/profiles.toml`. "
        "`foxing calibrate` writes such a table, or keeps the profile of a model where all commands find it.",
    )

    @field_validator("readers", mode="before")
    @classmethod
    def _with_measured_readers(cls, value: object) -> object:
        return with_measured_readers(value) if isinstance(value, dict) else value

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

    @field_validator("worker_http")
    @classmethod
    def _check_worker_http(cls, value: str | None) -> str | None:
        if value is not None:
            _address(value)
        return value

    @field_validator("codecs")
    @classmethod
    def _check_codecs(cls, value: CodecSettings) -> CodecSettings:
        return checked_codecs(value)

    @field_validator("api_key", "embedder_api_key", "reader_api_key")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        key = plain_text(value)
        if not key:
            return None
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("must be printable ASCII without spaces, because it is sent in an HTTP header")
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
        """Returns the sources of settings, in the order of precedence: arguments, environment, file."""
        return init_settings, EnvironmentSource(settings_cls), FileSource(settings_cls)

    #: What `load_settings` was given, which takes precedence over environment and file.
    _overrides: Mapping[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def key(self) -> str | None:
        """The API key in plain text."""
        return plain_text(self.api_key)

    @property
    def embedder_endpoint(self) -> EndpointOptions:
        """The endpoint of the embedders 'openai' and 'multimodal'."""
        key = plain_text(self.embedder_api_key)
        return EndpointOptions(self.embedder_url or "", self.embedder_model or "", key, self.embedder_timeout_s)

    @property
    def database_options(self) -> DatabaseOptions:
        """The database and its connection options."""
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

    def for_worker(self) -> Self | None:
        """Returns the settings of the HTTP service of a worker, whose host and port are those of `worker_http`; None if
        it has none."""
        if self.worker_http is None:
            return None
        host, port = _address(self.worker_http)
        return self.model_copy(update={"host": host, "port": port, "console": False})

    @property
    def loopback(self) -> bool:
        """True if `host` is only reachable from this machine."""
        if self.host.lower() in LOOPBACK_NAMES:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check_host(self) -> Self:
        """Returns these settings. Raises `InvalidSettings` if `host` is not loopback and no API key is set."""
        if not self.loopback and self.key is None:
            raise InvalidSettings(
                f"refusing to listen on '{self.host}' without an API key: anyone who can connect could read and write "
                f"every bank. Set {ENV_PREFIX}API_KEY to a long random string, or listen on 127.0.0.1"
            )
        return self

    def check_processes(self) -> Self:
        """Returns these settings. Raises `InvalidSettings` if as many processes cannot serve the address here."""
        if self.processes == 1:
            return self
        if os.name != "posix":
            raise InvalidSettings("several processes serve an address on Linux and macOS alone; leave --processes out")
        processors = os.cpu_count() or 1
        if self.processes > PROCESSES_PER_CPU * processors:
            raise InvalidSettings(
                f"{self.processes} processes are too many for {processors} processors; use at most "
                f"{PROCESSES_PER_CPU * processors}"
            )
        if self.database_options.is_in_memory:
            raise InvalidSettings(
                "several processes cannot share a database in memory; set a file or PostgreSQL with --database, or "
                "leave --processes out"
            )
        return self


def _address(text: str) -> tuple[str, int]:
    """Returns the host and the port of `host:port`; an IPv6 address is in brackets. Raises `ValueError`."""
    host, mark, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (mark and host and port.isascii() and port.isdigit() and int(port) <= MAX_PORT):
        raise ValueError("must be an address and a port, such as 127.0.0.1:8766")
    return host, int(port)


def plain_text(secret: SecretStr | None) -> str | None:
    """Returns the text of a secret; None for None."""
    return None if secret is None else secret.get_secret_value()

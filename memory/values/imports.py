"""Imports of histories: their options, contents, reports and jobs."""

from datetime import datetime
from typing import Annotated, Literal, TypedDict

from pydantic import ConfigDict, Field

from foxing.memory.problems import Problem

from .base import OPEN, BankName, Value
from .policy import AgeingForecast

AUTO = "auto"
DateOrder = Literal["day-first", "month-first"]
ImportState = Annotated[Literal["waiting", "running", "done", "failed", "cancelled", "stopped"], OPEN]
MOST_PATTERNS = 100
#: Maximum number of files that a report lists.
MOST_LISTED = 200


class ImportQuery(Value):
    """Options of an import."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    filename: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        pattern=r"^[^/\\\x00-\x1f]+$",
        description="Name of the file, which errors and the report show; logs of IRC may have their day in it.",
    )
    format: str = Field(
        AUTO, max_length=60, description="Format, such as 'chatgpt' or 'slack'; 'auto' recognises it by the contents."
    )
    timezone: str | None = Field(
        None,
        max_length=100,
        description="Time zone of times without an offset, and of `since` and `until`, such as 'Europe/Berlin'.",
    )
    dates: DateOrder | None = Field(None, description="Order in dates such as 3/4/2025, where the file leaves it open.")
    branches: bool = Field(False, description="Keep branches of conversations that were left, as threads of their own.")
    speakers: list[str] = Field(
        [], alias="as", max_length=MOST_PATTERNS, description="Roles of speakers: NAME=ROLE, such as 'Ann=user'."
    )
    thread: list[str] = Field(
        [],
        max_length=MOST_PATTERNS,
        description="Import only threads that match one of these patterns ('chatgpt:67*').",
    )
    exclude: list[str] = Field([], max_length=MOST_PATTERNS, description="Leave out threads that match a pattern.")
    since: str | None = Field(
        None, max_length=200, description="Import only messages from this time on: an RFC 3339 time, a date, or words."
    )
    until: str | None = Field(None, max_length=200, description="Import only messages up to this time, inclusive.")
    backdate: bool = Field(False, description="Count the age of messages from their original times, not from now.")
    dry_run: bool = Field(False, description="Write nothing; respond with what would be imported and what left out.")


class ImportQueryFields(TypedDict, total=False):
    """The fields of `ImportQuery`."""

    filename: str | None
    format: str
    timezone: str | None
    dates: DateOrder | None
    branches: bool
    speakers: list[str]
    thread: list[str]
    exclude: list[str]
    since: str | None
    until: str | None
    backdate: bool


class LeftOutOfImport(Value):
    """Part of a history that an import leaves out, for one reason."""

    reason: str = Field(description="Why it is left out.")
    count: int = Field(description="How many.")
    first: str = Field(description="Place of the first: a file, with the line or the number in it.")


class FilesOfImport(Value):
    """Files of a history that are read together, such as those of an export, or one file."""

    first: str = Field(description="Path of the first of them.")
    files: int = Field(description="Number of the files.")
    format: str | None = Field(description="Their format; null if they are left out.")
    messages: int = Field(description="Number of messages read from them.")
    left_out: str | None = Field(description="Why they are left out; null if they are read.")


class ImportContents(Value):
    """Contents of a history."""

    formats: dict[str, int] = Field(description="Number of files or archives of each format.")
    files: list[FilesOfImport] = Field(
        [], description=f"Files, those left out first, then in the order of their paths; at most {MOST_LISTED}."
    )
    recognised_by: str | None = Field(description="By what the first was recognised; null if the format was given.")
    messages: int = Field(description="Number of messages read.")
    threads: int = Field(description="Number of threads that the messages belong to.")
    first_at: datetime | None = Field(description="Time of the oldest message; null if none has a time.")
    last_at: datetime | None = Field(description="Time of the newest message.")
    left_out: list[LeftOutOfImport] = Field(description="What was left out, by reason.")


class ImportPreview(ImportContents):
    """Preview of an import."""

    text_tokens: int = Field(description="Number of text tokens of the messages.")
    languages: dict[str, int] = Field(description="Language code → number of messages, for languages that are known.")
    would_redact: dict[str, int] = Field(
        {},
        description="Number of matches in the messages of the rules of redaction `secrets`, `iban` and `card`, by "
        "rule; a policy that has a rule replaces its matches.",
    )
    stored: int | None = Field(
        None, description="Number of messages that would be new; null if they were not compared with a bank."
    )
    duplicates: int | None = Field(
        None, description="Number of messages that are already stored; null if they were not compared with a bank."
    )
    quarantined: int = Field(0, description="Number of messages that the bank's policy would quarantine.")
    redacted: dict[str, int] = Field({}, description="Number of matches that the bank's policy would replace, by rule.")


class ImportReport(ImportContents):
    """Report of an import."""

    stored: int = Field(description="Number of new messages.")
    duplicates: int = Field(description="Number of messages that were already stored.")
    quarantined: int = Field(0, description="Number of new messages that the bank's policy has quarantined.")
    redacted: dict[str, int] = Field(description="Number of matches that the bank's policy replaced, by rule.")
    would_redact: dict[str, int] = Field(
        {},
        description="Number of matches in the messages read of those rules of redaction, of `secrets`, `iban` and "
        "`card`, that the bank's policy does not have, by rule. They are stored as they are.",
    )
    ageing: AgeingForecast | None = Field(
        description="When the first of the new messages will age under the current policy, and to which tiers; null "
        "if none is new."
    )


class ImportJob(Value):
    """An import that a service carries out. Its file has been read completely and is valid."""

    id: str = Field(description="Id of the import.")
    bank: BankName = Field(description="Name of the bank.")
    file: str = Field(description="Name of the file.")
    state: ImportState = Field(
        description="'waiting' for another import of the service, 'running', 'done', 'failed' (see `error`), "
        "'cancelled', or 'stopped' if the service ended meanwhile. Send the file again after 'failed' and 'stopped': "
        "what is stored is not stored twice."
    )
    messages: int = Field(description="Number of messages read.")
    done: int = Field(description="Number of messages that were stored, were known already, or were left out.")
    stored: int = Field(description="Number of new messages so far.")
    duplicates: int = Field(description="Number of messages so far that were already stored.")
    seconds_left: float | None = Field(description="Estimate of the seconds until it is done; null if not running.")
    created_at: datetime = Field(description="Time of its acceptance.")
    updated_at: datetime = Field(description="Time of the last change.")
    report: ImportReport | None = Field(description="Report, once it is done.")
    error: Problem | None = Field(description="Why it failed or stopped, as a problem document.")

    @property
    def is_over(self) -> bool:
        """True if nothing more is stored."""
        return self.state not in ("waiting", "running")

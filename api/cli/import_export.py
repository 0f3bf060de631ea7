"""`import` and `export`: messages in from files, and out again."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from .context import BankOption, JsonOption, TimezoneOption, plain, state_of, write_json

if TYPE_CHECKING:
    from foxing.memory.models import RecalledMessage


class Format(StrEnum):
    auto = "auto"
    jsonl = "jsonl"
    locomo = "locomo"


def import_messages(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Files to read; gzipped ones too.", show_default=False)],
    bank: BankOption,
    file_format: Annotated[Format, typer.Option("--format", help="What the files hold.")] = Format.auto,
    timezone: TimezoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store the messages of files, with their own times. Importing a file again adds nothing.

    JSON Lines hold one conversation a line: {"id", "messages": [{"role", "content", "created_at"}, …]}, or one message
    a line as `export` writes them.
    """
    from foxing.memory.ingest.importers import import_file

    state = state_of(context)
    reports: list[dict[str, Any]] = []
    with state.memory() as memory:
        for path in files:
            with state.progress(path.name) as progress:
                report = import_file(
                    memory, path, bank=bank, format=file_format.value, timezone=timezone, progress=progress
                )
            reports.append({"file": str(path), **fields_of(report)})

    def show(console: Console) -> None:
        for report in reports:
            console.print(
                f"{report['file']}: {report['messages']} messages in {report['threads']} threads, "
                f"{report['stored']} stored, {report['duplicates']} known already",
                soft_wrap=True,
                markup=False,
            )

    state.answer({"files": reports}, show)


def export_messages(
    context: typer.Context,
    bank: BankOption,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; stdout if left out.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write every message of a bank in time order, as remembered: JSON Lines, one message a line.

    With --json: one document {"messages": […]}, or with --output as well, how many were written.
    """
    state = state_of(context)
    with state.memory() as memory:
        messages = memory.export(bank)
        if output is None and state.as_json:
            write_json({"messages": [exported(message) for message in messages]})
            return
        count = 0
        with _writing(output) as file:
            for message in messages:
                file.write(json.dumps(exported(message), ensure_ascii=False) + "\n")
                count += 1
    if output is not None:
        state.answer(
            {"messages": count, "output": str(output)},
            lambda console: console.print(f"{count} messages written to {output}", soft_wrap=True, markup=False),
        )


def exported(message: "RecalledMessage") -> dict[str, Any]:
    """The fields that `import` takes, and how the message is remembered."""
    fields: dict[str, Any] = plain(message)
    fields["id"] = fields.pop("message_id")
    fields["content"] = fields.pop("text")
    first = ("id", "thread", "role", "name", "created_at", "content")
    rest = ("source", "tier", "confidence", "uncertain", "page_ids")
    return {name: fields[name] for name in first + rest}


@contextmanager
def _writing(path: Path | None) -> Iterator[IO[str]]:
    """stdout, or a file that appears under its name when it is complete."""
    from foxing.memory.errors import InvalidInput

    if path is None:
        yield sys.stdout
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({error.strerror}); choose another --output") from error
    finally:
        part.unlink(missing_ok=True)


def fields_of(report: object) -> dict[str, Any]:
    fields: dict[str, Any]
    fields = asdict(report) if is_dataclass(report) and not isinstance(report, type) else plain(report)
    return fields

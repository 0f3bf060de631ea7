"""`import` and `export`: messages from files and to files."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console

from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import RecalledMessage

from .context import BankOption, JsonOption, state_of
from .output import forecast_text, jsonable, write_json
from .pool import ActorGpusOption, ActorsOption, PoolOptions, RayOption
from .streams import STDIN, input_file, is_stream


class Format(StrEnum):
    auto = "auto"
    jsonl = "jsonl"
    locomo = "locomo"


def import_messages(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(help="Files to import, plain or gzipped; - is standard input.", show_default=False)
    ],
    bank: BankOption,
    file_format: Annotated[Format, typer.Option("--format", help="Format of the files.")] = Format.auto,
    timezone: Annotated[
        str | None, typer.Option(help="Time zone of times without an offset, e.g. Europe/Berlin.", show_default=False)
    ] = None,
    as_if_there: Annotated[
        bool,
        typer.Option("--as-if-there", help="Age the messages from when they were said, not from now."),
    ] = False,
    ray: RayOption = False,
    actors: ActorsOption = None,
    actor_gpus: ActorGpusOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Import messages from files, with their original times. Importing a file again adds nothing.

    Imported messages are exact at first and fade with their time in the bank, as the last line says; with
    --as-if-there they fade soon if they are old.

    JSON Lines hold one conversation per line: {"id", "messages": [{"role", "content", "created_at"}, …]}, or one
    message per line as written by `export`. With --ray, actors embed the messages, and read the files themselves.
    """
    from foxing.memory.bulk.work import ImportRequest
    from foxing.memory.ingest.importers import NamedFile, import_file

    state, workers = state_of(context), PoolOptions(ray, actors, actor_gpus)
    asker = state.timezone(timezone)
    reports = []
    with workers.pool(state) as pool, state.memory(create=True) as memory:
        for path in files:
            with input_file(path) as read, state.progress(path.name) as progress:
                source = NamedFile(read, STDIN) if is_stream(path) else read
                request = ImportRequest(source, bank, file_format.value, timezone, as_if_there)
                if pool is None:
                    report = import_file(memory, **vars(request), progress=progress)
                else:
                    report = memory.bulk.import_file(request, pool, progress=progress)
            reports.append((path, report))

    def show(console: Console) -> None:
        for path, report in reports:
            console.print(
                f"{path}: {report.messages} messages in {report.threads} threads, "
                f"{report.stored} stored, {report.duplicates} already stored",
            )
        first = next((report.ageing for _, report in reports if report.ageing is not None), None)
        if first is not None:
            console.print(f"these messages are {forecast_text(first, asker)}")

    state.answer({"files": [{"file": str(path), **jsonable(report)} for path, report in reports]}, show)


def export_messages(
    context: typer.Context,
    bank: BankOption,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; - is standard output.", show_default="standard output"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export every message of a bank, as remembered, in time order: JSON Lines, one message per line.

    With --json, the output is one document {"messages": […]}; with --output as well, the number of messages written.
    """
    state = state_of(context)
    output = None if is_stream(output) else output
    with state.memory() as memory:
        messages = memory.export(bank)
        if output is None and state.as_json:
            write_json({"messages": [_exported(message) for message in messages]})
            return
        count = 0
        with _open_output(output) as file, state.progress("exporting") as progress:
            total = memory.bank(bank).messages
            for count, message in enumerate(messages, 1):
                line = json.dumps(_exported(message), ensure_ascii=False) + "\n"
                file.write(line.encode())
                progress(count, max(count, total))
    if output is not None:
        state.answer(
            {"messages": count, "output": str(output)},
            lambda console: console.print(f"{count} messages written to {output}"),
        )


def _exported(message: RecalledMessage) -> dict[str, Any]:
    """The JSON object of a message: the fields that `import` takes, then how the message is remembered."""
    fields: dict[str, Any] = jsonable(message)
    fields["id"] = fields.pop("message_id")
    text, parts = fields.pop("text"), fields.pop("parts")
    fields["content"] = text if parts is None else parts
    importable = ("id", "thread", "role", "name", "created_at", "arrived_at", "content", "metadata")
    remembered = ("source", "tier", "kept", "confidence", "uncertain", "page_ids")
    return {name: fields[name] for name in importable + remembered}


@contextmanager
def _open_output(path: Path | None) -> Iterator[IO[bytes]]:
    """stdout, or a file that gets its name only when it is complete. Raises `InvalidInput`."""

    if path is None:
        yield sys.stdout.buffer  # UTF-8, whatever the locale
        sys.stdout.buffer.flush()
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({error.strerror}); choose another --output") from error
    finally:
        part.unlink(missing_ok=True)

"""`import` and `export`: read messages from files and write them to files."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foxing.memory.values.messages import ImportFormat, RecalledMessage

from .context import BankOption, JsonOption, state_of
from .output import forecast_text, jsonable, write_json
from .pool import ActorGpusOption, ActorsOption, PoolOptions, RayOption
from .streams import STDIN, STREAM, input_file, is_stream, output_file


def import_messages(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(help="Files to import, plain or gzipped; - is standard input.", show_default=False)
    ],
    bank: BankOption,
    file_format: Annotated[
        ImportFormat, typer.Option("--format", help="Format of the files; auto detects it.")
    ] = "auto",
    timezone: Annotated[
        str | None,
        typer.Option(help="Time zone of times without an offset, such as Europe/Berlin.", show_default=False),
    ] = None,
    backdate: Annotated[
        bool,
        typer.Option("--backdate", help="Count the age of messages from their original times, not from now."),
    ] = False,
    ray: RayOption = False,
    actors: ActorsOption = None,
    actor_gpus: ActorGpusOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Import messages from files, with their original times. Importing a file again stores nothing new.

    The age of imported messages counts from now: they are exact at first and fade later, and the last line of output
    shows when. With --backdate, their age counts from their original times, so that old messages fade soon.

    A JSON Lines file has one conversation per line, {"id", "messages": [{"role", "content", "created_at"}, …]}, or one
    message per line as written by `export`. With --ray, the actors read the files and embed the messages.
    """
    from foxing.memory.bulk.work import ImportRequest
    from foxing.memory.ingest.importers import NamedFile, import_file

    state, workers = state_of(context), PoolOptions(ray, actors, actor_gpus)
    zone = state.timezone(timezone)
    reports = []
    with workers.pool(state) as pool, state.memory(create=True) as memory:
        for path in files:
            with input_file(path) as read, state.progress(path.name) as progress:
                source = NamedFile(read, STDIN) if is_stream(path) else read
                request = ImportRequest(source, bank, file_format, timezone, backdate)
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
            console.print(f"imported messages: {forecast_text(first, zone)}")

    state.answer({"files": [{"file": str(path), **jsonable(report)} for path, report in reports]}, show)


def export_messages(
    context: typer.Context,
    bank: BankOption,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write; - is standard output.", show_default="standard output"),
    ] = Path(STREAM),
    as_json: JsonOption = False,
) -> None:
    """Export all messages of a bank, as remembered, in time order, as JSON Lines with one message per line.

    With --json, print one document {"messages": […]} instead; with --json and --output, print the number of messages
    written to the file.
    """
    state = state_of(context)
    with state.memory() as memory:
        messages = memory.export(bank)
        if is_stream(output) and state.as_json:
            write_json({"messages": [_exported(message) for message in messages]})
            return
        count = 0
        with output_file(output) as file, state.progress("exporting") as progress:
            total = memory.bank(bank).messages
            for count, message in enumerate(messages, 1):
                line = json.dumps(_exported(message), ensure_ascii=False) + "\n"
                file.write(line.encode())
                progress(count, max(count, total))
    if not is_stream(output):
        state.answer(
            {"messages": count, "output": str(output)},
            lambda console: console.print(f"{count} messages written to {output}"),
        )


def _exported(message: RecalledMessage) -> dict[str, Any]:
    """Returns the JSON object of a message: the fields that `import` reads, then those that describe its fidelity."""
    fields: dict[str, Any] = jsonable(message)
    fields["id"] = fields.pop("message_id")
    text, parts = fields.pop("text"), fields.pop("parts")
    fields["content"] = text if parts is None else parts
    importable = ("id", "thread", "role", "name", "created_at", "arrived_at", "content", "metadata")
    remembered = ("source", "tier", "kept", "confidence", "uncertain", "page_ids")
    return {name: fields[name] for name in importable + remembered}

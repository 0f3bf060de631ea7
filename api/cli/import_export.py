"""`import` and `export`: read messages from files and write them to files."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from foxing.memory import ImportQuery, InvalidInput, RecalledMessage
from foxing.memory.values.signatures import takes

from .context import BankOption, JsonOption, State, state_of
from .fields import options_of
from .import_outcomes import ImportedFiles
from .import_service import ImportService
from .output import Timezone, forecast_text, jsonable, printable, write_json
from .pool import ActorGpusOption, ActorsOption, PoolOptions, RayOption
from .streams import STDIN, STREAM, input_file, is_stream, output_file, refuse_stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foxing.memory import ImportPreview, ImportReport, LeftOutOfImport, Memory
    from foxing.memory.bulk.work import Pool
    from foxing.memory.ingest.dry_run import DryRun

#: What users of memories that ask a language model to extract facts want to know first.
COSTS_NO_TOKENS = "storing used no language model: remembering costs no model tokens"


@takes(options_of(ImportQuery, leave_out=("filename", "timezone", "dry_run")))
def import_messages(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files, folders and zip archives to import; files may be gzipped; - is standard input.",
            show_default=False,
        ),
    ],
    bank: BankOption,
    timezone: Annotated[
        str | None,
        typer.Option(help="Time zone of times without an offset, such as Europe/Berlin.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be imported and what left out; write nothing.")
    ] = False,
    ray: RayOption = False,
    actors: ActorsOption = None,
    actor_gpus: ActorGpusOption = 0,
    as_json: JsonOption = False,
    **fields: Any,
) -> None:
    """Import a history, with its original times: exports of ChatGPT, Claude, Gemini and Grok, session logs of Claude
    Code and Codex, chats of WhatsApp, Telegram, Slack, Discord and IRC, mail, memories of mem0, notes and transcripts
    in Markdown, images, lists of messages, JSON Lines. Importing it again stores nothing new; a longer export adds what
    is new.

    The age of imported messages counts from now: they are exact at first and fade later, and the last line of output
    shows when. With --backdate, their age counts from their original times, so that old messages fade soon.

    A JSON Lines file has one conversation per line, {"id", "messages": [{"role", "content", "created_at"}, …]}, or one
    message per line as written by `export`. With --ray, the actors read the files and embed the messages. A service
    that runs on the database imports the files, except folders and standard input, and the command shows its progress.
    """
    from foxing.memory import ImportOptions, NamedFile
    from foxing.memory.bulk.work import ImportRequest
    from foxing.memory.ingest.importers import import_file, preview_file
    from foxing.memory.text.times.window import parse_since, parse_until

    state, workers = state_of(context), PoolOptions(ray, actors, actor_gpus)
    zone, now = state.timezone(timezone), datetime.now(UTC)
    for name, parse in (("since", parse_since), ("until", parse_until)):
        if fields[name] is not None:
            fields[name] = parse(fields[name], now, zone.name).isoformat()
    query = ImportQuery(timezone=timezone, **fields)
    try:
        options = ImportOptions.of(query, now)
    except InvalidInput as error:
        if query.speakers and "NAME=ROLE" in str(error):
            raise typer.BadParameter(str(error), param_hint="--as") from error
        raise
    files = ImportedFiles(state, paths)
    if dry_run:
        with _existing_memory(state) as memory:
            for path in files:
                with files.errors(path), input_file(path) as read, _dry_run(state, memory, bank) as checked:
                    source = NamedFile(read, STDIN) if is_stream(path) else read
                    preview = preview_file(source, options, dry_run=checked)
                    files.add(path, preview, partial(_show_preview, path=path, preview=preview, zone=zone))
        files.end()
        return
    reports: list[ImportReport] = []
    service = None if ray else ImportService.of(state, bank, query)
    with ExitStack() as opened:
        own: tuple[Memory, Pool | None] | None = None
        for path in files:
            with files.errors(path):
                report = None if service is None else service.imported(path)
                if report is None:
                    service = None  # this command has the memory open from now on
                    if own is None:
                        pool = opened.enter_context(workers.pool(state))
                        own = opened.enter_context(state.memory(create=True)), pool
                    with input_file(path) as read, state.progress(path.name) as progress:
                        source = NamedFile(read, STDIN) if is_stream(path) else read
                        if own[1] is None:
                            report = import_file(own[0], source, bank=bank, options=options, progress=progress)
                        else:
                            request = ImportRequest(source, bank, options)
                            report = own[0].operations.bulk.import_file(request, own[1], progress=progress)
                reports.append(report)
                files.add(path, report, partial(_show_report, path=path, report=report))

    def show(console: Console) -> None:
        first = next((report.ageing for report in reports if report.ageing is not None), None)
        if first is not None:
            console.print(f"imported messages: {forecast_text(first, zone)}")
        if any(report.stored for report in reports):
            console.print(COSTS_NO_TOKENS)

    files.end(show)


@contextmanager
def _existing_memory(state: State) -> Iterator["Memory | None"]:
    """Opens the memory; None if its database does not exist, which a command that only reads does not create."""
    from foxing.memory import NoDatabase

    with ExitStack() as stack:
        memory = None
        with suppress(NoDatabase):
            memory = stack.enter_context(state.memory())
        yield memory


def _dry_run(state: State, memory: "Memory | None", bank: str) -> "DryRun":
    """Returns a dry run of storing messages in a bank; `memory` is None if there is no database yet."""
    from foxing.memory.ingest.dry_run import DryRun

    if memory is not None:
        return memory.operations.dry_run(bank)
    return DryRun.of_new_bank(bank, datetime.now(UTC), state.settings().max_message_bytes)


def _show_report(console: Console, path: Path, report: "ImportReport") -> None:
    console.print(
        f"{path}: {report.messages} messages in {report.threads} threads, "
        f"{report.stored} stored, {report.duplicates} already stored"
        + (f", {report.quarantined} quarantined" if report.quarantined else ""),
    )
    _show_left_out(console, report.left_out)
    _show_redacted(console, report.redacted)
    if report.would_redact:
        console.print(f"  stored as they are: {_counted(report.would_redact)}; a policy with redact replaces them")


def _show_redacted(console: Console, redacted: Mapping[str, int]) -> None:
    for rule, count in redacted.items():
        console.print(f"  redacted: {count} {printable(rule)}")


def _show_preview(console: Console, path: Path, preview: "ImportPreview", zone: Timezone) -> None:
    formats = ", ".join(f"{name} ({count} files)" if count > 1 else name for name, count in preview.formats.items())
    by = f": {printable(preview.recognised_by)}" if preview.recognised_by else ""
    console.print(f"{path}: {formats}{by}")
    between = ""
    if preview.first_at is not None and preview.last_at is not None:
        between = f", from {zone.show(preview.first_at)} to {zone.show(preview.last_at)}"
    note = f"; {preview.stored} are new" if preview.duplicates else ""
    console.print(f"  {preview.messages} messages in {preview.threads} threads{between}{note}")
    languages = ", ".join(f"{name} {count}" for name, count in list(preview.languages.items())[:5])
    console.print(f"  {preview.text_tokens} text tokens{f'; languages: {languages}' if languages else ''}")
    if preview.would_redact:
        console.print(f"  {_counted(preview.would_redact)}: stored as they are unless the policy has redact")
    _show_left_out(console, preview.left_out)
    _show_redacted(console, preview.redacted)


def _counted(matches: "Mapping[str, int]") -> str:
    return ", ".join(f"{count} {printable(rule)}" for rule, count in matches.items())


def _show_left_out(console: Console, parts: "list[LeftOutOfImport]") -> None:
    for part in parts:
        console.print(f"  left out: {part.count} {printable(part.reason)}, the first in {printable(part.first)}")


def export_messages(
    context: typer.Context,
    bank: Annotated[str | None, typer.Option("--bank", "-b", help="Name of the bank.", show_default=False)] = None,
    person: Annotated[
        str | None, typer.Option(help="Speaker whose messages to export from all banks.", show_default=False)
    ] = None,
    mentions: Annotated[
        bool,
        typer.Option("--mentions", help="With --person: also messages of others with the name in their text."),
    ] = False,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write; - is standard output.", show_default="standard output"),
    ] = Path(STREAM),
    markdown: Annotated[
        Path | None,
        typer.Option(help="Folder to write as Markdown, one file a thread.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export all messages of a bank, as remembered, in time order, as JSON Lines with one message per line; or with
    --person, what a person said in all banks; or with --markdown as a folder, which `import` reads back.

    The first line, {"foxing_export": {…}}, names the bank and the redaction rules of its policy; with --person there is
    none, and each message names its bank.

    With --json, print one document {"foxing_export": {…}, "messages": […]} instead; with --json and --output, print
    the number of messages written to the file.
    """
    from foxing.memory.ingest.importers.jsonl import export_header

    state = state_of(context)
    if (bank is None) == (person is None):
        raise typer.BadParameter("give --bank, or --person for all banks, not both")
    if mentions and person is None:
        raise typer.BadParameter("--mentions goes with --person")
    if markdown is not None:
        if bank is None or not is_stream(output):
            raise typer.BadParameter("--markdown goes with --bank alone")
        refuse_stream("--markdown", markdown)
        with state.memory() as memory, state.progress("exporting") as progress:
            report = memory.operations.export_markdown(bank, markdown, progress=progress)
        text = (
            f"{report.messages} messages in {report.threads} threads and {report.images} images written to {markdown}"
        )
        state.answer(jsonable(report), lambda console: console.print(text))
        return
    with state.memory() as memory:
        if person is not None:
            header = None
            messages: Iterator[RecalledMessage] = memory.operations.persons.export(person, mentions=mentions)
        else:
            assert bank is not None
            header = export_header(bank, memory.policy(bank))
            messages = memory.export(bank)
        if is_stream(output) and state.as_json:
            write_json({**(header or {}), "messages": [_exported(message) for message in messages]})
            return
        count = 0
        with output_file(output) as file, state.progress("exporting") as progress:
            if header is not None:
                file.write(json.dumps(header, ensure_ascii=False).encode() + b"\n")
            total = 0 if bank is None else memory.bank(bank).messages
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
    importable = ("id", "thread", "role", "name", "created_at", "arrived_at", "content", "metadata", "trust")
    remembered = ("source", "tier", "kept", "confidence", "uncertain", "page_ids")
    optional = tuple(name for name in ("bank", "expires_at") if fields[name] is not None)
    optional += ("quarantined",) if fields.get("quarantined") else ()
    return {name: fields[name] for name in importable + remembered + optional}

"""One run of `codec check --full`, and the files that it writes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from foxing.api.cli.context import State
from foxing.api.settings import Settings
from foxing.api.settings.names import environment_name
from foxing.encoder import CODECS, Codec, CodecError, capabilities_of, load_codec
from foxing.encoder.acceptance import AcceptancePlan, FullCheck, full_check, markdown, sample_texts
from foxing.encoder.bench import load_texts

from .bench import chosen_tiers, text_files

#: The option of a codec that moves decoding to a server.
SERVER = "remote"


def plan_check(
    settings: Settings, codec: Codec, *, texts: Sequence[str], tiers: Sequence[str], pages: int, batch: int
) -> AcceptancePlan:
    """Returns the plan of a full check. `texts`: files as FILE or NAME=FILE. `pages`: maximum number per language.
    `batch`: maximum number of pages per call. Raises `CodecError`."""
    if not texts:
        groups = sample_texts(codec, pages)
    else:
        with text_files(texts) as files:
            loaded = load_texts(files, codec, skip=0, group_limit=pages)
        groups = {name: group for name, group in loaded.items() if group.pages}
    if not groups:
        raise CodecError("no page is left to measure; give longer texts")
    return AcceptancePlan(groups, chosen_tiers(codec, tiers), list(_doubled(batch)), *_local(settings, codec))


def _local(settings: Settings, codec: Codec) -> tuple[Codec | None, str | None]:
    """Returns a codec with the same weights that decodes on this machine, or the reason why there is none."""
    options = dict(settings.codecs.get(codec.name) or {})
    if capabilities_of(codec).remote is None:
        return None, None
    if options.pop(SERVER, None) is None:
        return None, "the codec decodes only on a server"
    try:
        return load_codec(codec.name, settings.device, options), None
    except CodecError as error:
        return None, f"the model cannot be loaded on this machine ({error})"


def _doubled(largest: int) -> Iterator[int]:
    """Yields 1, 2, 4 … and finally `largest`."""
    size = 1
    while size < largest:
        yield size
        size *= 2
    yield largest


def measure(state: State, codec: Codec, plan: AcceptancePlan) -> FullCheck:
    """Runs all checks of the plan, with a progress bar for each, and returns the results. Raises `CodecError`."""
    with ExitStack() as bars:

        def stage(name: str) -> Any:
            bars.close()
            return bars.enter_context(state.progress(name))

        return full_check(codec, plan, stage)


def write_report(check: FullCheck, file: Path) -> None:
    """Writes the report as Markdown. Raises `CodecError` if the file cannot be written."""
    try:
        file.write_text(markdown(check), encoding="utf-8")
    except OSError as error:
        raise CodecError(f"{file} cannot be written ({error}); choose another file with --report") from error


def show_files(console: Console, check: FullCheck, report: Path, calibration: Path) -> None:
    """Prints the result of the conformance suite, the paths of the files, and how to use the thresholds."""
    failed = [result.check for result in check.conformance if result.failure is not None]
    console.print(f"Conformance: {', '.join(failed) + ' failed' if failed else 'passed'}.")
    console.print(f"Report: {report}")
    console.print(f"Thresholds: {calibration}")
    codec = check.first.codec
    if check.calibration.tiers and "calibration" in CODECS.get(codec).value.options.model_fields:
        option = environment_name(f"codecs.{codec}.calibration")
        console.print(f"To use them: export {option}={calibration.resolve()}")

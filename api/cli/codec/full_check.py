"""One run of `codec check --full`, and the files that it writes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from foxing.api.cli.context import State
from foxing.api.settings import Settings
from foxing.api.settings.names import environment_name
from foxing.encoder import Codec, CodecError, capabilities_of, load_codec
from foxing.encoder.acceptance import AcceptancePlan, FullCheck, full_check, markdown, sample_texts
from foxing.encoder.bench import PageSet, load_texts

from .bench import chosen_tiers, text_files

#: The option of a codec that moves decoding to a server.
SERVER = "remote"


@dataclass(frozen=True)
class FullRun:
    """Measures one codec. Methods show progress and raise `CodecError`."""

    state: State
    settings: Settings
    codec: Codec
    tiers: Sequence[str]
    #: Pages per language.
    pages: int
    #: Largest number of pages in one call.
    batch: int

    def measure(self, texts: Sequence[str]) -> FullCheck:
        """Everything. `texts`: files as FILE or NAME=FILE."""
        local, no_local = self._local()
        plan = AcceptancePlan(
            self._texts(texts), chosen_tiers(self.codec, self.tiers), list(_doubled(self.batch)), local, no_local
        )
        with _stages(self.state) as stage:
            return full_check(self.codec, plan, stage)

    def write(self, check: FullCheck, report: Path, calibration: Path) -> None:
        """Writes both files and says where they are. Exits with status 1 if the codec did not pass."""
        check.calibration.write(calibration)
        try:
            report.write_text(markdown(check), encoding="utf-8")
        except OSError as error:
            raise CodecError(f"{report} cannot be written ({error}); choose another file with --report") from error
        document = {**check.to_dict(), "report": str(report), "calibration_file": str(calibration)}
        self.state.answer(document, lambda console: self._show(console, check, report, calibration))
        if not check.passed:
            raise typer.Exit(1)

    def _show(self, console: Console, check: FullCheck, report: Path, calibration: Path) -> None:
        from .check import show_check

        show_check(console, check.first)
        failed = [result.check for result in check.conformance if result.failure is not None]
        console.print(f"Conformance: {', '.join(failed) + ' failed' if failed else 'passed'}.")
        console.print(f"Report: {report}")
        console.print(f"Thresholds: {calibration}")
        option = environment_name(f"codecs.{self.codec.name}.calibration")
        if check.calibration.tiers and self._has_option("calibration"):
            console.print(f"To use them: export {option}={calibration.resolve()}")

    def _has_option(self, name: str) -> bool:
        from foxing.encoder.plugin import CODECS

        return name in CODECS.get(self.codec.name).value.options.model_fields

    def _texts(self, texts: Sequence[str]) -> dict[str, PageSet]:
        if not texts:
            return sample_texts(self.codec, self.pages)
        with text_files(texts) as files:
            groups = load_texts(files, self.codec, skip=0, group_limit=self.pages)
        groups = {name: group for name, group in groups.items() if group.pages}
        if not groups:
            raise CodecError("no page is left to measure; give longer texts")
        return groups

    def _local(self) -> tuple[Codec | None, str | None]:
        """The same weights decoding here, or why there are none."""
        options = dict(self.settings.codecs.get(self.codec.name) or {})
        if capabilities_of(self.codec).remote is None:
            return None, None
        if options.pop(SERVER, None) is None:
            return None, "the codec decodes on a server alone"
        try:
            return load_codec(self.codec.name, self.settings.device, options), None
        except CodecError as error:
            return None, f"the model cannot be loaded here ({error})"


def _doubled(largest: int) -> Iterator[int]:
    """1, 2, 4 … up to `largest`, which is the last."""
    size = 1
    while size < largest:
        yield size
        size *= 2
    yield largest


@contextmanager
def _stages(state: State) -> Iterator[Callable[[str], Any]]:
    """A progress bar for each part, one after another."""
    with ExitStack() as bars:

        def stage(name: str) -> Any:
            bars.close()
            return bars.enter_context(state.progress(name))

        yield stage

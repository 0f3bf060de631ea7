"""Banks that move: exported as bundles and imported, copied, and renamed."""

import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO

from foxing.encoder.errors import CodecError
from foxing.encoder.plugin import CODECS
from foxing.memory.access import Access, tenant_of
from foxing.memory.audit import audited
from foxing.memory.codec_source import CodecSource
from foxing.memory.errors import Conflict, InvalidBundle, InvalidInput, NotFound
from foxing.memory.ingest.validate import check_bank_name
from foxing.memory.limits import TenantLimits
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, bundles
from foxing.memory.values.reports import BundleReport
from foxing.renderer import Progress
from foxing.renderer.private_files import opener

from .archive import BundleFile, write
from .export import members
from .load import BundleReader, Contents, target_of


@audited(lambda owner: owner._database)
class Bundles:
    """Moves the banks of a database."""

    def __init__(
        self,
        database: Database,
        codecs: CodecSource,
        limits: TenantLimits,
        now: Callable[[], datetime],
        *,
        before: Callable[[], object],
        index_moves: bool,
        reindex: Callable[[str], object],
    ) -> None:
        """`before`: writes what the process still has to write. `index_moves`: whether the index is in the tables that
        a bundle has; else `reindex` makes that of a new bank."""
        self._database = database
        self._codecs = codecs
        self._limits = limits
        self._now = now
        self._before = before
        self._index_moves = index_moves
        self._reindex = reindex

    def export(self, bank: str, file: IO[bytes], *, progress: Progress | None = None) -> BundleReport:
        """Writes the bundle of a bank to a file, from one snapshot. The same bank gives the same bytes. Legal holds,
        jobs and what undo would restore are not in it. `progress` counts pages. Raises `NotFound`, and `OSError` of the
        file."""
        self._before()
        size = pages = images = 0
        with self._database.read() as connection:
            row = banks.get(connection, bank)
            total, messages, records = bundles.totals(connection, row.id)

            def noted() -> Iterator[BundleFile]:
                nonlocal pages, images
                for member in members(connection, row.id):
                    is_page = member.table == "pages" and member.kind == "json"
                    pages += is_page
                    images += member.table == "images" and member.kind == "file"
                    if is_page and progress is not None:
                        progress(pages, max(total, pages))
                    yield member

            for part in write(noted()):
                file.write(part)
                size += len(part)
        name = Access.current().full_name(bank)
        return BundleReport(bank=name, messages=messages, pages=pages, images=images, records=records, bytes=size)

    def check(self, path: Path) -> Contents:
        """Reads a bundle completely and returns its contents; writes nothing. Raises `InvalidBundle`."""
        with _opened(path) as file:
            return BundleReader(self._readable(), None).read(file)

    def load(self, bank: str, path: Path) -> BundleReport:
        """Imports a bundle as the new bank `bank`, completely or not at all: an import that is killed is run again.
        Raises `InvalidBundle`, `Conflict` if the name is taken, and `QuotaReached` or `LimitReached`."""
        name = check_bank_name(bank)
        access = Access.current()
        if not access.sees(name):
            raise access.no_bank(name)
        with self._database.read() as connection:
            if banks.find(connection, bank) is not None:
                raise _taken(bank)
        contents = self.check(path)
        with _opened(path) as file, self._database.write() as connection:
            self._database.dialect.disable_timeouts(connection)
            reader = BundleReader(self._readable(), target_of(connection, name))
            contents = reader.read(file)
            row = banks.get(connection, bank)
            limits = self._limits.in_transaction(connection, tenant_of(name) or "", self._now().date())
            limits.check(row.id, contents.messages, contents.size, self._now(), access.key_id)
        if not self._index_moves:
            self._reindex(bank)
        return BundleReport(
            bank=name,
            messages=contents.messages,
            pages=contents.pages,
            images=contents.images,
            records=contents.records,
            bytes=path.stat().st_size,
            keeps_references=contents.keeps_references,
            renamed_pages=contents.renamed_pages,
            unreadable=contents.unreadable,
        )

    def copy(self, bank: str, to: str) -> BundleReport:
        """Copies a bank, as it is at one moment, to the new bank `to`. Raises `NotFound`, and `Conflict` if the name is
        taken. A copy that is killed has copied nothing and is run again."""
        with tempfile.TemporaryDirectory(prefix="foxing-bundle-") as folder:
            path = Path(folder) / "bundle"
            with open(path, "xb", opener=opener) as file:
                self.export(bank, file)
            return self.load(to, path)

    def rename(self, bank: str, to: str) -> None:
        """Gives a bank another name, in the same tenant. Raises `NotFound`, and `Conflict` if the name is taken."""
        name = check_bank_name(to)
        self._before()
        access = Access.current()
        with self._database.write() as connection:
            row = banks.get(connection, bank)
            banks.lock(connection, row.id)
            if tenant_of(name) != tenant_of(row.name):
                raise InvalidInput("a bank stays with its tenant; export it, and import it for the other one")
            if not access.sees(name):
                raise access.no_bank(name)
            if name != row.name and not bundles.rename(connection, row.id, name):
                raise _taken(to)

    def _readable(self) -> Callable[[str, str], str | None]:
        """Returns a function that says why tokens of a codec and its weights cannot be read; None if they can."""
        reasons: dict[tuple[str, str], str | None] = {}

        def reason(codec: str, weights: str) -> str | None:
            if (codec, weights) not in reasons:
                reasons[codec, weights] = self._reason(codec, weights)
            return reasons[codec, weights]

        return reason

    def _reason(self, codec: str, weights: str) -> str | None:
        if codec != self._codecs.name and codec not in CODECS:
            raise InvalidBundle(
                f"the bundle has pages of the codec '{codec[:40]}', which is not installed; install it, or reencode "
                "the bank where it comes from"
            )
        try:
            installed = self._codecs.current() if codec == self._codecs.name else self._codecs.bundled(codec)
        except CodecError:
            return f"the codec '{codec}' is not loaded here"
        return None if installed.weights == weights else f"they were written by other weights of the codec '{codec}'"


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror or error}") from error


def _taken(bank: str) -> Conflict:
    return Conflict(f"there is a bank '{bank}' already; choose another name, or merge the two")

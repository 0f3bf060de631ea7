"""Imports of uploaded files: each is received into a temporary folder and read completely, then stored by a thread of
the service, one after the other; tenants take turns.

The database has the progress, so that every replica can show it; see `foxing.memory.ingest.importers.jobs`.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from foxing.memory import (
    Access,
    Closed,
    ImportJob,
    ImportOptions,
    ImportPreview,
    ImportQuery,
    Memory,
    NamedFile,
    NewMessage,
    StorageError,
)
from foxing.memory.fair_semaphore import FairQueue
from foxing.memory.ingest.importers import ImportSource
from foxing.renderer.private_files import opener

from .logs import get_logger
from .problems import BODY_TOO_LARGE, BUSY, UNSUPPORTED_MEDIA, RequestError
from .uploaded_files import UploadedFiles

#: Number of files that are received or read at the same time, and of imports that wait or run; a tenant may have half.
UPLOADS = 4
IMPORTS = 16
#: How much larger than the limit of an upload its contents may be.
EXPANSION = 10
#: Seconds within which a file must be read, since few are read at the same time.
READ_S = 3_600.0
#: Bytes on the disk of temporary files that uploads leave free.
SPARE_BYTES = 64 << 20
_PREFIX = "foxing-import-"
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")

R = TypeVar("R")


@dataclass(frozen=True)
class Upload:
    """A file that was received."""

    folder: Path
    file: NamedFile


class Imports:
    """Receives files and imports them. `max_bytes`: maximum size of a file."""

    def __init__(self, memory: Memory, max_bytes: int) -> None:
        self._memory = memory
        self._max_bytes = max_bytes
        self._readers = anyio.CapacityLimiter(UPLOADS)
        self._stopping = Event()
        self._queue: SimpleQueue[_Import | None] = SimpleQueue()
        #: Imports that wait for the one in progress.
        self._turns = FairQueue[_Import](1, 1)
        self._lock = Lock()
        #: Tenant → number of its files that are received, and of its imports that wait or run.
        self._uploads = Counter[str | None]()
        self._unfinished = Counter[str | None]()
        self._thread: Thread | None = None

    @property
    def max_contents_bytes(self) -> int:
        """Maximum size of the contents of a file, decompressed."""
        return EXPANSION * self._max_bytes

    def options(self, query: ImportQuery) -> ImportOptions:
        """Returns the options of an import within the limits of the service. Raises `InvalidInput`, `InvalidTime`."""
        return ImportOptions.of(query, self._memory.now(), self.max_contents_bytes, READ_S)

    @asynccontextmanager
    async def received(self, request: Request, name: str | None) -> AsyncIterator[Upload]:
        """Receives the body of a request as a file, which is deleted when the block ends unless it was passed to `add`.
        Raises `RequestError`, `StorageError`, and `ClientDisconnect`."""
        _check_headers(request, self._max_bytes)
        async with self._folder() as folder:
            upload = Upload(folder, NamedFile(folder / "file", name or "the file"))
            async with await anyio.open_file(upload.file.path, "xb", opener=opener) as file:
                async for chunk in self._chunks(request):
                    await file.write(chunk)
            yield upload

    @asynccontextmanager
    async def received_form(self, request: Request) -> AsyncIterator[tuple[Upload, dict[str, str]]]:
        """Receives the files of a form as `received` receives a file, and its other fields. Raises the same, and
        `InvalidInput`."""
        _check_length(request, self._max_bytes)
        async with self._folder() as folder:
            with closing(UploadedFiles(request.headers, folder)) as form:
                async for chunk in self._chunks(request):
                    await anyio.to_thread.run_sync(form.write, chunk)
                file = await anyio.to_thread.run_sync(form.received)
            yield Upload(folder, file), form.fields

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[Path]:
        """A temporary folder for an upload, which is deleted when the block ends unless its file was passed to `add`.
        Raises `RequestError`, `StorageError`."""
        tenant = Access.current().tenant
        with self._lock:
            if _is_full(self._uploads, tenant, UPLOADS) or _is_full(self._unfinished, tenant, IMPORTS):
                raise RequestError(BUSY, "too many imports are in progress; try again later").after(30.0)
            self._uploads[tenant] += 1
        folder = None
        try:
            folder = Path(await anyio.to_thread.run_sync(_new_folder))
            yield folder
        except OSError as error:
            raise StorageError(
                f"the file cannot be received: {error.strerror}; free space and send it again"
            ) from error
        finally:
            with self._lock:
                self._uploads[tenant] -= 1
            if folder is not None and not (folder / "kept").exists():
                await anyio.to_thread.run_sync(shutil.rmtree, folder, True)

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        """Yields the body of a request. Raises `RequestError` if it is too large."""
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._max_bytes:
                raise _too_large(self._max_bytes)
            yield chunk

    async def check(self, bank: str, upload: Upload, options: ImportOptions) -> ImportSource:
        """Reads a file completely and returns it. Raises `InvalidInput` or a subclass, and `Conflict`."""
        return await self._read(self._memory.operations.imports.check, bank, upload.file, options)

    async def preview(self, bank: str, upload: Upload, options: ImportOptions) -> ImportPreview:
        """Returns what an import into a bank would store. Raises the errors of `check`."""
        return await self._read(self._memory.operations.imports.preview, bank, upload.file, options)

    async def _read(self, read: Callable[..., R], bank: str, file: NamedFile, options: ImportOptions) -> R:
        return await anyio.to_thread.run_sync(read, bank, file, options, self._note, limiter=self._readers)

    def _note(self, message: NewMessage) -> None:
        if self._stopping.is_set():
            raise Closed("the service is stopping; nothing was stored, send the file again")

    def add(self, bank: str, source: ImportSource, upload: Upload) -> ImportJob:
        """Queues a file that was checked, and returns its import. Raises `Conflict`, `StorageError`."""
        with self._lock:
            if self._stopping.is_set():
                raise Closed("the service is stopping; nothing was stored, send the file again")
            job = self._memory.operations.imports.add(bank, source)
            (upload.folder / "kept").touch()
            tenant = Access.current().tenant
            item = _Import(job, source, upload, tenant)
            self._unfinished[tenant] += 1
            if self._thread is None:
                self._thread = Thread(target=self._run, name="imports", daemon=True)
                self._thread.start()
            if self._turns.enter(item, tenant or ""):
                self._queue.put(item)
        return job

    def stop(self) -> None:
        """Ends the import in progress after the messages that are being stored, and those that wait."""
        with self._lock:
            self._stopping.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            item: _Import | None = first
            while item is not None:
                self._import(item)
                with self._lock:
                    self._unfinished[item.tenant] -= 1
                    item = self._turns.release(item.tenant or "")

    def _import(self, item: "_Import") -> None:
        job = item.job
        try:
            ended = self._memory.operations.imports.run(job, item.source, self._stopping.is_set)
            get_logger().info(
                "import", bank=job.bank, id=job.id, state=ended.state, stored=ended.stored, known=ended.duplicates
            )
        except Exception:
            get_logger().exception("import failed", bank=job.bank, id=job.id)
        finally:
            shutil.rmtree(item.upload.folder, ignore_errors=True)


@dataclass(frozen=True)
class _Import:
    """An import that waits or runs."""

    job: ImportJob
    source: ImportSource
    upload: Upload
    tenant: str | None


def _is_full(numbers: Counter[str | None], tenant: str | None, limit: int) -> bool:
    """Returns True if no more are accepted of a tenant, which may have half."""
    return numbers.total() >= limit or (tenant is not None and numbers[tenant] >= limit // 2)


def remove_leftovers() -> None:
    """Deletes the files of imports whose process was killed."""
    with suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
            if owner.isdigit() and (int(owner) == os.getpid() or not _is_running(int(owner))):
                shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _new_folder() -> str:
    return tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")


def _check_headers(request: Request, max_bytes: int) -> None:
    """Raises `RequestError` for a body that is not a file, or too large."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in _FORMS:
        raise RequestError(
            UNSUPPORTED_MEDIA,
            "send the file itself as the body, with the header 'Content-Type: application/octet-stream', not a form",
            {"Connection": "close"},
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(
            UNSUPPORTED_MEDIA,
            "send the file as it is, without Content-Encoding; a gzipped file is recognised",
            {"Connection": "close"},
        )
    _check_length(request, max_bytes)


def _check_length(request: Request, max_bytes: int) -> None:
    """Raises `RequestError` for a body that is too large, and `StorageError` if there is no room for it."""
    length = request.headers.get("content-length", "")
    if length.isdigit():
        if int(length) > max_bytes:
            raise _too_large(max_bytes)
        if int(length) + SPARE_BYTES > shutil.disk_usage(tempfile.gettempdir()).free:
            raise StorageError(
                "there is no room for the file on the disk of temporary files; free space, or set TMPDIR"
            )


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(
        BODY_TOO_LARGE,
        f"the upload is larger than {max_bytes:,} bytes; import it with 'foxing import', or raise "
        "FOXING_MAX_IMPORT_BYTES",
        {"Connection": "close"},
    )

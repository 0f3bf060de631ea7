"""Object storage clients: S3 and compatible services, Google Cloud Storage, Azure, or a folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from foxing.memory.errors import StorageError
from foxing.renderer.private_files import make_folder, repair

AT_ONCE = 8  # concurrent requests
RETRIES = 3
RETRY_WITHIN = timedelta(seconds=20)
SCHEMES = ("s3://", "gs://", "az://", "file:///")

_FOLDER = "file://"

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class StoredObject(NamedTuple):
    """An object in the storage."""

    path: str
    size: int
    modified_at: datetime


class BlobStore:
    """Objects below a URL. Safe to share between threads. Connects on the first call.

    Every method raises `StorageError` if the storage cannot be reached or denies access.
    """

    def __init__(self, url: str) -> None:
        """`url`: `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///folder`. Raises `StorageError` for any other URL,
        or if the client is not installed."""
        if not url.startswith(SCHEMES):
            raise StorageError(
                f"'{url}' is not the URL of an object storage; write it like s3://bucket/prefix or file:///folder"
            ).naming("blobs_url")
        if find_spec("obstore") is None:
            raise StorageError("object storage needs a client; install it with: pip install 'foxing[blobs]'").naming(
                "blobs_url"
            )
        self.url = url.rstrip("/")

    def put(self, objects: Mapping[str, bytes]) -> None:
        """Writes objects, given as path → content."""
        self._each(lambda item: self._module.put(self._store, item[0], item[1]), list(objects.items()))

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Returns path → content, for objects that exist."""
        contents = self._each(self._get, list(dict.fromkeys(paths)))
        return {path: content for path, content in contents if content is not None}

    def delete(self, paths: Sequence[str]) -> None:
        """Deletes objects. Missing ones are ignored."""
        self._each(self._delete, list(paths))

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Yields all objects in a folder and its subfolders."""
        with self._explained():
            for part in self._module.list(self._store, prefix, chunk_size=1000):
                for item in part:
                    yield StoredObject(item["path"], item["size"], item["last_modified"])

    def _get(self, path: str) -> tuple[str, bytes | None]:
        try:
            return path, bytes(self._module.get(self._store, path).bytes())
        except FileNotFoundError:
            return path, None

    def _delete(self, path: str) -> None:
        try:
            self._module.delete(self._store, path)
        except FileNotFoundError:
            return

    def _each(self, call: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        with self._explained():
            if len(items) < 2:
                return [call(item) for item in items]
            with ThreadPoolExecutor(min(AT_ONCE, len(items)), "foxing-blobs") as pool:
                return list(pool.map(call, items))

    @cached_property
    def _module(self) -> Any:
        import obstore
        import obstore.store

        return obstore

    @cached_property
    def _store(self) -> Any:
        if self.url.startswith(_FOLDER):
            return self._module.store.LocalStore(self._private_folder())
        retry = {"max_retries": RETRIES, "retry_timeout": RETRY_WITHIN}
        return self._module.store.from_url(self.url, retry_config=retry)

    def _private_folder(self) -> Path:
        """Returns the folder, closed to other accounts: what is in it has the rights that the client gives it."""
        folder = Path(self.url.removeprefix(_FOLDER))
        make_folder(folder)
        repair([folder])
        return folder

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except Exception as error:  # errors of a client that is not imported here
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise StorageError(
                f"the object storage {self.url} cannot be used ({reason}); nothing was lost, try again"
            ).naming("blobs_url") from error

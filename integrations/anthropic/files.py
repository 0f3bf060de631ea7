"""The files of the memory tool, as records of a bank.

Each command is one atomic write, conditional on the versions of the records it has read. After a conflict with another
writer it is retried.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from anthropic.lib.tools import ToolError

from foxing.integrations.frameworks.batches import batches
from foxing.integrations.frameworks.call_sequences import CallSequence
from foxing.integrations.frameworks.records import BankRecords
from foxing.memory import Conflict, Fields, InvalidInput, Record

from .paths import DIRECTORY, NAMESPACE, ROOT, FilePlace, name_of, place_of
from .texts import inserted, replaced, shown, size

#: Size shown for a directory, as on most file systems.
DIRECTORY_BYTES = 4096
SHOWN_DEPTH = 2


class Files:
    """The files below /memories in a bank. Methods return the response of the tool, or raise `ToolError` with it."""

    def __init__(self, bank: str) -> None:
        self._records = BankRecords(bank)

    def view(self, path: str, view_range: Sequence[int] | None) -> CallSequence[str]:
        """Returns a file with line numbers, or the listing of a directory, two levels deep."""
        place = place_of(path)
        file, is_directory = yield from self._look(place)
        if file is not None:
            return shown(path, _text(file), view_range)
        if not is_directory:
            raise ToolError(f"The path {path} does not exist. Please provide a valid path.")
        lines = [
            f"Here're the files and directories up to 2 levels deep in {path}, excluding hidden items:",
            f"{size(DIRECTORY_BYTES)}\t{path}",
        ]
        records = yield from self._records.search({"namespace": place.namespace})
        listing = _listing(records, len(place.namespace))
        return "\n".join([*lines, *(f"{length}\t{path}/{name}" for name, length in listing)])

    def create(self, path: str, text: str) -> CallSequence[str]:
        """Creates a file and its parent directories."""
        place = place_of(path)
        file, is_directory = yield from self._look(place)
        exists = ToolError(f"File {path} already exists")
        if file is not None or is_directory:
            raise exists
        yield from self._check_directories(place)
        try:
            yield from self._write([*_directories(place.parents), _put(place.as_file, text)])
        except Conflict:
            raise exists from None
        return f"File created successfully at: {path}"

    def str_replace(self, path: str, old: str, new: str) -> CallSequence[str]:
        """Replaces a text that occurs exactly once in a file."""
        return self._edit(path, partial(replaced, path, old=old, new=new))

    def insert(self, path: str, line: int, text: str) -> CallSequence[str]:
        """Inserts a text after a line of a file."""
        return self._edit(path, partial(inserted, path, line=line, new=text))

    def delete(self, path: str) -> CallSequence[str]:
        """Deletes a file, or a directory with its contents."""
        place = place_of(path)
        if not place.names:
            raise ToolError(f"Cannot delete the {ROOT} directory itself")
        while True:
            file, is_directory = yield from self._look(place)
            if file is None and not is_directory:
                raise ToolError(f"The path {path} does not exist")
            try:
                if file is not None:
                    yield from self._write([_delete(file)])
                else:
                    yield from self._write([{"op": "clear", "namespace": place.namespace}])
            except Conflict:
                continue
            return f"Successfully deleted {path}"

    def rename(self, old_path: str, new_path: str) -> CallSequence[str]:
        """Moves a file, or a directory with its contents."""
        old = place_of(old_path)
        new = place_of(new_path)
        if not old.names:
            raise ToolError(f"Cannot rename the {ROOT} directory itself")
        while True:
            if any((yield from self._look(new))):
                raise ToolError(f"The destination {new_path} already exists")
            yield from self._check_directories(new)
            moves = yield from self._moves(old, new)
            if moves and new.names[: len(old.names)] == old.names:
                yield from self._write(_directories(new.parents))
                raise ToolError(f"Cannot move {old_path} into itself")
            writes = [*_directories(new.parents), *moves]
            if len(list(batches(writes))) > 1:
                raise ToolError(f"{old_path} is too large to move at once; move its contents separately")
            try:
                yield from self._write(writes)
            except Conflict:
                continue
            if not moves:
                raise ToolError(f"The path {old_path} does not exist")
            return f"Successfully renamed {old_path} to {new_path}"

    def clear(self) -> CallSequence[str]:
        """Deletes all files."""
        yield from self._write([{"op": "clear", "namespace": (NAMESPACE,)}])
        return "All memory cleared"

    def _look(self, place: FilePlace) -> CallSequence[tuple[Record | None, bool]]:
        """Returns the file at a place, or None, and True if the place is a directory."""
        if not place.names:
            return None, True
        records = yield from self._records.get([place.as_file, place.as_directory])
        return records[0], records[1] is not None

    def _check_directories(self, place: FilePlace) -> CallSequence[None]:
        """Raises `ToolError` if one of the parents of a place is a file."""
        parents = place.parents
        files = (yield from self._records.get([parent.as_file for parent in parents])) if parents else ()
        for parent, file in zip(parents, files, strict=True):
            if file is not None:
                raise ToolError(f"{ROOT}/{'/'.join(parent.names)} is a file, not a directory")

    def _edit(self, path: str, change: Callable[[str], tuple[str, str]]) -> CallSequence[str]:
        place = place_of(path)
        while True:
            file, is_directory = yield from self._look(place)
            if file is None and not is_directory:
                raise ToolError(f"The path {path} does not exist. Please provide a valid path.")
            if file is None:
                raise ToolError(f"The path {path} is not a file.")
            text, answer = change(_text(file))
            try:
                yield from self._write([_put(place.as_file, text, file.version)])
            except Conflict:
                continue
            return answer

    def _moves(self, old: FilePlace, new: FilePlace) -> CallSequence[list[Fields]]:
        """Returns the writes that move the file or directory at `old`; none if it does not exist."""
        file, is_directory = yield from self._look(old)
        if file is not None:
            return [_put(new.as_file, _text(file)), _delete(file)]
        moves: list[Fields] = []
        for record in (yield from self._records.search({"namespace": old.namespace})) if is_directory else ():
            namespace = (*new.namespace, *record.namespace[len(old.namespace) :])
            moves += [
                {"op": "put", "namespace": namespace, "key": record.key, "value": record.value, "if_version": 0},
                _delete(record),
            ]
        return moves

    def _write(self, writes: Sequence[Fields]) -> CallSequence[None]:
        if not writes:
            return
        try:
            yield from self._records.write(writes)
        except InvalidInput as error:
            raise ToolError(str(error)) from error


def _directories(places: Iterable[FilePlace]) -> list[Fields]:
    """Returns the writes that create directories; existing ones are unchanged."""
    return [
        {"op": "put", "namespace": namespace, "key": key, "value": None}
        for namespace, key in (place.as_directory for place in places)
    ]


def _put(address: tuple[tuple[str, ...], str], text: str, if_version: int = 0) -> Fields:
    namespace, key = address
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ToolError("The text contains a lone surrogate; use valid Unicode") from error
    return {"op": "put", "namespace": namespace, "key": key, "value": text, "if_version": if_version}


def _delete(record: Record) -> Fields:
    return {"op": "delete", "namespace": record.namespace, "key": record.key, "if_version": record.version}


def _text(file: Record) -> str:
    if not isinstance(file.value, str):
        raise ToolError(f"The record '{file.key}' was not written by the memory tool")
    return file.value


def _listing(records: Iterable[Record], above: int) -> list[tuple[str, str]]:
    """Returns (path, size) of the entries up to `SHOWN_DEPTH` levels below a namespace of `above` labels, in the order
    of their names. Hidden entries, whose names begin with a dot, are omitted with their contents."""
    entries: dict[tuple[str, ...], tuple[str, str]] = {}
    for record in records:
        directories = tuple(map(name_of, record.namespace[above:]))
        is_directory = record.key == DIRECTORY
        names = directories if is_directory else (*directories, name_of(record.key))
        if not 1 <= len(names) <= SHOWN_DEPTH or any(name.startswith(".") for name in names):
            continue
        path = "/".join(names)
        if is_directory:
            entries[names] = (f"{path}/", size(DIRECTORY_BYTES))
        else:
            entries[(*names, "")] = (path, size(len(_text(record).encode())))
    return [entries[names] for names in sorted(entries)]

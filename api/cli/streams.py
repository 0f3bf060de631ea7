"""`-` as a file name: standard input and standard output."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import IO

import typer

from foxing.memory import InvalidInput
from foxing.renderer.private_files import make_folder, opener, write

#: The file name for both.
STREAM = "-"
STDIN = "standard input"


def is_stream(file: Path | str | None) -> bool:
    """Returns True if `file` is `-`."""
    return str(file) == STREAM


def refuse_stream(option: str, *files: Path | None) -> None:
    """Raises `typer.BadParameter` if one of the `files` of an option that requires a path is `-`."""
    if any(map(is_stream, files)):
        raise typer.BadParameter("give the path of a file or folder; - is not accepted here", param_hint=option)


def name_of(file: Path) -> str:
    """Returns the name of an input file for messages."""
    return STDIN if is_stream(file) else str(file)


def read_input(file: Path) -> bytes:
    """Returns the contents of a file, or of standard input. Raises `OSError`."""
    return sys.stdin.buffer.read() if is_stream(file) else file.read_bytes()


def write_images(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes `files` (name → contents) to a folder, which is created if necessary. Raises `InvalidInput`."""
    try:
        make_folder(folder)
        for name, data in files.items():
            write(folder / name, data)
    except OSError as error:
        raise InvalidInput(f"the images cannot be written to {folder}: {error}") from error


@contextmanager
def input_file(file: Path) -> Iterator[Path]:
    """Yields `file`; for `-`, a copy of standard input that can be read repeatedly until the block ends."""
    if not is_stream(file):
        yield file
        return
    with TemporaryDirectory(prefix="foxing-stdin-") as folder:
        path = Path(folder) / "stdin"
        with open(path, "xb", opener=opener) as copy:
            copyfileobj(sys.stdin.buffer, copy)
        yield path


def write_file(file: Path) -> None:
    """Writes the contents of `file` to standard output."""
    with file.open("rb") as source:
        copyfileobj(source, sys.stdout.buffer)
    sys.stdout.buffer.flush()


@contextmanager
def output_file(file: Path) -> Iterator[IO[bytes]]:
    """Yields standard output for `-`, else a file that is renamed to its name when it is complete. A link stays a link,
    and what is not a regular file, such as a pipe or a device, is written directly. Raises `InvalidInput`."""
    try:
        if is_stream(file):
            yield sys.stdout.buffer  # UTF-8 in any locale
            sys.stdout.buffer.flush()
        elif file.exists() and not file.is_file():
            with file.open("wb") as stream:
                yield stream
        else:
            with _renamed_when_complete(file.resolve()) as stream:
                yield stream
    except BrokenPipeError:
        raise  # the reader has what it wants, and the command ends
    except OSError as error:
        place = "standard output" if is_stream(file) else str(file)
        raise InvalidInput(f"{place} cannot be written ({error.strerror}); choose another --output") from error


@contextmanager
def _renamed_when_complete(file: Path) -> Iterator[IO[bytes]]:
    part = file.with_name(file.name + ".part")
    try:
        part.unlink(missing_ok=True)
        with open(part, "xb", opener=opener) as stream:
            yield stream
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)

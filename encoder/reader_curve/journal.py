"""The journal of a calibration: one answer a line, so that a run that was killed continues where it was."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from foxing.encoder.errors import CodecError

from .chat import ChatAnswer


class Journal:
    """Answers in a file of JSON Lines, after a line that says what was asked: which reader, model and endpoint."""

    def __init__(self, path: Path, asked: Mapping[str, str]) -> None:
        """Reads the file, if it is there. Raises `CodecError` if it belongs to another calibration or cannot be
        read."""
        self.path = path
        self._asked = dict(asked)
        #: Key of a page → the answer.
        self.answers: dict[str, ChatAnswer] = {}
        try:
            lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
        except OSError as error:
            raise CodecError(f"the journal {path} cannot be read: {error}") from error
        self._read(lines[:-1])  # what follows the last line break was cut off when the run was killed

    def _read(self, lines: list[bytes]) -> None:
        try:
            head, *entries = map(json.loads, lines or [b"{}"])
            if lines and head != {"asked": self._asked}:
                was = ", ".join(f"{name} {value}" for name, value in head["asked"].items())
                raise CodecError(
                    f"the journal {self.path} belongs to another calibration ({was}); give another with the option "
                    "'journal', or remove it"
                )
            self.answers = {entry.pop("page"): ChatAnswer(**entry) for entry in entries}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CodecError(
                f"{self.path} is not the journal of a calibration; give another with the option 'journal'"
            ) from error

    def add(self, page: str, answer: ChatAnswer) -> None:
        """Writes an answer to the disk. Raises `CodecError`."""
        self._write({"page": page} | asdict(answer))
        self.answers[page] = answer

    def open(self) -> None:
        """Makes the file ready for answers; nothing that it holds is lost. Raises `CodecError`."""
        try:
            whole = self.path.read_bytes() if self.path.exists() else b""
            if not whole.endswith(b"\n"):
                with self.path.open("ab") as file:
                    file.truncate(whole.rfind(b"\n") + 1)
        except OSError as error:
            raise CodecError(f"the journal {self.path} cannot be written: {error}") from error
        if b"\n" not in whole:
            self._write({"asked": self._asked})

    def _write(self, document: Mapping[str, object]) -> None:
        try:
            with self.path.open("ab") as file:
                file.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CodecError(f"the journal {self.path} cannot be written: {error}") from error

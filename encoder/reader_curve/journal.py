"""Journal of a calibration: one answer per line, so that an interrupted run resumes."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from foxing.encoder.errors import CodecError

from .chat import ChatAnswer


class Journal:
    """JSON Lines file of answers, after a line with the reader, the model and the endpoint."""

    def __init__(self, path: Path, conditions: Mapping[str, str]) -> None:
        """Reads the file if it exists. `conditions`: reader, model, endpoint. Raises `CodecError` if it belongs to
        another calibration or cannot be read."""
        self.path = path
        self._asked = dict(conditions)
        #: Key of a page → answer.
        self.answers: dict[str, ChatAnswer] = {}
        try:
            lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
        except OSError as error:
            raise CodecError(f"the journal {path} cannot be read: {error}") from error
        self._read(lines[:-1])  # a last line without a line break was being written when the run was killed

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
        """Appends the answer for a page and flushes it to disk. Raises `CodecError`."""
        self._write({"page": page} | asdict(answer))
        self.answers[page] = answer

    def open(self) -> None:
        """Prepares the file for appending: creates it, or removes an incomplete last line. Raises `CodecError`."""
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

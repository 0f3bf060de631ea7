"""Checks of a memory after each call, against the model."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from foxing.memory import InvalidTime, NotFound, RecalledMessage, StorageError
from foxing.renderer import FoxingError

from .model import BankModel, Finding, Original, check, check_message, resolve
from .outcome import Outcome
from .subject import Subject


class Checks(Subject):
    """Comparison of a memory with the model."""

    def _permit(self, outcome: Outcome, *errors: type[FoxingError]) -> None:
        """Checks that an error is one that may be: by a fault, or one of `errors`."""
        error = outcome.error
        if error is None or isinstance(error, errors):
            return
        if outcome.fault and isinstance(error, StorageError):
            return
        if outcome.clock_times is not None and isinstance(error, InvalidTime):
            return
        raise Finding(f"{type(error).__name__}: {error}") from error

    def exported(self, bank: str) -> list[RecalledMessage]:
        """Returns all messages of a bank, none if it does not exist. Read once until a step may change them."""
        if bank not in self._exports:
            try:
                self._exports[bank] = list(self.memory.export(bank))
            except NotFound:
                self._exports[bank] = []
        return self._exports[bank]

    def verify(self, bank: str) -> None:
        """Compares a bank with the model."""
        model = self.banks.get(bank)
        messages = self.exported(bank)
        if model is None:
            check(not messages, f"bank {bank} is erased, and has {len(messages)} messages")
            return
        before = dict(model.originals)
        resolve(model, messages, self.clock.now)
        for key, original in before.items():
            if key not in model.originals:
                self.erasures[id(original)] = original
        self._verify_records(bank, model)
        for message in messages:
            original = model.originals[message.message_id]
            original.latest = max(original.latest, self.clock.now)
            check_message(original, message)
            self.trace.update(f"{message.message_id} {message.text} {message.kept} {message.source}".encode())
        if messages:
            info = self.memory.bank(bank)
            hidden = sum(
                original.expires_at is not None and original.expires_at <= self.clock.now
                for original in model.originals.values()
            )
            check(
                len(messages) <= info.messages <= len(messages) + hidden,
                f"bank {bank} counts {info.messages} messages, and exports {len(messages)}",
            )

    def _verify_records(self, bank: str, model: BankModel) -> None:
        """Compares the records of a bank with the model, and settles what was not known."""
        if not model.records and model.other_records is None:
            return
        try:
            found = self.memory.records.search(bank, limit=500).records
        except NotFound:
            found = []
        stored = {(tuple(record.namespace), record.key): record.value for record in found}
        if model.other_records is not None and stored == model.other_records:
            model.records = model.other_records
        model.other_records = None
        check(stored == model.records, f"bank {bank} has the records {stored}, not {model.records}")

    def verify_all(self) -> None:
        for bank in list(self.banks):
            self.verify(bank)

    def check_erasures(self, path: Path | None = None) -> None:
        """Checks that nothing of what was erased is in the files of the database, or in the file `path`."""
        alive = {original.word for model in self.banks.values() for original in self._possible(model)}
        files = [self.path, self.path.with_name("foxing.db-wal")] if path is None else [path]
        data = b"\0".join(file.read_bytes() for file in files if file.exists())
        for original in self.erasures.values():
            if original.word and original.word not in alive:
                check(
                    original.word.encode() not in data,
                    f"the word {original.word} of {original.id} is erased, and in a file",
                )

    @staticmethod
    def _possible(model: BankModel) -> Iterator[Original]:
        yield from model.originals.values()
        for group in model.candidates:
            yield from group

    def _tick_clock(self) -> None:
        for model in self.banks.values():
            for original in self._possible(model):
                original.latest = max(original.latest, self.clock.now)

    def _absent(self, bank: str) -> list[type[FoxingError]]:
        """Returns the error of a bank that may not exist."""
        return [] if bank in self.banks and not self.banks[bank].doubtful else [NotFound]

    def _latest(self, outcome: Outcome) -> datetime:
        return self.clock.now if outcome.clock_times is None else outcome.clock_times[1]

    def _skip(self) -> Any:
        return (lambda: None), (lambda outcome: None)

    def _of_bank(self, bank: str, call: Callable[[], Any], *errors: type[FoxingError], sharpens: bool = False) -> Any:
        """Returns a call that changes no words, and its settlement."""

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, *errors, *self._absent(bank))
            model = self.banks.get(bank)
            if sharpens and model is not None:
                for original in model.originals.values():
                    original.last = None
            self.verify(bank)

        return call, settle

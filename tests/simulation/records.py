"""Steps on the records of a bank."""

from collections.abc import Mapping, Sequence
from typing import Any

from foxing.memory import Policy

from .checks import Checks
from .model import BankModel, RecordsModel, check
from .outcome import Outcome


class Records(Checks):
    """Records: written together or not at all, read as they were written, gone with their bank."""

    def _record(self, bank: str, writes: Sequence[Mapping[str, Any]]) -> Any:
        model = self.banks.get(bank)
        before = {} if model is None else dict(model.records)
        after = _written(before, writes)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            own = self.banks.get(bank)
            if own is None:
                own = self.banks[bank] = BankModel(Policy(), doubtful=not outcome.done)
            if outcome.done:
                own.records = after
                own.doubtful = False
            elif outcome.fault:
                own.other_records = after
            self.verify(bank)
            if outcome.done and after != before:
                self._check_search(bank, after, writes[-1])

        return (lambda: self.caller.records.write(bank, list(writes))), settle

    def _check_search(self, bank: str, records: RecordsModel, write: Mapping[str, Any]) -> None:
        """Checks that a record is found by its namespace, and not once it is deleted."""
        namespace = tuple(write["namespace"])
        names = [record.key for record in self.memory.records.search(bank, namespace=namespace, exact=True).records]
        here = sorted(key for stored, key in records if stored == namespace)
        check(sorted(names) == here, f"records of {namespace} in {bank}: {sorted(names)}, not {here}")


def _written(records: RecordsModel, writes: Sequence[Mapping[str, Any]]) -> RecordsModel:
    result = dict(records)
    for write in writes:
        address = tuple(write["namespace"]), write["key"]
        if write["op"] == "put":
            result[address] = write["value"]
        else:
            result.pop(address, None)
    return result

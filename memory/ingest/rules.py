"""Rules of a bank's policy for what is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from cachetools import LRUCache

from foxing.memory.access import Access
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks

from .redaction import Redaction

BANKS = 10_000  # banks whose rules are remembered


@dataclass(frozen=True)
class BankRules:
    """Rules of the policy of a bank: what it redacts, refuses and quarantines."""

    redaction: Redaction = Redaction()  # noqa: RUF009 - it is frozen
    #: Trust classes that are refused.
    refuse: frozenset[str] = frozenset()
    #: Trust classes that are quarantined where rules recognise instructions.
    quarantine: frozenset[str] = frozenset()

    @classmethod
    def of(cls, policy: Mapping[str, Any]) -> "BankRules":
        """Returns the rules of a policy as stored."""
        refuse = frozenset(policy.get("refuse_trust") or ())
        return cls(Redaction.of(policy), refuse, frozenset(policy.get("quarantine_trust") or ()))

    @property
    def for_release(self) -> "BankRules":
        """The rules for messages that are released from quarantine."""
        return replace(self, refuse=frozenset(), quarantine=frozenset())


class RulesOfBanks:
    """Rules of banks as last seen."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rules: LRUCache[str, BankRules] = LRUCache(BANKS)
        self._lock = Lock()

    def of(self, bank: str) -> BankRules:
        """Returns the rules of a bank, which may have changed since they were read."""
        bank = Access.current().full_name(bank)
        with self._lock:
            rules = self._rules.get(bank)
        if rules is None or rules.refuse:  # no transaction would see that a policy no longer refuses a class
            return self.read(bank)
        return rules

    def read(self, bank: str) -> BankRules:
        """Returns the rules of a bank as they are."""
        bank = Access.current().full_name(bank)
        with self._database.read() as connection:
            row = banks.find(connection, bank)
        rules = BankRules.of(row.policy if row is not None else {})
        self.note(bank, rules)
        return rules

    def note(self, bank: str, rules: BankRules) -> None:
        """Notes the rules of a bank. `bank`: full name."""
        with self._lock:
            self._rules[bank] = rules

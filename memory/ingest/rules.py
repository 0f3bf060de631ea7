"""Rules of a bank's policy for what is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .redaction import Redaction


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

"""Access of the caller of the current request: its role, and the banks that exist for it.

Callers in process have full access. A service limits each request to that of its key; repositories find no other bank.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .errors import Forbidden, NotFound
from .values.keys import ROLES, KeyInfo, KeyRole

#: Number of patterns of a key that an error names.
PATTERNS_NAMED = 5


@dataclass(frozen=True)
class Access:
    """Role and banks of a caller."""

    role: KeyRole = "admin"
    #: Patterns of the names of its banks; None for all banks.
    banks: Sequence[str] | None = None

    @classmethod
    def of(cls, key: KeyInfo) -> "Access":
        """Returns the access that a key gives."""
        return cls(key.role, key.banks)

    @staticmethod
    def current() -> "Access":
        """Returns the access of the current request; full access outside of requests."""
        return _current.get() or _FULL

    @contextmanager
    def limiting(self) -> Iterator[None]:
        """Limits the calls of the block, and of the threads and tasks that anyio starts in it, to this access."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def limit(self) -> None:
        """Limits the rest of the enclosing `limiting` block to this access."""
        _current.set(self)

    def sees(self, bank: str) -> bool:
        """Returns True if a bank of this name may exist for the caller."""
        return self.banks is None or any(fnmatchcase(bank, pattern) for pattern in self.banks)

    def permits(self, role: KeyRole) -> bool:
        """Returns True if the caller may do what needs a role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def check(self, role: KeyRole, what: str, bank: str | None = None) -> None:
        """Raises `Forbidden` if `what` needs more than the role of the caller, and `NotFound` if a bank cannot exist
        for it."""
        if not self.permits(role):
            raise Forbidden(f"{what} needs a key of the role {role}, and this key has {self.role}; use another key")
        if bank is not None and not self.sees(bank):
            raise self.no_bank(bank)

    def no_bank(self, name: str, similar: str | None = None) -> NotFound:
        """Returns the error for a bank that does not exist for the caller. `similar`: name of one that it may mean."""
        hint = "a bank is created with its first message or its policy"
        if similar:
            hint = f"did you mean '{similar}'?"
        elif self.banks is not None and not self.sees(name):
            patterns = " or ".join(self.banks[:PATTERNS_NAMED])
            hint = f"this key opens banks named {patterns}{' …' if len(self.banks) > PATTERNS_NAMED else ''}"
        return NotFound(f"there is no bank '{name}'; {hint}")


_current: ContextVar[Access | None] = ContextVar("access", default=None)
_FULL = Access()

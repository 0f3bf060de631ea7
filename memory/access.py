"""Access of the caller of the current request: its role, and the banks that exist for it.

Callers in process have full access. A service limits each request to that of its key; repositories find no other bank.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .errors import Forbidden
from .values.keys import ROLES, Role


@dataclass(frozen=True)
class Access:
    """What a caller may do."""

    role: Role = "admin"
    #: Patterns of the names of its banks; None for all banks.
    banks: Sequence[str] | None = None

    def sees(self, bank: str) -> bool:
        """Returns True if a bank of this name may exist for the caller."""
        return self.banks is None or any(fnmatchcase(bank, pattern) for pattern in self.banks)

    def check(self, role: Role, what: str) -> None:
        """Raises `Forbidden` if `what` needs more than the role of the caller."""
        if ROLES.index(self.role) < ROLES.index(role):
            raise Forbidden(f"{what} needs a key of the role {role}, and this key has {self.role}; use another key")


_current: ContextVar[Access | None] = ContextVar("access", default=None)
_FULL = Access()


def current() -> Access:
    """Returns the access of the current request; full access outside of requests."""
    return _current.get() or _FULL


@contextmanager
def limited_to(access: Access) -> Iterator[None]:
    """Limits the calls of the block, and of the threads and tasks that it starts by anyio, to an access."""
    token = _current.set(access)
    try:
        yield
    finally:
        _current.reset(token)

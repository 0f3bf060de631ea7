"""Access of the caller of the current request: its role, and the banks that exist for it.

Callers in process have full access. A service limits each request to that of its key; repositories find no other bank.

A bank of a tenant has the full name `tenant~name`, of which callers of the tenant may leave out `tenant~`. All that is
stored, kept or logged by the name of a bank has the full one, so that tenants who use the same names never meet.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias, get_args

from .errors import Forbidden, NotFound

KeyRole: TypeAlias = Literal["read", "write", "admin"]
#: Roles in ascending order: each permits what those before it permit.
ROLES: Final[tuple[KeyRole, ...]] = get_args(KeyRole)
#: Number of patterns of a key that an error names.
PATTERNS_NAMED = 5
#: Ends the tenant in the full name of a bank.
TENANT_MARK = "~"


@dataclass(frozen=True)
class Access:
    """Role and banks of a caller."""

    role: KeyRole = "admin"
    #: Patterns of the names of its banks, without its tenant; None for all banks.
    banks: Sequence[str] | None = None
    #: Tenant that it belongs to, whose banks alone exist for it; None for an operator, for whom all exist.
    tenant: str | None = None
    #: Id of its key; None for a caller in process, and for the key of the settings.
    key_id: str | None = None
    #: Limits of the key, beside those of its tenant; None for none.
    requests_per_s: float | None = None
    recalls_at_once: int | None = None

    @staticmethod
    def current() -> "Access":
        """Returns the access of the current request; full access outside of requests."""
        return _current.get() or _FULL

    @staticmethod
    def in_context(context: Context) -> "Access":
        """Returns the access of the request to which a context belongs."""
        return context.get(_current) or _FULL

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

    def full_name(self, bank: str) -> str:
        """Returns the full name of a bank that the caller calls `bank`."""
        own = self.tenant is None or bank.startswith(self.tenant + TENANT_MARK)
        return bank if own else f"{self.tenant}{TENANT_MARK}{bank}"

    def own_name(self, full_name: str) -> str:
        """Returns the name by which the caller calls a bank of its own."""
        return full_name if self.tenant is None else full_name.removeprefix(self.tenant + TENANT_MARK)

    def sees(self, full_name: str) -> bool:
        """Returns True if a bank of this full name may exist for the caller."""
        if self.tenant is not None and tenant_of(full_name) != self.tenant:
            return False
        name = self.own_name(full_name)
        return self.banks is None or any(fnmatchcase(name, pattern) for pattern in self.banks)

    def permits(self, role: KeyRole) -> bool:
        """Returns True if the caller may do what needs a role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def check(self, role: KeyRole, what: str, bank: str | None = None) -> None:
        """Raises `Forbidden` if `what` needs more than the role of the caller, and `NotFound` if a bank cannot exist
        for it."""
        if not self.permits(role):
            raise Forbidden(f"{what} needs a key of the role {role}, and this key has {self.role}; use another key")
        if bank is not None and not self.sees(self.full_name(bank)):
            raise self.no_bank(bank)

    def no_bank(self, name: str, similar: str | None = None) -> NotFound:
        """Returns the error for a bank that does not exist for the caller. `similar`: name of one that it may mean."""
        hint = "a bank is created with its first message or its policy"
        if similar:
            hint = f"did you mean '{self.own_name(similar)}'?"
        elif self.banks is not None and not self.sees(self.full_name(name)):
            patterns = " or ".join(self.banks[:PATTERNS_NAMED])
            hint = f"this key opens banks named {patterns}{' …' if len(self.banks) > PATTERNS_NAMED else ''}"
        return NotFound(f"there is no bank '{self.own_name(name)}'; {hint}")


def tenant_of(full_name: str) -> str | None:
    """Returns the tenant that a bank belongs to; None if it belongs to none."""
    tenant, mark, _ = full_name.partition(TENANT_MARK)
    return tenant if mark else None


_current: ContextVar[Access | None] = ContextVar("access", default=None)
_FULL = Access()

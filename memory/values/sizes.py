"""Sizes of a database, and its connections."""

from collections.abc import Mapping
from typing import NamedTuple


class TenantSizes(NamedTuple):
    """Sizes of a tenant: banks, and messages stored."""

    banks: int
    #: New messages of all days, and their bytes; erasing takes nothing off.
    messages: int
    bytes: int


class DatabaseSizes(NamedTuple):
    """Sizes of a database."""

    bytes: int
    #: Tenant → its sizes; "" for no tenant.
    tenants: Mapping[str, TenantSizes]


class PoolSizes(NamedTuple):
    """Connections of a process to its database."""

    in_use: int
    idle: int
    #: Maximum number of both.
    limit: int

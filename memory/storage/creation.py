"""Creation of the tables in an empty database and, on PostgreSQL, of row-level security by bank owner and tenant.

The policies do not apply to the role that owns the tables. Other roles see the banks of the owner set in
`foxing.owner`, or banks without an owner if none is set; in a transaction with `foxing.tenant`, those of the tenant.
"""

import os

from sqlalchemy import Column, Connection, MetaData, String, Table, text

from . import schema
from .dialects import POSTGRESQL, dialect_of

_OWNER = "nullif(current_setting('foxing.owner', true), '')"
_TENANT = "nullif(current_setting('foxing.tenant', true), '')"
#: Table → condition on rows that a transaction for a tenant may read. The chain of audit events is of all tenants.
_OF_TENANT = {
    "banks": f"tenant = {_TENANT}",
    "api_keys": f"tenant = {_TENANT}",
    "audit_events": f"tenant = {_TENANT}",
    "audit_chain": "FALSE",
    "bank_jobs": f"tenant = {_TENANT}",
    "tenants": f"name = {_TENANT}",
    "usage_days": f"tenant = {_TENANT}",
    # those of the operator keep its banks too
    "holds": f"(tenant = {_TENANT} OR (tenant IS NULL AND (bank_id IS NULL OR EXISTS "
    "(SELECT 1 FROM banks WHERE banks.id = holds.bank_id))))",
}
#: Alembic's table of the revision, with the oldest revision of a program that may use the database.
_revision = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True), Column("oldest", String(32))
)


def create_tables(connection: Connection, revision: str, oldest: str) -> None:
    """Creates all tables, at this revision, for programs whose revision is `oldest` or later, and the secret key of
    digests, which stays in the database."""
    for metadata in (schema.metadata, _revision.metadata):
        metadata.create_all(connection, checkfirst=False)
    connection.execute(_revision.insert().values(version_num=revision, oldest=oldest))
    connection.execute(schema.secrets.insert().values(name="digests", value=os.urandom(32)))
    if dialect_of(connection) is POSTGRESQL:
        _create_owner_policies(connection)


def _create_owner_policies(connection: Connection) -> None:
    """Enables row-level security on all tables that hold data of banks or of tenants. Rows of banks belong to the owner
    in their own column, or to that of their bank or page."""
    conditions = {}
    for name, table in schema.metadata.tables.items():
        if "bank_id" in table.c:
            conditions[name] = f"EXISTS (SELECT 1 FROM banks WHERE banks.id = {name}.bank_id)"
        elif "page_id" in table.c:
            conditions[name] = f"EXISTS (SELECT 1 FROM pages WHERE pages.id = {name}.page_id)"
    statements = [f"ALTER TABLE {table} ADD {column} VARCHAR(200)" for table, column in schema.POLICY_COLUMNS]
    for name in ("banks", *(table for table, _ in schema.POLICY_COLUMNS)):
        statements.append(f"ALTER TABLE {name} ALTER owner SET DEFAULT {_OWNER}")
        conditions[name] = f"owner IS NOT DISTINCT FROM {_OWNER}"
    for name, condition in _OF_TENANT.items():
        of_tenant = f"({_TENANT} IS NULL OR {condition})"
        conditions[name] = f"{conditions[name]} AND {of_tenant}" if name in conditions else of_tenant
    for name, condition in conditions.items():
        statements.append(f"CREATE POLICY owner ON {name} USING ({condition})")
        statements.append(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    own_holds = f"{_TENANT} IS NULL OR tenant = {_TENANT}"  # those of the operator are read, and not written
    for command, clause in (("INSERT", "WITH CHECK"), ("UPDATE", "USING"), ("DELETE", "USING")):
        name = f"tenant_{command.lower()}"
        statements.append(f"CREATE POLICY {name} ON holds AS RESTRICTIVE FOR {command} {clause} ({own_holds})")
    for statement in statements:
        connection.execute(text(statement))

"""Baseline: the schema with which databases of this version are created, see `foxing.memory.storage.creation`. It is
copied here at the first release, after which a database may be at an earlier schema than that of its program."""

revision = "2026_12_02_1430"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Raises `NotImplementedError`: there is no earlier schema to upgrade."""
    raise NotImplementedError("there is no earlier schema")

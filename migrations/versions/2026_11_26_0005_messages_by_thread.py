"""An index that finds the messages before and after one in its thread."""

from alembic import op

revision = "2026_11_26_0005"
down_revision = "2026_11_26_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_messages_thread_id", "messages", ["thread_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_messages_thread_id", "messages")

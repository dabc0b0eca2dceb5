"""What is pressing goes first in its lane, and what was begun is finished before it.

What waits when this is migrated keeps its place: it is ordinary.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OPEN = sa.text("state IN ('queued', 'running')")


def upgrade() -> None:
    op.add_column("tasks", sa.Column("rank", sa.SmallInteger(), server_default="3", nullable=False))
    op.add_column("tasks", sa.Column("doubts", sa.Integer(), server_default="0", nullable=False))
    op.drop_index("ix_tasks_open", "tasks")
    place = ["lane", "rank", "event_seq", "seq"]
    op.create_index("ix_tasks_open", "tasks", place, sqlite_where=_OPEN, postgresql_where=_OPEN)

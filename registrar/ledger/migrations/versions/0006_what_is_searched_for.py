"""What people search the record for has an index: events by who and what, promotions by age and state."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_DROPPED = sa.text("state = 'dropped'")
_INDEXES = {
    "ix_events_source": ("events", ["source", "seq"]),
    "ix_events_type": ("events", ["type", "seq"]),
    "ix_events_actor": ("events", ["actor", "seq"]),
    "ix_events_about": ("events", ["model", "seq"]),
    "ix_promotions_newest": ("promotions", ["created_at", "id"]),
    "ix_promotions_state": ("promotions", ["state", "created_at", "id"]),
    "ix_promotions_about": ("promotions", ["model", "created_at", "id"]),
}


def upgrade() -> None:
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns)
    op.create_index("ix_tasks_dropped", "tasks", ["event_seq"], sqlite_where=_DROPPED, postgresql_where=_DROPPED)
    op.drop_index("ix_promotions_model", "promotions")

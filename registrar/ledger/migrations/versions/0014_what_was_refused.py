"""What was refused is apart from what failed: it has a state of its own, and is found by it.

What ended before stays as it ended: a refused act as failed, a vote that did not count as succeeded.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_REFUSED = sa.text("state = 'refused'")


def upgrade() -> None:
    op.create_index("ix_tasks_refused", "tasks", ["event_seq"], sqlite_where=_REFUSED, postgresql_where=_REFUSED)

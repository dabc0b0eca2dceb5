"""Rename columns and tasks to the words of the field: dispatch instead of bell, revert, discard, resend.

No row is lost and no value changes but a task's name. Messages of the old names that the broker still holds are taken
by the worker (worker/celery_tasks.py). Journal entries keep the name that a task had when they were written.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TASKS = {
    "worker.put_back": "worker.revert_drift",
    "worker.drop": "worker.discard_task",
    "worker.answer": "worker.answer_github_protection_rule",
    "worker.replay": "worker.resend",
}
_ANSWERS = sa.text("name = 'worker.answer_github_protection_rule'")


def upgrade() -> None:
    # Both databases rename a column in place; SQLite since 3.25. Alembic's batch would copy the table.
    op.execute("ALTER TABLE tasks RENAME COLUMN ring_at TO dispatch_at")
    op.execute("ALTER TABLE heartbeats RENAME COLUMN last_bell_at TO last_dispatched_at")
    op.drop_index("ix_tasks_answers", "tasks")
    table = sa.table("tasks", sa.column("name", sa.String))
    for old, new in _TASKS.items():
        op.execute(table.update().where(table.c.name == old).values(name=new))
    op.create_index("ix_tasks_answers", "tasks", ["lane"], sqlite_where=_ANSWERS, postgresql_where=_ANSWERS)

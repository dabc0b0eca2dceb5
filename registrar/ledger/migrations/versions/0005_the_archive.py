"""Old events go into archive files; what is asked for all the time, and what is about to be deleted, has an index."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FAILED = sa.text("state IN ('failed', 'dead')")
_ANSWER = sa.text("name = 'worker.answer'")
# Whoever deletes an event must find what refers to it.
_REFERRING = {
    "ix_promotions_event": ("promotions", "event_id"),
    "ix_deployments_event": ("deployments", "event_id"),
    "ix_deployments_ended_by": ("deployments", "ended_by"),
    "ix_votes_event": ("votes", "event_id"),
    "ix_holders_event": ("holders", "event_id"),
    "ix_holders_until_event": ("holders", "until_event_id"),
    "ix_journal_event": ("journal", "event_id"),
}


def upgrade() -> None:
    _archive()
    op.drop_index("ix_events_model", "events")
    op.create_index("ix_events_model", "events", ["model", "type", "seq"])
    op.create_index("ix_tasks_failed", "tasks", ["finished_at", "seq"], sqlite_where=_FAILED, postgresql_where=_FAILED)
    op.create_index("ix_tasks_answers", "tasks", ["lane"], sqlite_where=_ANSWER, postgresql_where=_ANSWER)
    for name, (table, column) in _REFERRING.items():
        op.create_index(name, table, [column])


def _archive() -> None:
    op.create_table(
        "archives",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_archives")),
        sa.UniqueConstraint("name", name=op.f("uq_archives_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "archived",
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("delivery_id", sa.String(length=256), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("archive_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["archive_seq"], ["archives.seq"], name=op.f("fk_archived_archive_seq")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_archived")),
    )
    op.create_index("uq_archived_delivery", "archived", ["source", "delivery_id", "position"], unique=True)

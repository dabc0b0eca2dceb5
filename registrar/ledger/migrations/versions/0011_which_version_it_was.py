"""Records about versions say which one they are about, as the registry made it.

What is there already has no such note, and gets none: it was not known. It is about the version of today where it began
after the registry made that one, and the run is the same where both are known; a worker finds out when it sees it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_RECORDS = ("holders", "promotions", "deployments")
_DISPUTES = sa.text("kind IN ('record.disputed', 'record.settled')")


def upgrade() -> None:
    op.create_table(
        "incarnations",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("model", sa.String(length=250), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("run_id", sa.String(length=256), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("registry", sa.Text(), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_incarnations_event_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_incarnations")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_incarnations_version", "incarnations", ["model", "version", "seq"])
    op.create_index("ix_incarnations_event", "incarnations", ["event_id"])
    for table in _RECORDS:
        reference = sa.ForeignKey("incarnations.seq", name=op.f(f"fk_{table}_incarnation"))
        if op.get_bind().dialect.name == "sqlite":  # which adds no constraint by name, and takes this with the column
            op.execute(f"ALTER TABLE {table} ADD COLUMN incarnation BIGINT REFERENCES incarnations (seq)")
        else:
            op.add_column(table, sa.Column("incarnation", sa.BigInteger(), reference, nullable=True))
    op.add_column("holders", sa.Column("until_because", sa.Text(), nullable=True))
    op.add_column("looks", sa.Column("registry", sa.Text(), nullable=True))
    op.create_index(
        "ix_journal_disputes", "journal", ["model", "seq"], sqlite_where=_DISPUTES, postgresql_where=_DISPUTES
    )

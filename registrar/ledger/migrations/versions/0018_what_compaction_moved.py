"""Note which file has an event's tasks, and where the journal goes on after the entries that are in files.

The journal stays append-only, but for entries that a file has: the triggers let them go once the file's digest is
noted. Its newest entry never goes, as the next one continues it; nor do disputes and the texts of policies.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_REFUSED = "the journal is append-only"
_GENESIS = "0" * 64
_STAYS = "('record.disputed', 'record.settled', 'policy.used')"
_ARCHIVED = f"""
    OLD.seq <= coalesce((SELECT max(until_seq) FROM archives WHERE sha256 IS NOT NULL), 0)
    AND OLD.seq < (SELECT max(seq) FROM journal) AND OLD.kind NOT IN {_STAYS}
"""  # noqa: S608 (constants)
_CONTINUES = f"""
    NEW.seq = (SELECT coalesce(max(seq), 0) + 1 FROM journal)
    AND NEW.previous = coalesce((SELECT hash FROM journal ORDER BY seq DESC LIMIT 1), '{_GENESIS}')
"""  # noqa: S608 (constants)
_SQLITE = (
    "DROP TRIGGER journal_delete",
    f"""CREATE TRIGGER journal_delete BEFORE DELETE ON journal WHEN NOT ({_ARCHIVED})
    BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",
)
_POSTGRESQL = (
    f"""CREATE OR REPLACE FUNCTION journal_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF {_CONTINUES} THEN RETURN NEW; END IF;
            RAISE EXCEPTION '{_REFUSED}: an entry continues the chain';
        ELSIF TG_OP = 'DELETE' THEN
            IF {_ARCHIVED} THEN RETURN OLD; END IF;
        END IF;
        RAISE EXCEPTION '{_REFUSED}';
    END $$""",
)


def upgrade() -> None:
    # Not by batch_alter_table: SQLite would copy the tables, and here both say the same.
    op.execute("ALTER TABLE archives ADD COLUMN until_seq BIGINT")
    op.execute("ALTER TABLE archives ADD COLUMN until_hash VARCHAR(64)")
    op.execute(
        "ALTER TABLE events ADD COLUMN archive_seq BIGINT CONSTRAINT fk_events_archive_seq REFERENCES archives (seq)"
    )
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)

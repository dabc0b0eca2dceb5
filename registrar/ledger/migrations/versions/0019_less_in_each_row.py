"""Less in each row: journal entries leave out what other columns and entries say (journal/stored.py), indexes the id.

Entries that are there stay as they are: a migration never rewrites history. The triggers let an entry come without the
hash of the one before; one that has it must still have the right one. The fill factor counts for new pages.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_REFUSED = "the journal is append-only"
_GENESIS = "0" * 64
_CONTINUES = f"""
    NEW.seq = (SELECT coalesce(max(seq), 0) + 1 FROM journal)
    AND NEW.previous IN ('', coalesce((SELECT hash FROM journal ORDER BY seq DESC LIMIT 1), '{_GENESIS}'))
"""  # noqa: S608 (constants)
# As in 0018.
_ARCHIVED = """
    OLD.seq <= coalesce((SELECT max(until_seq) FROM archives WHERE sha256 IS NOT NULL), 0)
    AND OLD.seq < (SELECT max(seq) FROM journal)
    AND OLD.kind NOT IN ('record.disputed', 'record.settled', 'policy.used')
"""
_SQLITE = (
    "DROP TRIGGER journal_insert",
    f"""CREATE TRIGGER journal_insert BEFORE INSERT ON journal WHEN NOT ({_CONTINUES})
    BEGIN SELECT RAISE(ABORT, '{_REFUSED}: an entry continues the chain'); END""",
)
_POSTGRESQL = (
    # Room in each page for the next version of its rows: a task's row is written three times. An update within a page
    # writes to the WAL what differs, and one into another page the whole row.
    "ALTER TABLE tasks SET (fillfactor = 80)",
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


_PROMOTIONS = {
    "ix_promotions_about": ["model", "created_at"],
    "ix_promotions_newest": ["created_at"],
    "ix_promotions_state": ["state", "created_at"],
}


def upgrade() -> None:
    for name, columns in _PROMOTIONS.items():  # without the id, which no two promotions of one time are many enough for
        op.drop_index(name, "promotions")
        op.create_index(name, "promotions", columns)
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)

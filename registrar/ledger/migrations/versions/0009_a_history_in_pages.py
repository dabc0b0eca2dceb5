"""A model's history is read from its newest end, a page at a time; so is that of one stage or alias."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_holders_about", "holders", ["model", "seq"])
    op.create_index("ix_holders_place", "holders", ["model", "kind", "key", "seq"])
    op.drop_index("ix_holders_model", "holders")

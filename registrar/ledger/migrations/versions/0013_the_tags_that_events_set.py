"""The state of a version has the tags that events gave it: by the tag's name, which may be longer than the keys before.

Which event gave the tags of before is not carried over: they count as nobody's.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("version_states", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("key", type_=sa.String(300), existing_type=sa.String(64), existing_nullable=False)

"""Which records are about a model that was deleted in the registry: another was made anew under its name.

Its versions count from 1 again, so that the same number stands for two versions. It is told by the times at which the
registry made those that were noted; of a model that nobody has seen a version of since, it is not known.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from registrar.ledger.tables import incarnations


def made_anew_at(connection: Connection, models: Iterable[str]) -> dict[str, datetime]:
    """By model: since when it is there, for those that were made anew. What the record has of before is another's."""
    columns = (incarnations.c.model, incarnations.c.version, incarnations.c.created_at)
    before = func.max(incarnations.c.version).over(
        partition_by=incarnations.c.model,
        order_by=(incarnations.c.created_at, incarnations.c.seq),
        rows=(None, -1),
    )
    noted = select(*columns, before.label("before")).where(incarnations.c.model.in_(set(models))).subquery()
    begins = noted.c.version <= noted.c.before  # else numbers grow with time
    query = select(noted.c.model, func.max(noted.c.created_at).label("at")).where(begins).group_by(noted.c.model)
    return {row.model: row.at for row in connection.execute(query)}


def of_deleted(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> dict[str, datetime]:
    """By the id of each promotion whose model was deleted: when the one of today was made. rows: of promotions."""
    rows = list(rows)
    anew = made_anew_at(connection, {row["model"] for row in rows})
    asked = [row for row in rows if row["model"] in anew]
    numbers = {row["incarnation"] for row in asked} - {None}
    query = select(incarnations.c.seq, incarnations.c.created_at).where(incarnations.c.seq.in_(numbers))
    made = {row.seq: row.created_at for row in connection.execute(query)} if numbers else {}
    return {
        row["id"]: anew[row["model"]]
        for row in asked
        if made.get(row["incarnation"], row["created_at"]) < anew[row["model"]]
    }

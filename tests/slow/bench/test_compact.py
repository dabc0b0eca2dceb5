"""The bench of compaction measures what it says: a past as the worker writes it, which is proven, and what goes."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from registrar.ledger import tables
from registrar.ledger.journal.verify import verify
from tests.bench import compact
from tests.bench.main_job_past import fill
from tests.bench.options import Options


@pytest.mark.both_ledgers
def test_a_past_of_main_jobs_is_proven(ledger):
    template = fill(ledger, 40, models=4, until=datetime.now(UTC), days=365)
    with ledger.read() as connection:
        count = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.events, tables.tasks, tables.promotions, tables.incarnations)
        }
        open_ = connection.execute(
            select(func.count())
            .select_from(tables.holders)
            .where(tables.holders.c.key == "Staging", tables.holders.c.until.is_(None))
        ).scalar_one()
    with ledger.read() as connection:
        verify(connection)
    assert count == {"events": 40, "tasks": 40 * template.tasks, "promotions": 40, "incarnations": 40}
    assert open_ == 4


def test_each_ledger_is_smaller_the_fewer_days_stay_whole(monkeypatch):
    monkeypatch.setattr(compact, "WHOLE", (365, 90, 7))
    result = compact.measure(Options(ledgers=("sqlite",), events=60))
    gb = [float(row[3]) for row in result.table.rows]
    assert gb == sorted(gb, reverse=True)
    assert gb[-1] < gb[0]

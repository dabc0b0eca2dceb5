"""No page reads all that was ever done: each of its queries looks things up, or reads a few from the newest end."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from registrar.ledger import tables
from tests.bench.filling import fill
from tests.dashboard.conftest import House
from tests.ledger.test_plans import FEW, GROWING, _sqlite

# The newest promotions are read from this one's end, as far as a page goes; of disputes there are few.
FEW_ROWS = FEW | {"uq_holders_open", "ix_tasks_dropped", "ix_promotions_newest", "ix_journal_disputes"}
FILLED = 3000
# From the newest row on, and no further than the limit.
_FROM_THE_END = re.compile(r"FROM (\w+) \n?\s*ORDER BY \1\.seq DESC\s+LIMIT")
PAGES = [
    "/",
    "/events",
    "/events?before=1000",
    "/events?model=model-3",
    "/events?source=ci&type=training_run.finished&actor=source:ci",
    "/events?state=dead",
    "/events?since=2025-09-01T10:00&until=2025-09-01T12:00",
    "/events/{event}",
    "/promotions",
    "/promotions?show=mine",
    "/promotions?show=decided",
    "/promotions?show=all",
    "/promotions?state=failed",
    "/promotions?model=model-3",
    "/promotions/{promotion}",
    "/models",
    "/models/model-3",
    "/models/model-3?before=2000&metric=rmse",
    "/models/{model}/compare?a={version}&b={other}",
    "/models/{model}/versions/{version}",
    "/models/{model}/rollback",
    "/dead",
    "/dead?before=2027-01-01T00:00:00%2B00:00~1000",
    "/dead/{task}",
    "/rejections",
    "/rejections?before=100",
    "/audit",
    "/audit?model=model-3",
    "/find?q=model-3",
    "/find?q={task}",
    "/find?q=odel",
    "/find?q=model-3+{version}",
    "/find?q=source:",
    "/find?q=evt_",
    "/find?q=tsk_1",
    "/find?q=prm_1",
    "/find?q=4c8ef2a1b5",
    "/find?q=run-7",
    "/find?q=nothing+at+all",
    "/models/modell-3",
]


@pytest.fixture
def scans(house: House) -> Iterator[list[str]]:
    """What a page's queries read without looking it up."""
    fill(house.ledger, FILLED, models=30, versions=True)
    with house.ledger.write() as connection:  # the newest of each model goes on, so that it can be rolled back
        newest = select(func.max(tables.holders.c.seq)).group_by(tables.holders.c.model)
        connection.execute(update(tables.holders).where(tables.holders.c.seq.in_(newest)).values(until=None))
    found: list[str] = []

    def listen(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith(("SELECT", "WITH")):
            return
        own = connection.connection.cursor()
        bounded = set(_FROM_THE_END.findall(statement))
        for step in _sqlite(own, statement, parameters):
            known = step["by"] or step["index"] in FEW_ROWS or step["table"] in bounded
            if step["table"] in GROWING and not known:
                found.append(f"{step['table']} by {step['index']}: {statement}")
        own.close()

    engine = house.client.application.extensions["ledger"].engine
    event.listen(engine, "before_cursor_execute", listen)
    yield found
    event.remove(engine, "before_cursor_execute", listen)


@pytest.mark.parametrize("path", PAGES)
def test_no_page_reads_a_growing_table_from_end_to_end(house: House, scans: list[str], path: str):
    with house.ledger.read() as connection:
        ids = {
            name: connection.execute(select(table.c.id).limit(1)).scalar_one()
            for name, table in (("event", tables.events), ("promotion", tables.promotions), ("task", tables.tasks))
        }
        held = connection.execute(select(tables.holders.c.model, tables.holders.c.version).limit(1)).one()
        of_model = select(tables.holders.c.version).where(tables.holders.c.model == held.model)
        other = connection.execute(of_model.where(tables.holders.c.version != held.version).limit(1)).scalar_one()
    ids |= {"model": held.model, "version": held.version, "other": other}
    is_search = path.startswith(("/find", "/models/modell"))
    assert house.get(path.format(**ids)).status_code in ((200, 303, 404) if is_search else (200, 303))
    assert scans == []


def test_a_scan_would_be_found(house: House, scans: list[str]):
    with house.client.application.extensions["ledger"].read() as connection:
        connection.execute(select(tables.events.c.id).where(tables.events.c.body_sha256 == "0")).all()
    assert len(scans) == 1

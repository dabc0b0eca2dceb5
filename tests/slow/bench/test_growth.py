"""The benches of growth measure what they say: the past is of the size, and what is done is really done."""

from itertools import pairwise

import pytest
from mlflow import MlflowClient
from sqlalchemy import func, select

from registrar.ledger import tables
from tests.bench import growth, versions
from tests.bench.filling import fill
from tests.bench.options import Options
from tests.mlflow_server import serve, train

LITTLE = Options(rounds=1, seconds=0.5)


def test_both_ledgers_and_all_sizes_are_measured(monkeypatch):
    monkeypatch.setattr(growth, "SIZES", (1, 300))
    result = growth.measure(LITTLE)
    assert [(row[0], row[1]) for row in result.table.rows] == [
        (name, what) for name in ("sqlite", "postgresql") for what in growth.WHAT
    ]
    assert all(figure > 0 for row in result.table.rows for figure in row[2:])


@pytest.mark.both_ledgers
def test_a_past_is_as_large_as_it_is_said_to_be(ledger):
    fill(ledger, 2000, models=20)
    with ledger.read() as connection:
        count = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.events, tables.tasks, tables.holders, tables.rejections, tables.archived)
        }
    assert count == {"events": 2000, "tasks": 4002, "holders": 200, "rejections": 200, "archived": 2000}


def test_versions_written_into_the_database_are_as_those_of_the_api(tmp_path):
    with serve(tmp_path) as address:
        client = MlflowClient(address)
        client.create_registered_model("taxi")
        first, fourth = train(client), train(client)
        client.create_model_version("taxi", f"runs:/{first}/model", first, tags={"a": "b"}, description="d")
        versions.grow(tmp_path / "mlflow.db", "taxi", 3)
        third = client.get_model_version("taxi", 3)
        assert (third.current_stage, third.tags, third.description, third.status) == ("None", {"a": "b"}, "d", "READY")
        ages = [client.get_model_version("taxi", n).last_updated_timestamp for n in (1, 2, 3)]
        assert [later - earlier for earlier, later in pairwise(ages)] == [versions.EVERY_MS] * 2
        assert int(client.create_model_version("taxi", f"runs:/{fourth}/model", fourth).version) == 4
        assert [int(v.version) for v in client.search_model_versions(f"run_id = '{third.run_id}'")] == [3]


def test_the_versions_bench_registers_moves_and_plans(monkeypatch):
    monkeypatch.setattr(versions, "SIZES", (2, 5))
    result = versions.measure(LITTLE)
    assert [row[0] for row in result.table.rows] == [versions._said(name) for name in versions.NAMES]

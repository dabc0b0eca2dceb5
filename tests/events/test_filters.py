"""Searches that an event brings: what is taken MLflow can read and do; the rest is refused with a sentence."""

import itertools
import re

import pytest
from mlflow.exceptions import MlflowException
from mlflow.utils.search_utils import SearchUtils
from pydantic import ValidationError

from registrar.events.types import parse
from registrar.events.types.filters import MOST_CLAUSES, MOST_DATASETS, MOST_ORDERS, checked_filter, checked_order
from tests.mlflow_server import train
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import RetryableError

MANY = " and ".join(["metrics.rmse < 7"] * 70)
LARGE = "attributes.start_time > " + "9" * 30
REFUSED = {
    MANY: "has 70 comparisons, and 20 at most",
    LARGE: "too large: a time is milliseconds",
    "metrics.rmse < 1e999": "larger than any number",
    f"metrics.rmse < {'1' * 400}": "larger than any number",
    "metrics.rmse is small": "a comparison is like metrics.rmse < 7",
    "metrics.rmse < 7 or metrics.rmse > 9": "joined by 'and' alone",
    "(metrics.rmse < 7)": "a comparison is like",
    "metrics.rmse < 7;": "joined by 'and' alone",
    "metrics.rmse < '7'": "compared by < with a number, not with '7'",
    "params.depth = 5": "compared by = with a text in quotes, not with 5",
    "params.depth > '5'": "> does not go with the param 'depth'",
    "metrics.val-loss < 1": "is not understood",
    "metric_s.rmse < 7": "is nothing that a run has: it has metrics, parameters, tags, attributes, datasets",
    "attributes.owner = 'ada'": "'owner' is no attribute of a run",
    "rmse < 7": "'rmse' is no attribute of a run; did you mean metrics.rmse, or params.rmse?",
    "attributes.status IN ('FINISHED')": "IN does not go with the attribute 'status'",
    r"run_id IN ('\x00')": "is not understood",
    "run_id IN (a, b)": "is not understood",
    "run_id = ('a', 'b')": "compared by = with a text in quotes",
    "run_id IN 'a'": "compared by IN with ('a', 'b'), not with 'a'",
    r"params.path LIKE 'c:\'": "ends with a backslash, which PostgreSQL refuses",
    "metrics.rmse IS NULL": "IS NULL does not go with the metric",
    "datasets.size = 'x'": "a dataset has no 'size'",
    " ": "a comparison is like",
    " and ".join(["dataset.name = 'x'"] * 6): "compares datasets 6 times, and 5",
    "metrics.rmse < 7 and": "is not understood",
    "metrics.rmse < 7 -- so": "joined by 'and' alone",
}
TAKEN = [
    "",
    " metrics.rmse < 7 ",
    "metrics.rmse < 7",
    "metrics.`val loss` <= -1.5e-3 AND params.\"max depth\" = '5'",
    "tags.mlflow.source.name ilike '%train.py'",
    "tags.`mlflow.source.git.commit` = 'abc'",
    "start_time > 1764547200000 and attributes.status = 'FINISHED'",
    "run_id IN ('a', 'b') and params.x IS NOT NULL",
    "datasets.name NOT IN ('old')",
    "run.run_name = 'it''s'",
    " and ".join([*["datasets.context = 'train'"] * MOST_DATASETS, *["tags.x = '1'"] * (MOST_CLAUSES - MOST_DATASETS)]),
    " and ".join(f"metrics.m{n} < 7" for n in range(MOST_CLAUSES)),
]
ORDERS = {
    "metrics.rmse ASC NULLS FIRST": "an order is like 'metrics.rmse ASC'",
    "metrics.`rmse": "an order is like",
    "metrics.rmse; drop": "an order is like",
    "datasets.name": "does not order by datasets",
    "attributes.owner": "no attribute of a run",
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_mlflow_cannot_read_or_do_is_refused_with_what_would_be_right(said):
    with pytest.raises(ValueError, match=re.escape(REFUSED[said])):
        checked_filter(said)


@pytest.mark.parametrize("said", ORDERS)
def test_so_is_an_order(said):
    with pytest.raises(ValueError, match=re.escape(ORDERS[said])):
        checked_order([said])


@pytest.mark.parametrize("twice", [["metrics.a", "metric.a DESC"], ["created", "attributes.start_time ASC"]])
def test_nor_is_one_column_ordered_by_twice(twice):
    """HTTP 500 of MLflow."""
    with pytest.raises(ValueError, match="a second time"):
        checked_order(twice)


@pytest.mark.parametrize("type_", ["training_run.finished", "model_version.register"])
@pytest.mark.parametrize(("field", "value"), [("filter_string", MANY), ("order_by", ["datasets.name"])])
def test_an_event_with_one_is_not_accepted(type_, field, value):
    with pytest.raises(ValidationError) as refused:
        parse(type_, {"model": "taxi", "search": {"experiment": "e", field: value}})
    [error] = refused.value.errors()
    assert error["loc"] == ("search", field)


def test_nor_is_a_question():
    with pytest.raises(ValidationError, match="70 comparisons"):
        parse("registry.query", {"question": "runs", "experiment": "e", "filter_string": MANY})


KEYS = [
    "metrics.rmse",
    "metric.a.b",
    "metrics.`a b`",
    'params."a b"',
    "tags.mlflow.source.name",
    "start_time",
    "run_id",
]
KEYS += ["attr.status", "attributes.`run name`", "datasets.name", "metrics.1a", "metrics.é", "tags.select", "foo.a"]
KEYS += ["attributes.foo", "metrics.val-loss", "created", "METRICS.a", "params.order"]
OPS = ["<", "=", "!=", "like", "ILIKE", "IN", "not in", "is null", "IS NOT NULL", "==", "<>", "RLIKE"]
VALUES = [
    "7",
    "-1.5",
    "1e5",
    ".5",
    "'x'",
    '"x"',
    "'it''s'",
    "('a','b')",
    "('a',)",
    "(1)",
    "()",
    "x",
    "0x10",
    "NULL",
    "",
]


def test_whatever_is_taken_mlflow_reads():
    """And what it reads is taken, but for what a database may refuse."""
    for key, op, value in itertools.product(KEYS, OPS, VALUES):
        said = f"{key} {op}" if "null" in op.lower() else f"{key} {op} {value}"
        if _taken(said) != _read(said):
            assert _read(said), said
            assert value.startswith("("), said  # one text compared with a list


def _taken(said: str) -> bool:
    try:
        checked_filter(said)
    except ValueError:
        return False
    return True


def _read(said: str) -> bool:
    """As MLflow does, with its check of operators, which comes when it searches."""
    try:
        [one] = SearchUtils.parse_search_filter(said)
        about = one["type"], one["key"], one["comparator"].upper()
        kind, _, op = about
        is_one = SearchUtils.is_metric(kind, op) or SearchUtils.is_param(kind, op) or SearchUtils.is_tag(kind, op)
        return is_one or SearchUtils.is_attribute(*about) or SearchUtils.is_dataset(kind, op)
    except (MlflowException, ValueError):
        return False


@pytest.fixture(scope="module")
def registry(mlflow_address) -> MlflowRegistry:
    found = MlflowRegistry(mlflow_address)
    train(found._client, experiment="filters")
    return found


@pytest.mark.parametrize("said", TAKEN)
def test_what_is_taken_mlflow_does_with_as_much_as_may_be_ordered_by(registry, said):
    orders = [f"metrics.o{n} DESC" for n in range(MOST_ORDERS)]
    checked_filter(said), checked_order(orders)
    registry.search_runs("filters", filter_string=said, order_by=orders, max_results=1000)


def test_why_they_are_bounded(registry):
    """MLflow breaks over them (503, 500), whatever it is asked besides: no fault of the event's own, as far as one can
    tell.
    """
    for said in (" and ".join(f"metrics.m{n} < 7" for n in range(70)), LARGE):
        with pytest.raises(RetryableError, match=r"50|too large"):
            registry.search_runs("filters", filter_string=said)

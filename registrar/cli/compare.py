"""`registrar compare`: two versions of a model side by side, by the record."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from registrar.cli import formatting, params
from registrar.cli.context import Context
from registrar.queries.query_service import Row

_FIELDS = (
    *(("registered", "registered_at"), ("by", "registered_by"), ("trained by", "author"), ("run", "run_id")),
    *(("commit", "commit"), ("source", "source"), ("quarantined", "quarantined"), ("files", "model_digest")),
    ("policy", "policy_digest"),
)


@click.command()
@click.argument("model", type=params.MODEL)
@click.argument("a", type=params.VERSION)
@click.argument("b", type=params.VERSION)
@formatting.as_json
@click.pass_obj
def compare(context: Context, *, model: str, a: int, b: int, as_json: bool) -> None:
    """Compare versions A and B of MODEL by the record: metrics, gates, tags, files, who registered and approved them.

    \b
    registrar compare churn 3 5
    registrar compare churn 3 5 --json

    Better and worse is said of B, where a gate of registrar.yml gives the direction. The record has no parameters:
    MLflow's own page compares those.
    """
    with context.reading() as reading:
        compared = reading.compare(model, a, b)
    if as_json:
        formatting.print_json(compared)
        return
    versions = f"version {a}", f"version {b}"
    metrics = [_metric(row) for row in compared["metrics"]]
    formatting.table(
        ("metric", *versions, "difference", f"{versions[1]} is"), metrics, empty="the record has no metrics"
    )
    click.echo("")
    formatting.table(("", *versions), list(_rows(compared)), empty="")


def _metric(row: Mapping[str, Any]) -> tuple[object, ...]:
    values = (_number(row[name]) for name in ("a", "b", "difference"))
    return row["name"], *values, row["verdict"]


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"


def _rows(compared: Row) -> Iterator[tuple[object, ...]]:
    sides = compared["a"], compared["b"]
    yield "holds", *(", ".join(side["holds"]) or None for side in sides)
    for label, name in _FIELDS:
        if any(side[name] is not None for side in sides):
            yield label, *(side[name] for side in sides)
    yield "held", *("; ".join(f"{one['name']}: {one['how']}" for one in side["held"]) or None for side in sides)
    yield "gates", *("; ".join(map(_gate, side["gates"])) or None for side in sides)
    for tag in compared["tags"]:
        yield f"tag {tag['name']}", tag["a"], tag["b"]


def _gate(gate: Mapping[str, Any]) -> str:
    return f"{gate['target']}: {gate.get('reason')}"

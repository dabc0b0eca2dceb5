"""Prints one version: what MLflow has of it, and what the record has."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from registrar.cli import formatting, questions, tables
from registrar.cli.context import Context
from registrar.queries.query_service import Row, Unknown

Values = Mapping[str, Any]


def print_version(context: Context, model: str, version: int, *, as_json: bool) -> None:
    """Print a version. Raises UserError, NotAnswered where MLflow does not have it."""
    [found] = questions.ask(context, "versions", model=model, version=version)["values"]
    record = _record(context, model, version)
    if as_json:
        formatting.print_json({"model": model, **found, "record": record})
        return
    click.echo("\n".join([*_in_mlflow(model, found), *_recorded(model, version, record)]))


def _record(context: Context, model: str, version: int) -> Row | None:
    try:
        with context.reading() as reading:
            return reading.version(model, version)
    except Unknown:
        return None


def _in_mlflow(model: str, found: Values) -> Iterator[str]:
    yield _line("model", model)
    yield _line("version", found["version"])
    yield _line("stage", found["stage"])
    yield _line("aliases", " ".join(f"@{alias}" for alias in found["aliases"]) or None)
    created = formatting.text(datetime.fromisoformat(str(found["created_at"])))  # a text in what a receiver answers
    yield _line("registered", f"{created} by {found['registered_by']}")
    yield _line("run", found["run_id"])
    yield _line("source", found["source"])
    yield from _listed("metrics", {name: f"{value:g}" for name, value in found["metrics"].items() if value is not None})
    yield _line("description", formatting.sentence(found["description"], indent=" " * 13) or None)
    yield from _listed("tags", found["tags"])


def _recorded(model: str, version: int, record: Row | None) -> Iterator[str]:
    if record is None:
        yield _line("record", "knows nothing of it: `registrar adopt` takes in what MLflow had before")
        return
    for name in ("commit", "dispute"):
        if record[name]:
            yield _line(name, record[name])
    yield from _live(record)
    for target, why in record["held_back"].items():
        yield _line("held back", f"from {target}: {why}")
    if why := record["quarantined"]:
        yield _line("quarantined", why)
        lift = f"registrar send quarantine.lift model={shlex.quote(model)} version={version} reason=WHY"
        yield _line("", f"until somebody who may approve it lifts that: {lift}")
    if record["prune_after"]:
        yield _line("may go", f"from {record['prune_after']} on")
    for promotion in record["promotions"]:
        asked = f"asked by {promotion['requested_by_name']}, {formatting.text(promotion['created_at'])}"
        yield _line("promotion", f"to {promotion['target']}: {tables.state(promotion['state'])}, {asked}")
        yield _line("", f"registrar promotions show {promotion['id']}")


def _live(record: Row) -> Iterator[str]:
    """Say what it holds, and where it is not live because its last deployment there failed."""
    yield _line("holds", ", ".join(record["holds"]) or "nothing")
    for failed in record["not_live"]:
        where = f" to {failed['environment']}" if failed["environment"] else ""
        yield _line("live", f"not in {failed['target']}: its deployment{where} {failed['state'].replace('_', ' ')}")


def _line(name: str, value: object) -> str:
    return f"{name:<12} {formatting.text(value)}".rstrip()


def _listed(name: str, values: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each value, the first behind the name."""
    if not values:
        yield _line(name, None)
    for nth, (key, value) in enumerate(values.items()):
        yield _line("" if nth else name, f"{key}={value}")

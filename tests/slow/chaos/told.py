"""What the listener heard, against what happened."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from sqlalchemy import select

from registrar.ledger import Ledger
from registrar.ledger.queries.holdings import history
from registrar.ledger.tables import tasks
from tests.slow.chaos.listener import Heard


@dataclass(frozen=True)
class Told:
    """messages: all that were heard. again: those heard before, under the same id. wrong: sentences."""

    messages: int
    again: int
    wrong: list[str]


def told(heard: list[Heard], ledger: Ledger, client: MlflowClient) -> Told:
    ids = {one.id: one.said for one in heard}
    wrong = [*_changed(heard, ids), *_twice(ids), *_never(ids, ledger), *_false(ids, ledger, client)]
    return Told(len(heard), len(heard) - len(ids), wrong)


def _changed(heard: list[Heard], ids: dict[str, dict[str, Any]]) -> Iterator[str]:
    changed = {one.id for one in heard if one.said != ids[one.id]}
    if changed:
        yield f"{len(changed)} message(s) said something else when they were sent again"


def _twice(ids: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Two ids for one outcome: nobody could tell that it is the same."""
    outcomes = Counter(
        (said["type"], data["event"], data["model"], data["version"], data.get("stage"), data.get("target"))
        for said in ids.values()
        for data in [said["data"]]
    )
    for outcome, count in outcomes.items():
        if count > 1:
            yield f"told {count} times under different ids: {outcome}"


def _never(ids: dict[str, dict[str, Any]], ledger: Ledger) -> Iterator[str]:
    with ledger.read() as connection:
        rows = connection.execute(select(tasks.c.id, tasks.c.args).where(tasks.c.name == "worker.notify")).all()
    asked = {row.id for row in rows if row.args["channel"] == "deploy"}
    if unheard := asked - ids.keys():
        yield f"{len(unheard)} outcome(s) were never heard of"
    if unasked := ids.keys() - asked:
        yield f"{len(unasked)} message(s) were about nothing that the ledger knows"


def _false(ids: dict[str, dict[str, Any]], ledger: Ledger, client: MlflowClient) -> Iterator[str]:
    """Registered: MLflow has that version of that run. Moved: the history says so."""
    models = {said["data"]["model"] for said in ids.values()}
    versions = {
        (model, int(version.version)): version.run_id
        for model in models
        for version in client.search_model_versions(f"name = '{model}'")
    }
    with ledger.read() as connection:
        held = {(m, row.version, row.key) for m in models for row in history(connection, m) if row.kind == "stage"}
    for said in ids.values():
        data = said["data"]
        which = (data["model"], data["version"])
        if which not in versions:
            yield f"told of a version that MLflow lacks: {said}"
        elif said["type"] == "model_version.registered" and versions[which] != data["run_id"]:
            yield f"told of another run than MLflow has: {said}"
        elif said["type"] == "model_version.transitioned" and (*which, data["stage"]) not in held:
            yield f"told of a move that did not happen: {said}"

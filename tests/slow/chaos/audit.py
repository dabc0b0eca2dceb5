"""The end of a run: every acknowledged event against MLflow and the ledger."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from mlflow import MlflowClient
from sqlalchemy import select

from registrar.ledger import Ledger
from registrar.ledger.journal.chain import Damaged
from registrar.ledger.journal.verify import verify
from registrar.ledger.queries.holdings import history
from registrar.ledger.tables import events, tasks
from tests.slow.chaos.fleet import BAD, GOOD, Sent


@dataclass(frozen=True)
class Findings:
    """lost: acknowledged runs without a version. doubled: versions too many. wrong: sentences."""

    lost: int
    doubled: int
    wrong: list[str]


def audit(sent: list[Sent], ledger: Ledger, client: MlflowClient) -> Findings:
    models = sorted({one.model for one in sent})
    found = {model: client.search_model_versions(f"name = '{model}'") for model in models}
    made = Counter(version.run_id for versions in found.values() for version in versions)
    wrong = [line for model in models for line in _model(model, sent, found[model], ledger)]
    return Findings(
        lost=sum(1 for one in sent if made[one.run_id] == 0),
        doubled=sum(count - 1 for count in made.values())
        + sum(1 for run in made if run not in {s.run_id for s in sent}),
        wrong=[*wrong, *_unfinished(ledger), *_unknown(sent, ledger), *_damaged(ledger)],
    )


def _model(model: str, sent: list[Sent], versions: list, ledger: Ledger) -> Iterator[str]:
    """The n-th event is the n-th version, not necessarily number n: one that was made twice left a gap."""
    numbered = sorted(versions, key=lambda version: int(version.version))
    made = [version.run_id for version in numbered]
    in_order = [one for one in sent if one.model == model and one.run_id in made]
    if list(dict.fromkeys(made)) != [one.run_id for one in in_order]:
        yield f"{model}: its events were not applied in the order they were accepted"
    if len(made) != len(in_order):
        return
    numbers = [int(version.version) for version in numbered]
    expected = _expected(list(zip(numbers, [one.rmse for one in in_order], strict=True)))
    held = {stage: [int(v.version) for v in versions if v.current_stage == stage] for stage in expected}
    if held != {stage: passed[-1:] for stage, passed in expected.items()}:
        yield f"{model}: MLflow has {held}, and {expected} is right"
    yield from _history(model, expected, held, ledger)
    aliases = _ledger_holds(ledger, model, "alias")
    registered = {alias: [int(v.version) for v in versions if alias in v.aliases] for alias in aliases}
    if any(registered[alias] not in ([], version) for alias, version in aliases.items()):
        yield f"{model}: the ledger has aliases {aliases}, MLflow {registered}"


def _expected(judged: list[tuple[int, float]]) -> dict[str, list[int]]:
    """Who was in each stage last, by the policy: below 7 to Staging, below 5.5 on to Production. Production: all who
    ever were, in order.
    """
    staged = [number for number, rmse in judged if rmse < BAD]
    live = [number for number, rmse in judged if rmse <= GOOD]
    return {"Staging": staged[-1:] if staged and staged[-1] not in live else [], "Production": live}


def _history(model: str, expected: dict[str, list[int]], held: dict[str, list[int]], ledger: Ledger) -> Iterator[str]:
    """Whoever was in Production was so once, in order; and who is there now is who MLflow says."""
    now = _ledger_holds(ledger, model, "stage", *expected)
    if now != {stage: versions for stage, versions in held.items() if versions}:
        yield f"{model}: the ledger has {now}, MLflow {held}"
    with ledger.read() as connection:
        ever = [row.version for row in history(connection, model) if row.kind == "stage" and row.key == "Production"]
    if ever != expected["Production"]:
        yield f"{model}: in Production were {ever} by the history, and {expected['Production']} is right"


def _ledger_holds(ledger: Ledger, model: str, kind: str, *keys: str) -> dict[str, list[int]]:
    with ledger.read() as connection:
        rows = [row for row in history(connection, model) if row.until is None and row.kind == kind]
    found: dict[str, list[int]] = {}
    for row in rows:
        if not keys or row.key in keys:
            found.setdefault(row.key, []).append(row.version)
    return found


def _unfinished(ledger: Ledger) -> Iterator[str]:
    with ledger.read() as connection:
        rows = connection.execute(select(tasks.c.name, tasks.c.state, tasks.c.error, tasks.c.lane)).all()
    for row in rows:
        if row.state != "succeeded":
            yield f"{row.lane}: {row.name} is {row.state}: {row.error}"


def _unknown(sent: list[Sent], ledger: Ledger) -> Iterator[str]:
    with ledger.read() as connection:
        known = set(connection.execute(select(events.c.id)).scalars())
    missing = {one.event_id for one in sent} - known
    if missing:
        yield f"{len(missing)} acknowledged event(s) are not in the ledger"
    if len(known) != len({one.event_id for one in sent}):
        yield f"the ledger has {len(known)} events, {len(sent)} were acknowledged"


def _damaged(ledger: Ledger) -> Iterator[str]:
    with ledger.read() as connection:
        try:
            verify(connection)
        except Damaged as damage:
            yield f"the journal: {damage}"

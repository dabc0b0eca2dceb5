"""The versions of a model, newest first, a page at a time: what each holds, what was asked of it, its metrics."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from registrar.ledger import Connection
from registrar.ledger.incarnations import of_deleted
from registrar.ledger.queries import promotion_record
from registrar.ledger.queries.promotion_results import PromotionResult, load_results
from registrar.ledger.queries.version_history import HeldPlace, held_place, states_of
from registrar.ledger.queries.versions import KnownVersion, newest_numbers, present_versions
from registrar.ledger.version_state import Key, State, current
from registrar.policy import ModelPolicy

Champion = Literal["now", "before"]
_REQUESTS = 10  # promotions per version of a page that are looked at
_IN_MLFLOW = "mlflow:"  # begins the registrant of a version that was registered in MLflow itself
# A gate's metric, as Threshold and Comparison write it.
_METRIC = re.compile(r"(?P<metric>.+?) (?:<=?|>=?|better than @)")


@dataclass(frozen=True)
class VersionRow:
    """A version in a list. requests: its newest promotion per target. became: by the promotion's id.

    champion: it holds the policy's last target, or held it. adopted: it was registered in MLflow itself. quarantined:
    why it is. rolled_back: it was taken out of a target by a rollback, at any time. metrics: those of its run at
    registration, and what its newest gates measured.
    """

    known: KnownVersion
    requests: Sequence[Mapping[str, Any]] = ()
    became: Mapping[str, PromotionResult] = field(default_factory=dict)
    champion: Champion | None = None
    adopted: bool = False
    quarantined: str | None = None
    rolled_back: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def version(self) -> int:
        return self.known.version

    @property
    def held_back(self) -> Sequence[Any]:
        """Return what holds it back from targets that it was not asked for after that."""
        asked = {row["target"] for row in self.requests}
        return [held for held in self.known.held_back if held.target not in asked]


@dataclass(frozen=True)
class VersionPage:
    """rows: newest first. older: the number before which the next page begins; None: this is the last. also: the rows
    of versions that were asked for beside the page's, by number.
    """

    rows: Sequence[VersionRow]
    older: int | None
    also: Mapping[int, VersionRow]


def read_page(
    connection: Connection,
    policy: ModelPolicy,
    model: str,
    *,
    recreated_at: datetime | None,
    before: int | None = None,
    also: Iterable[int] = (),
    limit: int,
) -> VersionPage:
    """Return a page. before: only smaller numbers. also: numbers of versions that are read, too."""
    extra = set(also)
    numbers = newest_numbers(connection, model, since=recreated_at, before=before, limit=limit + 1)
    known = {one.version: one for one in present_versions(connection, model, numbers={*numbers, *extra})}
    numbers = sorted({*numbers, *(n for n in known if before is None or n < before)}, reverse=True)[: limit + 1]
    shown = numbers[:limit]
    rows = read_rows(connection, policy, model, {*shown, *extra}, known=known, recreated_at=recreated_at)
    older = shown[-1] if len(numbers) > limit else None
    return VersionPage([rows[number] for number in shown], older, {number: rows[number] for number in extra})


def read_rows(
    connection: Connection,
    policy: ModelPolicy,
    model: str,
    numbers: Iterable[int],
    *,
    known: Mapping[int, KnownVersion],
    recreated_at: datetime | None,
) -> dict[int, VersionRow]:
    """Return the rows of these versions, by number. known: as far as the record has their registration."""
    wanted = list(numbers)
    states = states_of(connection, model, wanted)
    champions = _champions(connection, policy, model, wanted, recreated_at)
    found = promotion_record.of_versions(connection, model, wanted, limit=_REQUESTS * len(wanted))
    deleted = of_deleted(connection, found)
    present = [row for row in found if row["id"] not in deleted]
    results = load_results(connection, present)
    by_version: dict[int, list[Mapping[str, Any]]] = {}
    for row in present:
        by_version.setdefault(row["version"], []).append(row)
    return {
        number: _row(
            known.get(number, KnownVersion(number)),
            by_version.get(number, ()),
            results,
            _present_state(states.get(number, ()), number),
            champions.get(number),
        )
        for number in wanted
    }


def _row(
    known: KnownVersion,
    promotions: Sequence[Mapping[str, Any]],
    results: Mapping[str, PromotionResult],
    state: Mapping[str, str],
    held: HeldPlace | None,
) -> VersionRow:
    """promotions: the version's, newest first."""
    newest: dict[str, Mapping[str, Any]] = {}
    for row in promotions:
        newest.setdefault(row["target"], row)
    return VersionRow(
        known,
        list(newest.values()),
        {row["id"]: results[row["id"]] for row in newest.values() if row["id"] in results},
        None if held is None else "now" if held.still else "before",
        state.get(Key.REGISTRANT, "").startswith(_IN_MLFLOW),
        state.get(Key.QUARANTINED),
        any(results[row["id"]].rolled_back_at for row in promotions if row["id"] in results),
        {**known.metrics, **_measured(promotions)},
    )


def _present_state(states: Sequence[State], number: int) -> Mapping[str, str]:
    """Return the present states of the newest incarnation. states: oldest first."""
    created_at = states[-1].version_created_at if states else None
    return current(states, number, created_at) if created_at else {}


def _champions(
    connection: Connection, policy: ModelPolicy, model: str, numbers: Sequence[int], recreated_at: datetime | None
) -> Mapping[int, HeldPlace]:
    if not policy.targets:
        return {}
    place = policy.holding_key(policy.targets[-1])
    return held_place(connection, model, place, numbers, since=recreated_at)


def _measured(promotions: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return what gates measured, by metric as people read it; the newest counts. promotions: newest first."""
    values: dict[str, float] = {}
    for row in promotions:
        for name, value in gate_readings(row["evidence"].get("gates") or ()).items():
            values.setdefault(name, value)
    return values


def gate_readings(gates: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the metrics that gates measured. gates: their verdicts in a promotion's evidence."""
    measured = ((_METRIC.match(str(gate.get("gate"))), gate.get("value")) for gate in gates)
    return {name["metric"]: float(value) for name, value in measured if name and isinstance(value, int | float)}

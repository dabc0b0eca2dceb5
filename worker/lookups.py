"""Answer people's questions about the registry and the record as tables, for chat and command line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registrar.ledger import Ledger
from registrar.ledger.dead_letters import list_dead_letters
from registrar.ledger.queries.holdings import Holding, count_holdings
from registrar.ledger.queries.holdings import history as ledger_history
from registrar.ledger.version_state import HELD_BACK
from registrar.text.sanitize import shown
from registrar.text.wording import cut
from worker.registry.entities import Run, Version
from worker.registry.protocol import Registry, find_run

IN_CHAT = 20  # rows
NEWEST, BEST = 20, 10  # versions and runs of an answer, unless another number is asked for
_DESCRIPTION, _TAG, _TAGS = 20_000, 500, 100  # characters of a version's texts in an answer; tags


@dataclass(frozen=True)
class Table:
    """A table of texts. more: how many rows were left out. values: the same rows for programs, with types."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    more: int = 0
    values: Sequence[Mapping[str, Any]] = ()

    def as_text(self, *, most: int = IN_CHAT) -> str:
        """Return a chat message with aligned columns and at most `most` rows."""
        shown = [list(self.columns), *map(list, self.rows[:most])]
        widths = [max(len(row[i]) for row in shown) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown
        ]
        left_out = len(self.rows[most:]) + self.more
        more = [f"... and {left_out} more"] if left_out else []
        return "\n".join([self.title, "```", *lines, "```", *more]) if self.rows else f"{self.title}: none"


def experiments(registry: Registry, now: datetime) -> Table:
    found = registry.experiments()
    rows = [(each.name, each.id, age(each.created_at, now)) for each in found]
    values = [{"name": each.name, "id": each.id, "created_at": each.created_at} for each in found]
    return Table("Experiments", ("name", "id", "age"), rows, values=values)


def runs(
    registry: Registry,
    now: datetime,
    *,
    experiment: str,
    filter_string: str = "",
    order_by: Sequence[str] = (),
    max_results: int = BEST,
    run_view_type: str = "ACTIVE_ONLY",
) -> Table:
    """Search runs, with the arguments of MlflowClient.search_runs: filter_string "metrics.rmse < 7", order_by
    ["metrics.rmse ASC"].
    """
    matches = registry.search_runs(
        experiment,
        filter_string=filter_string,
        order_by=order_by,
        max_results=max_results,
        run_view_type=run_view_type,
    )
    rows = [
        (run.id, run.name, run.status, _metrics(run.metrics), run.user, age(run.started_at, now)) for run in matches
    ]
    columns = ("run", "name", "status", "metrics", "user", "age")
    return Table(f"Runs of {experiment}", columns, rows, values=[_run_values(run) for run in matches])


def _run_values(run: Run) -> dict[str, Any]:
    shown = {"run_id": run.id, "name": run.name, "status": run.status, "metrics": _numbers(run.metrics)}
    return {**shown, "user": run.user, "started_at": run.started_at}


def models(registry: Registry, now: datetime) -> Table:
    found = registry.models()
    rows = [(each.name, _aliases(each.aliases), age(each.created_at, now)) for each in found]
    values = [{"model": one.name, "aliases": dict(one.aliases), "created_at": one.created_at} for one in found]
    return Table("Registered models", ("model", "aliases", "age"), rows, values=values)


def versions(
    registry: Registry, now: datetime, *, model: str, newest: int = NEWEST, version: int | None = None
) -> Table:
    """Return the versions, newest first, with stage, aliases, age, author, the metrics of their runs, and why they were
    held back.

    version: this one alone, its values with description and tags.
    """
    aliases = registry.model(model).aliases
    found = registry.versions(model, newest=newest) if version is None else [registry.version(model, version)]
    rows, values = [], []
    for each in found:
        held = sorted(alias for alias, number in aliases.items() if number == each.version)
        run = find_run(registry, each.run_id)
        user = each.user or (run.user if run else "") or "somebody"
        registered_by = each.tags.get("registrar.by") or f"{shown(user)} in MLflow"
        metrics = run.metrics if run else {}
        cells = (str(each.version), each.stage, " ".join(f"@{alias}" for alias in held), _metrics(metrics))
        rows.append((*cells, age(each.created_at, now), registered_by, _held_back(each.tags)))
        known = {"aliases": held, "metrics": _numbers(metrics), "registered_by": registered_by}
        values.append(_version_values(each, known) | ({} if version is None else _texts(each)))
    columns = ("version", "stage", "alias", "metrics", "age", "registered by", "held back")
    return Table(f"Versions of {model}", columns, rows, values=values)


def _version_values(version: Version, known: Mapping[str, Any]) -> dict[str, Any]:
    made = {"run_id": version.run_id, "created_at": version.created_at}
    return {"version": version.version, "stage": version.stage, **made, **known, "held_back": _reasons(version.tags)}


def _texts(version: Version) -> dict[str, Any]:
    """Return a version's description and tags, cut where they are too long for an answer."""
    tags = {key: cut(value, _TAG) for key, value in sorted(version.tags.items())[:_TAGS]}
    return {"description": cut(version.description, _DESCRIPTION), "tags": tags, "source": version.source}


def history(ledger: Ledger, *, model: str) -> Table:
    """Return the newest holdings, at most IN_CHAT, the newest first."""
    with ledger.read() as connection:
        holdings = ledger_history(connection, model, limit=IN_CHAT)
        more = count_holdings(connection, model) - len(holdings)
    rows = [_holding_row(holding) for holding in reversed(holdings)]
    return Table(f"History of {model}", ("held", "version", "since", "until", "by", "approved by"), rows, more)


def dead(ledger: Ledger, now: datetime, *, model: str | None) -> Table:
    """Return the dead letters of a model or of all, newest first."""
    with ledger.read() as connection:
        letters = list_dead_letters(connection, model=model)
    rows = [
        (
            age(letter.finished_at, now),
            letter.verb,
            letter.model or "-",
            letter.actor_name,
            cut(letter.error or "", 60),
            letter.id,
        )
        for letter in letters
    ]
    about = f" of {model}" if model else ""
    return Table(f"What failed for good{about}", ("age", "what", "model", "by", "why", "task"), rows)


def _holding_row(holding: Holding) -> tuple[str, ...]:
    held = holding.key if holding.kind == "stage" else f"@{holding.key}"
    times = (_at(holding.since), _at(holding.until))
    return held, str(holding.version), *times, holding.actor_name, holding.approved_by or "-"


def _held_back(tags: Mapping[str, str]) -> str:
    """Return the failed gates by target, as the tags show them: "Staging: rmse 9.1 is not < 7"."""
    return cut("; ".join(f"{target}: {why}" for target, why in _reasons(tags).items()), 120)


def _reasons(tags: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix(HELD_BACK): why for key, why in sorted(tags.items()) if key.startswith(HELD_BACK)}


def _metrics(metrics: Mapping[str, float]) -> str:
    return " ".join(f"{name}={value:.4g}" for name, value in sorted(metrics.items())[:4])


def _numbers(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return metrics for JSON, which knows no NaN and no infinity: null."""
    return {name: value if math.isfinite(value) else None for name, value in sorted(metrics.items())}


def _aliases(aliases: Mapping[str, int]) -> str:
    return " ".join(f"@{alias}={version}" for alias, version in sorted(aliases.items()))


def _at(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z" if time else "now"


_UNITS: tuple[tuple[int, str], ...] = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def age(since: datetime | None, now: datetime) -> str:
    """Return an age in its largest unit: 3 d, 5 h, 2 min, 10 s."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    return f"{seconds // size} {unit}"

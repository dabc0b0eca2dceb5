"""/models: each model with its holders. /models/NAME: versions, history, champion against challenger, rollback."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.events.types import ModelRollback
from registrar.ledger.engine import now
from registrar.ledger.queries.holdings import Holding
from registrar.ledger.queries.versions import KnownVersion
from registrar.policy import ModelPolicy, Target
from registrar.queries.dashboard import read_model, read_models
from webhooks.dashboard.context import DashboardContext
from webhooks.dashboard.timeline import alike, place, same, timeline
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean

MOST = 50
_METRICS = 30


@dataclass(frozen=True)
class Side:
    """One side of the comparison. of: the target that it holds."""

    version: int
    of: str
    metrics: Mapping[str, float]


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/models", endpoint="models")
    def all_models() -> str:
        principal, after = context.require_principal(), clean(request.args.get("after", ""))
        with context.ledger.read() as connection:
            read = read_models(connection, context.policy, after=after, limit=MOST + 1)
        found = read.pop("found")
        more = url_for("pages.models", after=found[MOST - 1]["model"]) if len(found) > MOST else None
        held = {one["model"]: _now(one["holders"]) for one in found[:MOST]}
        return context.page(
            "models.html",
            principal,
            found=found[:MOST],
            held=held,
            more=more,
            first=not after,
            **read,
        )

    @pages.get("/models/<name>")
    def model(name: str) -> str:
        principal, at = context.require_principal(), now()
        with context.ledger.read() as connection:
            record = read_model(connection, context.policy, name, at=at)
        if record is None:
            raise NotFound(f"nothing was ever sent about a model {clean(name)}")
        policy, holders = context.policy.model(name), record.summary["holders"]
        return context.page(
            "model.html",
            principal,
            now=at,
            found=record.summary,
            dispute=record.dispute,
            versions=record.versions,
            holds=_holds(holders),
            now_held=_now(holders),
            held=_rows(record.held),
            recreated_at=record.recreated_at,
            picture=timeline(record.held, at, recreated_at=record.recreated_at),
            promotions=record.promotions,
            requests=_newest_requests([one for one in record.promotions if one["id"] not in record.deleted]),
            stuck={
                one.promotion.id: one.voting.impossible for one in record.open if one.voting and one.voting.impossible
            },
            became=record.became,
            incidents=record.incidents,
            not_live=record.not_live,
            rollbacks=record.rollbacks,
            policy=policy,
            pair=_pair(policy, holders, record.versions),
            metrics=_METRICS,
        )

    @pages.post("/models/<name>/rollback")
    def roll_back(name: str) -> Response:
        """Send the command. The worker decides whether this person may, and whether the version will do."""
        context.require_principal()
        data: dict[str, Any] = {field: request.form.get(field, "").strip() for field in ("target", "to", "reason")}
        then = url_for("pages.model", name=name)
        return context.submit_command(ModelRollback.type, {"model": name, **data}, then=then, what=data["target"])


def _now(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return what is held now, by name; a stage and an alias that came together to one version are one row."""
    groups = alike(found, lambda one, other: (one["version"], one["since"]) == (other["version"], other["since"]))
    return [(" ".join(place(one["kind"], one["key"]) for one in of_it), of_it[0]) for of_it in groups]


def _rows(held: Sequence[Holding]) -> list[tuple[str, Holding]]:
    """Return holdings newest first, grouped as in _now."""
    groups = reversed(alike(held, same))
    return [(" ".join(place(one.kind, one.key) for one in of_it), of_it[0]) for of_it in groups]


def _holds(found: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    """Return what each version holds now."""
    by_version: dict[int, list[str]] = {}
    for one in found:
        by_version.setdefault(one["version"], []).append(place(one["kind"], one["key"]))
    return by_version


def _newest_requests(promotions: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    """Return for each version the newest request per target."""
    by_version: dict[int, dict[str, Mapping[str, Any]]] = {}
    for one in promotions:
        by_version.setdefault(one["version"], {}).setdefault(one["target"], one)
    return {version: list(of_it.values()) for version, of_it in by_version.items()}


def _pair(
    policy: ModelPolicy, found: Sequence[Mapping[str, Any]], versions: Sequence[KnownVersion]
) -> tuple[Side | None, Side | None] | None:
    """Return the holder of the last target (the champion), and of the one before it (the challenger)."""
    if len(policy.targets) < 2:
        return None
    metrics = {known.version: known.metrics for known in versions}
    champion, challenger = (_side(target, found, metrics) for target in (policy.targets[-1], policy.targets[-2]))
    if champion and challenger and champion.version == challenger.version:
        return None
    return (champion, challenger) if champion or challenger else None


def _side(
    target: Target, found: Sequence[Mapping[str, Any]], metrics: Mapping[int, Mapping[str, float]]
) -> Side | None:
    for kind, key in (("alias", target.alias), ("stage", target.stage)):
        for one in found:
            if (one["kind"], one["key"]) == (kind, key):
                return Side(one["version"], place(kind, str(key)), metrics.get(one["version"], {}))
    return None

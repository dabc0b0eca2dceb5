"""/models: each model with its holders. /models/NAME: its versions, who held what when, champion against challenger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request, url_for
from sqlalchemy import Connection, select

from registrar.events.types import ModelRollback
from registrar.ledger import promotions as record
from registrar.ledger.disputes import dispute, disputes
from registrar.ledger.engine import now
from registrar.ledger.holders import held_before
from registrar.ledger.incarnations import CLOCKS, made_anew_at, of_deleted
from registrar.ledger.queries import models, promotion_record
from registrar.ledger.queries.holdings import Holding, holdings
from registrar.ledger.queries.incidents import incidents
from registrar.ledger.queries.promotion_results import became
from registrar.ledger.queries.versions import KnownVersion, known_versions
from registrar.ledger.tables import holders
from registrar.policy import ModelPolicy, Target
from registrar.queries.not_live import not_live
from webhooks.dashboard import promotion_view
from webhooks.dashboard.context import DashboardContext
from webhooks.dashboard.holdings import alike, place, same
from webhooks.dashboard.timeline import timeline
from webhooks.ingress.errors import NotFound
from webhooks.ingress.validation import clean

MOST = 50
_HISTORY = 200  # the newest holdings of a model that its page shows
_PROMOTIONS = 20
_METRICS = 30
_INCIDENTS = 50
_EARLIER = 20


@dataclass(frozen=True)
class Side:
    """Of a comparison. of: what it holds."""

    version: int
    of: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class WayBack:
    """A target that can be rolled back. earlier: its holders before, the newest first; not all of them may do."""

    target: str
    holder: int
    earlier: tuple[int, ...]


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/models", endpoint="models")
    def all_models() -> str:
        principal, after = context.require_principal(), clean(request.args.get("after", ""))
        with context.ledger.read() as connection:
            found = models.page(connection, after=after, limit=MOST + 1)
            unsettled, dark = disputes(connection), not_live(context.policy, connection)
        more = url_for("pages.models", after=found[MOST - 1]["model"]) if len(found) > MOST else None
        held = {one["model"]: _now(one["holders"]) for one in found[:MOST]}
        return context.page(
            "models.html",
            principal,
            found=found[:MOST],
            held=held,
            more=more,
            first=not after,
            disputes=unsettled,
            not_live=[one.model for one in dark],
        )

    @pages.get("/models/<name>")
    def model(name: str) -> str:
        principal, at = context.require_principal(), now()
        with context.ledger.read() as connection:
            found = models.one(connection, name) if name.isprintable() else None
            if found is None:
                raise NotFound(f"nothing was ever sent about a model {clean(name)}")
            recreated_at = made_anew_at(connection, [name]).get(name)
            versions, held = _of_today(known_versions(connection, name), recreated_at), _held(connection, name)
            promotions = promotion_record.page(connection, model=name, limit=_PROMOTIONS)
            later, also = became(connection, promotions), incidents(connection, model=name, limit=_INCIDENTS)
            ways_back = _ways_back(connection, name, context.policy.model(name), recreated_at)
            others = of_deleted(connection, promotions)
            open_ = promotion_view.promotion_views(
                context.policy, connection, record.still_open(connection, model=name), at=at
            )
            dark = [one for one in not_live(context.policy, connection) if one.model == name]
            unsettled = dispute(connection, name)
        policy = context.policy.model(name)
        return context.page(
            "model.html",
            principal,
            now=at,
            found=found,
            dispute=unsettled,
            versions=versions,
            holds=_holds(found["holders"]),
            now_held=_now(found["holders"]),
            held=_rows(held),
            recreated_at=recreated_at,
            picture=timeline(held, at, recreated_at=recreated_at),
            promotions=promotions,
            requests=_newest_requests([one for one in promotions if one["id"] not in others]),
            stuck={one.promotion.id: one.voting.impossible for one in open_ if one.voting and one.voting.impossible},
            became=later,
            incidents=also,
            not_live=dark,
            ways_back=ways_back,
            policy=policy,
            pair=_pair(policy, found["holders"], versions),
            metrics=_METRICS,
        )

    @pages.post("/models/<name>/rollback")
    def roll_back(name: str) -> Response:
        """Whether it may, and whether the version will do, the worker says, as to chat."""
        context.require_principal()
        said: dict[str, Any] = {field: request.form.get(field, "").strip() for field in ("target", "to", "reason")}
        then = url_for("pages.model", name=name)
        return context.submit_command(ModelRollback.type, {"model": name, **said}, then=then, what=said["target"])


def _of_today(found: Sequence[KnownVersion], recreated_at: datetime | None) -> list[KnownVersion]:
    """Without those of a model that was deleted, where another was made by hand. Clocks may be CLOCKS apart."""
    if recreated_at is None:
        return list(found)
    return [one for one in found if max(_times(one), default=recreated_at) + CLOCKS >= recreated_at]


def _times(known: KnownVersion) -> list[datetime]:
    registered = [known.registered_at] if known.registered_at else []
    return [*registered, *(held.at for held in known.held_back)]


def _ways_back(connection: Connection, model: str, policy: ModelPolicy, recreated_at: datetime | None) -> list[WayBack]:
    """List the held targets to which the policy brought other versions before.

    recreated_at: when the model was created again under the name of a deleted one; None: it was not.
    """
    found = [_way_back(connection, model, policy, target, recreated_at) for target in policy.targets]
    return [way for way in found if way and way.earlier]


def _way_back(
    connection: Connection, model: str, policy: ModelPolicy, target: Target, recreated_at: datetime | None
) -> WayBack | None:
    where = ("alias", target.alias or "") if policy.mode == "aliases" else ("stage", target.stage)
    times = [
        time for time in held_before(connection, model, *where) if recreated_at is None or time.made_by >= recreated_at
    ]
    if target.stage not in ("Staging", "Production") or not any(time.still for time in times):
        return None
    holder = next(time.version for time in times if time.still)
    earlier = dict.fromkeys(time.version for time in times if time.given and time.version != holder)
    return WayBack(target.stage, holder, tuple(earlier)[:_EARLIER])


def _held(connection: Connection, model: str) -> list[Holding]:
    """In the order in which it happened, the newest _HISTORY."""
    newest = select(holders.c.seq).where(holders.c.model == model).order_by(holders.c.seq.desc()).limit(_HISTORY)
    return holdings(connection, holders.c.seq.in_(newest.scalar_subquery()))


def _now(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """What is held at the moment, by its name; one for what came together to the same version."""
    groups = alike(found, lambda one, other: (one["version"], one["since"]) == (other["version"], other["since"]))
    return [(" ".join(place(one["kind"], one["key"]) for one in of_it), of_it[0]) for of_it in groups]


def _rows(held: Sequence[Holding]) -> list[tuple[str, Holding]]:
    """Newest first, as _now."""
    groups = reversed(alike(held, same))
    return [(" ".join(place(one.kind, one.key) for one in of_it), of_it[0]) for of_it in groups]


def _holds(found: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    """By version: what it holds now."""
    by_version: dict[int, list[str]] = {}
    for one in found:
        by_version.setdefault(one["version"], []).append(place(one["kind"], one["key"]))
    return by_version


def _newest_requests(promotions: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    """By version, the newest request for each target."""
    by_version: dict[int, dict[str, Mapping[str, Any]]] = {}
    for one in promotions:
        by_version.setdefault(one["version"], {}).setdefault(one["target"], one)
    return {version: list(of_it.values()) for version, of_it in by_version.items()}


def _pair(
    policy: ModelPolicy, found: Sequence[Mapping[str, Any]], versions: Sequence[KnownVersion]
) -> tuple[Side | None, Side | None] | None:
    """Who holds the last target (the champion), and who holds the one before it (the challenger)."""
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

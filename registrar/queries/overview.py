"""Read what the overview and the list of models show of the ledger, in the caller's transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from registrar.ledger import Connection, dead_letters
from registrar.ledger.deployments import IN_VAIN
from registrar.ledger.queries import activity, metrics
from registrar.ledger.queries.incidents import incidents
from registrar.ledger.queries.model_paths import recently_changed
from registrar.ledger.queries.models import known_names
from registrar.policy import Policy
from registrar.policy.base_model import is_glob
from registrar.queries.feed import group_by_version
from registrar.queries.model_rows import OpenWork, read_model_rows, read_open_work
from registrar.queries.processes import parts
from registrar.queries.waiting_for import WaitingFor

MODELS = 30  # rows of the overview
COUNTED = 1000  # models at most; the overview shows larger counts as 1,000+
_FEW, _RECENT_INCIDENTS, _FACTS = 5, 10, 60


def read_overview(
    connection: Connection, policy: Policy, *, since: datetime, at: datetime, waits: WaitingFor
) -> dict[str, Any]:
    """waits: what waits for the reader, whose models come first."""
    work = read_open_work(connection, policy, at=at)
    known, changed = known_names(connection, limit=COUNTED), recently_changed(connection)
    mine = {view.promotion.model for view in work.views if view.promotion.id in waits.promotions} | {*waits.disputes}
    unborn = _unborn(policy, known)
    chosen = _chosen(work, [*known, *unborn], changed, mine)
    return {
        "work": work,
        "waiting": work.views,
        "awaiting": work.awaiting,
        "not_live": [one for one in work.deployments if one.state in IN_VAIN],
        "disputes": work.disputes,
        "rows": read_model_rows(connection, policy, chosen, work),
        "unborn": unborn,
        "model_count": len(known) + len(unborn),
        "counted_models": COUNTED,
        "queue": metrics.queue(connection, at),
        "incidents": incidents(connection, since=since, limit=_RECENT_INCIDENTS),
        "dead": dead_letters.list_dead_letters(connection, limit=_FEW),
        "dead_count": sum(one.count for one in metrics.dead(connection)),
        "refused_count": activity.refused_since(connection, since),
        "refused_tasks": activity.refused_tasks_since(connection, since),
        "accepted_count": activity.accepted_since(connection, since),
        "counted": activity.COUNTED,
        "feed": group_by_version(activity.lately(connection, since=since, limit=_FACTS)),
        "parts": parts(connection),
    }


def read_models(connection: Connection, policy: Policy, *, after: str, limit: int, at: datetime) -> dict[str, Any]:
    """rows: of up to `limit` models by name, those after `after`; on the first page those that only registrar.yml knows
    are `unborn`.
    """
    names = known_names(connection, after=after, limit=limit)
    work = read_open_work(connection, policy, at=at)
    unborn = [] if after else _unborn(policy, known_names(connection, limit=COUNTED))[:limit]
    return {"rows": read_model_rows(connection, policy, names, work), "unborn": unborn, "disputes": work.disputes}


def _unborn(policy: Policy, known: Collection[str]) -> list[str]:
    """Return the models that registrar.yml names, and no event was ever about."""
    return sorted(name for name in policy.models if not is_glob(name) and name not in known)


def _chosen(
    work: OpenWork, known: Sequence[str], changed: Mapping[str, datetime], mine: Collection[str]
) -> Sequence[str]:
    """Return MODELS names: those that wait for the reader, those with something open or not live, then the rest; in
    each part what changed last comes first, and what did not change lately by name.
    """
    open_ = {view.promotion.model for view in work.views} | {*work.disputes}
    open_ |= {one.model for one in work.deployments if one.state != "live"}
    order = {name: nth for nth, name in enumerate(dict.fromkeys([*changed, *known, *sorted(open_)]))}
    return sorted(order, key=lambda name: (name not in mine, name not in open_, order[name]))[:MODELS]

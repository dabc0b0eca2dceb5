"""Gauges read from the ledger: the same from every receiver, however many processes there are."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.capacity import free_bytes
from registrar.ledger.heartbeats import PARTS, Heartbeat, mismatches, time_of
from registrar.ledger.queries import metrics
from registrar.policy import Policy
from registrar.policy.approvals import Approval
from registrar.policy.document import NONE, policy_of
from registrar.policy.models import Target
from registrar.queries.gauges import Gauges, read_gauges
from webhooks.caches import SingleFlightCache

_UP = "Whether the ledger could be read; at 0 the gauges read from it are absent."


class StateCollector:
    """A collector for prometheus-client. Gauges are seconds old; without a ledger only registrar_ledger_up is left.

    clock: the time; None: the database's.
    """

    def __init__(self, ledger: Ledger, policy: Policy, clock: Callable[[], datetime] | None = None) -> None:
        self._ledger = ledger
        self._policy = policy
        self._clock = clock
        self._cached = SingleFlightCache(self._read_families)

    def collect(self) -> Iterator[Metric]:
        yield from self._cached()

    def _read_families(self) -> list[Metric]:
        try:
            with self._ledger.read() as connection:
                at = self._clock() if self._clock else time_of(connection)
                gauges = read_gauges(connection, self._policy, at)
        except LedgerUnavailable:
            return [GaugeMetricFamily("registrar_ledger_up", _UP, value=0)]
        return [GaugeMetricFamily("registrar_ledger_up", _UP, value=1), *self._families(gauges, at)]

    def _families(self, gauges: Gauges, at: datetime) -> Iterator[Metric]:
        yield from _queue(gauges.queue, at)
        yield from _dead(gauges.dead_letters, at)
        yield from _promotions(self._policy, gauges.undecided, at)
        yield from _stuck(self._policy, gauges)
        yield from _holders(self._policy, gauges.held, at)
        yield from _processes(gauges.heartbeats, at)
        yield from _shared_state(gauges.heartbeats, at)
        yield from _disk(free_bytes(self._ledger))


def _queue(found: metrics.Queue, at: datetime) -> Iterator[Metric]:
    states = _family("registrar_tasks", "Tasks that are not done yet, by state.", "state")
    states.add_metric(["queued"], found.queued)
    states.add_metric(["running"], found.running)
    yield states
    yield GaugeMetricFamily("registrar_tasks_due", "Queued tasks that are due.", value=found.due)
    again = "Queued tasks that failed before and are tried again."
    yield GaugeMetricFamily("registrar_tasks_retrying", again, value=found.retried)
    oldest = "How long the longest of the due tasks has waited; 0 where none is due."
    yield GaugeMetricFamily("registrar_oldest_due_task_age_seconds", oldest, value=_age(found.oldest_due, at))


def _dead(found: Iterable[metrics.DeadLetterCount], at: datetime) -> Iterator[Metric]:
    counts = _family("registrar_dead_letters", "Tasks that failed for good, by task and state.", "task", "state")
    first: datetime | None = None
    for one in found:
        counts.add_metric([one.name.removeprefix("worker."), one.state], one.count)
        first = min(first or one.oldest, one.oldest)
    yield counts
    help_ = "How long ago the first of them failed; 0 where there is none."
    yield GaugeMetricFamily("registrar_oldest_dead_letter_age_seconds", help_, value=_age(first, at))


def _promotions(policy: Policy, found: Iterable[metrics.OpenPromotion], at: datetime) -> Iterator[Metric]:
    states: dict[tuple[str, ...], int] = defaultdict(int)
    asked: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for one in found:
        name = policy_of(policy, one.model)
        states[name, one.target, one.state] += 1
        if one.state == "awaiting_approval":
            for group in _groups(policy, one):
                asked[name, one.target, group].append(_age(one.since, at))
    opened = _family("registrar_open_promotions", "Promotions that are not decided.", "policy", "target", "state")
    waiting = "Promotions that wait for people, by the group that is asked; one that needs two groups counts for both."
    pending = _family("registrar_approvals_pending", waiting, "policy", "target", "group")
    oldest = "How long the longest of them has waited."
    ages = _family("registrar_oldest_approval_age_seconds", oldest, "policy", "target", "group")
    for labels, count in states.items():
        opened.add_metric(labels, count)
    for labels, each in asked.items():
        pending.add_metric(labels, len(each))
        ages.add_metric(labels, max(each))
    yield from (opened, pending, ages)


def _stuck(policy: Policy, gauges: Gauges) -> Iterator[Metric]:
    """Count what nothing ends by itself: a person must look at it."""
    impossible: dict[tuple[str, str], int] = defaultdict(int)
    for promotion, is_impossible in gauges.open:
        impossible[policy_of(policy, promotion.model), promotion.target] += is_impossible
    help_ = "Promotions whose approval can't be met any more: nobody is left who may give what it lacks."
    stuck = _family("registrar_approvals_impossible", help_, "policy", "target")
    dark: dict[tuple[str, str], int] = defaultdict(int)
    for deployment in gauges.not_live:
        dark[policy_of(policy, deployment.model), deployment.target] += 1
    help_ = "Versions that hold a target and are not live: their last deployment failed, or was not confirmed in time."
    holders = _family("registrar_holders_not_live", help_, "policy", "target")
    for labels, count in impossible.items():
        stuck.add_metric(labels, count)
    for labels, count in dark.items():
        holders.add_metric(labels, count)
    yield from (stuck, holders)


def _groups(policy: Policy, one: metrics.OpenPromotion) -> Iterable[str]:
    target = policy.model(one.model).target(one.target)
    approval = target.approval if target else None
    return dict.fromkeys(approval.groups) if isinstance(approval, Approval) else (NONE,)


def _holders(policy: Policy, found: Iterable[metrics.HeldTarget], at: datetime) -> Iterator[Metric]:
    most: dict[tuple[str, str], int] = defaultdict(int)
    oldest: dict[tuple[str, str], float] = defaultdict(float)
    for one in found:
        if target := _target(policy, one):
            labels: tuple[str, str] = policy_of(policy, one.model), target.stage
            oldest[labels] = max(oldest[labels], _age(one.since, at))
            if target.exclusive:
                most[labels] = max(most[labels], one.holders)
    help_ = "The most versions of one model that hold an exclusive target: never more than 1."
    counts = _family("registrar_exclusive_holders", help_, "policy", "target")
    help_ = "Since when a target's version holds it: of several models, the one that is there longest."
    ages = _family("registrar_holder_age_seconds", help_, "policy", "target")
    for each, count in most.items():
        counts.add_metric(each, count)
    for each, age in oldest.items():
        ages.add_metric(each, age)
    yield from (counts, ages)


def _target(policy: Policy, one: metrics.HeldTarget) -> Target | None:
    """Return the target that a holding counts for: by its alias in the mode `aliases`, else by its stage."""
    of_model = policy.model(one.model)
    if one.kind == "stage":
        return of_model.target(one.key) if of_model.mode != "aliases" else None
    named = (target for target in of_model.targets if target.alias == one.key)
    return next(named, None) if of_model.mode == "aliases" else None


def _processes(known: Sequence[Heartbeat], at: datetime) -> Iterator[Metric]:
    alive = _family("registrar_processes", "Processes of a part that were heard of within 35 s.", "part")
    help_ = "Processes of a part that were heard of within the hour, and not within 35 s: dead, frozen, or cut off."
    silent = _family("registrar_processes_silent", help_, "part")
    heard = _family("registrar_heartbeat_age_seconds", "Since when none of a part was heard of.", "part")
    help_ = "Seconds since any worker last took a message from the broker, or any beat published one."
    dispatched = _family("registrar_last_dispatch_age_seconds", help_, "part")
    former = _family("registrar_last_bell_age_seconds", "Former name of registrar_last_dispatch_age_seconds.", "part")
    for part in PARTS:
        mine = [one for one in known if one.part == part]
        if not mine and part == "receiver":  # another server than ours writes no heartbeats
            continue
        alive.add_metric([part], sum(not one.silent(at) for one in mine))
        silent.add_metric([part], sum(one.silent(at) for one in mine))
        if mine:
            heard.add_metric([part], min((at - one.seen_at).total_seconds() for one in mine))
        if mine and part != "receiver":
            for family in (dispatched, former):
                family.add_metric([part], min(_age(one.last_dispatched_at or one.started_at, at) for one in mine))
    in_hand = sum(one.in_hand for one in known if not one.silent(at))
    yield from (alive, silent, heard, dispatched, former)
    yield GaugeMetricFamily("registrar_tasks_in_hand", "Tasks that workers say they are running.", value=in_hand)


def _shared_state(known: Sequence[Heartbeat], at: datetime) -> Iterator[Metric]:
    """Compare what the live processes work with: clocks, keys, registrar.yml, MLflow."""
    living = [one for one in known if not one.silent(at)]
    help_ = "Seconds that a part's clock is ahead of the database's (below 0: behind), of the one that is furthest off."
    clocks = _family("registrar_clock_ahead_seconds", help_, "part")
    for part in PARTS:
        if off := [one.clock_ahead for one in living if one.part == part and one.clock_ahead is not None]:
            clocks.add_metric([part], max(off, key=abs))
    help_ = "Processes whose key or registrar.yml (what) is not that of the most."
    others = _family("registrar_processes_mismatched", help_, "what")
    for what, found in mismatches(living).items():
        others.add_metric([what], len(found))
    mlflow = _family("registrar_mlflow_up", "Whether MLflow answers any worker that lives.")
    if asked := [one.mlflow == "" for one in living if one.mlflow is not None]:
        mlflow.add_metric([], any(asked))
    yield from (clocks, others, mlflow)


def _disk(free: int | None) -> Iterator[Metric]:
    help_ = "What is free on the disk that the ledger lies on; of PostgreSQL's nothing is known here."
    disk = _family("registrar_ledger_disk_free_bytes", help_)
    if free is not None:
        disk.add_metric([], free)
    yield disk


def _family(name: str, help_: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, labels=labels)


def _age(since: datetime | None, at: datetime) -> float:
    """Return seconds, at least 0: clocks may differ."""
    return max(0.0, (at - since).total_seconds()) if since else 0.0

"""Gauges read from the ledger: the same from every receiver, however many processes there are."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from registrar.events.states import PromotionState, TaskState
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


def _queue(queue: metrics.Queue, at: datetime) -> Iterator[Metric]:
    counts: dict[tuple[str, ...], float] = {(TaskState.QUEUED,): queue.queued, (TaskState.RUNNING,): queue.running}
    yield _family("registrar_tasks", "Unfinished tasks, by state.", ["state"], counts)
    yield GaugeMetricFamily("registrar_tasks_due", "Queued tasks that are due.", value=queue.due)
    help_ = "Queued tasks that failed before and are retried."
    yield GaugeMetricFamily("registrar_tasks_retrying", help_, value=queue.retried)
    help_ = "How long the longest of the due tasks has waited; 0 where none is due."
    yield GaugeMetricFamily("registrar_oldest_due_task_age_seconds", help_, value=_age(queue.oldest_due, at))


def _dead(dead_letters: Iterable[metrics.DeadLetterCount], at: datetime) -> Iterator[Metric]:
    counts: dict[tuple[str, ...], float] = {}
    oldest: datetime | None = None
    for row in dead_letters:
        counts[row.name.removeprefix("worker."), row.state] = row.count
        oldest = min(oldest or row.oldest, row.oldest)
    help_ = "Tasks that failed for good, by task and state."
    yield _family("registrar_dead_letters", help_, ["task", "state"], counts)
    help_ = "How long ago the first of them failed; 0 where there is none."
    yield GaugeMetricFamily("registrar_oldest_dead_letter_age_seconds", help_, value=_age(oldest, at))


def _promotions(policy: Policy, undecided: Iterable[metrics.OpenPromotion], at: datetime) -> Iterator[Metric]:
    states: dict[tuple[str, ...], int] = defaultdict(int)
    ages: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for promotion in undecided:
        name = policy_of(policy, promotion.model)
        states[name, promotion.target, promotion.state] += 1
        if promotion.state == PromotionState.AWAITING_APPROVAL:
            for group in _groups(policy, promotion):
                ages[name, promotion.target, group].append(_age(promotion.since, at))
    help_ = "Promotions that are not decided."
    yield _family("registrar_open_promotions", help_, ["policy", "target", "state"], states)
    labels = ["policy", "target", "group"]
    help_ = "Promotions that wait for approval, by the group that is asked; one that needs two groups counts for both."
    yield _family("registrar_approvals_pending", help_, labels, {key: len(each) for key, each in ages.items()})
    help_ = "How long the longest of them has waited."
    yield _family(
        "registrar_oldest_approval_age_seconds", help_, labels, {key: max(each) for key, each in ages.items()}
    )


def _stuck(policy: Policy, gauges: Gauges) -> Iterator[Metric]:
    """Count the states that end only when a person acts."""
    impossible: dict[tuple[str, ...], int] = defaultdict(int)
    for promotion, is_impossible in gauges.open:
        impossible[policy_of(policy, promotion.model), promotion.target] += is_impossible
    help_ = "Promotions whose approval can't be met any more: nobody is left who may give what it lacks."
    yield _family("registrar_approvals_impossible", help_, ["policy", "target"], impossible)
    not_live: dict[tuple[str, ...], int] = defaultdict(int)
    for deployment in gauges.not_live:
        not_live[policy_of(policy, deployment.model), deployment.target] += 1
    help_ = "Versions that hold a target and are not live: their last deployment failed, or was not confirmed in time."
    yield _family("registrar_holders_not_live", help_, ["policy", "target"], not_live)


def _groups(policy: Policy, promotion: metrics.OpenPromotion) -> Iterable[str]:
    target = policy.model(promotion.model).target(promotion.target)
    approval = target.approval if target else None
    return dict.fromkeys(approval.groups) if isinstance(approval, Approval) else (NONE,)


def _holders(policy: Policy, held: Iterable[metrics.HeldTarget], at: datetime) -> Iterator[Metric]:
    most: dict[tuple[str, ...], int] = defaultdict(int)
    oldest: dict[tuple[str, ...], float] = defaultdict(float)
    for row in held:
        if target := _target(policy, row):
            key = policy_of(policy, row.model), target.stage
            oldest[key] = max(oldest[key], _age(row.since, at))
            if target.exclusive:
                most[key] = max(most[key], row.holders)
    help_ = "The most versions of one model that hold an exclusive target: never more than 1."
    yield _family("registrar_exclusive_holders", help_, ["policy", "target"], most)
    help_ = "How long the version of a target has held it: the longest, where several models share the policy."
    yield _family("registrar_holder_age_seconds", help_, ["policy", "target"], oldest)


def _target(policy: Policy, held: metrics.HeldTarget) -> Target | None:
    """Return the target that a holding counts for: by its alias in the mode `aliases`, else by its stage."""
    model_policy = policy.model(held.model)
    if held.kind == "stage":
        return model_policy.target(held.key) if model_policy.mode != "aliases" else None
    with_alias = (target for target in model_policy.targets if target.alias == held.key)
    return next(with_alias, None) if model_policy.mode == "aliases" else None


def _processes(heartbeats: Sequence[Heartbeat], at: datetime) -> Iterator[Metric]:
    alive: dict[tuple[str, ...], float] = {}
    silent: dict[tuple[str, ...], float] = {}
    heard: dict[tuple[str, ...], float] = {}
    dispatched: dict[tuple[str, ...], float] = {}
    for part in PARTS:
        of_part = [beat for beat in heartbeats if beat.part == part]
        if not of_part and part == "receiver":  # another server than ours writes no heartbeats
            continue
        silent[part,] = sum(beat.silent(at) for beat in of_part)
        alive[part,] = len(of_part) - silent[part,]
        if of_part:
            heard[part,] = min((at - beat.seen_at).total_seconds() for beat in of_part)
        if of_part and part != "receiver":
            dispatched[part,] = min(_age(beat.last_dispatched_at or beat.started_at, at) for beat in of_part)
    yield _family("registrar_processes", "Processes of a part that were heard of within 35 s.", ["part"], alive)
    help_ = "Processes of a part that were heard of within the hour, and not within 35 s: dead, frozen, or cut off."
    yield _family("registrar_processes_silent", help_, ["part"], silent)
    help_ = "Seconds since a process of the part was last heard of."
    yield _family("registrar_heartbeat_age_seconds", help_, ["part"], heard)
    help_ = "Seconds since any worker last took a message from the broker, or any beat published one."
    yield _family("registrar_last_dispatch_age_seconds", help_, ["part"], dispatched)
    help_ = "Former name of registrar_last_dispatch_age_seconds."
    yield _family("registrar_last_bell_age_seconds", help_, ["part"], dispatched)
    in_hand = sum(beat.in_hand for beat in heartbeats if not beat.silent(at))
    yield GaugeMetricFamily("registrar_tasks_in_hand", "Tasks that workers report as running.", value=in_hand)


def _shared_state(heartbeats: Sequence[Heartbeat], at: datetime) -> Iterator[Metric]:
    """Compare the clocks, keys, registrar.yml and MLflow of the live processes."""
    live = [beat for beat in heartbeats if not beat.silent(at)]
    ahead: dict[tuple[str, ...], float] = {}
    for part in PARTS:
        if offsets := [beat.clock_ahead for beat in live if beat.part == part and beat.clock_ahead is not None]:
            ahead[part,] = max(offsets, key=abs)
    help_ = "Seconds that a part's clock is ahead of the database's (below 0: behind); the furthest of its processes."
    yield _family("registrar_clock_ahead_seconds", help_, ["part"], ahead)
    help_ = "Processes whose key or registrar.yml (what) differs from that of the majority."
    different: dict[tuple[str, ...], float] = {(what,): len(processes) for what, processes in mismatches(live).items()}
    yield _family("registrar_processes_mismatched", help_, ["what"], different)
    answers = [beat.mlflow == "" for beat in live if beat.mlflow is not None]
    mlflow: dict[tuple[str, ...], float] = {(): any(answers)} if answers else {}
    yield _family("registrar_mlflow_up", "Whether MLflow answers any live worker.", [], mlflow)


def _disk(free: int | None) -> Iterator[Metric]:
    help_ = "Free bytes on the ledger's disk; absent for PostgreSQL, whose disk is not known here."
    yield _family("registrar_ledger_disk_free_bytes", help_, [], {} if free is None else {(): free})


def _family(name: str, help_: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
    """Make a gauge with a value for each tuple of labels."""
    family = GaugeMetricFamily(name, help_, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _age(since: datetime | None, at: datetime) -> float:
    """Return seconds, at least 0: clocks may differ."""
    return max(0.0, (at - since).total_seconds()) if since else 0.0

"""worker.prune, on model.prune: old versions are marked; those whose mark is over are handed to worker.delete.

What is marked can be seen in MLflow, and saved: an alias, a stage or a promotion keeps it. A few at a time, oldest
first; what is left over is a task of its own.
"""

from collections import Counter

from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.ledger.version_state import Key
from registrar.policy.document import OURSELVES
from registrar.policy.duration import length
from worker.promotions.version_state import put
from worker.promotions.voters import allowed
from worker.registry.protocol import Refused
from worker.retention.sizes import counted_text, named, sizes
from worker.retention.survey import RetentionDecision, Step, survey
from worker.task_context import TaskContext

AT_ONCE = 25
TIMER = f"source:{OURSELVES}"  # who asks where the policy has a schedule


def act(context: TaskContext) -> Outcome:
    _permit(context)
    everything = survey(context, context.model)
    stamp = _stamp(context)
    above = int(context.task.args.get("above", 0))
    todo = [fate for fate in everything if fate.version.version > above and fate.step in ("mark", "delete", "spare")]
    now, later = todo[:AT_ONCE], todo[AT_ONCE:]
    found = sizes(context, now, everything)
    records = [put(context, fate.version, Key.PRUNE_AFTER, stamp) for fate in now if fate.step == "mark"]
    due = [(number, size) for number, size in found.items() if number in _of(now, "delete", "spare")]
    steps = [FollowUp("worker.delete", {"versions": due})] if due else []
    steps += [FollowUp("worker.prune", {"above": now[-1].version.version})] if later else []
    marks = _of(now, "mark")
    facts = (_marked(context, marks, found, stamp),) if marks else ()
    return Outcome(
        _summary(context, everything, facts, len(due)), facts=facts, follow_ups=tuple(steps), records=tuple(records)
    )


def _permit(context: TaskContext) -> None:
    retention = context.policy.model(context.model).retention
    group = retention.group if retention else None
    if group is None or context.task.actor == TIMER or context.policy.belongs(context.task.actor, [group]):
        return
    raise Refused(f"{context.actor_name} may not prune {context.model}; these may: {allowed(context, [group])}")


def _stamp(context: TaskContext) -> str:
    """When the marks of this task end: the same on every attempt, so that a second one sets no tag again.

    Counted from the first attempt, not from the event: what waited through an outage still gives people their time.
    """
    retention = context.policy.model(context.model).retention
    return (context.task.started_at + length(retention.grace)).isoformat() if retention else ""


def _of(fates: list[RetentionDecision], *steps: Step) -> list[int]:
    return [fate.version.version for fate in fates if fate.step in steps]


def _marked(context: TaskContext, numbers: list[int], found: dict[int, int | None], stamp: str) -> Fact:
    bytes_ = [found[number] for number in numbers]
    until = f"{stamp[:16].replace('T', ' ')} UTC"
    what = named(context.model, numbers)
    text = f"{what} may be deleted after {until} ({counted_text(bytes_)}), by {context.actor_name}"
    details = {"versions": numbers, "count": len(numbers), "bytes": sum(size or 0 for size in bytes_), "after": stamp}
    return Fact(
        "model_version.marked_for_deletion", text, context.model, None, details | {"reason": context.param("reason")}
    )


def _summary(context: TaskContext, everything: list[RetentionDecision], facts: tuple[Fact, ...], due: int) -> str:
    said = [fact.text for fact in facts]
    said += [f"{due} whose time of grace is over, or that stay now, are looked at next"] if due else []
    steps = Counter(fate.step for fate in everything)
    return (
        "; ".join(said) or f"nothing to prune: {steps['stay']} versions of {context.model} stay, {steps['wait']} wait"
    )

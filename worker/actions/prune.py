"""worker.prune, on model.prune: mark old versions, and hand those whose mark has ended to worker.delete.

A mark is a tag in MLflow; until it ends, people can save the version by an alias, a stage or a promotion. The oldest
AT_ONCE versions come first; the rest is a task of its own.
"""

from collections import Counter

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.ledger.version_state import Key
from registrar.policy.document import OURSELVES
from registrar.text.duration import length
from worker.promotions.version_state import set_state
from worker.promotions.voters import format_groups
from worker.registry.protocol import Refused
from worker.retention.survey import RetentionDecision, Step, format_sizes, name_versions, sizes, survey
from worker.task_context import TaskContext

AT_ONCE = 25
SCHEDULER = f"source:{OURSELVES}"  # the actor of scheduled prunes


def act(context: TaskContext) -> Outcome:
    _permit(context)
    everything = survey(context, context.model)
    mark = _mark_value(context)
    above = int(context.task.args.get("above", 0))
    todo = [
        decision
        for decision in everything
        if decision.version.version > above and decision.step in ("mark", "delete", "spare")
    ]
    now, later = todo[:AT_ONCE], todo[AT_ONCE:]
    size_of = sizes(context, now, everything)
    records = tuple(
        set_state(context, decision.version, Key.PRUNE_AFTER, mark) for decision in now if decision.step == "mark"
    )
    due = [(number, size) for number, size in size_of.items() if number in _numbers(now, "delete", "spare")]
    steps = [FollowUp("worker.delete", {"versions": due})] if due else []
    steps += [FollowUp("worker.prune", {"above": now[-1].version.version})] if later else []
    marked = _numbers(now, "mark")
    facts = (_marked_fact(context, marked, size_of, mark),) if marked else ()
    summary = _summary(context, everything, facts, len(due))
    return Outcome(summary, facts=facts, follow_ups=tuple(steps), records=records)


def _permit(context: TaskContext) -> None:
    retention = context.policy.model(context.model).retention
    group = retention.group if retention else None
    if group is None or context.task.actor == SCHEDULER or context.policy.belongs(context.task.actor, [group]):
        return
    raise Refused(f"{context.actor_name} may not prune {context.model}; these may: {format_groups(context, [group])}")


def _mark_value(context: TaskContext) -> str:
    """Return when this task's marks end: the same on every attempt, so that a retry sets no tag again.

    The time of grace counts from the first attempt, not from the event, so that it is whole also after an outage.
    """
    retention = context.policy.model(context.model).retention
    return (context.task.started_at + length(retention.grace)).isoformat() if retention else ""


def _numbers(decisions: list[RetentionDecision], *steps: Step) -> list[int]:
    return [decision.version.version for decision in decisions if decision.step in steps]


def _marked_fact(context: TaskContext, numbers: list[int], size_of: dict[int, int | None], mark: str) -> Fact:
    bytes_ = [size_of[number] for number in numbers]
    until = f"{mark[:16].replace('T', ' ')} UTC"
    versions = name_versions(context.model, numbers)
    text = f"{versions} may be deleted after {until} ({format_sizes(bytes_)}), by {context.actor_name}"
    details = {
        "versions": numbers,
        "count": len(numbers),
        "bytes": sum(size or 0 for size in bytes_),
        "after": mark,
        "reason": context.param("reason"),
    }
    return Fact(FactType.MODEL_VERSION_MARKED_FOR_DELETION, text, context.model, None, details)


def _summary(context: TaskContext, everything: list[RetentionDecision], facts: tuple[Fact, ...], due: int) -> str:
    parts = [fact.text for fact in facts]
    parts += [f"{due} that are due, or have to stay, are checked next"] if due else []
    steps = Counter(decision.step for decision in everything)
    return (
        "; ".join(parts) or f"nothing to prune: {steps['stay']} versions of {context.model} stay, {steps['wait']} wait"
    )

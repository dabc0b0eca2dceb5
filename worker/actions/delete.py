"""worker.delete, after worker.prune: delete the versions whose mark has ended, one by one, each checked right before.

A version that is to stay now loses its mark. Where the registry stops answering, or refuses, what is done is recorded,
and the rest becomes a task of its own: so the record never misses a version that was deleted here.
"""

from dataclasses import dataclass, field

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.ledger.holders import HoldingEnded
from registrar.ledger.version_state import Key, StateSet
from worker.promotions.version_state import set_state
from worker.registry.protocol import PermanentError, RetryableError, find_version
from worker.retention.survey import format_sizes, judge_version, name_versions
from worker.task_context import TaskContext

Sized = tuple[int, int | None]  # a version and the bytes of its files; None: can't be counted


@dataclass
class DeleteResult:
    """spared: why, by version. unmarked: the ends of their marks."""

    deleted: list[Sized] = field(default_factory=list)
    spared: dict[int, str] = field(default_factory=dict)
    unmarked: list[StateSet] = field(default_factory=list)


def act(context: TaskContext) -> Outcome:
    asked: list[Sized] = [(number, size) for number, size in context.param("versions")]
    again = context.task.attempts > 1 or bool(context.task.args.get("again"))
    done, left, errors = DeleteResult(), list[Sized](), list[PermanentError]()
    for nth, each in enumerate(asked):
        try:
            _one(context, each, done, again=again)
        except RetryableError:
            if done == DeleteResult():
                raise
            left += asked[nth:]
            break
        except PermanentError as error:
            left.append(each)
            errors.append(error)
    if errors and done == DeleteResult():
        raise PermanentError("; ".join(dict.fromkeys(map(str, errors))))
    return _outcome(context, done, left)


def _one(context: TaskContext, each: Sized, done: DeleteResult, *, again: bool) -> None:
    """again: an earlier attempt may have been cut off right after its write; that counts as done."""
    number = each[0]
    decision = judge_version(context, context.model, number)
    if decision is None:
        done.deleted += [each] if again else []
    elif decision.step == "delete":
        context.registry.delete_version(context.model, number)
        if find_version(context.registry, context.model, number):
            raise RetryableError(f"{context.model} version {number} was deleted, but is still there")
        done.deleted.append(each)
    elif decision.reasons and (again or decision.step == "spare"):
        done.unmarked.append(set_state(context, decision.version, Key.PRUNE_AFTER, None))
        done.spared[number] = " and ".join(decision.reasons)


def _outcome(context: TaskContext, done: DeleteResult, left: list[Sized]) -> Outcome:
    facts = [*_pruned(context, done.deleted), *_spared(context, done.spared)]
    return Outcome(
        "; ".join(fact.text for fact in facts) or f"nothing of {context.model} is due any more",
        facts=tuple(facts),
        follow_ups=(FollowUp("worker.delete", {"versions": left, "again": True}),) if left else (),
        records=(*(HoldingEnded(context.model, "stage", number) for number, _ in done.deleted), *done.unmarked),
    )


def _pruned(context: TaskContext, deleted: list[Sized]) -> list[Fact]:
    if not deleted:
        return []
    numbers, found = [number for number, _ in deleted], [size for _, size in deleted]
    text = f"{name_versions(context.model, numbers)} deleted by {context.actor_name} ({format_sizes(found)})"
    details = {
        "versions": numbers,
        "count": len(numbers),
        "bytes": sum(size or 0 for size in found),
        "by": context.actor_name,
    }
    return [Fact(FactType.MODEL_VERSION_PRUNED, text, context.model, None, details)]


def _spared(context: TaskContext, spared: dict[int, str]) -> list[Fact]:
    if not spared:
        return []
    text = "; ".join(f"{context.model} version {number} stays: {why}" for number, why in spared.items())
    return [Fact(FactType.MODEL_VERSION_SPARED, text, context.model, None, {"versions": list(spared)})]

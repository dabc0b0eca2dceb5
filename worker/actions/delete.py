"""worker.delete, after worker.prune: delete the versions whose mark has ended, checking each right before.

A version that has to stay loses its mark. Where the registry stops answering, or refuses, the deletions so far
are recorded and the rest becomes a task of its own, so that the record never lacks a deletion.
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

SizedVersion = tuple[int, int | None]  # a version and the bytes of its files; None where they can't be counted


@dataclass
class DeleteResult:
    """Deleted and spared versions. spared: why each stays, by version. unmarked: records of the ends of their marks."""

    deleted: list[SizedVersion] = field(default_factory=list)
    spared: dict[int, str] = field(default_factory=dict)
    unmarked: list[StateSet] = field(default_factory=list)


def act(context: TaskContext) -> Outcome:
    versions: list[SizedVersion] = [(number, size) for number, size in context.param("versions")]
    again = context.task.attempts > 1 or bool(context.task.args.get("again"))
    result, left, errors = DeleteResult(), list[SizedVersion](), list[PermanentError]()
    for index, version in enumerate(versions):
        try:
            _delete_one(context, version, result, again=again)
        except RetryableError:
            if result == DeleteResult():
                raise
            left += versions[index:]
            break
        except PermanentError as error:
            left.append(version)
            errors.append(error)
    if errors and result == DeleteResult():
        raise PermanentError("; ".join(dict.fromkeys(map(str, errors))))
    return _outcome(context, result, left)


def _delete_one(context: TaskContext, version: SizedVersion, result: DeleteResult, *, again: bool) -> None:
    """Delete a version, if it still may go. again: an earlier attempt may have been interrupted right after its write,
    so a version that is gone counts as deleted.
    """
    number = version[0]
    decision = judge_version(context, context.model, number)
    if decision is None:
        result.deleted += [version] if again else []
    elif decision.step == "delete":
        context.registry.delete_version(context.model, number)
        if find_version(context.registry, context.model, number):
            raise RetryableError(f"{context.model} version {number} was deleted, but is still there")
        result.deleted.append(version)
    elif decision.reasons and (again or decision.step == "spare"):
        result.unmarked.append(set_state(context, decision.version, Key.PRUNE_AFTER, None))
        result.spared[number] = " and ".join(decision.reasons)


def _outcome(context: TaskContext, result: DeleteResult, left: list[SizedVersion]) -> Outcome:
    facts = [*_pruned(context, result.deleted), *_spared(context, result.spared)]
    return Outcome(
        "; ".join(fact.text for fact in facts) or f"nothing of {context.model} is due now",
        facts=tuple(facts),
        follow_ups=(FollowUp("worker.delete", {"versions": left, "again": True}),) if left else (),
        records=(*(HoldingEnded(context.model, "stage", number) for number, _ in result.deleted), *result.unmarked),
    )


def _pruned(context: TaskContext, deleted: list[SizedVersion]) -> list[Fact]:
    if not deleted:
        return []
    numbers, sizes = [number for number, _ in deleted], [size for _, size in deleted]
    text = f"{name_versions(context.model, numbers)} deleted by {context.actor_name} ({format_sizes(sizes)})"
    details = {
        "versions": numbers,
        "count": len(numbers),
        "bytes": sum(size or 0 for size in sizes),
        "by": context.actor_name,
    }
    return [Fact(FactType.MODEL_VERSION_PRUNED, text, context.model, None, details)]


def _spared(context: TaskContext, spared: dict[int, str]) -> list[Fact]:
    if not spared:
        return []
    text = "; ".join(f"{context.model} version {number} stays: {why}" for number, why in spared.items())
    return [Fact(FactType.MODEL_VERSION_SPARED, text, context.model, None, {"versions": list(spared)})]

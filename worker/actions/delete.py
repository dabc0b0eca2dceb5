"""worker.delete, after worker.prune: versions whose mark is over go, one by one, each looked at right before.

What stays now loses its mark. Where the registry stops answering, or refuses, what is done is written down, and the
rest is a task of its own: the record never lacks a version that was deleted here.
"""

from dataclasses import dataclass, field

from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.ledger.holders import HoldingEnded
from registrar.ledger.version_state import Key, StateSet
from worker.promotions.version_state import put
from worker.registry.protocol import PermanentError, RetryableError, present
from worker.retention.sizes import counted_text, named
from worker.retention.survey import judge
from worker.task_context import TaskContext

Sized = tuple[int, int | None]  # a version, and the bytes of its files; None: can't be counted


@dataclass
class DeleteResult:
    """spared: why, by version; unmarked: that their marks are over."""

    deleted: list[Sized] = field(default_factory=list)
    spared: dict[int, str] = field(default_factory=dict)
    unmarked: list[StateSet] = field(default_factory=list)


def act(work: TaskContext) -> Outcome:
    asked: list[Sized] = [(number, size) for number, size in work.given("versions")]
    again = work.task.attempts > 1 or bool(work.task.args.get("again"))
    done, left, errors = DeleteResult(), list[Sized](), list[PermanentError]()
    for nth, each in enumerate(asked):
        try:
            _one(work, each, done, again=again)
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
    return _outcome(work, done, left)


def _one(work: TaskContext, each: Sized, done: DeleteResult, *, again: bool) -> None:
    """again: an attempt before this one may have been cut off right after its write; that is told as done."""
    number = each[0]
    fate = judge(work, work.model, number)
    if fate is None:
        done.deleted += [each] if again else []
    elif fate.step == "delete":
        work.registry.delete_version(work.model, number)
        if present(work.registry, work.model, number):
            raise RetryableError(f"{work.model} version {number} was deleted, but is still there")
        done.deleted.append(each)
    elif fate.reasons and (again or fate.step == "spare"):
        done.unmarked.append(put(work, fate.version, Key.PRUNE_AFTER, None))
        done.spared[number] = " and ".join(fate.reasons)


def _outcome(work: TaskContext, done: DeleteResult, left: list[Sized]) -> Outcome:
    facts = [*_pruned(work, done.deleted), *_spared(work, done.spared)]
    return Outcome(
        "; ".join(fact.text for fact in facts) or f"nothing of {work.model} is due any more",
        facts=tuple(facts),
        follow_ups=(FollowUp("worker.delete", {"versions": left, "again": True}),) if left else (),
        records=(*(HoldingEnded(work.model, "stage", number) for number, _ in done.deleted), *done.unmarked),
    )


def _pruned(work: TaskContext, deleted: list[Sized]) -> list[Fact]:
    if not deleted:
        return []
    numbers, found = [number for number, _ in deleted], [size for _, size in deleted]
    text = f"{named(work.model, numbers)} deleted by {work.who} ({counted_text(found)})"
    details = {"versions": numbers, "count": len(numbers), "bytes": sum(size or 0 for size in found), "by": work.who}
    return [Fact("model_version.pruned", text, work.model, None, details)]


def _spared(work: TaskContext, spared: dict[int, str]) -> list[Fact]:
    if not spared:
        return []
    text = "; ".join(f"{work.model} version {number} stays: {why}" for number, why in spared.items())
    return [Fact("model_version.spared", text, work.model, None, {"versions": list(spared)})]

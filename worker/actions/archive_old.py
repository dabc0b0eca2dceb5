"""worker.archive_old, on model.archive: move a model's old versions to Archived, some at a time.

The first task decides which, and each of the following ones looks at each of its versions again right before it is
moved. Where the registry stops answering, or refuses, the moves so far are recorded and the rest becomes a task of its
own, so that the record never lacks a move.
"""

from dataclasses import dataclass, field

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.types import ModelArchive
from worker.promotions.transitions import move
from worker.registry.protocol import PermanentError, RetryableError
from worker.retention.archival import judge_old, plan_archive
from worker.retention.survey import name_versions
from worker.task_context import TaskContext

AT_ONCE = 25


@dataclass
class Archived:
    """The versions that were moved, with what their moves leave behind; and why others stay, by version."""

    moves: dict[int, Outcome] = field(default_factory=dict)
    stay: dict[int, str] = field(default_factory=dict)


def act(context: TaskContext) -> Outcome:
    data = context.data_as(ModelArchive)
    versions: list[int] | None = context.task.args.get("versions")
    return _begin(context, data) if versions is None else _archive(context, data, versions)


def _begin(context: TaskContext, data: ModelArchive) -> Outcome:
    plan = plan_archive(context, data.model, older_than=data.older_than, keep=data.keep)
    numbers = sorted(row.version for row in plan.rows if row.step == "archive")
    if not numbers:
        return Outcome(f"nothing of {data.model} is archived: {len(plan.rows)} versions stay as they are")
    steps = [
        FollowUp("worker.archive_old", {"versions": numbers[start : start + AT_ONCE]})
        for start in range(0, len(numbers), AT_ONCE)
    ]
    return Outcome(f"{name_versions(data.model, numbers)}: archived next, one by one", follow_ups=tuple(steps))


def _archive(context: TaskContext, data: ModelArchive, versions: list[int]) -> Outcome:
    again = context.task.attempts > 1 or bool(context.task.args.get("again"))
    result, left, errors = Archived(), list[int](), list[PermanentError]()
    for index, number in enumerate(versions):
        try:
            _archive_one(context, data, number, result, again=again)
        except RetryableError:
            if not result.moves:
                raise
            left += versions[index:]
            break
        except PermanentError as error:
            left.append(number)
            errors.append(error)
    if errors and not result.moves:
        raise PermanentError("; ".join(dict.fromkeys(map(str, errors))))
    return _outcome(context, data, result, left)


def _archive_one(context: TaskContext, data: ModelArchive, number: int, result: Archived, *, again: bool) -> None:
    """Move a version, if it still may go. again: an earlier attempt may have been interrupted right after its write, so
    a version that is in Archived counts as moved.
    """
    version, reasons = judge_old(context, data.model, number, older_than=data.older_than, keep=data.keep)
    if version is None:
        return
    if version.stage == "Archived" and not again:
        result.stay[number] = "it is in Archived already"
    elif version.stage != "Archived" and reasons:
        result.stay[number] = " and ".join(reasons)
    else:
        result.moves[number] = move(context, version, "Archived", reason=data.reason)


def _outcome(context: TaskContext, data: ModelArchive, result: Archived, left: list[int]) -> Outcome:
    parts, facts = [f"{data.model} version {number} stays: {why}" for number, why in result.stay.items()], []
    if numbers := sorted(result.moves):
        because = f": {data.reason}" if data.reason else ""
        text = f"{name_versions(data.model, numbers)} archived by {context.actor_name}{because}"
        details = {"versions": numbers, "count": len(numbers), "by": context.actor_name, "reason": data.reason}
        facts.append(Fact(FactType.MODEL_VERSION_ARCHIVED, text, data.model, None, details))
        parts.insert(0, text)
    return Outcome(
        "; ".join(parts) or f"the old versions of {data.model} are gone",
        facts=tuple(facts),
        follow_ups=(FollowUp("worker.archive_old", {"versions": left, "again": True}),) if left else (),
        records=tuple(record for moved in result.moves.values() for record in moved.records),
    )

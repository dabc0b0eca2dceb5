"""What is to be done where an exclusive stage was changed by hand and the policy reverts that: one holder, not two."""

from collections.abc import Mapping, Sequence

from registrar.ledger.holders import Holder, held_before
from worker.task_context import TaskContext

Move = tuple[int, str]  # a version, and the stage that it goes to


def moves(context: TaskContext, stage: str, stages: Mapping[int, str], recorded: Sequence[Holder]) -> list[Move]:
    """Who came goes away again; where none of the holders by the record is there any more, one comes back.

    stages: of each version now. recorded: who holds what by the record, oldest first; at least one that is still a
    version holds this stage.
    """
    current = {number for number, found in stages.items() if found == stage}
    holders = [holding.version for holding in recorded if holding.key == stage and holding.version in stages]
    leaving = _home(context, sorted(current - {*holders}), stage, stages, recorded)
    return leaving if current & {*holders} else [*leaving, (_rightful(context, stage, holders), stage)]


def _rightful(context: TaskContext, stage: str, holders: list[int]) -> int:
    """Of the versions that hold a stage by the record, the newest that did not come by hand alone; else the newest."""
    with context.ledger.read() as connection:
        times = held_before(connection, context.model, "stage", stage)
    given = [held.version for held in times if held.still and held.given and held.version in holders]
    return given[0] if given else holders[-1]


def _home(
    context: TaskContext, came: list[int], stage: str, stages: Mapping[int, str], recorded: Sequence[Holder]
) -> list[Move]:
    """Each goes to where the record has it, unless that takes one alone and another is there by now."""
    policy = context.policy.model(context.model)
    before = {holding.version: holding.key for holding in recorded if holding.key != stage}
    now = dict(stages)
    for number in came:
        goal = before.get(number, "None")
        target = policy.target(goal)
        taken = any(at == goal for other, at in now.items() if other != number)
        now[number] = "None" if taken and target and target.exclusive else goal
    return [(number, now[number]) for number in came]

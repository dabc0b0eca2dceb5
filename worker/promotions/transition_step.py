"""One move of a version by the policy, and how it is undone: stage and aliases go back to where they were.

After an earlier attempt has written, MLflow no longer shows where they were; the record does, as it changes only at a
move's end.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from registrar.ledger.holders import held_now
from registrar.policy import ModelPolicy, Target
from worker.promotions.move_description import move_line, remove_line
from worker.registry.entities import Version
from worker.registry.protocol import NotFound, RegistryError
from worker.task_context import TaskContext


@dataclass(frozen=True)
class TransitionStep:
    """A version's move to a stage. version: as read when this attempt began. target: None where the policy has none for
    the stage. promotion: the id of the promotion that moves it, if any.
    """

    version: Version
    stage: str
    policy: ModelPolicy
    target: Target | None
    promotion: str | None = None

    @property
    def staged(self) -> bool:
        """Return whether the move sets MLflow's stage."""
        return self.policy.mode != "aliases"

    @property
    def alias(self) -> str | None:
        return self.target.alias if self.target else None

    @property
    def foreign(self) -> set[str]:
        """Return the aliases that don't belong to the stage: other targets' and the one for replaced versions."""
        others = {t.alias for t in self.policy.targets if t.alias and t.stage != self.stage}
        return others | ({self.target.previous_alias} if self.target and self.target.previous_alias else set())

    def line(self, context: TaskContext) -> str:
        """Return the move's line in the version's description."""
        return move_line(context, self.version, self.stage)


def undo_move(context: TaskContext, step: TransitionStep) -> str | None:
    """Undo what was written. Returns what came of that, for people; None where nothing had been written.

    Raises RetryableError where the registry does not answer, and the task will be tried again with the whole move.
    """
    try:
        stage, done = _stage_before(context, step), _restore_aliases(context, step)
        now = context.registry.version(step.version.model, step.version.version)
        if step.staged and now.stage != stage:
            context.registry.set_stage(now.model, now.version, stage)
            done = True
        done = remove_line(context, now, step.line(context)) or done
    except RegistryError as error:
        if not context.ends(error):
            raise
        return f"what had been done could not be taken back ({error}): look at {step.version} in MLflow"
    where = f"{step.version} is in {stage}" if step.staged else f"the aliases of {step.version.model} are as before"
    return f"what had been done was taken back: {where}" if done else None


def release_other_version(context: TaskContext, step: TransitionStep) -> None:
    """Undo writes that went to another version, which nobody admitted: the model was recreated during the move.

    Does nothing where the version is the same, and another one of the model is new.
    """
    model, number = step.version.model, step.version.version
    try:
        current = context.unchecked_registry.version(model, number)
    except NotFound:
        return
    if current.incarnation("").same(step.version.incarnation("")):
        return
    if step.staged and current.stage == step.stage:
        context.unchecked_registry.set_stage(model, number, "None")
    if step.alias in current.aliases:
        context.unchecked_registry.drop_alias(model, str(step.alias))


def _restore_aliases(context: TaskContext, step: TransitionStep) -> bool:
    """Give the aliases back to their former holders. Returns whether any had moved."""
    before, model = _aliases_before(context, step), step.version.model
    now = context.registry.model(model).aliases
    moved = {alias: number for alias, number in before.items() if now.get(alias) != number}
    for alias, number in sorted(moved.items()):
        if number is None:
            context.registry.drop_alias(model, alias)
        else:
            context.registry.set_alias(model, alias, number)
    return bool(moved)


def _stage_before(context: TaskContext, step: TransitionStep) -> str:
    version = step.version
    if version.stage != step.stage or context.task.attempts == 1:
        return version.stage
    with context.ledger.read() as connection:
        recorded = [
            held.key for held in held_now(connection, version.model, "stage") if held.version == version.version
        ]
    return recorded[-1] if recorded else "None"


def _aliases_before(context: TaskContext, step: TransitionStep) -> Mapping[str, int | None]:
    """Return the former holders of the aliases that the move touches."""
    version = step.version
    with context.ledger.read() as connection:
        recorded = {held.key: held.version for held in held_now(connection, version.model, "alias")}
    set_by_move = {step.alias, step.target.previous_alias if step.target else None}
    before = {alias: recorded.get(alias) for alias in set_by_move if alias}
    own = (
        {alias for alias, number in recorded.items() if number == version.version}
        if context.task.attempts > 1
        else set()
    )
    taken = step.foreign | (set_by_move if context.task.attempts == 1 else set())
    return {**before, **{alias: version.version for alias in taken & (own | {*version.aliases}) if alias}}

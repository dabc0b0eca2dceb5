"""Find and record authors, registrants and requesters: each is recorded once and never changes."""

from registrar.events.states import PromotionState
from registrar.events.types import ModelVersionTransition, PromotionRequest
from registrar.ledger import Ledger
from registrar.ledger.promotions import latest
from registrar.ledger.version_state import Key, StateSet
from registrar.policy import Target
from worker.promotions.version_state import current_stage, recorded
from worker.registry.entities import Version
from worker.task_context import TaskContext


def registration_records(context: TaskContext, version: Version, user: str) -> tuple[StateSet, ...]:
    """Return the records of a version that this event registered. user: of its run."""
    return (_set_once(version, Key.AUTHOR, user), _set_once(version, Key.REGISTRANT, context.task.actor))


def first_author_record(ledger: Ledger, version: Version, user: str) -> tuple[StateSet, ...]:
    """Return the author's record; () where one is recorded already, or the version has no run that could name one."""
    if version.run_id is None or known_author(ledger, version) is not None:
        return ()
    return (_set_once(version, Key.AUTHOR_SEEN, user),)


def known_author(ledger: Ledger, version: Version) -> str | None:
    """Return MLflow's name of the author by the record: "" where the run named nobody, None where none is recorded."""
    state = recorded(ledger, version)
    return state.get(Key.AUTHOR, state.get(Key.AUTHOR_SEEN))


def _set_once(version: Version, key: Key, value: str) -> StateSet:
    return StateSet(version.model, version.version, version.created_at, key, value, once=True)


def find_requester(context: TaskContext, version: Version, target: Target) -> str:
    """Return the id of the actor who counts as the requester of a step.

    The first that applies: the requester of the promotion that is asked for again; the actor of an event that asks for
    this step; the last requester of this step; the requester of the step that brought the version to its stage; the
    event's actor.
    """
    if requester := context.task.args.get("requested_by"):
        return str(requester)
    if is_explicit_request(context, version, target):
        return context.task.actor
    stage = current_stage(context.policy.model(version.model), version)
    with context.ledger.read() as connection:
        of = version.incarnation(context.registry.address)
        if last := latest(connection, version.model, version.version, target.stage, of=of):
            return last.requested_by
        previous_step = latest(connection, version.model, version.version, stage, of=of)
    if previous_step and previous_step.state == PromotionState.PROMOTED:
        return previous_step.requested_by
    return context.task.actor


def is_explicit_request(context: TaskContext, version: Version, target: Target) -> bool:
    """Return whether the event asks for this very step, instead of only leading to it."""
    data, types = context.task.data, (PromotionRequest.type, ModelVersionTransition.type)
    step = (data.get("version"), data.get("target") or data.get("stage"))
    return context.task.event_type in types and step == (version.version, target.stage)

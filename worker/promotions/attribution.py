"""Find and record authors, registrants and requesters: each is recorded once and never changes."""

from collections.abc import Mapping

from registrar.events.states import PromotionState
from registrar.events.types import ModelVersionTransition, PromotionRequest
from registrar.ledger import Ledger
from registrar.ledger.promotions import latest
from registrar.ledger.version_state import Key, StateSet
from registrar.policy import Policy, Target
from registrar.queries.voting import by_account, name
from registrar.text.sanitize import shown
from registrar.text.wording import cut
from worker.promotions.version_state import current_stage, recorded
from worker.registry.entities import Run, Version
from worker.task_context import TaskContext

_MLFLOW = "mlflow:"  # begins the id of a registrant whom only MLflow names: no actor of an event has such an id
_NOBODY = "unknown"  # as MLflow's clients call a user whom they don't know
_LONGEST_USER = 250  # characters


def registration_records(context: TaskContext, version: Version, user: str) -> tuple[StateSet, ...]:
    """Return the records of a version that this event registered. user: of its run."""
    return (_set_once(version, Key.AUTHOR, user), _set_once(version, Key.REGISTRANT, context.task.actor))


def take_up_records(context: TaskContext, version: Version, user: str) -> tuple[StateSet, ...]:
    """Return the records of a version that this event took up: it was in MLflow already. user: of its run."""
    return (
        *first_author_record(context.ledger, version, user),
        _set_once(version, Key.REGISTRANT, context.task.actor),
        _set_once(version, Key.EVENT, context.task.event_id),
    )


def first_author_record(ledger: Ledger, version: Version, user: str) -> tuple[StateSet, ...]:
    """Return the author's record; () where one is recorded already, or the version has no run that could name one."""
    if version.run_id is None or known_author(ledger, version) is not None:
        return ()
    return (_set_once(version, Key.AUTHOR_SEEN, user),)


def was_taken_in(state: Mapping[str, str]) -> bool:
    """Return whether a version was registered in MLflow and taken in. state: of the version, by the record."""
    return state.get(Key.REGISTRANT, "").startswith(_MLFLOW)


def known_author(ledger: Ledger, version: Version) -> str | None:
    """Return MLflow's name of the author by the record: "" where the run named nobody, None where none is recorded."""
    state = recorded(ledger, version)
    return state.get(Key.AUTHOR, state.get(Key.AUTHOR_SEEN))


def adoption_records(context: TaskContext, version: Version, run: Run | None) -> tuple[StateSet, ...]:
    """Return the records of a version that was registered in MLflow and is taken in: who did so, by MLflow's word."""
    return (
        *first_author_record(context.ledger, version, run.user if run else ""),
        _set_once(version, Key.REGISTRANT, f"{_MLFLOW}{_mlflow_user(version, run) or _NOBODY}"),
        _set_once(version, Key.EVENT, context.task.event_id),
    )


def registrant_in_mlflow(policy: Policy, version: Version, run: Run | None) -> str:
    """Return who registered a version in MLflow, for people; "" where MLflow names nobody."""
    user = _mlflow_user(version, run)
    person = by_account(policy, user) if user else None
    return name(policy, person) if person else user


def _mlflow_user(version: Version, run: Run | None) -> str:
    """Return MLflow's name of who registered a version: the version's user, else its run's. Not verified."""
    return cut(shown(version.user or (run.user if run else "")), _LONGEST_USER)


def _set_once(version: Version, key: Key, value: str) -> StateSet:
    return StateSet(version.model, version.version, version.created_at, key, value, once=True)


def find_requester(context: TaskContext, version: Version, target: Target) -> str:
    """Return the id of the actor who counts as the requester of a step.

    The first that applies: the requester of the promotion that is asked for again; the actor of an event that asks for
    this step; the last requester of this step; the requester of the step that brought the version to its stage; who
    registered it in MLflow, by MLflow's word (a person's account `mlflow`, else mlflow:USER); the event's actor.
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
    state = recorded(context.ledger, version)
    if not was_taken_in(state):
        return context.task.actor
    registrant = state[Key.REGISTRANT]
    return by_account(context.policy, registrant.removeprefix(_MLFLOW)) or registrant


def is_explicit_request(context: TaskContext, version: Version, target: Target) -> bool:
    """Return whether the event asks for this very step, instead of only leading to it."""
    data, types = context.task.data, (PromotionRequest.type, ModelVersionTransition.type)
    step = (data.get("version"), data.get("target") or data.get("stage"))
    return context.task.event_type in types and step == (version.version, target.stage)

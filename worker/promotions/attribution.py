"""Authors, registrants and requesters: each is recorded once and never changes."""

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
    """Return the author's record on first sight; () where the author is known, or no run could name one."""
    if version.run_id is None or known_author(ledger, version) is not None:
        return ()
    return (_set_once(version, Key.AUTHOR_SEEN, user),)


def known_author(ledger: Ledger, version: Version) -> str | None:
    """Return the author by the record, as MLflow names them; "": the run named nobody; None: not recorded yet."""
    found = recorded(ledger, version)
    return found.get(Key.AUTHOR, found.get(Key.AUTHOR_SEEN))


def _set_once(version: Version, key: Key, value: str) -> StateSet:
    return StateSet(version.model, version.version, version.created_at, key, value, once=True)


_ASKING = ("promotion.request", "model_version.transition")


def find_requester(context: TaskContext, version: Version, target: Target) -> str:
    """Return an actor's id: the first that applies of

    the requester of a promotion that became void; the actor who asks for this step explicitly; the last requester of
    this step; the requester of the step that brought the version where it is; the event's actor.
    """
    if kept := context.task.args.get("requested_by"):
        return str(kept)
    if is_explicit_request(context, version, target):
        return context.task.actor
    before = current_stage(context.policy.model(version.model), version)
    with context.ledger.read() as connection:
        of = version.incarnation(context.registry.address)
        asked = latest(connection, version.model, version.version, target.stage, of=of)
        brought = latest(connection, version.model, version.version, before, of=of)
    earlier = (asked, brought if brought and brought.state == "promoted" else None)
    return next((one.requested_by for one in earlier if one), context.task.actor)


def is_explicit_request(context: TaskContext, version: Version, target: Target) -> bool:
    """Return whether the event itself asks for this step, rather than causing it."""
    data = context.task.data
    asked = (data.get("version"), data.get("target") or data.get("stage"))
    return context.task.event_type in _ASKING and asked == (version.version, target.stage)

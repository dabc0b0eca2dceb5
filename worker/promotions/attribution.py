"""Who trained and who registered a version, and who asked for its promotion: each bound in the record once."""

from registrar.ledger import Ledger
from registrar.ledger.promotions import latest
from registrar.ledger.version_state import Key, StateSet
from registrar.policy import Target
from worker.promotions.current_stage import current_stage
from worker.promotions.version_state import recorded
from worker.registry.protocol import Version
from worker.task_context import TaskContext


def registration_records(context: TaskContext, version: Version, user: str) -> tuple[StateSet, ...]:
    """The records of a version that this event registered. user: of its run."""
    return (_set_once(version, Key.AUTHOR, user), _set_once(version, Key.REGISTRANT, context.task.actor))


def first_author_record(ledger: Ledger, version: Version, user: str) -> tuple[StateSet, ...]:
    """The record of a first look; () where the author is known, or the version has no run that could name one."""
    if version.run_id is None or known_author(ledger, version) is not None:
        return ()
    return (_set_once(version, Key.AUTHOR_SEEN, user),)


def known_author(ledger: Ledger, version: Version) -> str | None:
    """The author by the record, as MLflow calls them; "": nobody was named; None: nobody has looked yet."""
    found = recorded(ledger, version)
    return found.get(Key.AUTHOR, found.get(Key.AUTHOR_SEEN))


def _set_once(version: Version, key: Key, value: str) -> StateSet:
    return StateSet(version.model, version.version, version.created_at, key, value, once=True)


_ASKING = ("promotion.request", "model_version.transition")


def find_requester(context: TaskContext, version: Version, target: Target) -> str:
    """Return the actor's id.

    In this order: who asked for what became void; who asks for this very step by an event of their own; who asked for
    the step last; who asked for the step that brought the version where it is; whose event this is.
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
    """Whether this event asks for this very step itself, and is none that it follows from."""
    data = context.task.data
    asked = (data.get("version"), data.get("target") or data.get("stage"))
    return context.task.event_type in _ASKING and asked == (version.version, target.stage)

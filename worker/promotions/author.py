"""Who trained a version, and who registered it: bound in the record once, when the version is registered.

The author is the user that the run named then. What is written into MLflow's tag mlflow.user later changes nothing. Of
a version that was there before this was kept, or that a hand registered, the run's user is noted at the first look,
under a key of its own: it says what was seen then, and not who it was when the version came.
"""

from registrar.ledger import Ledger
from registrar.ledger.version_state import Key, StateSet
from worker.promotions.version_state import recorded
from worker.registry.protocol import Version
from worker.task_context import TaskContext


def bound(context: TaskContext, version: Version, user: str) -> tuple[StateSet, ...]:
    """The records of a version that this event registered. user: of its run."""
    return (_once(version, Key.AUTHOR, user), _once(version, Key.REGISTRANT, context.task.actor))


def seen(ledger: Ledger, version: Version, user: str) -> tuple[StateSet, ...]:
    """The record of a first look; () where the author is known, or the version has no run that could name one."""
    if version.run_id is None or known(ledger, version) is not None:
        return ()
    return (_once(version, Key.AUTHOR_SEEN, user),)


def known(ledger: Ledger, version: Version) -> str | None:
    """The author by the record, as MLflow calls them; "": nobody was named; None: nobody has looked yet."""
    found = recorded(ledger, version)
    return found.get(Key.AUTHOR, found.get(Key.AUTHOR_SEEN))


def _once(version: Version, key: Key, value: str) -> StateSet:
    return StateSet(version.model, version.version, version.created_at, key, value, once=True)

"""What the record has of one version, for command line and API: the version page's view (version_record.py) as rows."""

from typing import Any

from registrar.ledger import Connection
from registrar.ledger.promotions import OPEN
from registrar.ledger.queries import models
from registrar.ledger.queries.versions import present_numbers
from registrar.ledger.version_state import HELD_BACK, Key
from registrar.policy import Policy
from registrar.queries.not_live import describe_not_live, not_live
from registrar.queries.query_service import Row, Unknown, pick
from registrar.queries.version_record import VersionRecord, read_version
from registrar.queries.version_verbs import Person
from registrar.text.sanitize import printable
from registrar.text.wording import nearest, ranges

_NOBODY = Person("", "viewer")  # what a reader may do is not part of it
_LARGEST = 2**31 - 1
_PROMOTION = ("id", "target", "state", "requested_by_name", "created_at", "reason")


def view(connection: Connection, policy: Policy, model: str, version: int) -> Row:
    """Return a version, JSON-able except datetimes. Raises Unknown, which names the versions that there are."""
    record = read_version(connection, policy, model, version, person=_NOBODY) if version <= _LARGEST else None
    if record is None:
        raise _unknown_version(connection, model, version)
    made, known = record.made, record.known
    return {
        "model": model,
        "version": version,
        "stage": record.stage,
        "holds": list(record.holds),
        "created_at": made.created_at if made else None,
        "source": made.source if made else None,
        "run_id": known.run_id or (made.run_id if made else None),
        "registered_at": known.registered_at,
        "registered_by": known.registered_by,
        "event_id": known.event_id,
        "commit": known.commit,
        "author": record.state.get(Key.AUTHOR) or None,
        "metrics": dict(known.metrics),
        "tags": dict(record.tags),
        "deleted": record.deleted,
        **_what_hinders(record),
        "not_live": [
            describe_not_live(each)
            for each in not_live(policy, connection)
            if (each.model, each.version) == (model, version)
        ],
        "promotions": [pick(row, *_PROMOTION) for row in record.promotions if row["state"] in OPEN],
    }


def _what_hinders(record: VersionRecord) -> dict[str, Any]:
    targets = {key.removeprefix(HELD_BACK): why for key, why in record.state.items() if key.startswith(HELD_BACK)}
    return {
        "held_back": targets,
        "quarantined": record.state.get(Key.QUARANTINED),
        "prune_after": record.state.get(Key.PRUNE_AFTER),
        "dispute": record.dispute.why if record.dispute else None,
    }


def unknown_model(connection: Connection, name: str) -> Unknown:
    """Return the error that the record has no such model; it suggests the nearest."""
    near = nearest(name, models.known_names(connection))
    others = f"did you mean {near}?" if near else "`registrar models` lists those it does"
    return Unknown(f"the ledger knows no model {printable(name)}; {others}")


def _unknown_version(connection: Connection, model: str, version: int) -> Unknown:
    if not models.is_known(connection, model):
        return unknown_model(connection, model)
    numbers = present_numbers(connection, model)
    return Unknown(f"the record knows no version {version} of {model}: {ranges(numbers)}")

"""A dead letter in detail: its event, earlier interventions, and the possible ones."""

from typing import Any

from sqlalchemy import Connection

from registrar.ledger.dead_letters import explain_no_drop, explain_no_retry, get_dead_letter
from registrar.ledger.queries import event_status


def story(connection: Connection, task_id: str) -> dict[str, Any] | None:
    """JSON-able but for the datetimes. no_retry, no_drop: why it can't be tried again or dropped; null: it can.

    event: with all of its tasks, and what was done about each before.
    """
    found = get_dead_letter(connection, task_id)
    if found is None:
        return None
    may = {"no_retry": explain_no_retry(connection, found), "no_drop": explain_no_drop(found)}
    return {**found.to_json(), **may, "event": event_status.event(connection, found.event_id)}

"""What the actions retry and discard_task share: finding the dead letter, and recording what became of it."""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.events.types import TaskDrop, TaskRetry
from registrar.ledger import dead_letters
from registrar.ledger.dead_letters import DeadLetter
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def dead_letter(context: TaskContext, data: TaskRetry | TaskDrop) -> DeadLetter:
    """Load the task. Raises Refused, too, for one of another model than was named: the source has no grant for that."""
    with context.ledger.read() as connection:
        found = dead_letters.get_dead_letter(connection, data.task_id)
    if found is None or found.model != data.model:
        about = f"about {data.model}" if data.model else "about no model"
        raise Refused(f"there is no task {data.task_id} {about}; `registrar dead list` shows each with its model")
    return found


def outcome(type_: FactType, text: str, found: DeadLetter, reason: str | None, record: LedgerChange) -> Outcome:
    """record: what changes in the ledger."""
    because = f": {reason}" if reason else ""
    about = {"promotion": found.promotion} if found.state == "queued" and found.promotion else {}
    details = {"task": found.id, "event": found.event_id, "reason": reason, "was": found.was(), **about}
    fact = Fact(type_, f"{text}{because}", found.model, found.args.get("version"), details)
    return Outcome(fact.text, facts=(fact,), records=(record,))

"""worker.retry, on task.retry: try a dead letter again, in its former place in the lane."""

from registrar.events.facts import FactType
from registrar.events.outcome import Outcome
from registrar.events.types import TaskRetry
from registrar.ledger import dead_letters
from registrar.ledger.interventions import TaskRetried
from worker import interventions
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(TaskRetry)
    letter = interventions.load_dead_letter(context, data)
    with context.ledger.read() as connection:
        why_not = dead_letters.explain_no_retry(connection, letter)
    if why_not:
        raise Refused(why_not)
    text = f"{letter} is tried again, by {context.actor_name}"
    return interventions.dead_letter_outcome(
        FactType.TASK_RETRIED, text, letter, data.reason, TaskRetried(letter, data.reason)
    )

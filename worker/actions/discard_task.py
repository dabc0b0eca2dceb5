"""worker.discard_task, on task.drop: give up a dead letter, or a queued task before it runs.

For a queued task, everything that waits for it gets an answer: its promotion fails, its deployment is rejected, its
requester gets a reply.
"""

from dataclasses import replace

from registrar.events.facts import FactType
from registrar.events.outcome import FollowUp, Outcome
from registrar.events.states import PromotionState, TaskState
from registrar.events.types import TaskDrop
from registrar.ledger import dead_letters, tasks
from registrar.ledger.dead_letters import DeadLetter
from registrar.ledger.interventions import TaskDiscarded
from registrar.ledger.promotions import PromotionStateChanged
from worker import interventions
from worker.notifications import routing
from worker.promotions import deployment_gate_response
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(TaskDrop)
    letter = interventions.load_dead_letter(context, data)
    if why_not := dead_letters.explain_no_drop(letter):
        raise Refused(why_not)
    discarded = TaskDiscarded(letter, data.reason)
    if letter.state != TaskState.QUEUED:
        text = f"{letter} was dropped, by {context.actor_name}"
        return interventions.dead_letter_outcome(FactType.TASK_DROPPED, text, letter, data.reason, discarded)
    stays = "; what its attempts may have done in MLflow stays" if letter.attempts else ""
    text = f"{letter} was dropped while it waited, by {context.actor_name}{stays}"
    outcome = interventions.dead_letter_outcome(FactType.TASK_DROPPED, text, letter, data.reason, discarded)
    records = outcome.records
    if letter.promotion:
        records += (PromotionStateChanged(letter.promotion, PromotionState.FAILED, outcome.summary),)
    return replace(outcome, follow_ups=_responses(context, letter, outcome), records=records)


def _responses(context: TaskContext, letter: DeadLetter, outcome: Outcome) -> tuple[FollowUp, ...]:
    with context.ledger.read() as connection:
        task = tasks.get(connection, letter.id)
    return (
        *deployment_gate_response.responses(context.ledger, context.encryptor, task, TaskState.DROPPED, outcome),
        *routing.reply_tasks(context.encryptor, task, outcome.summary, for_other_task=True),
    )

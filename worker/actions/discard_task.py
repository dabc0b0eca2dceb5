"""worker.drop, on task.drop: a dead letter stays undone, or a waiting task is never run.

For a waiting task, everybody who waits for it is answered: its promotion fails, a deployment is rejected, its requester
gets a reply.
"""

from registrar.events.facts import FactType
from registrar.events.outcome import FollowUp, Outcome
from registrar.events.types import TaskDrop
from registrar.ledger import dead_letters, tasks
from registrar.ledger.dead_letters import DeadLetter
from registrar.ledger.promotions import PromotionStateChanged
from registrar.ledger.queries.interventions import TaskDiscarded
from worker import interventions
from worker.notifications import routing
from worker.promotions import deployment_gate_response
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(TaskDrop)
    found = interventions.load_dead_letter(context, data)
    if why_not := dead_letters.explain_no_drop(found):
        raise Refused(why_not)
    dropped = TaskDiscarded(found, data.reason)
    if found.state != "queued":
        return interventions.dead_letter_outcome(
            FactType.TASK_DROPPED, f"{found} was dropped, by {context.actor_name}", found, data.reason, dropped
        )
    left = "; what its attempts may have done in MLflow stays" if found.attempts else ""
    text = f"{found} was dropped while it waited, by {context.actor_name}{left}"
    done = interventions.dead_letter_outcome(FactType.TASK_DROPPED, text, found, data.reason, dropped)
    failed = (PromotionStateChanged(found.promotion, "failed", done.summary),) if found.promotion else ()
    return Outcome(done.summary, done.facts, _responses(context, found, done), (*done.records, *failed))


def _responses(context: TaskContext, found: DeadLetter, done: Outcome) -> tuple[FollowUp, ...]:
    with context.ledger.read() as connection:
        task = tasks.get(connection, found.id)
    answers = deployment_gate_response.responses(context.ledger, context.encryptor, task, "dropped", done)
    return (*answers, *routing.reply_tasks(context.encryptor, task, done.summary, elsewhere=True))

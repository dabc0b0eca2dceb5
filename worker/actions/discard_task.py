"""worker.drop, on task.drop: work that failed for good stays undone, and work that waits is never begun.

Of what was waiting, all who wait for it are told: a promotion that it was to bring on has failed, a deployment is not
let go, whoever asked is answered.
"""

from registrar.events.outcome import FollowUp, Outcome
from registrar.events.types import TaskDrop
from registrar.ledger import dead_letters, tasks
from registrar.ledger.dead_letters import DeadLetter
from registrar.ledger.promotions import PromotionStateChanged
from registrar.ledger.queries.interventions import TaskDiscarded
from worker import chat_replies, dead_letter_tasks
from worker.promotions import deployment_gate_response
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(work: TaskContext) -> Outcome:
    data = work.data_as(TaskDrop)
    found = dead_letter_tasks.letter(work, data)
    if why_not := dead_letters.no_drop(found):
        raise Refused(why_not)
    dropped = TaskDiscarded(found, data.reason)
    if found.state != "queued":
        return dead_letter_tasks.outcome(
            "task.dropped", f"{found} was dropped, by {work.who}", found, data.reason, dropped
        )
    left = "; what its attempts may have done in MLflow stays" if found.attempts else ""
    text = f"{found} was dropped while it waited, by {work.who}{left}"
    done = dead_letter_tasks.outcome("task.dropped", text, found, data.reason, dropped)
    failed = (PromotionStateChanged(found.promotion, "failed", done.summary),) if found.promotion else ()
    return Outcome(done.summary, done.facts, _told(work, found, done), (*done.records, *failed))


def _told(work: TaskContext, found: DeadLetter, done: Outcome) -> tuple[FollowUp, ...]:
    with work.ledger.read() as connection:
        task = tasks.get(connection, found.id)
    answers = deployment_gate_response.answers(work.ledger, work.seal, task, "dropped", done)
    return (*answers, *chat_replies.replies(work.seal, task, done.summary, elsewhere=True))

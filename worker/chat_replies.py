"""The answer to a person whose event came with an address to answer at."""

from registrar.config.encryption import Encryptor
from registrar.events.outcome import FollowUp
from registrar.events.types import VOCABULARY
from registrar.ledger.tasks import Task
from worker.promotions import deployment_gate_response


def reply_tasks(encryptor: Encryptor, task: Task, text: str, *, elsewhere: bool = False) -> list[FollowUp]:
    """Return the reply, once: from the event's first task; none where a deployment waits for the promotion's end.

    elsewhere: another event's task replies, because this one was never run.
    """
    if task.reply_to is None or not task.first or task.name != VOCABULARY[task.event_type].task:
        return []
    if deployment_gate_response.is_awaited(task, encryptor):
        return []
    to = {"to": task.reply_to, "source": task.source, "who": task.actor_name} if elsewhere else {}
    return [FollowUp("worker.reply", {"text": text, **to}, lane=f"reply:{task.event_id}")]

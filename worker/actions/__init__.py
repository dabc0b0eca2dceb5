"""One file per verb; its name is the Celery task's: register.py is `worker.register`. No list names them.

Each file offers `act`, as the Protocol says. An action may run again after a crash at any line, so it looks before it
writes, and changes the ledger only through its Outcome. No action imports another: what several need is in
worker/promotions/, and what comes next is a FollowUp.
"""

from typing import Protocol

from registrar.events.outcome import Outcome
from worker.task_context import TaskContext


class Action(Protocol):
    """What the file of an action offers."""

    def act(self, context: TaskContext) -> Outcome:
        """Do the task. Raises RetryableError to be tried again, PermanentError to fail, with a sentence for people."""

"""One file per verb, which is also the Celery task's name: register.py is `worker.register`. No list names them.

Each file has a function `act`, as in Action. An action may run again after a crash at any line, so it reads before it
writes, and changes the ledger only through its Outcome. No action imports another: worker/promotions/ has what several
need, and the next step is a FollowUp.
"""

from typing import Protocol

from registrar.events.outcome import Outcome
from worker.task_context import TaskContext


class Action(Protocol):
    """The module of an action."""

    def act(self, context: TaskContext) -> Outcome:
        """Do the task. Raises RetryableError where a later attempt may succeed, PermanentError where none will."""

"""worker.drop, on task.drop: work that failed for good stays undone, and is no open trouble any more."""

from registrar.ledger import dead
from registrar.ledger.afterwards import Dropped
from registrar.outcome import Outcome
from registrar.vocabulary import TaskDrop
from worker import recovery
from worker.door import Final
from worker.work import Work


def act(work: Work) -> Outcome:
    data = work.data_as(TaskDrop)
    found = recovery.letter(work, data)
    if why_not := dead.closed(found):
        raise Final(why_not)
    text = f"{found} was dropped, by {work.who}"
    return recovery.outcome("task.dropped", text, found, data.reason, Dropped(found, data.reason))

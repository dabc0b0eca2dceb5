"""worker.drop, on task.drop: work that failed for good stays undone, and is no open trouble any more."""

from registrar.ledger import dead
from registrar.ledger.afterwards import Dropped
from registrar.ledger.promotions import Decided
from registrar.outcome import Outcome, Record
from registrar.vocabulary import TaskDrop
from worker import recovery
from worker.door import Final
from worker.work import Work


def act(work: Work) -> Outcome:
    data = work.data_as(TaskDrop)
    found = recovery.letter(work, data)
    if why_not := dead.closed(found):
        raise Final(why_not)
    # One whose worker died too often has not ended its promotion: it would be under way for ever.
    ended: tuple[Record, ...] = (Decided(found.promotion, "failed", data.reason),) if found.promotion else ()
    text = f"{found} was dropped, by {work.who}"
    return recovery.outcome("task.dropped", text, found, data.reason, Dropped(found, data.reason), *ended)

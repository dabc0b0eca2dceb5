"""Safeguards to be taken out one at a time: the state machine must find each. `make machine WITHOUT=pins` does one."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import bindparam, false

from registrar.ledger import act_subjects, incarnations, predicates, tables, task_statements
from registrar.ledger import version_state as recorded_state
from registrar.ledger.promotions import Promotion, latest
from registrar.policy import Policy
from worker import lease
from worker.actions import request, rollback, transition, vote
from worker.promotions import evidence, rollback_target, stage_occupancy, version_state
from worker.task_context import TaskContext

# What is taken out, and what is there instead: an owner, a name, and a value.
Taken = tuple[Any, str, Any]


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _newest(context: TaskContext) -> Promotion | None:
    """What is there at a vote's turn."""
    with context.ledger.read() as connection:
        return latest(connection, context.model, context.version, str(context.param("target")))


def _yes(*_: Any, **__: Any) -> bool:
    return True


WITHOUT: Mapping[str, tuple[Taken, ...]] = {
    # A vote is about the promotion and the evidence that its author saw.
    "pins": ((act_subjects, "explain_outdated_vote", _nothing), (vote, "load_subject", _newest)),
    # An approval holds for what was shown, at the vote and right before the move.
    "evidence": ((evidence.Evidence, "changed_since", _nothing),),
    # An approval holds for the files that were there; a rollback, for those that were approved.
    "files": (
        (evidence, "_NAMES", {key: name for key, name in evidence._NAMES.items() if key != "model_digest"}),
        (rollback_target, "files_were_rewritten", lambda *_: False),
    ),
    # A number in a model that was made anew is another version.
    "incarnations": (
        (incarnations.Recorded, "is_of", lambda self, found: self.version == found.version),
        (recorded_state, "is_about", _yes),
    ),
    # Who was rolled back goes nowhere.
    "quarantine": ((version_state, "quarantine_reason", _nothing),),
    # Where a version comes from.
    "way": ((request, "wrong_start", _nothing), (transition, "wrong_start", _nothing)),
    # All rules must be met, not one.
    "rules": ((vote, "_missing", lambda *_: ""),),
    # Whose vote counts.
    "groups": ((Policy, "may_vote", _yes),),
    # Who may not approve: requester, author.
    "exclude": ((vote, "_why_excluded", _nothing),),
    # Who asked stays who asked.
    "requester": ((request, "find_requester", lambda context, *_: context.task.actor),),
    # A rollback is about who held the target when it was accepted.
    "still-meant": ((rollback, "_check_holder", _nothing),),
    # Who is replaced makes room.
    "replaced": ((stage_occupancy.StageSnapshot, "others", lambda *_: []),),
    # Soak, freeze, a day's limit.
    "time-gates": ((evidence, "closed_time_gates", lambda *_: []),),
    # Requests expire.
    "expiry": ((vote, "expired_since", _nothing), (request, "expired_since", _nothing)),
    # Who lost a task stops.
    "lease": (
        (lease.Lease, "renew", _nothing),
        (predicates, "is_held", lambda: tables.tasks.c.id == bindparam("task_id")),
    ),
    # One event of a model after the other.
    "lane-order": ((predicates, "is_blocked", false),),
}
# The seed of a few examples that find it. Others take longer: `make machine WITHOUT=...`.
FOUND_BY = {
    "pins": 10,
    "evidence": 10,
    "quarantine": 21,
    "way": 10,
    "rules": 11,
    "groups": 100,
    "exclude": 3,
    "requester": 10,
    "incarnations": 10,
    "files": 1,
    "replaced": 11,
    "time-gates": 12,
}
FEW = 8
_STATEMENTS = (
    task_statements.claim_statement,
    task_statements.update_statement,
    task_statements.select_overdue,
    task_statements.select_first_of_lanes,
)


@contextmanager
def without(safeguard: str | None) -> Iterator[None]:
    """None: all are there. Statements that were put together with it, or are without it, are put together anew."""
    with ExitStack() as stack:
        for owner, name, value in WITHOUT[safeguard] if safeguard else ():
            stack.enter_context(patch.object(owner, name, value))
        _forget()
        stack.callback(_forget)
        yield


def _forget() -> None:
    for statement in _STATEMENTS:
        statement.cache_clear()

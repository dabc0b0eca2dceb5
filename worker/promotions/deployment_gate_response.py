"""Answers to deployments that wait at a protection rule for a promotion to end, derived from a task's outcome."""

from collections.abc import Iterator
from dataclasses import dataclass

from registrar.config.encryption import REPLY, DecryptionError, Encryptor
from registrar.events.facts import traits
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.types import PromotionRequest
from registrar.ledger import Ledger
from registrar.ledger.pending_gate_requests import GateRequestReceived, answered, unanswered
from registrar.ledger.promotions import latest
from registrar.ledger.tasks import Task

Step = tuple[str, int, str]  # model, version, target


@dataclass(frozen=True)
class _Verdict:
    """state: approved or rejected, GitHub's words. text: the reason, for people."""

    step: Step
    state: str
    text: str


def is_awaited(task: Task, encryptor: Encryptor) -> bool:
    """Return whether the event's sender waits for the promotion's end: its address names the waiting environment."""
    if task.reply_to is None or task.event_type != PromotionRequest.type:
        return False
    try:
        return "environment" in encryptor.decrypt(task.reply_to, audience=REPLY)
    except DecryptionError:
        return False


def approve_at_once(task: Task, encryptor: Encryptor, text: str) -> tuple[FollowUp, ...]:
    """Approve a request about a version that has the target already."""
    return (_respond(_own_request(task), "approved", text),) if _is_first(task, encryptor) else ()


def responses(
    ledger: Ledger, encryptor: Encryptor, task: Task, state: str, outcome: Outcome, *, others: bool = False
) -> list[FollowUp]:
    """Return a task for each deployment that is approved or rejected. state: how the present task ended.

    others: the present task has not ended; only other events' requests are answered.
    """
    own = (
        [_own_request(task)]
        if not others and _is_first(task, encryptor) and not _is_answered(ledger, _own_request(task))
        else []
    )
    if own and state != "succeeded":
        return [_respond(own[0], "rejected", outcome.summary)]
    mine = _step_of(task) if own else None
    found = [
        _respond(asked, verdict.state, verdict.text)
        for verdict in _find_verdicts(ledger, task, state, outcome)
        for asked in (*_load_unanswered(ledger, verdict), *(own if verdict.step == mine else ()))
    ]
    mute = _own_request(task).lane if others else None
    return list({step.lane: step for step in found if step.lane != mute}.values())


def _find_verdicts(ledger: Ledger, task: Task, state: str, outcome: Outcome) -> Iterator[_Verdict]:
    """Yield what the outcome decides. A void request decides nothing, as it is asked for again; nor does an
    approval, as the version has not moved yet.
    """
    for fact in outcome.facts:
        target = fact.details.get("target") or fact.details.get("stage")
        if fact.model is not None and fact.version is not None and target and (state_ := _gate_state(fact)):
            yield _Verdict((fact.model, fact.version, str(target)), state_, fact.text)
    if (
        state != "succeeded"
        and task.args
        and task.name in (PromotionRequest.task, "worker.transition")
        and not _is_open(ledger, task)
    ):
        yield _Verdict(_step_of(task), "rejected", outcome.summary)


def _gate_state(fact: Fact) -> str | None:
    match traits(fact.type).promotion:
        case "ended":
            return "rejected"
        case "promoted" if fact.details.get("promotion"):
            return "approved"
    return None


def _step_of(task: Task) -> Step:
    """Return the step of a request or a transition."""
    given = {**task.data, **task.args}
    return str(given["model"]), int(given["version"]), str(given.get("target") or given.get("stage"))


def _is_open(ledger: Ledger, task: Task) -> bool:
    """Return whether another promotion of the step is open than the task's, which fails with it."""
    with ledger.read() as connection:
        found = latest(connection, *_step_of(task))
    return found is not None and found.open and found.id != task.args.get("promotion")


def _is_first(task: Task, encryptor: Encryptor) -> bool:
    return task.name == PromotionRequest.task and task.first and is_awaited(task, encryptor)


def _is_answered(ledger: Ledger, asked: GateRequestReceived) -> bool:
    """Return whether it was answered, before a retry perhaps: GitHub takes one answer."""
    with ledger.read() as connection:
        return bool(answered(connection, [asked.lane]))


def _own_request(task: Task) -> GateRequestReceived:
    return GateRequestReceived(task.event_id, task.source, task.reply_to or "")


def _load_unanswered(ledger: Ledger, verdict: _Verdict) -> list[GateRequestReceived]:
    model, version, target = verdict.step
    with ledger.read() as connection:
        return unanswered(connection, model=model, version=version, target=target)


def _respond(asked: GateRequestReceived, state: str, text: str) -> FollowUp:
    args = {"source": asked.source, "to": asked.reply_to, "state": state, "text": text}
    return FollowUp("worker.answer_github_protection_rule", args, lane=asked.lane)

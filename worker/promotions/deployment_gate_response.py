"""Answer deployments that wait at GitHub's protection rule for the end of a promotion, by a task's outcome."""

from collections.abc import Iterator
from dataclasses import dataclass

from registrar.config.encryption import REPLY, DecryptionError, Encryptor
from registrar.events.facts import traits
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.states import TaskState
from registrar.events.types import PromotionRequest
from registrar.ledger import Ledger
from registrar.ledger.pending_gate_requests import GateRequestReceived, answered, unanswered
from registrar.ledger.promotions import latest
from registrar.ledger.tasks import Task

Step = tuple[str, int, str]  # model, version, target
_APPROVED, _REJECTED = "approved", "rejected"  # GitHub's words


@dataclass(frozen=True)
class _Verdict:
    """The answer for one step. state: approved or rejected, GitHub's words. text: the reason, for people."""

    step: Step
    state: str
    text: str


def is_awaited(task: Task, encryptor: Encryptor) -> bool:
    """Return whether a deployment waits for the promotion's end: the event's reply address names its environment."""
    if task.reply_to is None or task.event_type != PromotionRequest.type:
        return False
    try:
        return "environment" in encryptor.decrypt(task.reply_to, audience=REPLY)
    except DecryptionError:
        return False


def approve_at_once(task: Task, encryptor: Encryptor, text: str) -> tuple[FollowUp, ...]:
    """Return the approval for a request about a version that has the target already."""
    return (_respond(_own_request(task), _APPROVED, text),) if _is_first(task, encryptor) else ()


def responses(
    ledger: Ledger, encryptor: Encryptor, task: Task, state: str, outcome: Outcome, *, others: bool = False
) -> list[FollowUp]:
    """Return a task for each deployment that the outcome approves or rejects. state: how the task ended.

    others: the task has not ended, so only other events' requests are answered.
    """
    request = _own_request(task)
    own = [request] if not others and _is_first(task, encryptor) and not _is_answered(ledger, request) else []
    if own and state != TaskState.SUCCEEDED:
        return [_respond(request, _REJECTED, outcome.summary)]
    own_step = _step_of(task) if own else None
    answers = [
        _respond(waiting, verdict.state, verdict.text)
        for verdict in _find_verdicts(ledger, task, state, outcome)
        for waiting in (*_load_unanswered(ledger, verdict), *(own if verdict.step == own_step else ()))
    ]
    excluded = request.lane if others else None
    return list({answer.lane: answer for answer in answers if answer.lane != excluded}.values())


def _find_verdicts(ledger: Ledger, task: Task, state: str, outcome: Outcome) -> Iterator[_Verdict]:
    """Yield the answers that the outcome decides. A void request decides none, as it is asked for again; nor does an
    approval, as the version has not moved yet.
    """
    for fact in outcome.facts:
        target = fact.details.get("target") or fact.details.get("stage")
        if fact.model is not None and fact.version is not None and target and (answer := _gate_state(fact)):
            yield _Verdict((fact.model, fact.version, str(target)), answer, fact.text)
    moves = task.name in (PromotionRequest.task, "worker.transition")
    if state != TaskState.SUCCEEDED and task.args and moves and not _is_open(ledger, task):
        yield _Verdict(_step_of(task), _REJECTED, outcome.summary)


def _gate_state(fact: Fact) -> str | None:
    match traits(fact.type).promotion:
        case "ended":
            return _REJECTED
        case "promoted" if fact.details.get("promotion"):
            return _APPROVED
    return None


def _step_of(task: Task) -> Step:
    """Return the step of a request or a transition."""
    params = {**task.data, **task.args}
    return str(params["model"]), int(params["version"]), str(params.get("target") or params.get("stage"))


def _is_open(ledger: Ledger, task: Task) -> bool:
    """Return whether a promotion of the step stays open. The task's own one fails with the task."""
    with ledger.read() as connection:
        promotion = latest(connection, *_step_of(task))
    return promotion is not None and promotion.open and promotion.id != task.args.get("promotion")


def _is_first(task: Task, encryptor: Encryptor) -> bool:
    return task.name == PromotionRequest.task and task.first and is_awaited(task, encryptor)


def _is_answered(ledger: Ledger, request: GateRequestReceived) -> bool:
    """Return whether the request was answered, perhaps before a retry: GitHub takes one answer."""
    with ledger.read() as connection:
        return bool(answered(connection, [request.lane]))


def _own_request(task: Task) -> GateRequestReceived:
    return GateRequestReceived(task.event_id, task.source, task.reply_to or "")


def _load_unanswered(ledger: Ledger, verdict: _Verdict) -> list[GateRequestReceived]:
    model, version, target = verdict.step
    with ledger.read() as connection:
        return unanswered(connection, model=model, version=version, target=target)


def _respond(request: GateRequestReceived, state: str, text: str) -> FollowUp:
    args = {"source": request.source, "to": request.reply_to, "state": state, "text": text}
    return FollowUp("worker.answer_github_protection_rule", args, lane=request.lane)

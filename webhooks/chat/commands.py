"""The commands of chat: the arguments, the event, and the answer of each."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from registrar.events.types import STAGES
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.validation import clean

Fields = dict[str, Any]


@dataclass(frozen=True)
class Command:
    """One command. read: parses the arguments into the data of an event of `type`. accepted: the immediate answer."""

    usage: str
    description: str
    type: str
    read: Callable[[str], Fields]
    accepted: str


_WORD = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'(?=\s|$)|`([^`]*)`(?=\s|$)|(\S+))""")


def first_word(text: str) -> tuple[str | None, str]:
    """Split off the first word, or the first quoted words."""
    match = _WORD.match(text)
    return (next(filter(None, match.groups()), None), text[match.end() :]) if match else (None, "")


def _words(text: str, *names: str) -> tuple[Fields, str]:
    """Split off one word per name, as far as there are words."""
    fields: Fields = {}
    for name in names:
        word, text = first_word(text)
        if word is not None:
            fields[name] = word
    return fields, text.strip()


def _exactly(question: str, *names: str) -> Callable[[str], Fields]:
    def read(text: str) -> Fields:
        fields, more = _words(text, *names)
        if more:
            raise InvalidEvent(f"unexpected: {clean(more)}")
        return {"question": question, **fields}

    return read


def _runs(text: str) -> Fields:
    fields, filter_string = _words(text, "experiment")
    return {"question": "runs", **fields, "filter_string": filter_string}


def _promotion(text: str) -> Fields:
    """Read MODEL VERSION [STAGE] [reason]. A misspelt stage must not count as the reason, for Production."""
    fields, rest = _words(text, "model", "version")
    if "version" in fields:
        fields["version"] = fields["version"].lower().removeprefix("v")
    stage, reason = _words(rest, "target")
    word = stage.get("target", "")
    if word.capitalize() in STAGES:
        return fields | {"target": word, "reason": reason or None}
    _check_misspelt_stage(word)
    return fields | {"target": "Production", "reason": rest or None}


_ABBREVIATIONS = {"stage": "Staging", "stg": "Staging", "prod": "Production", "prd": "Production"}
_NO_STAGES = ("product", "products")  # similar to a stage, but a usual first word of a reason


def _check_misspelt_stage(word: str) -> None:
    """Raise InvalidEvent for a misspelt stage, which would otherwise become the first word of the reason."""
    if word.lower() in _NO_STAGES:
        return
    near = difflib.get_close_matches(word.capitalize(), STAGES, n=1, cutoff=0.7)
    if stage := _ABBREVIATIONS.get(word.lower()) or next(iter(near), None):
        raise InvalidEvent(f"{clean(word)} is no stage; did you mean {stage}?")


def _break_glass(text: str) -> Fields:
    return _promotion(text) | {"break_glass": True}


_PRUNE = re.compile(r"\s*prune(?=\s|$)", re.IGNORECASE)


def _plan(text: str) -> Fields:
    """Read MODEL VERSION [STAGE], or prune MODEL. A model with the name prune must be in quotes."""
    if match := _PRUNE.match(text):
        return _exactly("plan_prune", "model")(text[match.end() :])
    fields = _promotion(text)
    if reason := fields.pop("reason"):
        raise InvalidEvent(f"unexpected: {clean(reason)}")
    return {"question": "plan", **fields}


def _prune(text: str) -> Fields:
    """Read MODEL [reason]."""
    fields, reason = _words(text, "model")
    return fields | ({"reason": reason} if reason else {})


def _retry(text: str) -> Fields:
    """Read MODEL TASK [reason]."""
    fields, reason = _words(text, "model", "task_id")
    return fields | ({"reason": reason} if reason else {})


_VERSION = re.compile(r"v?[0-9]{1,9}")


def _rollback(text: str) -> Fields:
    """Read MODEL [STAGE] [to VERSION] reason. `to` before a stage is ignored."""
    fields, rest = _words(text, "model")
    for _ in range(2):
        word, more = first_word(rest)
        to, after_to = first_word(more) if word and word.lower() == "to" else (None, "")
        stage, after_stage = (to, after_to) if to else (word, more)
        if stage and stage.capitalize() in STAGES and "target" not in fields:
            fields["target"], rest = stage.capitalize(), after_stage
        elif to and _VERSION.fullmatch(to.lower()):
            fields["to"], rest = to.lower().removeprefix("v"), after_to
            break
        elif stage and "target" not in fields:
            _check_misspelt_stage(stage)
    reason = rest.strip()
    return fields | ({"reason": reason} if reason else {})


COMMANDS: dict[str, Command] = {
    "experiments": Command(
        usage="experiments",
        description="all experiments",
        type="registry.query",
        read=_exactly("experiments"),
        accepted="Looking up the experiments.",
    ),
    "runs": Command(
        usage="runs EXPERIMENT [FILTER]",
        description="its best runs; a filter is, for example, metrics.rmse < 7",
        type="registry.query",
        read=_runs,
        accepted="Looking up runs of {experiment}.",
    ),
    "models": Command(
        usage="models",
        description="all registered models",
        type="registry.query",
        read=_exactly("models"),
        accepted="Looking up the models.",
    ),
    "versions": Command(
        usage="versions MODEL",
        description="its versions, with stage, alias and metrics",
        type="registry.query",
        read=_exactly("versions", "model"),
        accepted="Looking up the versions of {model}.",
    ),
    "history": Command(
        usage="history MODEL",
        description="which version held which stage when, and who moved it",
        type="registry.query",
        read=_exactly("history", "model"),
        accepted="Looking up the history of {model}.",
    ),
    "plan": Command(
        usage="plan MODEL VERSION [STAGE] | plan prune MODEL",
        description="what a promotion or a prune would do, without doing it",
        type="registry.query",
        read=_plan,
        accepted="Looking up what would happen to {model}.",
    ),
    "request": Command(
        usage="request MODEL VERSION [STAGE] [reason]",
        description="ask for a promotion (to Production if no stage is given)",
        type="promotion.request",
        read=_promotion,
        accepted="On it: requesting {model} version {version} for {target}.",
    ),
    "approve": Command(
        usage="approve MODEL VERSION [STAGE] [reason]",
        description="approve an open promotion",
        type="promotion.approve",
        read=_promotion,
        accepted="On it: approving {model} version {version} for {target}.",
    ),
    "breakglass": Command(
        usage="breakglass MODEL VERSION [STAGE] reason",
        description="approve alone and at once, in an emergency; it stays flagged",
        type="promotion.approve",
        read=_break_glass,
        accepted="On it: breaking the glass for {model} version {version} to {target}.",
    ),
    "reject": Command(
        usage="reject MODEL VERSION [STAGE] [reason]",
        description="reject an open promotion",
        type="promotion.reject",
        read=_promotion,
        accepted="On it: rejecting {model} version {version} for {target}.",
    ),
    "cancel": Command(
        usage="cancel MODEL VERSION [STAGE] [reason]",
        description="cancel an open promotion",
        type="promotion.cancel",
        read=_promotion,
        accepted="On it: cancelling {model} version {version} for {target}.",
    ),
    "rollback": Command(
        usage="rollback MODEL [STAGE] [to VERSION] reason",
        description="roll back to the version before, or to VERSION (Production if no stage is given)",
        type="model.rollback",
        read=_rollback,
        accepted="On it: rolling {model} back in {target}.",
    ),
    "prune": Command(
        usage="prune MODEL [reason]",
        description="mark its old versions, and delete those whose grace period is over",
        type="model.prune",
        read=_prune,
        accepted="On it: pruning {model}.",
    ),
    "dead": Command(
        usage="dead [MODEL]",
        description="tasks that failed for good, to be retried or dropped",
        type="registry.query",
        read=_exactly("dead", "model"),
        accepted="Looking up the tasks that failed for good.",
    ),
    "retry": Command(
        usage="retry MODEL TASK [reason]",
        description="retry a task that failed for good",
        type="task.retry",
        read=_retry,
        accepted="On it: retrying {task_id} of {model}.",
    ),
}

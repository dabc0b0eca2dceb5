"""The commands of chat: arguments, the event that each becomes, and the answer when it is accepted."""

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
    """One command: its arguments, the event it becomes, and the answer when it is accepted."""

    usage: str
    what: str
    type: str
    read: Callable[[str], Fields]
    accepted: str


_WORD = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'(?=\s|$)|`([^`]*)`(?=\s|$)|(\S+))""")


def first_word(text: str) -> tuple[str | None, str]:
    """Split off the first word, or the first quoted words."""
    found = _WORD.match(text)
    return (next(filter(None, found.groups()), None), text[found.end() :]) if found else (None, "")


def _words(text: str, *names: str) -> tuple[Fields, str]:
    """Split off one word per name, as far as there are any."""
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
            raise InvalidEvent(f"{clean(more)} is too much")
        return {"question": question, **fields}

    return read


def _runs(text: str) -> Fields:
    fields, search = _words(text, "experiment")
    return {"question": "runs", **fields, "filter_string": search}


def _promotion(text: str) -> Fields:
    """MODEL VERSION [STAGE] [reason]. A misspelt stage must not pass for a reason, and mean Production."""
    fields, rest = _words(text, "model", "version")
    if "version" in fields:
        fields["version"] = fields["version"].lower().removeprefix("v")
    stage, reason = _words(rest, "target")
    word = stage.get("target", "")
    if word.capitalize() in STAGES:
        return fields | {"target": word, "reason": reason or None}
    _no_misspelt_stage(word)
    return fields | {"target": "Production", "reason": rest or None}


_SHORT = {"stage": "Staging", "stg": "Staging", "prod": "Production", "prd": "Production"}
_REASONS = ("product", "products")  # nearly a stage, and what a reason may begin with


def _no_misspelt_stage(word: str) -> None:
    """Raise InvalidEvent for a misspelt stage, which would otherwise become the beginning of the reason."""
    if word.lower() in _REASONS:
        return
    near = difflib.get_close_matches(word.capitalize(), STAGES, n=1, cutoff=0.7)
    if meant := _SHORT.get(word.lower()) or next(iter(near), None):
        raise InvalidEvent(f"{clean(word)} is no stage; did you mean {meant}?")


def _break_glass(text: str) -> Fields:
    return _promotion(text) | {"break_glass": True}


_PRUNE = re.compile(r"\s*prune(?=\s|$)", re.IGNORECASE)


def _plan(text: str) -> Fields:
    """MODEL VERSION [STAGE], or prune MODEL. A model that is called prune goes in quotes."""
    if found := _PRUNE.match(text):
        return _exactly("plan_prune", "model")(text[found.end() :])
    fields = _promotion(text)
    if reason := fields.pop("reason"):
        raise InvalidEvent(f"{clean(reason)} is too much")
    return {"question": "plan", **fields}


def _prune(text: str) -> Fields:
    """MODEL [reason]."""
    fields, reason = _words(text, "model")
    return fields | ({"reason": reason} if reason else {})


def _retry(text: str) -> Fields:
    """MODEL TASK [reason]."""
    fields, reason = _words(text, "model", "task_id")
    return fields | ({"reason": reason} if reason else {})


_VERSION = re.compile(r"v?[0-9]{1,9}")


def _rollback(text: str) -> Fields:
    """MODEL [STAGE] [to VERSION] reason. Before a stage, `to` says nothing."""
    fields, rest = _words(text, "model")
    for _ in range(2):
        word, more = first_word(rest)
        to, after = first_word(more) if word and word.lower() == "to" else (None, "")
        stage, behind = (to, after) if to else (word, more)
        if stage and stage.capitalize() in STAGES and "target" not in fields:
            fields["target"], rest = stage.capitalize(), behind
        elif to and _VERSION.fullmatch(to.lower()):
            fields["to"], rest = to.lower().removeprefix("v"), after
            break
        elif stage and "target" not in fields:
            _no_misspelt_stage(stage)
    reason = rest.strip()
    return fields | ({"reason": reason} if reason else {})


COMMANDS: dict[str, Command] = {
    "experiments": Command(
        usage="experiments",
        what="the experiments there are",
        type="registry.query",
        read=_exactly("experiments"),
        accepted="Looking up the experiments.",
    ),
    "runs": Command(
        usage="runs EXPERIMENT [FILTER]",
        what="its best runs, such as metrics.rmse < 7",
        type="registry.query",
        read=_runs,
        accepted="Looking up runs of {experiment}.",
    ),
    "models": Command(
        usage="models",
        what="the registered models",
        type="registry.query",
        read=_exactly("models"),
        accepted="Looking up the models.",
    ),
    "versions": Command(
        usage="versions MODEL",
        what="its versions, with stage, alias and metrics",
        type="registry.query",
        read=_exactly("versions", "model"),
        accepted="Looking up the versions of {model}.",
    ),
    "history": Command(
        usage="history MODEL",
        what="which version held which stage when, and by whom",
        type="registry.query",
        read=_exactly("history", "model"),
        accepted="Looking up the history of {model}.",
    ),
    "plan": Command(
        usage="plan MODEL VERSION [STAGE] | plan prune MODEL",
        what="what a promotion or a prune would do, without doing it",
        type="registry.query",
        read=_plan,
        accepted="Looking at what would become of {model}.",
    ),
    "request": Command(
        usage="request MODEL VERSION [STAGE] [reason]",
        what="ask for a promotion (to Production if no stage is given)",
        type="promotion.request",
        read=_promotion,
        accepted="On it: requesting {model} version {version} for {target}.",
    ),
    "approve": Command(
        usage="approve MODEL VERSION [STAGE] [reason]",
        what="approve an open promotion",
        type="promotion.approve",
        read=_promotion,
        accepted="On it: approving {model} version {version} for {target}.",
    ),
    "breakglass": Command(
        usage="breakglass MODEL VERSION [STAGE] reason",
        what="approve alone and at once, in an emergency; it is flagged for good",
        type="promotion.approve",
        read=_break_glass,
        accepted="On it: breaking the glass for {model} version {version} to {target}.",
    ),
    "reject": Command(
        usage="reject MODEL VERSION [STAGE] [reason]",
        what="reject an open promotion",
        type="promotion.reject",
        read=_promotion,
        accepted="On it: rejecting {model} version {version} for {target}.",
    ),
    "cancel": Command(
        usage="cancel MODEL VERSION [STAGE] [reason]",
        what="take an open promotion back",
        type="promotion.cancel",
        read=_promotion,
        accepted="On it: cancelling {model} version {version} for {target}.",
    ),
    "rollback": Command(
        usage="rollback MODEL [STAGE] [to VERSION] reason",
        what="back to the version that held it before, or to VERSION (Production if no stage is given)",
        type="model.rollback",
        read=_rollback,
        accepted="On it: rolling {model} back in {target}.",
    ),
    "prune": Command(
        usage="prune MODEL [reason]",
        what="mark its old versions, and delete those whose time of grace is over",
        type="model.prune",
        read=_prune,
        accepted="On it: pruning {model}.",
    ),
    "dead": Command(
        usage="dead [MODEL]",
        what="what failed for good, and waits for somebody to try it again or drop it",
        type="registry.query",
        read=_exactly("dead", "model"),
        accepted="Looking up what failed for good.",
    ),
    "retry": Command(
        usage="retry MODEL TASK [reason]",
        what="try again what failed for good",
        type="task.retry",
        read=_retry,
        accepted="On it: trying {task_id} of {model} again.",
    ),
}

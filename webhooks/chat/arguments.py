"""Parses the arguments of the commands of chat into the data of their events.

Where a version may be left out, what follows must not look like one: nothing that is misspelt counts as the reason.
"""

import difflib
import re
from collections.abc import Callable
from typing import Any

from registrar.events.types import STAGES
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.validation import clean

Fields = dict[str, Any]


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


_VERSION = re.compile(r"v?[0-9]{1,9}", re.IGNORECASE)
_LIKE_A_NUMBER = re.compile(r"#?v?[0-9].*", re.IGNORECASE)
LIKE_A_VERSION = re.compile(r"#?v?[0-9].*|version|latest|newest|last|current", re.IGNORECASE)


def _versioned(text: str) -> tuple[Fields, str]:
    """Split off MODEL [VERSION]. Raises InvalidEvent for a version that is misspelt or in another place."""
    fields, rest = _words(text, "model")
    word, after = first_word(rest)
    if word and _VERSION.fullmatch(word):
        return fields | {"version": word.lower().removeprefix("v")}, after.strip()
    if word and LIKE_A_VERSION.fullmatch(word):
        raise InvalidEvent(f"{clean(word)} is no version; a version is a whole number such as 3")
    if number := next(filter(_VERSION.fullmatch, rest.split()), None):
        raise InvalidEvent(
            f"if {clean(number)} is the version, it goes right behind the model, whose name goes in quotes if it has "
            "spaces"
        )
    return fields, rest


def _refuse_rest(text: str | None) -> None:
    """Raise InvalidEvent for what follows a command that takes nothing more."""
    if text:
        raise InvalidEvent(f"unexpected: {clean(text)}")


def exactly(question: str, *names: str) -> Callable[[str], Fields]:
    def read(text: str) -> Fields:
        fields, more = _words(text, *names)
        _refuse_rest(more)
        return {"question": question, **fields}

    return read


def fetch(text: str) -> Fields:
    fields, more = _versioned(text)
    _refuse_rest(more)
    return {"question": "fetch", **fields}


def runs(text: str) -> Fields:
    fields, filter_string = _words(text, "experiment")
    return {"question": "runs", **fields, "filter_string": filter_string}


def vote(text: str) -> Fields:
    """Read MODEL [VERSION] [STAGE] [reason]. Of a version, the stage is Production if none is given."""
    fields, rest = _versioned(text)
    stage, rest = _stage(rest)
    if stage or "version" in fields:
        fields["target"] = stage or "Production"
    return fields | {"reason": rest or None}


def request(text: str) -> Fields:
    """Read MODEL [VERSION] [STAGE] [reason]; Production if no stage is given."""
    return {"target": "Production", **vote(text)}


def _stage(text: str) -> tuple[str | None, str]:
    """Split off the stage, also behind `to`. A misspelt one must not count as the reason, for Production."""
    word, rest = first_word(text)
    if word and word.lower() in _TO:
        stage, after = first_word(rest)
        if stage and stage.capitalize() in STAGES:
            return stage.capitalize(), after.strip()
        _check_misspelt_stage(stage or "")
    if word and word.capitalize() in STAGES:
        return word.capitalize(), rest.strip()
    _check_misspelt_stage(word or "")
    return None, text.strip()


_TO = ("to", "for", "into", "--to", "->", "=>", "\u2192")
_ABBREVIATIONS = {"stage": "Staging", "stg": "Staging", "prod": "Production", "prd": "Production"}
_NO_STAGES = ("product", "products")  # similar to a stage, but a usual first word of a reason


def _check_misspelt_stage(word: str) -> None:
    """Raise InvalidEvent for a misspelt stage, which would otherwise become the first word of the reason."""
    if word.lower() in _NO_STAGES:
        return
    near = difflib.get_close_matches(word.capitalize(), STAGES, n=1, cutoff=0.7)
    if stage := _ABBREVIATIONS.get(word.lower()) or next(iter(near), None):
        raise InvalidEvent(f"{clean(word)} is no stage; did you mean {stage}?")


def break_glass(text: str) -> Fields:
    return request(text) | {"break_glass": True}


_PRUNE = re.compile(r"\s*prune(?=\s|$)", re.IGNORECASE)
_ARCHIVE_OLD = re.compile(r"\s*archive-old(?=\s|$)", re.IGNORECASE)


def plan(text: str) -> Fields:
    """Read MODEL [VERSION] [STAGE], prune MODEL, or archive-old MODEL AGE [keep N].

    A model with the name of such a word must be in quotes.
    """
    if match := _PRUNE.match(text):
        return exactly("plan_prune", "model")(text[match.end() :])
    if match := _ARCHIVE_OLD.match(text):
        fields = archive_old(text[match.end() :])
        _refuse_rest(fields.pop("reason", ""))
        return {"question": "plan_archive", **fields}
    fields = request(text)
    _refuse_rest(fields.pop("reason"))
    return {"question": "plan", **fields}


def transition(text: str) -> Fields:
    """Read MODEL [VERSION] STAGE [reason]."""
    fields, rest = _versioned(text)
    stage, reason = _stage(rest)
    return fields | ({"stage": stage} if stage else {}) | {"reason": reason or None}


def demotion(text: str) -> Fields:
    """Read MODEL [VERSION] [reason]. Without a version, a stage is no reason: another one may be what is left."""
    fields = archive(text)
    begin = [word.strip(",.:;").capitalize() for word in (fields["reason"] or "").split()[:3]]
    if "version" not in fields and (stages := [word for word in begin if word in STAGES]):
        raise InvalidEvent(f"demote takes no stage: name the version that leaves {stages[0]}")
    return {**fields, "stage": None}


def archive(text: str) -> Fields:
    """Read MODEL VERSION [reason]."""
    fields, reason = _versioned(text)
    return fields | {"reason": reason or None}


_KEEP = re.compile(r"\s*keep(?=\s|$)", re.IGNORECASE)


def archive_old(text: str) -> Fields:
    """Read MODEL AGE [keep N] [reason]."""
    fields, rest = _words(text, "model", "older_than")
    if match := _KEEP.match(rest):
        kept, rest = _words(rest[match.end() :], "keep")
        fields |= kept or {"keep": None}
    return fields | ({"reason": rest} if rest else {})


def description(text: str) -> Fields:
    """Read MODEL [VERSION] TEXT. Quotes around the whole text are no part of it."""
    fields, rest = _versioned(text)
    quoted, more = first_word(rest)
    return fields | {"description": (rest if more.strip() else quoted) or None}


_TAG = re.compile(r"""\s*([^\s="']+)=(?:"([^"]*)"|'([^']*)'(?=\s|$)|(\S*))""")


def tags(text: str) -> Fields:
    """Read MODEL [VERSION] KEY=VALUE ... A value with spaces goes in quotes."""
    fields, rest = _words(text, "model")
    word, after = first_word(rest)
    if word and "=" not in word:
        fields, rest = fields | {"version": word.lower().removeprefix("v")}, after
    found: dict[str, str] = {}
    while match := _TAG.match(rest):
        if match[1] in found:
            raise InvalidEvent(f"the tag {clean(match[1])} is given twice")
        found[match[1]] = next((value for value in match.groups()[1:] if value is not None), "")
        rest = rest[match.end() :]
    if rest.strip():
        raise InvalidEvent(f"a tag is KEY=VALUE, not {clean(rest.strip())}")
    return fields | {"tags": found}


_BEST = re.compile(r"\s*best(?=\s|$)", re.IGNORECASE)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


def registration(text: str) -> Fields:
    """Read MODEL RUN, or MODEL best EXPERIMENT [FILTER] order by ORDER."""
    fields, rest = _words(text, "model")
    if match := _BEST.match(rest):
        searched, conditions = _words(rest[match.end() :], "experiment")
        filter_string, *orders = _ORDER.split(conditions, maxsplit=1)
        order_by = [each.strip() for order in orders for each in order.split(",")]
        if searched and not order_by:
            raise InvalidEvent("say what is best: order by metrics.rmse ASC; without it that is the newest run")
        return fields | {"search": {**searched, "filter_string": filter_string.strip(), "order_by": order_by}}
    run, more = _words(rest, "run_id")
    _refuse_rest(more)
    return fields | run


def prune(text: str) -> Fields:
    """Read MODEL [reason]."""
    fields, reason = _words(text, "model")
    return fields | ({"reason": reason} if reason else {})


def retry(text: str) -> Fields:
    """Read MODEL TASK [reason]."""
    fields, reason = _words(text, "model", "task_id")
    return fields | ({"reason": reason} if reason else {})


def rollback(text: str) -> Fields:
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
        named = to if to and LIKE_A_VERSION.fullmatch(to) else word
        if named and (named == to or _LIKE_A_NUMBER.fullmatch(named)):
            raise InvalidEvent(f"{clean(named)} is no version to go back to; write: to 3")
    reason = rest.strip()
    return fields | ({"reason": reason} if reason else {})

"""Operations of the reads of /v1."""

from typing import Any

from registrar.ledger import dead_letters
from registrar.ledger.queries import event_search, promotion_record
from webhooks.openapi import record_schemas, schemas
from webhooks.openapi.operations import PAGE, REF, TOKEN, UNKNOWN, VIEWERS, get, other, path, query, read, tagged, time

SHAPES = (
    schemas.Event,
    schemas.EventProgress,
    schemas.Events,
    schemas.Dead,
    schemas.Story,
    schemas.Queue,
    schemas.Rejections,
    schemas.History,
    record_schemas.Promotions,
    record_schemas.WholePromotion,
    record_schemas.Models,
    record_schemas.Model,
    record_schemas.Overview,
    record_schemas.PolicyInEffect,
)
_MODEL = query("model", "those about this registered model alone")
_PAST = (
    query("target", "a stage, such as Production, or an alias, such as @champion"),
    time("at", "what was held at that time"),
    time("since", "what was still held after that"),
    time("until", "what was held before that; with `since`, whatever was held between the two"),
)
_DROP = "Work that waits is dropped by POST /v1/dead/{task}/drop."
_ACT = "What is done about it is an event: POST .../retry, .../drop."
_BY_ID = f"{VIEWERS} Whoever has the id alone (it is told to the sender) learns how far it is, and no more."


def paths() -> dict[str, Any]:
    return {path: {"get": operation} for path, operation in {**_events(), **_promotions(), **_others()}.items()}


def _events() -> dict[str, Any]:
    sought = (
        query("source", "a source of registrar.yml; web: what was done on pages or by this API"),
        query("type", "an event type, such as training_run.finished"),
        _MODEL,
        query("actor", "whose: a person's id, or source:NAME, token:NAME"),
        query("state", "what became of it: the worst of its tasks'", enum=list(event_search.STATES)),
        time("since", "accepted then or later"),
        time("until", "accepted before"),
    )
    one = get(
        "What became of an event", _BY_ID, schemas.Event, 404, parameters=[path("id", "from an answer or a list")]
    )
    one["responses"] |= tagged(one["responses"])
    seen = [{"$ref": REF + shape.__name__} for shape in (schemas.Event, schemas.EventProgress)]
    one["responses"]["200"]["content"] = {"application/json": {"schema": {"anyOf": seen}}}
    one["security"] = TOKEN
    return {"/v1/events": read("Events, the newest first", schemas.Events, *PAGE, *sought), "/v1/events/{id}": one}


def _promotions() -> dict[str, Any]:
    states = ["open", *promotion_record.STATES]
    state = query("state", "open: it waits, for time or for approvals, or is about to be done", enum=states)
    one = path("id", "a promotion's id, from a list or a fact")
    more = "`voting` says who may still vote; null where nobody is asked."
    listed = read("Promotions, the newest first", record_schemas.Promotions, *PAGE, state, _MODEL)
    whole = read("A promotion: evidence, votes", record_schemas.WholePromotion, one, more=more, missing=True)
    return {"/v1/promotions": listed, "/v1/promotions/{id}": whole}


def _others() -> dict[str, Any]:
    model = path("model", "a registered model's name")
    task = path("task", "a task's id, from /v1/dead or of an event")
    state = query("state", "failed: it can't work; dead: its time is used up", enum=list(dead_letters.STATES))
    held = "Which version held what, from when to when, and who approved; the newest first"
    governed = query("model", "and what is in effect for this registered model")
    digest = query("digest", "instead, the text behind a digest that the record names, or its beginning")
    return {
        "/v1/models": read("Registered models that the record knows, by name", record_schemas.Models, *PAGE),
        "/v1/models/{model}": read("A registered model", record_schemas.Model, model, missing=True),
        "/v1/models/{model}/history": read(held, schemas.History, model, *PAGE, *_PAST),
        "/v1/queue": read("What is not done yet, in the order of its turns", schemas.Queue, *PAGE, _MODEL, more=_DROP),
        "/v1/dead": read("What failed for good", schemas.Dead, *PAGE, state, _MODEL, more=_ACT),
        "/v1/dead/{task}": read("The whole story of a task", schemas.Story, task, more=_ACT, missing=True),
        "/v1/rejections": read(
            "What was refused, and why", schemas.Rejections, *PAGE, query("source", "by this source alone")
        ),
        "/v1/overview": read("How much waits for what", record_schemas.Overview),
        "/v1/policy": read(
            "The policy in effect", record_schemas.PolicyInEffect, governed, digest, more=_POLICY, missing=True
        ),
        "/v1/audit": _audit(),
    }


_POLICY = "Without where secrets are, channels' addresses, and what only a kind of source or channel knows."


def _audit() -> dict[str, Any]:
    more = "One entry a line; `registrar audit verify --file` verifies them. Six exports at a time, two of one person."
    found = other(
        "The journal, oldest entry first", f"{VIEWERS} {more}", "application/x-ndjson", *UNKNOWN, 422, 429, 503
    )
    after = query("after", "the number (seq) of an entry: those that follow it", type="integer", minimum=0)
    times = (time("since", "not before"), time("until", "before"))
    return {**found, "parameters": [_MODEL, *times, after], "security": TOKEN}

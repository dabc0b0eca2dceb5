"""Operations of the reads of /v1."""

from typing import Any

from registrar.queries.filters import DEAD_STATES, EVENT_STATES, PROMOTION_LISTS
from webhooks.openapi import comparison_schemas, event_schemas, model_schemas, promotion_schemas, schemas
from webhooks.openapi.operations import PAGE, REF, TOKEN, UNKNOWN, VIEWERS, get, other, path, query, read, tagged, time

SHAPES = (
    event_schemas.Event,
    event_schemas.EventProgress,
    event_schemas.Events,
    event_schemas.Dead,
    event_schemas.Story,
    event_schemas.Queue,
    event_schemas.Rejections,
    model_schemas.History,
    promotion_schemas.Promotions,
    promotion_schemas.WholePromotion,
    model_schemas.Models,
    model_schemas.Model,
    comparison_schemas.Comparison,
    model_schemas.Version,
    model_schemas.Overview,
    model_schemas.PolicyInEffect,
    schemas.Manifest,
)
_MODEL = query("model", "only those about this registered model")
_PAST = (
    query("target", "a stage, such as Production, or an alias, such as @champion"),
    time("at", "the holders at that time"),
    time("since", "holders after that time"),
    time("until", "holders before that time; with `since`: at any time between the two"),
)
_DROP = "POST /v1/dead/{task}/drop drops a task that waits."
_ACT = "POST .../retry and .../drop retry or drop it."
_BY_ID = f"{VIEWERS} With the id alone, which the sender gets, only the progress is shown."


def paths() -> dict[str, Any]:
    return {path: {"get": operation} for path, operation in {**_events(), **_promotions(), **_others()}.items()}


def _events() -> dict[str, Any]:
    filters = (
        query("source", "a source of registrar.yml; web: commands of pages and of this API"),
        query("type", "an event type, such as training_run.finished"),
        _MODEL,
        query("actor", "a person's id, or source:NAME, token:NAME"),
        query("state", "the worst state of its tasks", enum=list(EVENT_STATES)),
        time("since", "accepted then or later"),
        time("until", "accepted before"),
    )
    event_id = path("id", "an event's id, from a receipt or a list")
    event = get("An event and its tasks", _BY_ID, event_schemas.Event, 404, parameters=[event_id])
    event["responses"] |= tagged(event["responses"])
    shapes = [{"$ref": REF + shape.__name__} for shape in (event_schemas.Event, event_schemas.EventProgress)]
    event["responses"]["200"]["content"] = {"application/json": {"schema": {"anyOf": shapes}}}
    event["security"] = TOKEN
    listed = read("Events, newest first", event_schemas.Events, *PAGE, *filters)
    return {"/v1/events": listed, "/v1/events/{id}": event}


def _promotions() -> dict[str, Any]:
    which = "open: it waits for a time or for approvals, or is approved and not yet promoted; decided: it is not"
    state = query("state", which, enum=list(PROMOTION_LISTS))
    promotion_id = path("id", "a promotion's id, from a list or a fact")
    more = "`voting` says who may still vote; null where no approval is needed."
    listed = read("Promotions, newest first", promotion_schemas.Promotions, *PAGE, state, _MODEL)
    whole = read(
        "A promotion: evidence, votes, steps", promotion_schemas.WholePromotion, promotion_id, more=more, missing=True
    )
    return {"/v1/promotions": listed, "/v1/promotions/{id}": whole}


def _others() -> dict[str, Any]:
    model = path("model", "a registered model's name")
    version = path("version", "its number") | {"schema": {"type": "integer", "minimum": 1}}
    task = path("task", "a task's id, from /v1/dead or an event")
    state = query("state", "failed: no retry would help; dead: its attempts are used up", enum=list(DEAD_STATES))
    held = "A model's history: which version held which target when, and who approved; newest first"
    governed = query("model", "adds the policy of this registered model")
    digest = query("digest", "a digest or its beginning: returns the policy text that it names instead")
    return {
        "/v1/models": read("Registered models, by name", model_schemas.Models, *PAGE),
        "/v1/models/{model}": read("A registered model", model_schemas.Model, model, missing=True),
        "/v1/models/{model}/compare": read(
            "Two versions of a model side by side",
            comparison_schemas.Comparison,
            model,
            *(_version(name) for name in ("a", "b")),
            more="By the record, which has no parameters. `verdict` says it of b, where a gate gives the direction.",
            missing=True,
        ),
        "/v1/models/{model}/versions/{version}": read(
            "A model version", model_schemas.Version, model, version, missing=True
        ),
        "/v1/models/{model}/history": read(held, model_schemas.History, model, *PAGE, *_PAST, missing=True),
        "/v1/queue": read("Unfinished tasks, in order of execution", event_schemas.Queue, *PAGE, _MODEL, more=_DROP),
        "/v1/dead": read(
            "Dead letters: tasks that failed for good", event_schemas.Dead, *PAGE, state, _MODEL, more=_ACT
        ),
        "/v1/dead/{task}": read("A dead letter with its event", event_schemas.Story, task, more=_ACT, missing=True),
        "/v1/rejections": read(
            "Refused requests, and why", event_schemas.Rejections, *PAGE, query("source", "only this source's")
        ),
        "/v1/overview": read("Unfinished tasks, open promotions, failures and processes", model_schemas.Overview),
        "/v1/policy": read(
            "The policy in effect", model_schemas.PolicyInEffect, governed, digest, more=_POLICY, missing=True
        ),
        "/v1/audit": _audit(),
        "/v1/artifacts": read(
            "What artifacts.fetch fetched of a run or a version", schemas.Manifest, *_FETCHED, missing=True
        ),
        "/v1/artifacts/file": _file(),
    }


def _version(name: str) -> dict[str, Any]:
    schema = query(name, "a version of the model", type="integer", minimum=1)
    return {**schema, "required": True}


_POLICY = "Without the names of secrets, channels' addresses, and options of kinds of sources and channels."


_FETCHED = (
    query("run_id", "a run's id; with `path`, where only that part of its artifacts was fetched"),
    query("path", "see `run_id`"),
    query("model", "a registered model's name, with `version`"),
    query("version", "a version's number", type="integer", minimum=1),
)


def _file() -> dict[str, Any]:
    more = "Six files at once, two per person."
    operation = other("A fetched file", f"{VIEWERS} {more}", "application/octet-stream", *UNKNOWN, 404, 422, 429, 503)
    return {**operation, "parameters": [*_FETCHED, query("name", "its name in the manifest")], "security": TOKEN}


def _audit() -> dict[str, Any]:
    more = "One entry per line; `registrar audit verify --file` verifies them. Six exports at once, two per person."
    operation = other(
        "The journal, oldest entry first", f"{VIEWERS} {more}", "application/x-ndjson", *UNKNOWN, 422, 429, 503
    )
    after = query("after", "the number (seq) of an entry: returns the entries after it", type="integer", minimum=0)
    times = (time("since", "not before"), time("until", "before"))
    return {**operation, "parameters": [_MODEL, *times, after], "security": TOKEN}

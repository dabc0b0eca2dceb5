"""The reads of /v1, a function per resource. Each answer has a schema (webhooks/openapi), and an ETag but for the
journal's.
"""

import re
from typing import Any

from flask import Blueprint, Response, request

from registrar.ledger.queries.event_status import for_strangers
from registrar.queries.filters import DEAD_STATES, EVENT_STATES, PROMOTION_LISTS, EventFilter, HistoryFilter
from registrar.queries.query_service import QueryService, Unknown
from registrar.text.sanitize import printable
from webhooks.api import query_params
from webhooks.api.journal_export import CONTENT_TYPES, Exports
from webhooks.api.query_params import PAGE, cursor, limit
from webhooks.api.responses import respond, respond_page
from webhooks.auth import Authenticator
from webhooks.openapi import comparison_schemas, event_schemas, model_schemas, promotion_schemas

Json = dict[str, Any]


def add(api: Blueprint, service: QueryService, access: Authenticator) -> None:
    for add_resource in (
        _add_events,
        _add_queue,
        _add_dead_letters,
        _add_rejections,
        _add_promotions,
        _add_models,
        _add_state,
        _add_journal,
    ):
        add_resource(api, service, access)


def _add_events(api: Blueprint, service: QueryService, access: Authenticator) -> None:
    @api.get("/v1/events")
    def events() -> Json:
        access.require(request, "viewer")
        query_params.only(*PAGE, *EventFilter.__dataclass_fields__)
        names = ("source", "type", "model", "actor")
        filter_ = EventFilter(
            **{name: request.args.get(name) for name in names},
            state=query_params.one_of("state", EVENT_STATES),
            since=query_params.time("since"),
            until=query_params.time("until"),
        )
        return respond_page(event_schemas.Events, "events", service.events(filter_, limit=limit(), cursor=cursor()))

    @api.get("/v1/events/<event_id>")
    def event(event_id: str) -> Json:
        """Return the whole event to viewers, and to others only its progress: senders and MLflow's tags have the id."""
        whole = service.event(event_id)
        principal = access.principal(request)
        if principal and principal.may("viewer"):
            return respond(event_schemas.Event, whole)
        return respond(event_schemas.EventProgress, for_strangers(whole))


def _add_queue(api: Blueprint, service: QueryService, access: Authenticator) -> None:
    @api.get("/v1/queue")
    def queue() -> Json:
        access.require(request, "viewer")
        query_params.only(*PAGE, "model")
        page = service.queue(model=request.args.get("model"), limit=limit(), cursor=cursor())
        return respond_page(event_schemas.Queue, "queue", page)


def _add_dead_letters(api: Blueprint, service: QueryService, access: Authenticator) -> None:
    @api.get("/v1/dead")
    def dead() -> Json:
        access.require(request, "viewer")
        query_params.only(*PAGE, "state", "model")
        state, model = query_params.one_of("state", DEAD_STATES), request.args.get("model")
        page = service.dead(state=state, model=model, limit=limit(), cursor=cursor())
        return respond_page(event_schemas.Dead, "dead", page)

    @api.get("/v1/dead/<task_id>")
    def dead_one(task_id: str) -> Json:
        access.require(request, "viewer")
        return respond(event_schemas.Story, service.dead_one(task_id))


def _add_rejections(api: Blueprint, service: QueryService, access: Authenticator) -> None:
    @api.get("/v1/rejections")
    def rejections() -> Json:
        access.require(request, "viewer")
        query_params.only(*PAGE, "source")
        page = service.rejections(source=request.args.get("source"), limit=limit(), cursor=cursor())
        return respond_page(event_schemas.Rejections, "rejections", page)


def _add_promotions(api: Blueprint, service: QueryService, access: Authenticator) -> None:
    @api.get("/v1/promotions")
    def promotions() -> Json:
        access.require(request, "viewer")
        query_params.only(*PAGE, "state", "model")
        state, model = query_params.one_of("state", PROMOTION_LISTS), request.args.get("model")
        page = service.promotions(state=state, model=model, limit=limit(), cursor=cursor())
        return respond_page(promotion_schemas.Promotions, "promotions", page)

    @api.get("/v1/promotions/<promotion_id>")
    def promotion(promotion_id: str) -> Json:
        access.require(request, "viewer")
        return respond(promotion_schemas.WholePromotion, service.promotion(promotion_id))


def _add_models(api: Blueprint, service: QueryService, access: Authenticator) -> None:
    @api.get("/v1/models")
    def models() -> Json:
        access.require(request, "viewer")
        query_params.only(*PAGE)
        return respond_page(model_schemas.Models, "models", service.models(limit=limit(), cursor=cursor()))

    @api.get("/v1/models/<name>")
    def model(name: str) -> Json:
        access.require(request, "viewer")
        return respond(model_schemas.Model, service.model(name))

    @api.get("/v1/models/<name>/compare")
    def compare(name: str) -> Json:
        access.require(request, "viewer")
        query_params.only("a", "b")
        compared = service.compare(name, query_params.version("a"), query_params.version("b"))
        return respond(comparison_schemas.Comparison, compared)

    @api.get("/v1/models/<name>/versions/<number>")
    def version(name: str, number: str) -> Json:
        access.require(request, "viewer")
        if not re.fullmatch("[0-9]{1,10}", number):
            raise Unknown(f"a version is a number, not {printable(number)}")
        return respond(model_schemas.Version, service.version(name, int(number)))

    @api.get("/v1/models/<name>/history")
    def model_history(name: str) -> Json:
        access.require(request, "viewer")
        query_params.only(*PAGE, *HistoryFilter.__dataclass_fields__)
        filter_ = HistoryFilter(
            request.args.get("target"), query_params.time("at"), query_params.time("since"), query_params.time("until")
        )
        page = service.history(name, filter_, limit=limit(), cursor=cursor())
        return respond_page(model_schemas.History, "history", page, model=name)


def _add_state(api: Blueprint, service: QueryService, access: Authenticator) -> None:
    @api.get("/v1/overview")
    def overview() -> Json:
        access.require(request, "viewer")
        query_params.only()
        return respond(model_schemas.Overview, service.overview())

    @api.get("/v1/policy")
    def policy() -> Json:
        """Return registrar.yml as in effect in this receiver, without the names of its secrets."""
        access.require(request, "viewer")
        query_params.only("model", "digest")
        if "digest" in request.args:
            return respond(model_schemas.PolicyInEffect, service.policy_text(request.args["digest"]))
        return respond(model_schemas.PolicyInEffect, service.policy(model=request.args.get("model")))


def _add_journal(api: Blueprint, service: QueryService, access: Authenticator) -> None:
    exports = Exports()

    @api.get("/v1/audit")
    def audit() -> Response:
        """Stream JSON lines, as `registrar audit export --format jsonl` writes them.

        after: the number (seq) of the client's last entry, to continue after a broken connection.
        """
        reader = access.require(request, "viewer")
        query_params.only("model", "since", "until", "after")
        entries = service.audit(
            model=request.args.get("model"),
            since=query_params.time("since"),
            until=query_params.time("until"),
            after=query_params.number("after"),
        )
        if request.method == "HEAD":
            return Response(content_type=CONTENT_TYPES["jsonl"])
        return exports.answer(entries, "jsonl", reader)

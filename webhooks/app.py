"""The receiver: create_app wires settings, policy and ledger to the routes, and answers every error in one place."""

import sys
from datetime import datetime
from functools import partial
from typing import Any, NoReturn

import flask
from flask.globals import request_ctx
from flask.json.provider import DefaultJSONProvider

from registrar import logs, scrub, tracing
from registrar import settings as environment
from registrar.ledger import Ledger, LedgerUnavailable, schema
from registrar.policy import Policy, load
from registrar.reading.local import Local
from registrar.scrape import Scrape
from registrar.scrub import Scrub, known
from registrar.seal import Seal
from registrar.settings import Settings
from webhooks import api, commit, headers, openapi, pages, senders
from webhooks.access import Access, signin
from webhooks.arriving import Arriving
from webhooks.backpressure import Backpressure
from webhooks.commands import Commands
from webhooks.door import WEBHOOKS, Door, refused, said
from webhooks.doorbell import Doorbell
from webhooks.health import Health
from webhooks.intake import Intake
from webhooks.metrics import Metrics
from webhooks.pages import Errors, House, Mlflow
from webhooks.postbox import Postbox
from webhooks.rate import Rate
from webhooks.refusals import Record, Refusals

LARGEST_FORM = 65_536  # bytes of what is sent on the pages or by the API
CANNOT_START = 4  # gunicorn's APP_LOAD_ERROR: it stops instead of starting worker after worker


def create_app(settings: Settings, *, policy: Policy | None = None) -> flask.Flask:
    """Raises ValueError (PolicyError, SourceError, or about the secret key), SchemaMismatch, LedgerUnavailable."""
    policy = policy or load(settings.config_path)
    opened = senders.open_all(policy, settings, seal=Seal(settings.secret_key))
    scrub = Scrub(known(settings, policy))
    ledger = Ledger(settings.ledger_url)
    schema.check(ledger)
    doorbell = Doorbell(settings.broker_url)
    backpressure = Backpressure(ledger, policy)
    shared = settings.environ.get("PROMETHEUS_MULTIPROC_DIR")
    metrics = Metrics(opened, backpressure.waiting, ledger, policy, shared=shared)
    rate = Rate(settings.broker_url)
    access = Access(settings, policy, ledger, rate)
    accept = backpressure.bounded(commit.GroupCommit(ledger))
    intake = Intake(opened, accept, doorbell, settings.public_url, rate, metrics)

    app = flask.Flask("webhooks", static_folder=None)
    app.json = _Json(app)
    app.config["LARGEST_BODY"] = max([LARGEST_FORM, *(source.max_bytes for source in policy.sources.values())])
    app.config["IN_BATCHES"] = [f"POST {WEBHOOKS}".encode()]
    commands = Commands(policy, accept, doorbell, rate, metrics, settings.public_url)
    app.extensions.update(access=access, commands=commands, metrics=metrics, ledger=ledger)
    reading, health = Local(ledger, lambda: policy), Health(ledger, doorbell, backpressure)
    app.register_blueprint(api.blueprint(reading, commands, health, metrics, access))
    app.register_blueprint(openapi.blueprint())
    mlflow = Mlflow.of(settings.mlflow_uri, settings.mlflow_url)
    house = House(ledger, policy, health, access, commands, mlflow)
    app.register_blueprint(pages.blueprint(house))
    refusals = Refusals(Record(ledger, opened), rate, Postbox(), scrub, metrics)
    app.register_error_handler(Exception, refusals.answer)
    entrance = signin.blueprint(settings, access, ledger, rate)
    entrance.register_error_handler(Exception, Errors(house).for_browsers(refusals.answer))
    app.register_blueprint(entrance)
    app.after_request(partial(_complete, access, metrics))

    app.wsgi_app = Door(app.wsgi_app, intake.receive, metrics)  # type: ignore[method-assign]

    @app.post(f"{WEBHOOKS}<name>", provide_automatic_options=False)
    def receive(name: str) -> NoReturn:
        """What the door did not take."""
        del name
        refused()

    @app.route(f"{WEBHOOKS}<name>", methods=["OPTIONS"], provide_automatic_options=False)
    def greet(name: str) -> flask.Response:
        answer = intake.greet(name, Arriving(flask.request.environ))
        return flask.Response(said(answer), answer.status, answer.headers, mimetype="application/json")

    return app


def from_environment() -> flask.Flask:
    """For gunicorn: "webhooks.app:from_environment()". Says on stderr why it can't start, and ends the process."""
    logs.start(environment.process_environment(), sys.stderr)
    try:
        settings = environment.from_environment()
        policy = load(settings.config_path)
        scrub.install(settings, policy)
        tracing.start(settings, "receiver")
        app = create_app(settings, policy=policy)
    except (ValueError, tracing.TracingUnavailable, schema.SchemaMismatch, LedgerUnavailable) as error:
        sys.stderr.write(f"the receiver can't start: {error}\n")
        raise SystemExit(CANNOT_START) from None
    app.extensions["ledger"].close()  # a connection can't be shared by the processes that are forked now
    if at := settings.watching.receiver_metrics:
        app.config["WHEN_STARTED"] = Scrape(at, app.extensions["metrics"].text).start
    return app


class _Json(DefaultJSONProvider):
    """Times as ISO 8601, keys in our order."""

    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else DefaultJSONProvider.default(value)


def _complete(access: Access, metrics: Metrics, response: flask.Response) -> flask.Response:
    """After each request. One function, since Flask takes its time for each; and senders have no sessions."""
    path = request_ctx.request.path
    if path.startswith(WEBHOOKS):
        metrics.answered(path.removeprefix(WEBHOOKS), response.status_code)
    else:
        access.renew(response)
    return headers.add(response)

"""The receiver: create_app connects settings, policy and ledger to the routes, and answers every error in one place.

It is a complete WSGI application for any server. webhooks/serve.py runs it on granian, behind webhooks/asgi.py, for
speed.
"""

import sys
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import flask
from flask.json.provider import DefaultJSONProvider

from registrar.broker.dispatcher import Dispatcher
from registrar.config import settings as environment
from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings
from registrar.http.page_links import MlflowLinks
from registrar.ledger import Ledger, LedgerUnavailable, schema
from registrar.ledger.capacity import Capacity
from registrar.ledger.inbox import Inbox
from registrar.policy import Policy, installation_check, load
from registrar.queries.local import LocalQueries
from registrar.telemetry import redaction, tracing
from registrar.telemetry.heartbeat import Digests, HeartbeatWriter
from registrar.telemetry.metrics_server import MetricsServer
from registrar.telemetry.redaction import Redactor, known
from registrar.text.sanitize import shown
from webhooks import api, dashboard, openapi, security_headers
from webhooks.auth import Authenticator, signin
from webhooks.auth.trusted_proxy import parse_networks
from webhooks.dashboard import DashboardContext, Errors
from webhooks.ingress import source_registry
from webhooks.ingress.chat_reply import ChatResponder
from webhooks.ingress.command_submission import CommandSubmission
from webhooks.ingress.endpoint import WEBHOOKS, Endpoint
from webhooks.ingress.error_handlers import ErrorHandler
from webhooks.ingress.flask_routes import add_webhooks, error_answer
from webhooks.ingress.omitted import VersionFinder
from webhooks.ingress.rate_limit import RateLimiter
from webhooks.ingress.rejection_log import RejectionLog
from webhooks.monitoring.health import Health
from webhooks.monitoring.metrics import Metrics
from webhooks.monitoring.metrics.journal_reader import JournalReader

# The exit status of a receiver that can't start.
CANNOT_START = 4


@dataclass(frozen=True)
class Receiver:
    """The parts that a server's adapter needs beside the Flask application; one per process.

    It is app.extensions["receiver"].
    """

    endpoint: Endpoint
    error_handler: ErrorHandler
    rejections: RejectionLog
    inbox: Inbox
    dispatcher: Dispatcher
    rate: RateLimiter
    ledger: Ledger
    heart: HeartbeatWriter
    journal_reader: JournalReader
    scrape: MetricsServer | None

    def start(self) -> None:
        """Start the threads, in a serving process: a fork would lose them."""
        self.heart.start()
        self.journal_reader.start()
        if self.scrape:
            self.scrape.start()

    def close(self) -> None:
        """Commit what was accepted, and end all threads. Blocks for some seconds at most."""
        self.heart.stop()
        if self.scrape:
            self.scrape.stop()
        self.journal_reader.stop()
        self.inbox.close()
        self.dispatcher.close()
        self.rejections.close()
        self.rate.close()
        self.ledger.close()


def create_app(settings: Settings, *, policy: Policy | None = None) -> flask.Flask:
    """Make the receiver.

    Raises ValueError (PolicyError, SourceError, a bad secret key), SchemaMismatch, LedgerUnavailable.
    """
    policy = policy or load(settings.config_path)
    sources = source_registry.open_all(policy, settings, encryptor=Encryptor(settings.secret_key))
    ledger = Ledger(settings.ledger_url)
    schema.check(ledger)
    dispatcher, capacity = Dispatcher(settings.broker_url), Capacity(ledger, policy)
    shared = settings.environ.get("PROMETHEUS_MULTIPROC_DIR")
    health = Health(ledger, dispatcher, capacity)
    metrics = Metrics(sources, capacity.unfinished, ledger, policy, shared=shared, health=health.passing)
    inbox = Inbox(ledger, dispatcher.publish, capacity=capacity, count=metrics.committed)
    rate = RateLimiter(settings.broker_url)
    access = Authenticator(settings, policy, ledger, rate)
    versions = VersionFinder(ledger, policy)
    commands = CommandSubmission(policy, inbox, rate, settings.public_url, versions)

    app = flask.Flask("webhooks", static_folder=None)
    app.jinja_options = {**app.jinja_options, "finalize": _shown}
    app.json = _Json(app)
    app.extensions.update(access=access, commands=commands, metrics=metrics, ledger=ledger)
    queries, folder = LocalQueries(ledger, lambda: policy), settings.artifacts_folder
    app.register_blueprint(api.blueprint(queries, commands, health, metrics, access, artifacts_folder=folder))
    app.register_blueprint(openapi.blueprint())
    context = DashboardContext(
        ledger, policy, health, access, commands, MlflowLinks.from_urls(settings.mlflow_uri, settings.mlflow_url)
    )
    app.register_blueprint(dashboard.blueprint(context))

    rejections = RejectionLog(ledger, sources)
    errors = ErrorHandler(rejections, rate, ChatResponder(), Redactor(known(settings, policy)), metrics)
    proxy = policy.access.trusted_proxy
    proxies = parse_networks(proxy.networks) if proxy else ()
    endpoint = Endpoint(sources, inbox, settings.public_url, rate, metrics, versions, proxies)
    at = settings.watching.receiver_metrics
    scrape = MetricsServer(at, metrics.text) if at else None
    heart = HeartbeatWriter(ledger, "receiver", Digests.of(settings, policy))
    app.extensions["receiver"] = Receiver(
        endpoint, errors, rejections, inbox, dispatcher, rate, ledger, heart, metrics.journal_reader, scrape
    )
    answer_error, pages = partial(error_answer, errors, endpoint), Errors(context)
    app.register_error_handler(Exception, pages.for_lost(answer_error))
    sign_in = signin.blueprint(settings, access, ledger, rate)
    sign_in.register_error_handler(Exception, pages.for_browsers(answer_error))
    app.register_blueprint(sign_in)
    app.after_request(partial(_complete, access))
    add_webhooks(app, endpoint)
    return app


class CannotStart(SystemExit):
    """The receiver can't start; str() says why. If not caught, the process exits with the status CANNOT_START."""

    def __init__(self, reason: str) -> None:
        super().__init__(CANNOT_START)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


def from_environment() -> flask.Flask:
    """Return the application for any WSGI server: "webhooks.app:from_environment()".

    Prints on stderr why it can't start.
    """
    try:
        return load_application()
    except CannotStart as error:
        sys.stderr.write(f"the receiver can't start: {error}\n")
        raise


def load_application() -> flask.Flask:
    """Make the application from the environment and registrar.yml, without threads: safe to fork.

    Raises CannotStart.
    """
    try:
        settings = environment.from_environment()
        policy = load(settings.config_path)
        redaction.install(settings, policy)
        tracing.start(settings, "receiver")
        app = create_app(settings, policy=policy)
        installation_check.warn(policy, environ=settings.environ, path=settings.config_path)
    except (ValueError, tracing.TracingUnavailable, schema.SchemaMismatch, LedgerUnavailable) as error:
        raise CannotStart(str(error)) from None
    app.extensions["ledger"].close()  # processes can't share a connection
    return app


class _Json(DefaultJSONProvider):
    """Write times as ISO 8601, and keep the order of keys."""

    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else DefaultJSONProvider.default(value)


def _complete(access: Authenticator, response: flask.Response) -> flask.Response:
    """Run after each request: renew the session, which webhooks don't have, and add security headers."""
    if not flask.request.path.startswith(WEBHOOKS):
        access.renew(response)
    return security_headers.add(response)


def _shown(value: object) -> object:
    """Make a page's text safe: without control and direction marks, which would change the text beside it."""
    return shown(value, lines=True) if type(value) is str else value

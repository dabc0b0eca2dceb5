"""The receiver: create_app wires settings, policy and ledger to the routes, and answers every error in one place."""

import logging
import sys
from datetime import datetime
from typing import Any

import flask
from flask.json.provider import DefaultJSONProvider
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from registrar import settings as environment
from registrar.ledger import Ledger, LedgerUnavailable, rejections, schema
from registrar.ledger.accept import DeliveryConflict
from registrar.ledger.engine import now
from registrar.policy import Policy, load
from registrar.seal import Seal
from registrar.settings import Settings
from webhooks import api, commit, errors, senders
from webhooks.clean import clean
from webhooks.doorbell import Doorbell
from webhooks.errors import Rejected
from webhooks.intake import Intake

log = logging.getLogger(__name__)

CANNOT_START = 4  # gunicorn's APP_LOAD_ERROR: it stops instead of starting worker after worker
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_WEBHOOKS = "/webhooks/"


def create_app(settings: Settings, *, policy: Policy | None = None) -> flask.Flask:
    """Raises ValueError (PolicyError, SourceError, or about the secret key), SchemaMismatch, LedgerUnavailable."""
    policy = policy or load(settings.config_path)
    opened = senders.open_all(policy, settings, seal=Seal(settings.secret_key))
    ledger = Ledger(settings.ledger_url)
    schema.check(ledger)
    doorbell = Doorbell(settings.broker_url)
    intake = Intake(opened, commit.one_each(ledger), doorbell, settings.public_url)

    app = flask.Flask("webhooks", static_folder=None)
    app.json = _Json(app)
    app.register_blueprint(api.blueprint(ledger, doorbell))
    app.register_error_handler(Exception, _Refusals(ledger).answer)
    app.after_request(_add_headers)

    @app.post(f"{_WEBHOOKS}<name>", provide_automatic_options=False)
    def receive(name: str) -> tuple[flask.Response, int, dict[str, str]]:
        answer = intake.receive(name, flask.request)
        return flask.jsonify(answer.body), answer.status, dict(answer.headers)

    return app


def from_environment() -> flask.Flask:
    """For gunicorn: "webhooks.app:from_environment()". Says on stderr why it can't start, and ends the process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return create_app(environment.from_environment())
    except (ValueError, schema.SchemaMismatch, LedgerUnavailable) as error:
        sys.stderr.write(f"the receiver can't start: {error}\n")
        raise SystemExit(CANNOT_START) from None


class _Json(DefaultJSONProvider):
    """Times as ISO 8601, keys in our order."""

    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else DefaultJSONProvider.default(value)


class _Refusals:
    """The one error handler: the answer, and for the webhook route the row in `rejections`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def answer(self, error: Exception) -> flask.Response:
        rejected = _rejected(error)
        if flask.request.path.startswith(_WEBHOOKS):
            self._record(rejected)
        if rejected.phrased is not None:
            return flask.jsonify(rejected.phrased)
        response = flask.jsonify(rejected.problem())
        response.status_code, response.mimetype = rejected.status, "application/problem+json"
        if rejected.retry_after:
            response.headers["Retry-After"] = str(rejected.retry_after)
        if isinstance(error, HTTPException):
            response.headers.extend({k: v for k, v in error.get_headers() if k == "Allow"})
        return response

    def _record(self, rejected: Rejected) -> None:
        """A refusal that can't be recorded is still a refusal. One by the ledger itself is not even tried."""
        source, size = clean(flask.request.path.removeprefix(_WEBHOOKS), length=64), flask.g.get("size")
        log.warning("refused %s from %s (%s bytes)", rejected.code, source, size)
        if isinstance(rejected, errors.Unavailable):
            return
        status, code, detail = rejected.status, rejected.code, clean(rejected.detail, length=1000)
        try:
            with self._ledger.write() as connection:
                rejections.record(
                    connection, source=source, status=status, code=code, detail=detail, size=size, at=now()
                )
        except (LedgerUnavailable, SQLAlchemyError):
            log.exception("the refusal could not be recorded")


def _rejected(error: Exception) -> Rejected:
    """Every error as one of ours. What nobody foresaw is logged with its traceback, and told without it."""
    match error:
        case Rejected():
            return error
        case DeliveryConflict():
            return errors.DeliveryReused(str(error))
        case LedgerUnavailable():
            log.warning("the ledger is not available: %s", error)
            return errors.Unavailable("the ledger can't be reached or written; nothing was accepted, send it again")
        case HTTPException(code=int(status)):
            return errors.Refused(error.description or error.name, status=status)
    log.error("unexpected", exc_info=error)
    return errors.Broken("something broke in the receiver; its log says what, and sending it again does no harm")


def _add_headers(response: flask.Response) -> flask.Response:
    response.headers.extend(_HEADERS)
    return response

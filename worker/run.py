"""The worker process: Celery with all tasks, on a pool of threads."""

import os
import socket

import requests
from celery import Celery

from registrar import scrub
from registrar.ledger import Ledger
from registrar.ledger.schema import check
from registrar.policy import Policy, load
from registrar.queue import QUEUE, celery_app
from registrar.seal import Seal
from registrar.settings import Settings, SettingsError, from_environment
from worker.pulse import Pulse
from worker.registry import MlflowRegistry, configure_client
from worker.tasks import Bench, install
from worker.telling import channels

CONCURRENCY = 4  # threads: the work is waiting for HTTP; a process each would cost 80 MB each


def main() -> None:
    settings = from_environment()
    policy = load(settings.config_path)
    scrub.install(settings, policy)
    ledger = Ledger(settings.ledger_url)
    app = build(settings, policy, ledger)
    with Pulse(ledger, "worker"):
        app.start(_arguments())


def build(settings: Settings, policy: Policy, ledger: Ledger) -> Celery:
    """The Celery app with all tasks. Raises SettingsError, ChannelError, SchemaMismatch."""
    channels.check(policy)
    configure_client()
    app = celery_app(settings.broker_url)
    check(ledger)
    http = requests.Session()
    http.auth = _no_login
    registry = MlflowRegistry(settings.mlflow_uri).guarded
    scrubbing = scrub.Scrub(scrub.known(settings, policy))
    install(Bench(app, ledger, policy, settings, _seal(settings), registry, http, scrub=scrubbing))
    return app


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """A proxy of the environment is used, a login of ~/.netrc is not: channels get what registrar.yml says."""
    return request


def _seal(settings: Settings) -> Seal:
    try:
        return Seal(settings.secret_key)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _arguments() -> list[str]:
    name = f"registrar-{os.getpid()}@{socket.gethostname()}"
    return [
        "worker",
        "--pool=threads",
        f"--concurrency={CONCURRENCY}",
        f"--queues={QUEUE}",
        f"--hostname={name}",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=INFO",
    ]

"""`python -m worker run` works, `python -m worker beat` keeps the time."""

import logging
import os
import socket
import sys

import requests
from celery import Celery

from registrar.ledger import Ledger
from registrar.ledger.migrate import SchemaMismatch, check
from registrar.policy import Policy, PolicyError, load
from registrar.queue import QUEUE, celery_app
from registrar.seal import Seal
from registrar.settings import Settings, SettingsError, from_environment
from worker.registry import MlflowRegistry, configure_client
from worker.schedule import SCHEDULE
from worker.tasks import Bench, install

CONCURRENCY = 4  # threads: the work is waiting for HTTP; a process each would cost 80 MB each


def build(settings: Settings, policy: Policy) -> Celery:
    """The Celery app with all tasks. Raises SchemaMismatch where the ledger is of another version."""
    configure_client()
    app = celery_app(settings.broker_url)
    app.conf.beat_schedule = SCHEDULE
    ledger = Ledger(settings.ledger_url)
    check(ledger)
    registry = MlflowRegistry(settings.mlflow_uri).guarded
    http = requests.Session()
    http.trust_env = False  # no proxy or netrc from the environment gets between us and a channel
    install(Bench(app, ledger, policy, settings, Seal(settings.secret_key), registry, http))
    return app


def main(arguments: list[str]) -> None:
    if arguments not in (["run"], ["beat"]):
        sys.exit("usage: python -m worker run | beat")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    # One line per doorbell, every two seconds, says nothing: the actions' own lines do.
    for chatty in ("celery.app.trace", "celery.worker.strategy", "celery.beat"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        settings = from_environment()
        app = build(settings, load(settings.config_path))
    except (SettingsError, PolicyError, SchemaMismatch, ValueError) as error:
        sys.exit(f"the worker can't start: {error}")
    app.start(_worker() if arguments == ["run"] else ["beat", "--scheduler", "celery.beat:Scheduler", "--pidfile="])


def _worker() -> list[str]:
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


if __name__ == "__main__":
    main(sys.argv[1:])

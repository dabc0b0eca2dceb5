"""The worker process: Celery with all tasks, on a pool of threads."""

import os
import socket
from contextlib import ExitStack
from functools import partial

import requests

from registrar.broker.celery_app import QUEUE, celery_app
from registrar.broker.dispatcher import Dispatcher
from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings, SettingsError, from_environment
from registrar.ledger import Ledger
from registrar.ledger.inbox import Inbox
from registrar.ledger.schema import check
from registrar.policy import Policy, installation_check, load
from registrar.telemetry import redaction, tracing
from registrar.telemetry.heartbeat import Digests
from registrar.telemetry.metrics_server import MetricsServer
from registrar.telemetry.observability_settings import ObservabilitySettings
from worker import observability, shutdown
from worker.celery_tasks import install, release_task
from worker.context import WorkerContext
from worker.downloads import CONCURRENCY
from worker.heartbeat import WorkerHeartbeat, track_worker_loop
from worker.notifications import channels
from worker.registry.availability import RegistryAvailability
from worker.registry.mlflow import MlflowRegistry, configure_client


def main() -> None:
    settings = from_environment()
    policy = load(settings.config_path)
    redaction.install(settings, policy)
    tracing.start(settings, "worker")
    ledger = Ledger(settings.ledger_url)
    worker_context = build(settings, policy, ledger)
    installation_check.warn(policy, environ=settings.environ, path=settings.config_path)
    with ExitStack() as stack:
        stack.callback(tracing.stop)
        availability = stack.enter_context(RegistryAvailability(settings.mlflow_uri, settings.environ))
        digests = Digests.of(settings, policy)
        heartbeat = stack.enter_context(WorkerHeartbeat(ledger, "worker", digests, availability=availability))
        track_worker_loop(worker_context.app, heartbeat.loop)
        if address := settings.watching.worker_metrics:
            stack.enter_context(MetricsServer(address, partial(observability.metrics_text, heartbeat.loop)))

        def exit_process() -> None:
            stack.close()
            os._exit(0)

        shutdown.on_shutdown(
            worker_context.app,
            lambda: worker_context.shutdown.begin(partial(release_task, worker_context), exit_process),
        )
        worker_context.app.start(_arguments(settings.watching))


def build(settings: Settings, policy: Policy, ledger: Ledger) -> WorkerContext:
    """Return the process's context, with all tasks in its Celery app. Raises SettingsError, ChannelError,
    SchemaMismatch.
    """
    channels.check(policy)
    configure_client()
    app = celery_app(settings.broker_url)
    check(ledger)
    http = requests.Session()
    http.auth = _no_login
    registry = MlflowRegistry(settings.mlflow_uri).guarded
    redactor = redaction.Redactor(redaction.known(settings, policy))
    inbox = Inbox(ledger, Dispatcher(settings.broker_url).publish)
    worker_context = WorkerContext(
        app, ledger, inbox, policy, settings, _encryptor(settings), registry, http, redact=redactor
    )
    install(worker_context)
    return worker_context


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return the request as it is: notifiers send registrar.yml's secrets and no login of ~/.netrc. The environment's
    proxy is used all the same.
    """
    return request


def _encryptor(settings: Settings) -> Encryptor:
    try:
        return Encryptor(settings.secret_key)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _arguments(watching: ObservabilitySettings) -> list[str]:
    name = f"registrar-{os.getpid()}@{socket.gethostname()}"
    return [
        *(["--quiet"] if watching.log == "json" else []),  # its banner is not JSON
        "worker",
        "--pool=threads",
        f"--concurrency={CONCURRENCY}",
        f"--queues={QUEUE}",
        f"--hostname={name}",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=INFO",
        *(["--task-events"] if watching.task_events else []),
    ]

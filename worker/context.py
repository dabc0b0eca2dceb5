"""The context of a worker process, for all its tasks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import requests
from celery import Celery

from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings
from registrar.ledger import Ledger
from registrar.ledger.engine import now
from registrar.ledger.inbox import Inbox
from registrar.policy import Policy
from worker.downloads import Downloads
from worker.registry.protocol import Registry
from worker.shutdown import Shutdown


@dataclass(frozen=True)
class WorkerContext:
    """The worker's systems and settings. registry: returns one task's registry, given the function that checks its
    lease before a write. redact: removes our secrets from a text.
    """

    app: Celery
    ledger: Ledger
    inbox: Inbox
    policy: Policy
    settings: Settings
    encryptor: Encryptor
    registry: Callable[[Callable[[], None]], Registry]
    http: requests.Session
    now: Callable[[], datetime] = now  # aware, UTC
    redact: Callable[[str], str] = str
    shutdown: Shutdown = field(default_factory=Shutdown)
    downloads: Downloads = field(default_factory=Downloads)

"""What a worker process holds for all its tasks."""

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
    """registry: makes the registry of one task, given what checks its lease before a write. redact: hides our
    secrets.
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
    closing: Shutdown = field(default_factory=Shutdown)
    downloads: Downloads = field(default_factory=Downloads)

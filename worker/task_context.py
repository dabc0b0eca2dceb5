"""What an action is given: its task, the doors it may use, and the time. Nothing else is reached from within."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import requests
from pydantic import ValidationError

from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings, SettingsError
from registrar.events.types import Data, parse
from registrar.ledger import Ledger
from registrar.ledger.tasks import Task
from registrar.policy import Policy
from worker import retry
from worker.registry.protocol import PermanentError, Registry, RegistryError

Kind = TypeVar("Kind", bound=Data)


@dataclass(frozen=True)
class TaskContext:
    """registry: checks the lease before each write, and holds each version that it gives against the record.

    unseen: the same, without holding it against anything. now: when this attempt began, aware, UTC.
    """

    task: Task
    registry: Registry
    unseen: Registry
    ledger: Ledger
    policy: Policy
    settings: Settings
    encryptor: Encryptor
    http: requests.Session
    now: datetime

    def data_as(self, kind: type[Kind]) -> Kind:
        """The event's data, as the vocabulary class that the action handles. Raises TypeError for any other.

        Raises PermanentError for what an earlier version of this program accepted, and this one refuses.
        """
        try:
            data = parse(self.task.event_type, self.task.data)
        except ValidationError as error:
            said = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors(include_url=False))
            raise PermanentError(f"it was accepted by an earlier version, and is not valid any more: {said}") from None
        if not isinstance(data, kind):
            raise TypeError(f"{self.task.name} does not handle {self.task.event_type}")
        return data

    def param(self, name: str) -> Any:
        """An argument of the task, else the field of the event's data; None where neither has it."""
        return self.task.args.get(name, self.task.data.get(name))

    def secret(self, reference: str | None) -> str | None:
        """What `env:NAME` or `file:PATH` of registrar.yml stands for. Raises PermanentError where it is not there."""
        try:
            return self.settings.secret(reference) if reference else None
        except SettingsError as error:
            raise PermanentError(f"{error}; set it for the worker, and restart it") from None

    def ends(self, error: RegistryError) -> bool:
        """Whether the task is given up after this error; else it is tried again, with what was done so far."""
        return retry.final_state(self.task, error, at=self.now, answers=self.registry_answers) is not None

    def registry_answers(self) -> bool:
        """Whether the registry and its database answer what is none of the task's business. Asked once an attempt."""
        return self._answers

    @cached_property
    def _answers(self) -> bool:
        try:
            self.registry.models(max_results=1)
        except RegistryError:
            return False
        return True

    @property
    def model(self) -> str:
        return str(self.param("model"))

    @property
    def version(self) -> int:
        return int(self.param("version"))

    @property
    def actor_name(self) -> str:
        return self.task.actor_name

    @property
    def artifacts_folder(self) -> Path:
        return self.settings.artifacts_folder

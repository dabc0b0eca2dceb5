"""The context of an action: its task, the systems that it may use, and the time."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import requests
from pydantic import ValidationError

from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings, SettingsError
from registrar.events.outcome import Fact
from registrar.events.types import Data, parse
from registrar.ledger import Ledger
from registrar.ledger.fact_references import load_fact
from registrar.ledger.tasks import Task
from registrar.policy import Policy
from worker import retry
from worker.registry.entities import Version
from worker.registry.protocol import PermanentError, Registry, RegistryError

EventData = TypeVar("EventData", bound=Data)


@dataclass(frozen=True)
class TaskContext:
    """One attempt at a task. registry: checks the lease before each write, and compares each version that it returns
    with the record. recent_registry: the same, but what this event's tasks read or wrote moments ago is not read again.
    unchecked_registry: without that comparison. now: when this attempt began, aware, UTC.
    """

    task: Task
    registry: Registry
    recent_registry: Registry
    unchecked_registry: Registry
    ledger: Ledger
    policy: Policy
    settings: Settings
    encryptor: Encryptor
    http: requests.Session
    now: datetime

    def with_recent_reads(self) -> Self:
        """Return the context for evaluating: its registry answers from what was read moments ago."""
        return replace(self, registry=self.recent_registry)

    def data_as(self, kind: type[EventData]) -> EventData:
        """Return the event's data as the given class. Raises TypeError where it is of another class, PermanentError
        where an earlier release of Registrar accepted it and this one refuses it.
        """
        try:
            data = parse(self.task.event_type, self.task.data)
        except ValidationError as error:
            problems = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors(include_url=False))
            raise PermanentError(f"it was accepted by an earlier version, and is no longer valid: {problems}") from None
        if not isinstance(data, kind):
            raise TypeError(f"{self.task.name} does not handle {self.task.event_type}")
        return data

    def param(self, name: str) -> Any:
        """Return an argument of the task, else the field of the event's data; None where neither has it."""
        return self.task.args.get(name, self.task.data.get(name))

    def told_fact(self) -> Fact:
        """Return the fact that people are to be told of by this task."""
        with self.ledger.read() as connection:
            return load_fact(connection, self.task.args)

    def secret(self, reference: str | None) -> str | None:
        """Resolve `env:NAME` or `file:PATH` of registrar.yml. Raises PermanentError where it is not set."""
        try:
            return self.settings.secret(reference) if reference else None
        except SettingsError as error:
            raise PermanentError(f"{error}; set it for the worker, and restart it") from None

    def ends(self, error: RegistryError) -> bool:
        """Return whether the task is given up after this error; else another attempt continues what this one began."""
        return retry.final_state(self.task, error, at=self.now, answers=self.registry_answers) is not None

    def registry_answers(self) -> bool:
        """Return whether the registry and its database answer an unrelated call; it is made once per attempt."""
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

    @cached_property
    def named_version(self) -> Version:
        """Return the version that the event names, as it was when this attempt first asked. Raises NotFound."""
        return self.registry.version(self.model, self.version)

    @property
    def actor_name(self) -> str:
        return self.task.actor_name

    @property
    def artifacts_folder(self) -> Path:
        return self.settings.artifacts_folder

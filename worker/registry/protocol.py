"""What the worker needs of a model registry: the few calls, what they give, and the two fates of an error."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from registrar.errors import UserError
from registrar.events.incarnation import Incarnation


class RegistryError(UserError):
    """Something an action could not do. The message is a sentence for people."""

    retry: ClassVar[bool]


class RetryableError(RegistryError):
    """It may work later: tried again with growing pauses until the budget of time is spent.

    after: seconds that the other side asked us to wait, or None.
    """

    retry = True

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class AmbiguousError(RetryableError):
    """The other side broke (HTTP 500): it may pass, or be so for ever, so it is tried a few times only.

    Waiting for hours would hold up all of the model's work behind it.
    """


class PermanentError(RegistryError):
    """It will not work however often it is tried: the task failed, and people are told why."""

    retry = False


class Refused(PermanentError):
    """What was asked for is not allowed, not possible as things are, or about nothing that there is.

    The task ends as refused where it is the asker's mistake (worker/retry.py), else as failed.
    """


class NotFound(Refused):
    """There is no such run, model, version or alias."""


@dataclass(frozen=True)
class Version:
    """A model version. version counts from 1; aliases is filled only where one version was asked for.

    changed: when the registry last changed its stage, its description or its being there, in ms by its own clock: only
    to be compared with others of its kind. 0: not known.
    """

    model: str
    version: int
    stage: str
    run_id: str | None
    source: str
    description: str
    tags: Mapping[str, str]
    created_at: datetime
    aliases: tuple[str, ...] = ()
    changed: int = 0

    def __str__(self) -> str:
        return f"{self.model} version {self.version}"

    def incarnation(self, registry: str) -> Incarnation:
        """Which one it is. registry: the address of where it was seen."""
        return Incarnation(self.model, self.version, self.created_at, self.run_id, self.source, registry)


@dataclass(frozen=True)
class Recent:
    """versions: those that changed since some time. whole: they are all that the model has.

    at: when the registry changed any of the model's last, as it was when the look began (as Version.changed).
    """

    versions: Sequence[Version]
    at: int
    whole: bool


@dataclass(frozen=True)
class Run:
    """A run. outputs: ids of the models that MLflow 3 logged in it; inputs: of those that it evaluated."""

    id: str
    name: str
    experiment_id: str
    status: str
    user: str
    started_at: datetime | None
    artifact_uri: str
    deleted: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[tuple[str, int], ...] = ()
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelSource:
    """Where a run's model is: what create_version takes. logged_model: MLflow 3's id (m-...), else None."""

    uri: str
    logged_model: str | None = None


@dataclass(frozen=True)
class Experiment:
    """deleted: by somebody, and MLflow keeps it, with its name, until it is restored or purged."""

    id: str
    name: str
    artifact_location: str
    created_at: datetime | None
    deleted: bool = False


@dataclass(frozen=True)
class Model:
    """A registered model. aliases: version by alias. changed: when the registry last changed it, or moved or deleted a
    version of it; as Version.changed.
    """

    name: str
    description: str
    tags: Mapping[str, str]
    aliases: Mapping[str, int]
    created_at: datetime | None
    changed: int = 0


FILES = "files:sha256:"  # begins a digest of them; earlier ones began otherwise


@dataclass(frozen=True)
class FilesSeen:
    """A version's files at one look. digest: files:sha256:HEX; another one, other files. compared: what it is made of,
    for people. Two digests can be compared where that is the same.
    """

    digest: str
    compared: str


class Registry(Protocol):
    """Every call raises RetryableError, PermanentError or, where it names something, NotFound."""

    @property
    def address(self) -> str:
        """Without a login."""

    def run(self, run_id: str) -> Run: ...

    def search_runs(
        self,
        experiment: str,
        *,
        filter_string: str = "",
        order_by: Iterable[str] = (),
        max_results: int = 100,
        run_view_type: str = "ACTIVE_ONLY",
    ) -> list[Run]:
        """experiment: a name. Raises NotFound for an unknown one, PermanentError for a filter that can't be read."""

    def experiments(self) -> list[Experiment]: ...

    def experiment(self, name: str) -> Experiment | None: ...

    def create_experiment(self, name: str, *, tags: Mapping[str, str]) -> str:
        """The new experiment's id."""

    def source_of(self, run: Run, artifact_path: str) -> ModelSource:
        """Where the model is that a run logged under a name. Raises NotFound where there is none."""

    def models(self, *, max_results: int = 100) -> list[Model]: ...

    def model(self, name: str) -> Model: ...

    def ensure_model(self, name: str) -> None:
        """Create a registered model, if there is none of that name."""

    def version(self, model: str, version: int) -> Version: ...

    def versions(self, model: str, *, run_id: str | None = None, newest: int | None = None) -> list[Version]:
        """All versions (of one run), newest first; [] for an unknown model. newest: so many at most."""

    def recent(self, model: str, *, since: int | None = None) -> Recent:
        """The versions that changed at `since` (as Version.changed) or later, or all; nothing for an unknown model.

        All where since is None, and where looking for fewer would not be less. What changes while this looks may be
        missing, and has a time not before `at`.
        """

    def by_alias(self, model: str, alias: str) -> Version | None:
        """The version that an alias points at; None where there is no such alias, or no such model."""

    def copies(self, model: str) -> list[Version]:
        """Versions, of this model or any other, that were made from a version of it: their source is models:/NAME/N."""

    def create_version(
        self, model: str, source: ModelSource, *, run_id: str, description: str, tags: Mapping[str, str]
    ) -> Version: ...

    def set_stage(self, model: str, version: int, stage: str) -> None: ...

    def set_alias(self, model: str, alias: str, version: int) -> None: ...

    def drop_alias(self, model: str, alias: str) -> None: ...

    def set_description(self, model: str, version: int, description: str) -> None:
        """MLflow on PostgreSQL or MySQL refuses one that is longer than limits.DESCRIPTION."""

    def set_tag(self, model: str, version: int, key: str, value: str) -> None:
        """Of a value that is longer than limits.TAG, the beginning is kept."""

    def drop_tag(self, model: str, version: int, key: str) -> None:
        """No error where there is no such tag."""

    def delete_version(self, model: str, version: int) -> None:
        """Its entry in the registry, with the aliases that point at it; its files stay where they are."""

    def take_back(self, model: str, version: int) -> None:
        """delete_version for what this very attempt made; whether the task is still ours is not asked, for it may be
        another's by now, which has made its own.
        """

    def download_run(self, run_id: str, path: str | None, folder: Path) -> Path:
        """A run's artifacts, or the file or folder `path` of them, into a folder; where below it they are now."""

    def files_of(self, model: str, version: int) -> list[str]:
        """The names at the top of a version's files, as they can be fetched now; [] where there are none."""

    def mlmodel(self, model: str, version: int) -> Mapping[str, Any]:
        """What the version's MLmodel file says; {} where there is none, or nothing that can be read."""

    def look_at_files(self, model: str, version: int, *, most: int) -> FilesSeen:
        """What serving would load, as it is now: the names and sizes of all files, and the content of MLmodel and of
        the smallest that are `most` bytes together.
        """

    def size_of(self, model: str, version: int) -> int:
        """Bytes of all its files; 0 where there are none. Raises PermanentError where there are too many to count."""

    def download_version(self, model: str, version: int, folder: Path) -> Path: ...


def with_known(registry: Registry, model: str, found: Iterable[Version], known: Iterable[int]) -> list[Version]:
    """What a search found, and what it did not though it is there: searches may leave versions out.

    known: numbers that ought to be there.
    """
    listed = list(found)
    missing = sorted(set(known) - {version.version for version in listed})
    asked = (find_version(registry, model, number) for number in missing)
    return [*listed, *(version for version in asked if version)]


def find_version(registry: Registry, model: str, number: int) -> Version | None:
    """A version, or None where it is gone."""
    try:
        return registry.version(model, number)
    except NotFound:
        return None

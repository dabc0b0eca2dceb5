"""The calls that the worker makes to a model registry, and their errors."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from registrar.errors import UserError
from worker.registry.entities import Experiment, FilesSeen, Model, ModelSource, Recent, Run, Version


class RegistryError(UserError):
    """An action could not do something. The message is a sentence for people."""

    retry: ClassVar[bool]


class RetryableError(RegistryError):
    """The attempt may succeed later: the task is tried again with growing pauses, until worker/retry.py gives it up.

    after: seconds that the other side asked us to wait, or None.
    """

    retry = True

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class AmbiguousError(RetryableError):
    """The other side failed (HTTP 500), for a while or for good: the task is tried only a few times.

    Hours of retries would block all later tasks of the model.
    """


class PermanentError(RegistryError):
    """No attempt will succeed: the task fails, and people are notified of the reason."""

    retry = False


class Refused(PermanentError):
    """The request is not allowed, not possible now, or about something that does not exist.

    The task ends as refused where this is the requester's mistake (worker/retry.py), else as failed.
    """


class NotFound(Refused):
    """There is no such run, model, version or alias."""


class Registry(Protocol):
    """The calls. Each raises RetryableError, PermanentError or, where it names something, NotFound."""

    @property
    def address(self) -> str:
        """Return the registry's address, without a login."""

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
        """Search the runs of an experiment, by its name. Raises NotFound; PermanentError for a bad filter."""

    def experiments(self) -> list[Experiment]: ...

    def experiment(self, name: str) -> Experiment | None: ...

    def create_experiment(self, name: str, *, tags: Mapping[str, str]) -> str:
        """Return the new experiment's id."""

    def source_of(self, run: Run, artifact_path: str) -> ModelSource:
        """Return where the model is that a run logged under a name. Raises NotFound."""

    def logged_models(self, run: Run) -> list[str]:
        """Return the names of the models that a run logged, sorted."""

    def models(self, *, max_results: int | None = 100) -> list[Model]:
        """Return registered models by name. max_results: None for all."""

    def model(self, name: str) -> Model: ...

    def ensure_model(self, name: str) -> None:
        """Create a registered model, unless there is one of that name."""

    def version(self, model: str, version: int) -> Version: ...

    def versions(self, model: str, *, run_id: str | None = None, newest: int | None = None) -> list[Version]:
        """Return the versions of a model, or of one of its runs, newest first; [] for an unknown model.

        newest: how many at most.
        """

    def recent(self, model: str, *, since: int | None = None) -> Recent:
        """Return the versions that changed at `since` (as Version.changed) or later; none for an unknown model.

        Returns all where since is None, or where fewer would not be cheaper. A change during the call may be missing;
        its time is not before `at`.
        """

    def by_alias(self, model: str, alias: str) -> Version | None:
        """Return the version that an alias points at; None for an unknown alias or model."""

    def copies(self, model: str) -> list[Version]:
        """Return versions of any model that were copied from a version of this one: their source is models:/NAME/N."""

    def create_version(
        self, model: str, source: ModelSource, *, run_id: str, description: str, tags: Mapping[str, str]
    ) -> Version: ...

    def set_stage(self, model: str, version: int, stage: str) -> Version:
        """Return the version as it is then, with its aliases."""

    def set_alias(self, model: str, alias: str, version: int) -> None: ...

    def drop_alias(self, model: str, alias: str) -> None: ...

    def set_description(self, model: str, version: int, description: str) -> Version:
        """Return the version as it is then, with its aliases. MLflow on PostgreSQL or MySQL refuses a description
        longer than entities.MAX_DESCRIPTION.
        """

    def set_tag(self, model: str, version: int, key: str, value: str) -> None:
        """Set a tag; a value longer than entities.MAX_TAG is cut."""

    def drop_tag(self, model: str, version: int, key: str) -> None:
        """Remove a tag; an unknown one is no error."""

    def delete_version(self, model: str, version: int) -> None:
        """Delete the registry's entry and the aliases that point at it; files stay."""

    def take_back(self, model: str, version: int) -> None:
        """Delete a version that this attempt created, even if another worker has the task by now, and has created its
        own version.
        """

    def download_run(self, run_id: str, path: str | None, folder: Path) -> Path:
        """Download a run's artifacts, or the file or folder `path` among them, into a folder. Returns their path in
        it.
        """

    def files_of(self, model: str, version: int) -> list[str]:
        """Return the names of a version's files and folders at the top; [] where none can be fetched now."""

    def mlmodel(self, model: str, version: int) -> Mapping[str, Any]:
        """Return the content of the version's MLmodel file; {} where there is none, or none that can be read."""

    def look_at_files(self, version: Version, *, most: int, known: FilesSeen | None = None) -> FilesSeen:
        """Digest a version's files as they are now: the names and sizes of all, and the content of MLmodel and of the
        smallest files that together have at most `most` bytes. known: what was seen moments ago; only what it lacks is
        read.
        """

    def size_of(self, model: str, version: int) -> int:
        """Return the bytes of a version's files; 0 where there are none. Raises PermanentError where there are too
        many to count.
        """

    def download_version(self, model: str, version: int, folder: Path) -> Path: ...


def with_known(registry: Registry, model: str, listed: Iterable[Version], known: Iterable[int]) -> list[Version]:
    """Add the versions that a search left out, where they still exist. known: the numbers that should exist."""
    versions = list(listed)
    missing = sorted(set(known) - {version.version for version in versions})
    read = (find_version(registry, model, number) for number in missing)
    return [*versions, *(version for version in read if version)]


def find_version(registry: Registry, model: str, number: int) -> Version | None:
    """Return a version, or None where it is gone."""
    try:
        return registry.version(model, number)
    except NotFound:
        return None


def find_run(registry: Registry, run_id: str | None) -> Run | None:
    """Return a run, or None where it is gone, or the version has none."""
    try:
        return registry.run(run_id) if run_id else None
    except NotFound:
        return None


def find_model(registry: Registry, name: str) -> Model | None:
    """Return a registered model, or None where there is none of that name."""
    try:
        return registry.model(name)
    except NotFound:
        return None

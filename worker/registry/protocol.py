"""What the worker needs of a model registry: the calls, the entities, and the errors."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from registrar.errors import UserError
from worker.registry.entities import Experiment, FilesSeen, Model, ModelSource, Recent, Run, Version


class RegistryError(UserError):
    """Something an action could not do. The message is a sentence for people."""

    retry: ClassVar[bool]


class RetryableError(RegistryError):
    """It may work later: tried again with growing pauses until its time is spent. after: seconds that the other side
    asked us to wait, or None.
    """

    retry = True

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class AmbiguousError(RetryableError):
    """The other side failed (HTTP 500): for a while, or for good, so it is tried only a few times.

    Waiting for hours would block all later tasks of the model.
    """


class PermanentError(RegistryError):
    """It will never work: the task fails, and people are told why."""

    retry = False


class Refused(PermanentError):
    """The request is not allowed, not possible as things are, or about something that does not exist.

    The task ends as refused where that is the requester's mistake (worker/retry.py), else as failed.
    """


class NotFound(Refused):
    """There is no such run, model, version or alias."""


class Registry(Protocol):
    """Every call raises RetryableError, PermanentError or, where it names something, NotFound."""

    @property
    def address(self) -> str:
        """Return the address without a login."""

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
        """experiment: a name. Raises NotFound for an unknown one, PermanentError for a bad filter."""

    def experiments(self) -> list[Experiment]: ...

    def experiment(self, name: str) -> Experiment | None: ...

    def create_experiment(self, name: str, *, tags: Mapping[str, str]) -> str:
        """Return the new experiment's id."""

    def source_of(self, run: Run, artifact_path: str) -> ModelSource:
        """Return the place of the model that a run logged under a name. Raises NotFound."""

    def models(self, *, max_results: int = 100) -> list[Model]: ...

    def model(self, name: str) -> Model: ...

    def ensure_model(self, name: str) -> None:
        """Create a registered model, if there is none of that name."""

    def version(self, model: str, version: int) -> Version: ...

    def versions(self, model: str, *, run_id: str | None = None, newest: int | None = None) -> list[Version]:
        """Return all versions (of one run), newest first; [] for an unknown model. newest: how many at most."""

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

    def set_stage(self, model: str, version: int, stage: str) -> None: ...

    def set_alias(self, model: str, alias: str, version: int) -> None: ...

    def drop_alias(self, model: str, alias: str) -> None: ...

    def set_description(self, model: str, version: int, description: str) -> None:
        """MLflow on PostgreSQL or MySQL refuses one longer than limits.DESCRIPTION."""

    def set_tag(self, model: str, version: int, key: str, value: str) -> None:
        """A value longer than limits.TAG is cut."""

    def drop_tag(self, model: str, version: int, key: str) -> None:
        """An unknown tag is no error."""

    def delete_version(self, model: str, version: int) -> None:
        """Delete the entry in the registry, with the aliases that point at it; files stay."""

    def take_back(self, model: str, version: int) -> None:
        """Delete a version that this very attempt created, even if the task is another worker's by now, which has
        created its own.
        """

    def download_run(self, run_id: str, path: str | None, folder: Path) -> Path:
        """Download a run's artifacts, or the file or folder `path` of them, into a folder; returns their place in
        it.
        """

    def files_of(self, model: str, version: int) -> list[str]:
        """Return the names at the top of a version's files, as they can be fetched now; [] where there are none."""

    def mlmodel(self, model: str, version: int) -> Mapping[str, Any]:
        """Return the content of the version's MLmodel file; {} where there is none, or none that can be read."""

    def look_at_files(self, model: str, version: int, *, most: int) -> FilesSeen:
        """Return what serving would load now: names and sizes of all files, and the content of MLmodel and of the
        smallest that together have `most` bytes.
        """

    def size_of(self, model: str, version: int) -> int:
        """Return the bytes of all its files; 0 where there are none. Raises PermanentError where there are too many
        to count.
        """

    def download_version(self, model: str, version: int, folder: Path) -> Path: ...


def with_known(registry: Registry, model: str, found: Iterable[Version], known: Iterable[int]) -> list[Version]:
    """Add the known versions that a search left out, where they still exist. known: numbers that ought to exist."""
    listed = list(found)
    missing = sorted(set(known) - {version.version for version in listed})
    asked = (find_version(registry, model, number) for number in missing)
    return [*listed, *(version for version in asked if version)]


def find_version(registry: Registry, model: str, number: int) -> Version | None:
    """Return a version, or None where it is gone."""
    try:
        return registry.version(model, number)
    except NotFound:
        return None

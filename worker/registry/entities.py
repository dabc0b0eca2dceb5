"""The entities of a model registry: models, versions, runs and experiments; and how long its texts may be."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from registrar.events.incarnation import Incarnation
from registrar.text.wording import cut


@dataclass(frozen=True)
class Version:
    """A model version. version: counts from 1. aliases: filled only where a single version was read.

    user: who registered it, as the registry says; "" where it does not: MLflow's own never does.

    changed: when the registry created it or last changed its stage or description, in ms by the registry's own clock:
    compare it only with others of its kind. 0: unknown.
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
    user: str = ""

    def __str__(self) -> str:
        return f"{self.model} version {self.version}"

    def incarnation(self, registry: str) -> Incarnation:
        """Return the version's identity. registry: the address of the registry that showed it."""
        return Incarnation(self.model, self.version, self.created_at, self.run_id, self.source, registry)


_COPY = re.compile(r"models:/.+/\d+")  # source of a copy that MLflow made, tags included


def is_copy(version: Version) -> bool:
    """Return whether MLflow copied a version from another: its tags are the other's."""
    return _COPY.fullmatch(version.source) is not None


@dataclass(frozen=True)
class Recent:
    """The versions of a model that changed since some time.

    whole: these are all its versions. at: when the registry last changed any of them, as of the start of the call (as
    Version.changed).
    """

    versions: Sequence[Version]
    at: int
    whole: bool


@dataclass(frozen=True)
class Run:
    """A run. outputs: ids and steps of the models that MLflow 3 logged in it. inputs: ids of those it evaluated."""

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
    """The place of a run's model, as create_version takes it. logged_model: MLflow 3's id (m-...), else None. address:
    where its files are, "" where that is not known. name: the one that it was logged under.
    """

    uri: str
    logged_model: str | None = None
    address: str = field(default="", compare=False)
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Experiment:
    """An experiment. deleted: MLflow keeps a deleted one, with its name, until it is restored or purged."""

    id: str
    name: str
    artifact_location: str
    created_at: datetime | None
    deleted: bool = False


@dataclass(frozen=True)
class Model:
    """A registered model. aliases: version by alias. changed: when the registry last changed the model, or moved or
    deleted one of its versions (as Version.changed). newest: its highest version; 0: none.
    """

    name: str
    description: str
    tags: Mapping[str, str]
    aliases: Mapping[str, int]
    created_at: datetime | None
    changed: int = 0
    newest: int = 0


FILES = "files:sha256:"  # prefix of a digest; digests of earlier releases have another


@dataclass(frozen=True)
class FilesSeen:
    """A version's files when they were read. digest: files:sha256:HEX; two versions with other files differ in it.

    compared: what the digest covers, for people. Digests are comparable only where this is equal. address, listing,
    hashes: where the files are, path and size of each (None: not read), and the SHA-256 by path of those that were
    read.
    """

    digest: str
    compared: str
    address: str = field(default="", compare=False)
    listing: Sequence[tuple[str, int]] | None = field(default=None, compare=False)
    hashes: Mapping[str, str] = field(default_factory=dict, compare=False)


# Characters that PostgreSQL and MySQL keep; SQLite takes longer texts. mlflow/store/model_registry/dbmodels/models.py
# (descriptions; tags until MLflow's migration bda7b8c39065).
MAX_DESCRIPTION = 5000
MAX_TAG = 5000


def join_description(text: str, line: str) -> str:
    """Return a description of a text and a line of ours; the text is cut where there is no room."""
    line = cut(line, MAX_DESCRIPTION)
    room = MAX_DESCRIPTION - len(line) - 1
    return "\n".join(filter(None, [cut(text, room) if room > 0 else "", line]))


def cut_tag(text: str) -> str:
    """Return a tag's value as MLflow keeps it; a longer one is cut, and ends with an ellipsis."""
    return cut(text, MAX_TAG)

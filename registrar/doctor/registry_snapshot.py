"""Reads stages and aliases from MLflow in as few requests as possible, for all models at once or for one."""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from registrar.events.incarnation import Incarnation
from registrar.http.mlflow_server import MlflowServer
from registrar.http.probe import Silence

CHANGED_LAST = 300  # versions, of all models or of one
MODELS_PER_PAGE = 20  # few, because MLflow reads all versions of each
VERSIONS_PER_PAGE = 200


@dataclass(frozen=True)
class ModelSnapshot:
    """A model in MLflow. versions: MLflow's JSON by number, not necessarily all. aliases: version numbers by alias."""

    versions: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)

    def holders(self, kind: str, key: str) -> set[int]:
        """Return the versions that have an alias, or are in a stage. kind: "alias" or "stage"."""
        if kind == "alias":
            return {self.aliases[key]} if key in self.aliases else set()
        return {number for number, version in self.versions.items() if version.get("current_stage") == key}


def snapshot_models(server: MlflowServer, wanted: Collection[str], until: float) -> dict[str, ModelSnapshot]:
    """Return the wanted models by name, by searching all models; an empty dict where MLflow does not answer.

    until: deadline on time.monotonic(); models that MLflow did not return by then are missing.
    """
    search = f"registered-models/search?max_results={MODELS_PER_PAGE}"
    with ThreadPoolExecutor(2) as pool:
        pages = pool.submit(lambda: list(server.pages(search, until=until)))
        changed = pool.submit(_search_changed_last, server)
    by_model: dict[str, dict[int, Mapping[str, Any]]] = {}
    try:
        for version in changed.result():
            by_model.setdefault(str(version.get("name")), {})[int(version["version"])] = version
        models = [model for page in pages.result() for model in page.get("registered_models") or ()]
    except Silence:
        return {}
    snapshots = {}
    for model in models:
        if (name := str(model.get("name"))) in wanted:
            latest = {int(version["version"]): version for version in model.get("latest_versions") or ()}
            snapshots[name] = ModelSnapshot({**latest, **by_model.get(name, {})}, _aliases(model))
    return snapshots


def snapshot_model(server: MlflowServer, model: str, numbers: Collection[int]) -> ModelSnapshot:
    """Return the versions that changed last and those with these numbers, which alone have aliases. Raises Silence."""
    changed = _search_changed_last(server, _name_filter(model))
    versions = {int(version["version"]): version for version in changed if version.get("name", model) == model}
    aliases: dict[str, int] = {}
    for number in sorted(numbers):  # one by one: a search does not return aliases
        versions.pop(number, None)
        if found := _get_version(server, model, number):
            versions[number] = found
            aliases |= dict.fromkeys(found.get("aliases") or (), number)
    return ModelSnapshot(versions, aliases)


def snapshot_all_versions(server: MlflowServer, model: str, known: Collection[int]) -> ModelSnapshot:
    """Return all versions of a model. known: numbers that are requested one by one if the search lacks them.

    Raises Silence.
    """
    search = f"model-versions/search?filter={_name_filter(model)}&max_results={VERSIONS_PER_PAGE}"
    versions = {
        int(version["version"]): version
        for page in server.pages(search)
        for version in page.get("model_versions") or ()
    }
    for number in sorted(set(known) - versions.keys()):
        if version := _get_version(server, model, number):
            versions[number] = version
    answer = server.query(f"registered-models/get?name={quote(model, safe='')}") or {}
    return ModelSnapshot(versions, _aliases(answer.get("registered_model", {})))


def incarnation(version: Mapping[str, Any], root: str) -> Incarnation | None:
    """Return what tells a version from another one of its name and number; None where MLflow gives no time."""
    if not str(version.get("creation_timestamp", "")).isdigit():
        return None
    run, source = version.get("run_id") or None, str(version.get("source", ""))
    return Incarnation(str(version.get("name")), int(version.get("version", 0)), created_at(version), run, source, root)


def created_at(version: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(version["creation_timestamp"]) / 1000, UTC)


def _search_changed_last(server: MlflowServer, name_filter: str = "") -> list[Mapping[str, Any]]:
    order = quote("last_updated_timestamp DESC", safe="")
    where = f"&filter={name_filter}" if name_filter else ""
    answer = server.query(f"model-versions/search?max_results={CHANGED_LAST}&order_by={order}{where}") or {}
    return list(answer.get("model_versions") or ())


def _get_version(server: MlflowServer, model: str, number: int) -> Mapping[str, Any] | None:
    answer = server.query(f"model-versions/get?name={quote(model, safe='')}&version={number}") or {}
    version = answer.get("model_version")
    return version if isinstance(version, dict) else None


def _name_filter(model: str) -> str:
    return quote("name='{}'".format(model.replace("'", "''")), safe="")


def _aliases(model: Mapping[str, Any]) -> dict[str, int]:
    return {str(alias["alias"]): int(alias["version"]) for alias in model.get("aliases") or ()}

"""What MLflow shows of stages and aliases, by as few questions as can be: of all models at once, or of one alone."""

import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from registrar.events.incarnation import Incarnation
from registrar.http.mlflow_server import API, MlflowServer
from registrar.http.probe import Answer, Silence

CHANGED_LAST = 300  # versions, of all models or of one
PAGE = 20  # models of one answer: MLflow reads all versions of each for it
_LARGEST = 20_000_000  # bytes of an answer: descriptions and tags are long


@dataclass(frozen=True)
class Shown:
    """Of a model, by MLflow. versions: by number, those that were asked for or changed last; others are not known.
    aliases: of those.
    """

    versions: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)


def of_all(server: MlflowServer, wanted: Collection[str], until: float) -> dict[str, Shown]:
    """What MLflow tells of all models in a few answers, by model; nothing where that takes it too long."""
    with ThreadPoolExecutor(2) as pool:
        models = pool.submit(lambda: list(_models(server, until)))
        changed = pool.submit(_changed_last, server)
    by_model: dict[str, dict[int, Mapping[str, Any]]] = {}
    try:
        for one in changed.result():
            by_model.setdefault(str(one.get("name")), {})[int(one["version"])] = one
        told = models.result()
    except Silence:
        return {}
    found = {}
    for model in told:
        if (name := str(model.get("name"))) in wanted:
            latest = {int(one["version"]): one for one in model.get("latest_versions") or ()}
            aliases = {str(one["alias"]): int(one["version"]) for one in model.get("aliases") or ()}
            found[name] = Shown({**latest, **by_model.get(name, {})}, aliases)
    return found


def _models(server: MlflowServer, until: float) -> Iterator[Mapping[str, Any]]:
    page = ""
    while time.monotonic() < until:
        found = _asked(server, f"registered-models/search?max_results={PAGE}{page}") or {}
        yield from found.get("registered_models") or ()
        if not (token := found.get("next_page_token")):
            return
        page = f"&page_token={quote(token, safe='')}"


def of_one(server: MlflowServer, model: str, numbers: Collection[int]) -> Shown:
    """numbers: of versions that are asked for one by one. Raises Silence."""
    which = "name='{}'".format(model.replace("'", "''"))
    versions = {int(one["version"]): one for one in _changed_last(server, which) if one.get("name", model) == model}
    aliases: dict[str, int] = {}
    for number in sorted(numbers):  # a search does not say which aliases a version has
        found = _asked(server, f"model-versions/get?name={quote(model, safe='')}&version={number}")
        versions.pop(number, None)
        if found and isinstance(one := found.get("model_version"), dict):
            versions[number] = one
            aliases |= dict.fromkeys(one.get("aliases") or (), number)
    return Shown(versions, aliases)


def _changed_last(server: MlflowServer, which: str = "") -> list[Mapping[str, Any]]:
    order = quote("last_updated_timestamp DESC", safe="")
    where = f"&filter={quote(which, safe='')}" if which else ""
    asked = f"model-versions/search?max_results={CHANGED_LAST}&order_by={order}{where}"
    return list((_asked(server, asked) or {}).get("model_versions") or ())


def _asked(server: MlflowServer, path: str) -> Mapping[str, Any] | None:
    """None: there is no such thing. Raises Silence for any other refusal."""
    said: Answer = server.get(f"{API}/{path}", most=_LARGEST)
    if said.status == 200 and isinstance(said.json, dict):
        return said.json
    if isinstance(said.json, dict) and said.json.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
        return None
    raise Silence(f"{server.root} answers {said.status} to a question for its versions")


def incarnation(found: Mapping[str, Any], root: str) -> Incarnation | None:
    """Of MLflow's answer."""
    if not str(found.get("creation_timestamp", "")).isdigit():
        return None
    made = datetime.fromtimestamp(int(found["creation_timestamp"]) / 1000, UTC)
    run, source = found.get("run_id") or None, str(found.get("source", ""))
    return Incarnation(str(found.get("name")), int(found.get("version", 0)), made, run, source, root)

"""Says what MLflow has in place of a model, a version or an experiment that it lacks: the nearest name, the numbers."""

from collections.abc import Callable, Mapping
from typing import Any

from registrar.policy import Policy
from registrar.policy.document import OURSELVES, WEB
from registrar.text.wording import did_you_mean, nearest, ranges
from worker.registry.protocol import NotFound, Refused, Registry, RegistryError, find_model, find_version

_MODELS, _VERSIONS = 1000, 200  # that are looked through: names of models, newest versions


def explain(
    error: Refused, registry: Registry, data: Mapping[str, Any], *, may_name: Callable[[str], bool] = lambda name: True
) -> Refused:
    """Return in place of an error that MLflow lacks something which model, version or experiment that is, and which
    there are; the error itself where all exists that the data names, where MLflow does not answer, and any other
    refusal: it has its own reason.

    data: of the event. may_name: whether its sender may be told that a model of a name exists.
    """
    if not isinstance(error, NotFound):
        return error
    try:
        text = _missing_experiment(registry, data) or _missing_version(registry, data, may_name)
    except RegistryError:
        return error
    return NotFound(text) if text else error


def nameable(policy: Policy, source: str, event_type: str) -> Callable[[str], bool]:
    """Return whether an event's sender may be told of a model: people who have a role here see all of them."""
    if source in (OURSELVES, WEB):
        return lambda name: True
    config = policy.sources.get(source)
    return lambda name: config is not None and config.grants(event_type, name)


def _missing_experiment(registry: Registry, data: Mapping[str, Any]) -> str | None:
    name = data.get("experiment") or (data.get("search") or {}).get("experiment")
    if not name or registry.experiment(name) is not None:
        return None
    return f"MLflow has no experiment {name!r}{did_you_mean(name, (each.name for each in registry.experiments()))}"


def _missing_version(registry: Registry, data: Mapping[str, Any], may_name: Callable[[str], bool]) -> str | None:
    """Return nothing of an event that names a run: its model may be a new one."""
    model, number = data.get("model"), data.get("version")
    if not model or data.get("run_id") or data.get("search"):
        return None
    if find_model(registry, model) is None:
        near = nearest(model, (each.name for each in registry.models(max_results=_MODELS) if may_name(each.name)))
        return f"MLflow has no registered model {model!r}" + (f"; did you mean {near}?" if near else "")
    if not number or find_version(registry, model, int(number)) is not None:
        return None
    numbers = [each.version for each in registry.versions(model, newest=_VERSIONS)]
    return f"MLflow has no version {number} of {model}: {ranges(numbers)}"

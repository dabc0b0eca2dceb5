"""Convert MLflow's answers to entities.py, by attribute: nothing of MLflow is imported here."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from worker.registry.entities import Experiment, Model, Run, Version


def _time(milliseconds: int | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
    except (OverflowError, ValueError, OSError):  # a run's author can write any number
        return None


def to_version(answer: Any) -> Version:
    return Version(
        model=answer.name,
        version=int(answer.version),
        stage=answer.current_stage or "None",
        run_id=answer.run_id or None,
        source=answer.source or "",
        description=answer.description or "",
        tags=dict(answer.tags or {}),
        created_at=datetime.fromtimestamp(answer.creation_timestamp / 1000, UTC),
        aliases=tuple(answer.aliases or ()),
        changed=int(answer.last_updated_timestamp or 0),
        user=_named(answer.user_id),
    )


def log_model_history(tags: Mapping[str, str]) -> set[str]:
    """Return the names of a run's models by the tag that MLflow 2 sets; a run's author can write anything there."""
    try:
        logged = json.loads(tags.get("mlflow.log-model.history", "[]"))
    except ValueError:
        return set()
    names = [each.get("artifact_path") for each in logged if isinstance(each, dict)] if isinstance(logged, list) else []
    return {name for name in names if isinstance(name, str) and name}


def to_run(answer: Any) -> Run:
    outputs = answer.outputs.model_outputs if answer.outputs else []
    inputs = (answer.inputs.model_inputs or []) if answer.inputs else []
    return Run(
        id=answer.info.run_id,
        name=answer.info.run_name or "",
        experiment_id=answer.info.experiment_id,
        status=answer.info.status,
        user=_user(answer),
        started_at=_time(answer.info.start_time),
        artifact_uri=answer.info.artifact_uri,
        deleted=answer.info.lifecycle_stage == "deleted",
        metrics=dict(answer.data.metrics),
        tags=dict(answer.data.tags),
        outputs=tuple((output.model_id, output.step) for output in outputs),
        inputs=tuple(model.model_id for model in inputs),
    )


def _user(answer: Any) -> str:
    """Return the user who began the run, as MLflow stores it with the run; anybody can change the tag of that name.

    A run begun without a user ("unknown", by MLflow's clients) has only the tag.
    """
    return _named(answer.info.user_id) or str(answer.data.tags.get("mlflow.user", ""))


def _named(user: str | None) -> str:
    """Return a user; "" for the one that MLflow's clients write where they know none."""
    return user if user and user != "unknown" else ""


def read_mlmodel(text: str) -> dict[str, Any]:
    """Return the content of an MLmodel file; {} where the text is none.

    https://mlflow.org/docs/latest/ml/model/#storage-format
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def to_experiment(answer: Any) -> Experiment:
    deleted = answer.lifecycle_stage == "deleted"
    return Experiment(answer.experiment_id, answer.name, answer.artifact_location, _time(answer.creation_time), deleted)


def to_model(answer: Any) -> Model:
    aliases = {alias: int(to_version) for alias, to_version in (answer.aliases or {}).items()}
    created_at, changed = _time(answer.creation_timestamp), int(answer.last_updated_timestamp or 0)
    newest = max((int(latest.version) for latest in answer.latest_versions or ()), default=0)  # one of each stage
    return Model(answer.name, answer.description or "", dict(answer.tags or {}), aliases, created_at, changed, newest)

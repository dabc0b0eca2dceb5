"""Convert MLflow's answers to entities.py, by attribute: nothing of MLflow is imported here."""

from datetime import UTC, datetime
from typing import Any

import yaml

from worker.registry.entities import Experiment, Model, Run, Version


def _time(milliseconds: int | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
    except (OverflowError, ValueError, OSError):  # a run's author can write any number
        return None


def to_version(found: Any) -> Version:
    return Version(
        model=found.name,
        version=int(found.version),
        stage=found.current_stage or "None",
        run_id=found.run_id or None,
        source=found.source or "",
        description=found.description or "",
        tags=dict(found.tags or {}),
        created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        aliases=tuple(found.aliases or ()),
        changed=int(found.last_updated_timestamp or 0),
    )


def to_run(found: Any) -> Run:
    outputs = found.outputs.model_outputs if found.outputs else []
    inputs = (found.inputs.model_inputs or []) if found.inputs else []
    return Run(
        id=found.info.run_id,
        name=found.info.run_name or "",
        experiment_id=found.info.experiment_id,
        status=found.info.status,
        user=_user(found),
        started_at=_time(found.info.start_time),
        artifact_uri=found.info.artifact_uri,
        deleted=found.info.lifecycle_stage == "deleted",
        metrics=dict(found.data.metrics),
        tags=dict(found.data.tags),
        outputs=tuple((output.model_id, output.step) for output in outputs),
        inputs=tuple(model.model_id for model in inputs),
    )


def _user(found: Any) -> str:
    """Return the user who began the run, as MLflow stores it with the run; anybody can change the tag of that name.

    A run begun without a user ("unknown", by MLflow's clients) has only the tag.
    """
    user_id = found.info.user_id or ""
    return user_id if user_id not in ("", "unknown") else str(found.data.tags.get("mlflow.user", ""))


def read_mlmodel(text: str) -> dict[str, Any]:
    """Return the content of an MLmodel file; {} where the text is none.

    https://mlflow.org/docs/latest/ml/model/#storage-format
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def to_experiment(found: Any) -> Experiment:
    deleted = found.lifecycle_stage == "deleted"
    return Experiment(found.experiment_id, found.name, found.artifact_location, _time(found.creation_time), deleted)


def to_model(found: Any) -> Model:
    aliases = {alias: int(to_version) for alias, to_version in (found.aliases or {}).items()}
    made, changed = _time(found.creation_timestamp), int(found.last_updated_timestamp or 0)
    return Model(found.name, found.description or "", dict(found.tags or {}), aliases, made, changed)

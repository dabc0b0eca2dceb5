"""Reads the registry through MLflow's REST API, without any code of Registrar."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT = 10


@dataclass(frozen=True)
class Version:
    """A model version in MLflow."""

    number: int
    stage: str
    aliases: tuple[str, ...]
    description: str
    run_id: str
    tags: Mapping[str, str]

    def __str__(self) -> str:
        """Return a text such as "version 2 (Staging, @challenger)"."""
        return f"version {self.number} ({', '.join([self.stage, *(f'@{alias}' for alias in self.aliases)])})"


@dataclass(frozen=True)
class Registry:
    """A registered model of an MLflow server. All methods raise requests.RequestException."""

    url: str
    model: str

    def versions(self) -> list[Version]:
        """Return the newest hundred versions, oldest first; none if the model is not registered yet."""
        query = {"filter": f"name='{self.model}'", "max_results": 100, "order_by": ["version_number DESC"]}
        rows = self._get("model-versions/search", query).get("model_versions", [])
        aliases = self._aliases() if rows else {}
        return sorted((_version(row, aliases) for row in rows), key=lambda version: version.number)

    def of_run(self, run_id: str) -> list[Version]:
        """Return the versions that were registered from a run."""
        return [version for version in self.versions() if version.run_id == run_id]

    def logged(self, run_id: str) -> list[str]:
        """Return the names of a run's parameters, metrics and artifacts, one folder deep."""
        data = self._get("runs/get", {"run_id": run_id})["run"]["data"]
        files = [path for folder in ("model", "extra_artifacts") for path in self._artifacts(run_id, folder)]
        return [*(row["key"] for kind in ("params", "metrics") for row in data.get(kind, [])), *files]

    def _artifacts(self, run_id: str, folder: str) -> list[str]:
        rows = self._get("artifacts/list", {"run_id": run_id, "path": folder}).get("files", [])
        return [row["path"] for row in rows]

    def holders(self, stage: str) -> list[Version]:
        """Return the versions in a stage."""
        return [version for version in self.versions() if version.stage == stage]

    def _aliases(self) -> dict[str, int]:
        """Return version numbers by alias, from the model: version searches leave aliases out."""
        model = self._get("registered-models/get", {"name": self.model})["registered_model"]
        return {row["alias"]: int(row["version"]) for row in model.get("aliases", [])}

    def _get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        response = requests.get(f"{self.url}/api/2.0/mlflow/{path}", params=query, timeout=TIMEOUT)
        response.raise_for_status()
        content: dict[str, Any] = response.json()
        return content


def _version(row: Mapping[str, Any], aliases: Mapping[str, int]) -> Version:
    number = int(row["version"])
    return Version(
        number=number,
        stage=row["current_stage"],
        aliases=tuple(sorted(alias for alias, holder in aliases.items() if holder == number)),
        description=row.get("description", ""),
        run_id=row.get("run_id", ""),
        tags={tag["key"]: tag["value"] for tag in row.get("tags", [])},
    )

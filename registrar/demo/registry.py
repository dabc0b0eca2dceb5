"""What the demo sees in the registry, through MLflow's REST API: as any onlooker would, past all of Registrar."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT = 10


@dataclass(frozen=True)
class Version:
    """One model version as MLflow tells it."""

    number: int
    stage: str
    aliases: tuple[str, ...]
    description: str
    run_id: str
    tags: Mapping[str, str]

    def __str__(self) -> str:
        """version 2 (Staging, @challenger)."""
        return f"version {self.number} ({', '.join([self.stage, *(f'@{alias}' for alias in self.aliases)])})"


@dataclass(frozen=True)
class Registry:
    """One registered model of an MLflow server. Everything raises requests.RequestException."""

    url: str
    model: str

    def versions(self) -> list[Version]:
        """The newest hundred, oldest first; none where the model is not registered yet."""
        query = {"filter": f"name='{self.model}'", "max_results": 100, "order_by": ["version_number DESC"]}
        found = self._get("model-versions/search", query).get("model_versions", [])
        aliases = self._aliases() if found else {}
        return sorted((_version(row, aliases) for row in found), key=lambda version: version.number)

    def of_run(self, run_id: str) -> list[Version]:
        """The versions that were made of a run."""
        return [version for version in self.versions() if version.run_id == run_id]

    def logged(self, run_id: str) -> list[str]:
        """What a run holds: its parameters, metrics and artifacts by name, one folder deep."""
        data = self._get("runs/get", {"run_id": run_id})["run"]["data"]
        files = [path for folder in ("model", "extra_artifacts") for path in self._artifacts(run_id, folder)]
        return [*(row["key"] for kind in ("params", "metrics") for row in data.get(kind, [])), *files]

    def _artifacts(self, run_id: str, folder: str) -> list[str]:
        found = self._get("artifacts/list", {"run_id": run_id, "path": folder}).get("files", [])
        return [row["path"] for row in found]

    def holders(self, stage: str) -> list[Version]:
        """The versions in a stage."""
        return [version for version in self.versions() if version.stage == stage]

    def _aliases(self) -> dict[str, int]:
        """Version searches leave the aliases out; the model has them."""
        model = self._get("registered-models/get", {"name": self.model})["registered_model"]
        return {row["alias"]: int(row["version"]) for row in model.get("aliases", [])}

    def _get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/api/2.0/mlflow/{path}", params=query, timeout=TIMEOUT)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


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

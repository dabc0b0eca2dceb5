"""Addresses of pages for people: the dashboard's, and MLflow's own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit


def version_page(public_url: str | None, model: str, version: int) -> str | None:
    """Return the address of a version's page; None where REGISTRAR_PUBLIC_URL is not set."""
    return f"{public_url.rstrip('/')}/models/{quote(model, safe='')}/versions/{version}" if public_url else None


@dataclass(frozen=True)
class MlflowLinks:
    """Addresses of MLflow's own pages (routes of 2.9 and later). base: without a final slash; None: no links."""

    base: str | None

    @classmethod
    def from_urls(cls, tracking_uri: str, browser_url: str | None) -> "MlflowLinks":
        """Take REGISTRAR_MLFLOW_URL, else the tracking URI if it is http, without user and password."""
        parts = urlsplit(browser_url or tracking_uri)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return cls(None)
        host = parts.netloc.rpartition("@")[2]
        return cls(urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")))

    def run(self, run_id: str | None) -> str | None:
        return f"{self.base}/#/runs/{quote(run_id, safe='')}" if self.base and run_id else None

    def model(self, name: str | None) -> str | None:
        return f"{self.base}/#/models/{quote(name, safe='')}" if self.base and name else None

    def version(self, model: str | None, version: int | None) -> str | None:
        return f"{self.model(model)}/versions/{version}" if self.base and model and version else None

    def compare_versions(self, model: str, runs: Mapping[int, str | None]) -> str | None:
        """Return MLflow's page that compares versions, with parameters and metrics. runs: by version; None where one of
        them is not known.
        """
        if not self.base or not all(runs.values()):
            return None
        name, versions = (
            json.dumps(quote(model, safe="")),
            json.dumps({str(number): run for number, run in runs.items()}),
        )
        return f"{self.base}/#/compare-model-versions?name={quote(name, safe='')}&runs={quote(versions, safe='')}"

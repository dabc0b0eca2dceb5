"""Addresses of MLflow's own pages. Where the tracking server has none that a browser could open, there are no links."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit


@dataclass(frozen=True)
class MlflowLinks:
    """base: without a slash at its end; None: no links. The routes are those of its pages since 2.9."""

    base: str | None

    @classmethod
    def from_urls(cls, tracking_uri: str, browser_url: str | None) -> "MlflowLinks":
        """browser_url: REGISTRAR_MLFLOW_URL. A tracking URI's user and password are left out."""
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

"""MLflow's REST API without the package mlflow: for doctor, audit, the availability check and MLflow's webhook."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from registrar.config.credentials import login, without_login
from registrar.http.probe import MOST, PATIENCE, Answer, Silence, ask

API = "/api/2.0/mlflow"
_QUERY_BYTES = 20_000_000  # of an answer: descriptions and tags are long


class MlflowServer:
    """An MLflow server, asked with the login and the TLS settings of the worker's MLflow client."""

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self.root = without_login(uri).rstrip("/")
        self.host = urlsplit(self.root).netloc
        url_login = login(uri)
        user = url_login.user if url_login else environ.get("MLFLOW_TRACKING_USERNAME")
        password = url_login.password if url_login else environ.get("MLFLOW_TRACKING_PASSWORD")
        self._auth = (user, password) if user and password else None
        token = environ.get("MLFLOW_TRACKING_TOKEN")
        self._headers = {"Authorization": f"Bearer {token}"} if token and not self._auth else {}
        self.logs_in = bool(self._auth or token)
        insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
        self._verify: bool | str = environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not insecure

    def get(self, path: str, *, most: int = MOST) -> Answer:
        """GET a path. most: bytes of the answer that are read. Raises Silence."""
        return ask(f"{self.root}{path}", headers=self._headers, auth=self._auth, verify=self._verify, most=most)

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, patience: float = PATIENCE
    ) -> Answer:
        """Make a request below API. body: its JSON. patience: seconds for the answer. Raises Silence."""
        return ask(
            f"{self.root}{API}/{path}",
            headers=self._headers,
            auth=self._auth,
            verify=self._verify,
            method=method,
            json=body,
            patience=patience,
        )

    def query(self, path: str) -> Mapping[str, Any] | None:
        """GET a path below API. Returns None where there is no such thing. Raises Silence for any other refusal."""
        answer = self.get(f"{API}/{path}", most=_QUERY_BYTES)
        if answer.status == 200 and isinstance(answer.json, dict):
            return answer.json
        if isinstance(answer.json, dict) and answer.json.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise Silence(f"{self.root} answers {answer.status} to a question for its versions")

    def pages(self, search: str, *, until: float = math.inf) -> Iterator[Mapping[str, Any]]:
        """Yield the answers of a search, page by page. until: a time of time.monotonic(). Raises Silence."""
        page = ""
        while time.monotonic() < until:
            answer = self.query(f"{search}{page}") or {}
            yield answer
            if not (token := answer.get("next_page_token")):
                return
            page = f"&page_token={quote(token, safe='')}"

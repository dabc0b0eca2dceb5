"""MLflow's REST API, asked without mlflow: for the doctor, the audit and the worker's watch on it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from registrar.config.credentials import login, without_login
from registrar.http.probe import MOST, Answer, ask

API = "/api/2.0/mlflow"


class MlflowServer:
    """An MLflow server, asked with the login and the TLS settings of the worker's MLflow client."""

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self.root = without_login(uri).rstrip("/")
        self.host = urlsplit(self.root).netloc
        found = login(uri)
        user = found.user if found else environ.get("MLFLOW_TRACKING_USERNAME")
        password = found.password if found else environ.get("MLFLOW_TRACKING_PASSWORD")
        self._auth = (user, password) if user and password else None
        token = environ.get("MLFLOW_TRACKING_TOKEN")
        self._headers = {"Authorization": f"Bearer {token}"} if token and not self._auth else {}
        self.logs_in = bool(self._auth or token)
        insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
        self._verify: bool | str = environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not insecure

    def get(self, path: str, *, most: int = MOST) -> Answer:
        """most: bytes of the answer that are read. Raises Silence."""
        return ask(f"{self.root}{path}", headers=self._headers, auth=self._auth, verify=self._verify, most=most)

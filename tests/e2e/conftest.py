"""One real installation for all end-to-end tests."""

import uuid
from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from registrar.config.key_generation import new_webhook_secret
from registrar.config.settings import ENVIRONMENT_FILE, from_folder
from registrar.local.data_folder import Folder
from tests.e2e.installation import CONFIG, Installation, running
from tests.e2e.sender import Sender
from tests.notifications.conftest import listening
from tests.secrets.search import files, found


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("installation")
    with listening() as serving:
        secrets = {"ci.whsec": new_webhook_secret(), "slack.secret": "slack signing secret"}
        to_serving = {"serving.url": serving.url, "serving.whsec": new_webhook_secret()}
        for name, content in {"registrar.yml": CONFIG, **secrets, **to_serving}.items():
            (home / name).write_text(content, encoding="utf-8")
        with running(home / "data", "--config", str(home / "registrar.yml")):
            given = (*secrets.values(), serving, to_serving["serving.whsec"])
            made = Installation(home / "data", from_folder(home / "data"), *given)
            yield made
        kept = Folder(home / "data")
        allowed = [home / "data" / ENVIRONMENT_FILE, *kept.secrets.iterdir()]
        known = {**secrets, **to_serving, "REGISTRAR_SECRET_KEY": made.settings.secret_key}
        assert found(known, files(home / "data", but=allowed)) == [], "a secret of the whole run is in its data folder"


@pytest.fixture(scope="session")
def sender(stack: Installation) -> Sender:
    return Sender(stack)


@pytest.fixture(scope="session")
def client(stack: Installation) -> MlflowClient:
    return MlflowClient(stack.settings.mlflow_uri)


@pytest.fixture
def model() -> str:
    return f"model-{uuid.uuid4().hex[:8]}"

"""A receiver with all kinds of sources."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from registrar.config.settings import Settings
from registrar.ledger import Ledger
from registrar.policy.load import parse
from tests.sources.household import household
from tests.webhooks.conftest import NOBODY, Receiver
from webhooks.app import create_app


@pytest.fixture
def receiver(ledger: Ledger, tmp_path: Path) -> Receiver:
    policy, secrets = household()
    environ = {
        "REGISTRAR_CONFIG": str(tmp_path / "registrar.yml"),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
        "REGISTRAR_LEDGER_URL": f"sqlite:///{tmp_path}/ledger.db",
        "REGISTRAR_BROKER_URL": NOBODY,
        "REGISTRAR_SECRET_KEY": Fernet.generate_key().decode(),
        **secrets,
    }
    settings = Settings.read(environ)
    return Receiver(create_app(settings, policy=parse(policy)).test_client(), ledger, settings)

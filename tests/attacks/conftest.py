"""What attacks need: the worker's actions on a real ledger, and the receiver that senders have to get past."""

from pathlib import Path

import pytest

from registrar.ledger import Ledger
from tests.actions.conftest import harness
from tests.auth.conftest import make
from tests.webhooks.conftest import REGISTRAR_YML, Receiver, letters, receiver, settings
from webhooks.app import create_app

__all__ = ["harness", "letters", "make", "receiver", "settings"]


@pytest.fixture
def granted(ledger: Ledger, settings, tmp_path: Path) -> Receiver:
    """The source `ci` may send everything."""
    everything = REGISTRAR_YML.replace(
        "[training_run.*, model_version.*], models: [nyc-taxi-*]", '["*"], models: ["*"]'
    )
    settings.config_path.write_text(everything)
    return Receiver(create_app(settings).test_client(), ledger, settings)

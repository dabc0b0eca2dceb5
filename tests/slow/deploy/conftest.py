"""One street for all tests of this folder that need it: about 40 seconds to open."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres_server
from tests.needs import needs
from tests.slow.deploy.compose_stack import ComposeStack


@pytest.fixture(scope="module")
def street() -> Iterator[ComposeStack]:
    """Every service of docker-compose.yml, healthy; ended, with all it left, at the end of the module."""
    needs("redis-server", install="apt-get install redis-server")
    needs("redis-cli", install="apt-get install redis-tools")
    needs("openssl", install="apt-get install openssl")
    postgres_server.programs()
    # Not pytest's tmp_path: those are closed to the user postgres.
    folder = Path(tempfile.mkdtemp(prefix="registrar-"))
    folder.chmod(0o755)
    street = ComposeStack(folder)
    try:
        street.make_secrets()
        street.open()
        yield street
    finally:
        street.close()
        shutil.rmtree(folder)

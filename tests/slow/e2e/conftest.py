from tests.e2e.conftest import client, model, sender, stack  # noqa: F401 (fixtures)

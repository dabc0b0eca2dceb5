"""Registry, policy and ledger of an installation, for the plans of the command line."""

from collections.abc import Iterator
from contextlib import contextmanager

from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.ledger.engine import now
from worker.promotions.plan import PlanContext
from worker.registry.mlflow import MlflowRegistry, configure_client
from worker.registry.protocol import RetryableError


class RegistryUnavailable(UserError):
    """The registry does not answer, so there is no plan."""

    exit_code = 4


@contextmanager
def registry_session(context: Context) -> Iterator[PlanContext]:
    """Raises RegistryUnavailable where a call within the block is not answered."""
    configure_client()
    registry = MlflowRegistry(context.settings().mlflow_uri)
    try:
        with context.ledger() as ledger:
            yield PlanContext(registry, context.policy(), ledger, now())
    except RetryableError as error:
        raise RegistryUnavailable(str(error)) from error

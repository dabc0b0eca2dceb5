"""How a plan of the command line looks: at the real registry, the policy and the ledger of an installation."""

from collections.abc import Iterator
from contextlib import contextmanager

from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.ledger.engine import now
from worker.promotions.plan import PlanContext
from worker.registry.mlflow import MlflowRegistry, configure_client
from worker.registry.protocol import RetryableError


class RegistryUnavailable(UserError):
    """The registry does not answer: what would be can't be told."""

    exit_code = 4


@contextmanager
def registry_session(context: Context) -> Iterator[PlanContext]:
    """Raises RegistryUnavailable for what the block is not answered."""
    configure_client()
    registry = MlflowRegistry(context.settings().mlflow_uri)
    try:
        with context.ledger() as ledger:
            yield PlanContext(registry, context.policy(), ledger, now())
    except RetryableError as error:
        raise RegistryUnavailable(str(error)) from error

"""Answers from this machine's registry, ledger and policy, without a receiver or a worker. Imports MLflow's client."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from registrar.cli.context import Context
from registrar.cli.questions import RegistryUnavailable
from registrar.events.types import Data, RegistryQuery
from registrar.http.event_client import Unreachable
from registrar.ledger.engine import now
from worker import answers, interventions
from worker.promotions.plan import Plan, PlanContext
from worker.registry.mlflow import MlflowRegistry, configure_client
from worker.registry.protocol import RetryableError


def look_up(context: Context, data: RegistryQuery) -> Mapping[str, Any]:
    """Return a table of what MLflow has. Raises UserError."""
    try:
        return answers.table_answer(answers.look_up(_registry(context), now(), data)).content
    except RetryableError as error:
        raise Unreachable(f"{error}; is it up? `registrar doctor` says how all parts are") from error


def plan(context: Context, data: RegistryQuery) -> Mapping[str, Any]:
    """Return a plan. Raises UserError."""
    with _evaluating(context) as evaluation:
        return answers.answer(evaluation, data).content


def plan_resend(context: Context, data: Data) -> Plan:
    """Return what sending an event again would do. data: of the new event. Raises UserError."""
    with _evaluating(context) as evaluation:
        return interventions.plan_resend(evaluation, data)


def _registry(context: Context) -> MlflowRegistry:
    configure_client()
    return MlflowRegistry(context.settings().mlflow_uri)


@contextmanager
def _evaluating(context: Context) -> Iterator[PlanContext]:
    """Yield the real registry, the policy and the ledger. Raises RegistryUnavailable, also in the block."""
    registry = _registry(context)
    try:
        with context.ledger() as ledger:
            yield PlanContext(registry, context.policy(), ledger, now())
    except RetryableError as error:
        raise RegistryUnavailable(str(error)) from error

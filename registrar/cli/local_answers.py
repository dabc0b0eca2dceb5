"""Answers from this machine's registry, ledger and policy, without a receiver or a worker. Imports MLflow's client."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from registrar.cli.context import Context
from registrar.cli.questions import NotAnswered, RegistryUnavailable
from registrar.events.left_out import is_left_out
from registrar.events.types import Data, RegistryQuery
from registrar.http.event_client import Unreachable
from registrar.ledger.engine import now
from registrar.queries.omitted_version import VersionInDoubt, complete
from worker import answers, interventions, suggestions
from worker.promotions.plan import Plan, PlanContext
from worker.registry.mlflow import MlflowRegistry, configure_client
from worker.registry.protocol import Refused, RetryableError


def look_up(context: Context, data: RegistryQuery) -> Mapping[str, Any]:
    """Return a table of what MLflow has. Raises UserError."""
    registry = _registry(context)
    try:
        return answers.table_answer(answers.look_up(registry, now(), data)).content
    except Refused as error:
        raise suggestions.explain(error, registry, data.model_dump()) from None
    except RetryableError as error:
        raise Unreachable(f"{error}; is it up? `registrar doctor` says how all parts are") from error


def plan(context: Context, data: RegistryQuery) -> Mapping[str, Any]:
    """Return a plan. Raises UserError."""
    with _evaluating(context) as evaluation:
        try:
            return answers.answer(evaluation, _completed(evaluation, data)).content
        except Refused as error:
            raise suggestions.explain(error, evaluation.registry, data.model_dump()) from None


def _completed(evaluation: PlanContext, data: RegistryQuery) -> RegistryQuery:
    """Return the question with the version that it means, as a receiver completes it. Raises NotAnswered."""
    if not is_left_out(data):
        return data
    try:
        with evaluation.ledger.read() as connection:
            return cast("RegistryQuery", complete(connection, evaluation.policy, data, at=evaluation.now))
    except VersionInDoubt as error:
        raise NotAnswered(str(error)) from None


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

"""`registrar plan`: what a promotion or a prune would do, without doing it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import NoReturn, TypeVar

import click

from registrar.cli import formatting, params
from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.events.types import Data
from registrar.ledger.engine import now
from worker import interventions
from worker.promotions import plan as promotion_plan
from worker.promotions.plan import PlanContext
from worker.registry.mlflow import MlflowRegistry, configure_client
from worker.registry.protocol import RetryableError
from worker.retention.plan import plan_prune

CODES = {"ready": 0, "blocked": 2, "nothing to do": 3}
Found = TypeVar("Found")


class RegistryUnavailable(UserError):
    """The registry does not answer, so nothing can be planned."""

    exit_code = 4


class Plan(click.Group):
    """`plan MODEL VERSION` is short for `plan promotion MODEL VERSION`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, ["promotion", *args] if args and args[0] not in known else args)


@click.group(cls=Plan)
def plan() -> None:
    """Say what a promotion or a prune would do, without doing it.

    \b
    registrar plan MODEL VERSION --to production
    registrar plan prune MODEL

    Exit code 0: there is something to do; 2: blocked; 3: nothing to do; 4: the registry does not answer.
    A model that is called prune: registrar plan promotion prune VERSION --to production.
    """


@plan.command()
@click.argument("model")
@click.argument("version", type=params.VERSION)
@click.option("--to", "stage", type=params.TARGET, required=True)
@formatting.as_json
@click.pass_context
def promotion(ctx: click.Context, *, model: str, version: int, stage: str, as_json: bool) -> None:
    """Say what a promotion of MODEL VERSION would do, gate by gate.

    \b
    registrar plan promotion churn 3 --to production    # "promotion" may be left out
    """
    print_promotion_plan(ctx, model, version, stage, as_json=as_json)


def print_promotion_plan(ctx: click.Context, model: str, version: int, target: str, *, as_json: bool) -> NoReturn:
    """Print what a promotion would do, and exit as `registrar plan` does."""
    result = _ask_registry(ctx, lambda look: promotion_plan.plan(look, model, version, target))
    if as_json:
        formatting.print_json({"model": model, "version": version, "target": target, **asdict(result)})
    else:
        click.echo("\n".join([f"{model} version {version} to {target}: {result.state}", *result.lines]))
    _exit(ctx, result.state)


@plan.command()
@click.argument("model")
@formatting.as_json
@click.pass_context
def prune(ctx: click.Context, *, model: str, as_json: bool) -> None:
    """Say which versions of MODEL would be marked or deleted, which stay, and why.

    \b
    registrar plan prune churn
    """
    result = _ask_registry(ctx, lambda look: plan_prune(look, model))
    if as_json:
        formatting.print_json({"model": model, **asdict(result)})
    else:
        click.echo(f"{result.title}.\n")
        formatting.table(result.table().columns, result.table().rows, empty=f"{model} has no versions")
    _exit(ctx, result.state)


def plan_resend(context: Context, data: Data) -> promotion_plan.Plan:
    """Return what sending an event again would do. data: of the new event. Raises RegistryUnavailable."""
    with _open_registry(context) as look:
        return interventions.plan_resend(look, data)


def _ask_registry(ctx: click.Context, ask: Callable[[PlanContext], Found]) -> Found:
    with formatting.show_progress("asking the registry"), _open_registry(ctx.obj) as look:
        return ask(look)


@contextmanager
def _open_registry(context: Context) -> Iterator[PlanContext]:
    """Yield the real registry, the policy and the ledger. Raises RegistryUnavailable, also in the block."""
    configure_client()
    registry = MlflowRegistry(context.settings().mlflow_uri)
    try:
        with context.ledger() as ledger:
            yield PlanContext(registry, context.policy(), ledger, now())
    except RetryableError as error:
        raise RegistryUnavailable(str(error)) from error


def _exit(ctx: click.Context, state: str) -> NoReturn:
    ctx.exit(CODES[state])
